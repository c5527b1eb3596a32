"""Words of an expression, each with its place. Source: https://hl7.org/fhirpath/N1/#lexical-elements"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .refusal import unreadable

LONGEST = 20_000
_TOKEN = re.compile(
    r"""(?P<blank>(?:\s+|//[^\r\n]*|/\*(?:[^*]|\*(?!/))*\*/)+)
    |(?P<moment>@\d{4}(?:-\d\d(?:-\d\d)?)?T(?:\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:\d\d)?)?)
    |(?P<time>@T\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?)
    |(?P<date>@\d{4}(?:-\d\d(?:-\d\d)?)?)
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<string>'(?:[^'\\]|\\.)*')
    |(?P<delimited>`(?:[^`\\]|\\.)*`)
    |(?P<special>\$(?:this|index|total))
    |(?P<constant>%(?:[A-Za-z_][\w-]*|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`))
    |(?P<word>[A-Za-z_]\w*)
    |(?P<sign><=|>=|!=|!~|[-+*/&|=~<>().,\[\]{}])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_MEANS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "'": "'", '"': '"', "`": "`", "\\": "\\", "/": "/"}


@dataclass(frozen=True, slots=True)
class Token:
    """A word: its kind, its text without marks and escapes, and where it starts."""

    kind: str
    text: str
    at: int


def tokens(text: str) -> list[Token]:
    """Cut a text into words, an empty one at its end. Raises NotFHIRPath."""
    if len(text) > LONGEST:
        raise unreadable(text, 0, f"An expression may have {LONGEST} characters")
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise unreadable(text, at, _complaint(text, at))
        kind = match.lastgroup
        if kind != "blank":
            found.append(Token(kind, _meaning(kind, match[0], text, at), at))
        at = match.end()
    return [*found, Token("end", "", len(text))]


def _complaint(text: str, at: int) -> str:
    if text[at] in "'`":
        return "This text is not closed"
    if text.startswith("/*", at):
        return "This comment is not closed"
    return "This cannot stand in an expression"


def _meaning(kind: str, written: str, text: str, at: int) -> str:
    match kind:
        case "string" | "delimited":
            return _unescaped(written[1:-1], text, at)
        case "constant":
            inner = written[1:]
            return _unescaped(inner[1:-1], text, at) if inner[0] in "'`" else inner
        case "moment" | "date":
            return written[1:].removesuffix("T")
        case "time":
            return written[2:]
    return written


def _unescaped(inner: str, text: str, at: int) -> str:
    def replaced(match: re.Match[str]) -> str:
        mark = match[1]
        if len(mark) == 5:
            return chr(int(mark[1:], 16))
        return _MEANS.get(mark, mark)  # a backslash before anything else is ignored

    if "\\" not in inner:
        return inner
    try:
        # two escapes may name one character, as halves of it
        return _ESCAPE.sub(replaced, inner).encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise unreadable(text, at, "An escape names half a character (a lone surrogate)") from None
