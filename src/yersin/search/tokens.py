"""The token grammar: what search keeps of a value, as texts, and their keyed 64-bit hashes.

The index side and the query side both build their texts here. SipHash-2-4 under the database's own key, so that the
index alone gives no names away. Source: https://hl7.org/fhir/R4/search.html#token, #reference, #string, #uri
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from siphash24 import siphash24

from yersin.fhir.folding import fold, words
from yersin.fhir.parameters import Parameter

#: lengths of the beginnings kept of a value; what is typed between two of them is compared on the line of `txt`
PREFIX_LENGTHS = (2, 3, 4, 6, 8, 12, 16, 24)
#: of a word of a name every beginning that people type
WORD_LENGTHS = (1, 2, 3, 4, 5, 6, 7, 8, 10)
WORD = "~word"
PHONE = "~phone"
IDENTIFIER = "~id"
YEAR = "~year"
BOOLEANS = {True: "true", False: "false"}

_NOT_DIGITS = re.compile(r"\D+")
_A_LETTER = re.compile(r"[^\W\d_]")
_NOT_SIGNS = re.compile(r"[\W_]+")
_VERSION = re.compile(r"/_history/[^/]*$")
_SCHEME = re.compile(r"^[A-Za-z][\w+.-]*:")


def hashes(texts: Iterable[str], key: bytes) -> tuple[int, ...]:
    """Hash token texts to signed 64-bit numbers, as PostgreSQL's bigint holds them."""
    return tuple([siphash24(text.encode(), key=key).intdigest() for text in texts])


def prefix_hashes(code: str, folded: str, key: bytes) -> list[int]:
    """Hash the texts of `prefixes`, each continuing the one before: a third of the cost of hashing them apart."""
    found, done = [], PREFIX_LENGTHS[0]
    state = siphash24(f"{code}^{folded[:done]}".encode(), key=key)
    for length in PREFIX_LENGTHS:
        if length > len(folded):
            break
        if length > done:
            state.update(folded[done:length].encode())
            done = length
        found.append(state.intdigest())
    return found


# --- tokens: param|system|code, param|*|code, param|system|, param||code -----------------------------------------


def case(parameter: Parameter, code: str) -> str:
    """Fold the case of codes ("when in doubt, case-insensitive"); identifiers and ids compare exactly."""
    return code if parameter.exact else code.lower()


def coded(code: str, system: str | None, value: str | None) -> list[str]:
    """Give the texts of a value with or without a system, its case already decided."""
    texts = []
    if value is not None:
        texts += [f"{code}|*|{value}", f"{code}|{system or ''}|{value}"]
    if system:
        texts.append(f"{code}|{system}|")
    return texts


def plain(code: str, value: str, system: str) -> list[str]:
    """Give the texts of a primitive; a bound code implies its system."""
    return [f"{code}|*|{value}", f"{code}|{system}|{value}"]


def of_type(code: str, coding: Any, value: str) -> str:
    """Give the text of an identifier searched by its type: `identifier:of-type=system|code|value`."""
    return f"{code}:of-type|{coding.system or ''}|{(coding.code or '').lower()}|{value}"


def token_query(parameter: Parameter, text: str, code: str = "") -> list[str]:
    """Give the texts, any of which answers `param=text`: `system|code`, `code`, `|code` or `system|`."""
    name = code or parameter.code
    system, bar, value = text.rpartition("|")
    if not bar:
        return [f"{name}|*|{_written(parameter, text)}"]
    if not value:
        return [f"{name}|{system}|"]
    return [f"{name}|{system}|{_written(parameter, value)}"]


def _written(parameter: Parameter, value: str) -> str:
    if any(p.type == "ContactPoint" for p in parameter.paths):
        return contact(value)
    return case(parameter, value)


def of_type_query(parameter: Parameter, text: str) -> list[str]:
    """Give the text of `identifier:of-type=system|code|value`; fewer than three parts match nothing."""
    system, _, rest = text.partition("|")
    code, bar, value = rest.partition("|")
    return [f"{parameter.code}:of-type|{system}|{code.lower()}|{value}"] if bar else []


@lru_cache(maxsize=1024)
def phone(text: str) -> str:
    """Keep the digits of a telephone number, Vietnam's country code as the leading 0; "" for what is none."""
    digits = _NOT_DIGITS.sub("", text)
    if len(digits) < 3 or _A_LETTER.search(text):
        return ""
    return "0" + digits[2:] if digits.startswith("84") and ("+" in text or len(digits) >= 11) else digits


