"""Narrative may show, never act: the XHTML that FHIR allows in Narrative.div, refused otherwise and never altered.

One pattern reads the tags that may stand there; anything else that looks like a tag is a finding.
Source: https://hl7.org/fhir/R4/narrative.html (rule txt-1). HL7's own examples hold an empty div and
images on other hosts, so neither is refused; pages show images under a policy that loads nothing from elsewhere.
"""

from __future__ import annotations

import functools
import html
import re

XHTML = "http://www.w3.org/1999/xhtml"
_ELEMENTS = """
a abbr acronym address area b bdo big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6
hr i img kbd li map ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var
"""
_ATTRIBUTES = """
abbr accesskey align alt axis border cellpadding cellspacing char charoff charset cite class colspan coords dir frame
headers height href hreflang id ismap lang longdesc name nohref nowrap rel rev rowspan rules scope shape space span src
style summary tabindex title type usemap valign width xml:lang xml:space xmlns
"""
ELEMENTS = frozenset(_ELEMENTS.split())
ATTRIBUTES = frozenset(_ATTRIBUTES.split())
LINKS = frozenset({"href", "src", "cite", "longdesc", "usemap"})
_LONGEST_TAG = 120  # longer ones rarely come twice
_NAME = r"[A-Za-z_:][-A-Za-z0-9_:.]*"
_TOKEN = re.compile(
    rf"[^<&]+|&(?:#[0-9]+|#x[0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]*);|<(/?)({_NAME})"
    rf"((?:\s+{_NAME}\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))*)\s*(/?)>|<!--(?:(?!--)[\s\S])*-->"
)
_ATTRIBUTE = re.compile(rf"({_NAME})\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_OPENING = re.compile(rf"\s*<div\s[^>]*xmlns\s*=\s*[\"']{re.escape(XHTML)}[\"']")
_SAFE_LINK = re.compile(r"(?:https?:|mailto:|tel:|urn:|#|[^:]*\Z|[^:/?#]*[/?#])", re.IGNORECASE)
_SAFE_IMAGE = re.compile(r"(?:https?:|urn:|#|data:image/(?:png|gif|jpe?g|webp|bmp);|[^:]*\Z)", re.IGNORECASE)
_ACTIVE_STYLE = re.compile(r"url\s*\(|expression|javascript|vbscript|import|behav|binding|\\|/\*", re.IGNORECASE)


def findings(div: str) -> list[str]:
    """Say what is wrong with a narrative, in plain words; empty when it may be shown."""
    if not _OPENING.match(div):
        return [f'The narrative must be one <div xmlns="{XHTML}">']
    if _is_plain(div):
        return []
    found: list[str] = []
    _read(div.strip(), found)
    return found


@functools.lru_cache(maxsize=4096)
def _plain_tag(text: str) -> tuple[str, bool] | None:
    """Name and whether it stays open, of a tag that is good by itself; the same few tags come again and again."""
    token = _TOKEN.fullmatch(f"<{text}>")
    if token is None or not token[2]:
        return None
    found: list[str] = []
    _tag(token, [token[2]], found)
    return None if found else (f"{token[1]}{token[2]}", not token[4])


def _is_plain(div: str) -> bool:
    """Quick look: one tree of good tags without references; False means look closely, not refuse."""
    if "&" in div:
        return False
    before, *parts = div.strip().split("<")
    opened: list[str] = []
    for part in parts:
        text, end, after = part.partition(">")
        tag = _plain_tag(text) if end and len(text) <= _LONGEST_TAG else None
        if tag is None:
            return False
        name, stays = tag
        if name[0] == "/":
            if not opened or opened.pop() != name[1:]:
                return False
        elif stays:
            opened.append(name)
        if not opened and (after or part is not parts[-1]):
            return False
    return not before and not opened


def _read(div: str, found: list[str]) -> None:
    """Walk the tokens and note findings."""
    opened: list[str] = []
    at = 0
    while at < len(div):
        token = _TOKEN.match(div, at)
        if token is None:
            found.append(f"Near {div[at : at + 40]!r}: only well-formed XHTML without declarations may stand here")
            return
        at = token.end()
        if token[2]:
            _tag(token, opened, found)
        if not opened and at < len(div):
            found.append("The narrative must end with its first <div>")
            return
    if opened:
        found.append(f"<{opened[-1]}> is not closed")


def _tag(token: re.Match[str], opened: list[str], found: list[str]) -> None:
    closing, name, attributes, alone = token.groups()
    if name not in ELEMENTS:
        found.append(f"<{name}> may not stand in a narrative: only text, lists, tables, links and images may")
    if closing:
        if not opened or opened.pop() != name:
            found.append(f"</{name}> closes nothing")
        return
    if not alone:
        opened.append(name)
    if attributes:
        found.extend(filter(None, (_attribute(name, a) for a in _ATTRIBUTE.finditer(attributes))))


def _attribute(element: str, match: re.Match[str]) -> str:
    name = match[1]
    if name not in ATTRIBUTES:
        return f"The attribute {name} may not stand in a narrative"
    if name not in LINKS and name != "style":
        return ""
    value = html.unescape(match[2] if match[2] is not None else match[3])
    if name == "style":
        return "This style could act or load something: remove it" if _ACTIVE_STYLE.search(value) else ""
    plain = "".join(c for c in value if c > " ")
    if name == "src" or element == "img":
        return (
            "" if _SAFE_IMAGE.match(plain) else f"The image {plain[:60]!r} could act: use a picture's address or data"
        )
    return "" if _SAFE_LINK.match(plain) else f"The link {plain[:60]!r} could act: use http, https, mailto or #"
