"""Plain words in and out of a FHIR narrative: paragraphs of escaped text and nothing else.

Source: https://hl7.org/fhir/R4/narrative.html
"""

from __future__ import annotations

import re
from html import escape, unescape

from .codes import JSON

_PARAGRAPH = re.compile(r"<p>(.*?)</p>", re.DOTALL)
_OPEN = '<div xmlns="http://www.w3.org/1999/xhtml">'


def narrative(text: str) -> JSON:
    """Build a Narrative of plain words; each line is a paragraph."""
    paragraphs = "".join(f"<p>{escape(line, quote=False)}</p>" for line in text.split("\n"))
    return {"status": "generated", "div": f"{_OPEN}{paragraphs}</div>"}


def plain(text: JSON | None) -> str:
    """Words of a Narrative that `narrative` made."""
    return "\n".join(unescape(p) for p in _PARAGRAPH.findall((text or {}).get("div", "")))