def contact(text: str) -> str:
    """Give a contact point as it is compared: a telephone number by its digits, anything else without case."""
    return phone(text) or text.lower()


def signs(text: str) -> str:
    """Keep the letters and digits of an identifier as it is typed: blanks, dots and dashes fall away."""
    return _NOT_SIGNS.sub("", text).lower()


def present(code: str) -> str:
    """Give the text that says the parameter has a value, for `:missing`."""
    return code + "?"


def key_text(system_free_code: str) -> str:
    """Give the text whose hash keys a range row by the code beside it."""
    return "$|" + system_free_code.lower()


# --- references: param>Type/id, param>url, param:identifier|system|value -----------------------------------------


def reference_text(reference: str, base: str = "") -> str:
    """Give a reference as it is compared: this server's own base and any version fall away."""
    if base and reference.startswith(base):
        reference = reference[len(base) :].lstrip("/")
    return _VERSION.sub("", reference) if "/_history/" in reference else reference


def reference_query(parameter: Parameter, text: str, type_name: str = "", base: str = "") -> list[str]:
    """Give the texts, any of which answers `param=text`, `param:Type=id` or `param=Type/id`."""
    value = reference_text(text, base)
    codes = parameter.covers or (parameter.code,)
    if type_name and "/" not in value:
        value = f"{type_name}/{value}"
    if "/" in value or _SCHEME.match(value) or not parameter.targets:
        return [f"{code}>{value}" for code in codes]
    return [f"{code}>{target}/{value}" for code in codes for target in parameter.targets]


def canonical(code: str, value: str) -> list[str]:
    """Give the texts of a canonical: with its version and without."""
    url = value.partition("|")[0]
    return [f"{code}>{value}"] if url == value else [f"{code}>{value}", f"{code}>{url}"]


def member(patient: str) -> str:
    """Give the text of belonging to a patient's compartment."""
    return f"in>Patient/{patient}"


def kept_by(organization: str) -> str:
    """Give the text of a patient whose managing organization this is."""
    return f"organization>Organization/{organization}"


# --- strings: param^prefix (folded), param:exact=value -------------------------------------------------------------


def prefixes(code: str, folded: str) -> list[str]:
    """Give the texts of the beginnings of a folded value."""
    return [f"{code}^{folded[:n]}" for n in PREFIX_LENGTHS if n <= len(folded)]


def exact(code: str, value: str) -> str:
    """Give the text of a whole value as written, for `:exact`."""
    return f"{code}:exact={value}"


def string_query(code: str, text: str) -> tuple[str, bool]:
    """Give the text that a value starting with this has, and whether it settles the match; "" when none can help.

    Where it does not settle, the beginning is compared on the line of `txt`.
    """
    folded = fold(text)
    length = max((n for n in PREFIX_LENGTHS if n <= len(folded)), default=0)
    return (f"{code}^{folded[:length]}", length == len(folded)) if length else ("", False)


def typed(text: str) -> list[str]:
    """Give the texts that all hold for someone found as you type: each word begins a word of a name."""
    return [f"{WORD}^{word[: _longest(word)]}" for word in words(text)]


def word_prefixes(word: str) -> list[str]:
    """Give the texts of the beginnings of a name's word, from its first letter."""
    return [f"{WORD}^{word[:n]}" for n in WORD_LENGTHS if n <= len(word)]


def _longest(word: str) -> int:
    return max(n for n in WORD_LENGTHS if n <= len(word))


# --- uris: param=uri, param<ancestor for :below -------------------------------------------------------------------


def uri(code: str, value: str) -> list[str]:
    """Give the texts of a uri: itself, and every ancestor of its path for `:below`."""
    return [f"{code}={value}", *(f"{code}<{above}" for above in ancestors(value))]


def ancestors(value: str) -> list[str]:
    """List a uri and what it lies under, by whole segments."""
    if "://" not in value:
        return [value]
    scheme, _, rest = value.partition("://")
    parts = rest.rstrip("/").split("/")
    return [f"{scheme}://{'/'.join(parts[:n])}" for n in range(1, len(parts) + 1)]


# --- composites: param$left$right ---------------------------------------------------------------------------------


def pair(code: str, left: str, right: str) -> str:
    """Give the text of two values that stand together; each is a text of its own token without the name."""
    return f"{code}${left}${right}"


def together(code: str, numbers: Iterable[int]) -> str:
    """Give the text of any number of values that stand together, from the hashes of their own tokens."""
    return f"{code}${'$'.join(map(str, numbers))}"
