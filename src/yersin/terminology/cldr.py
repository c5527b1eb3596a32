"""Countries and currencies as code systems, in Vietnamese and English. Source: Unicode CLDR (https://cldr.unicode.org), by Babel.

R4 names ISO 3166 and ISO 4217 in its bindings and does not list them: the standards are ISO's, the codes everybody's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from babel import Locale

COUNTRIES, CURRENCIES = "urn:iso:std:iso:3166", "urn:iso:std:iso:4217"
_COUNTRY, _CURRENCY = re.compile(r"[A-Z]{2}"), re.compile(r"[A-Z]{3}")
#: codes of CLDR that are no countries of ISO 3166
_OWN = frozenset({"AC", "CP", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ", "CQ"})


def systems() -> Iterator[dict[str, Any]]:
    """Both code systems, as CodeSystem resources."""
    english, vietnamese = Locale("en"), Locale("vi")
    yield _system(COUNTRIES, "ISO 3166-1 alpha-2", _COUNTRY, english.territories, vietnamese.territories)
    yield _system(CURRENCIES, "ISO 4217", _CURRENCY, english.currencies, vietnamese.currencies)


def _system(
    url: str, title: str, rule: re.Pattern[str], english: Mapping[str, str], vietnamese: Mapping[str, str]
) -> dict[str, Any]:
    concepts = [
        {"code": code, "display": english[code], "designation": [{"language": "vi", "value": vietnamese.get(code, english[code])}]}
        for code in sorted(english)
        if rule.fullmatch(code) and code not in _OWN
    ]  # fmt: skip
    named = {"resourceType": "CodeSystem", "url": url, "name": re.sub(r"\W", "", title), "title": title}
    return {**named, "status": "active", "content": "complete", "language": "en", "concept": concepts}
