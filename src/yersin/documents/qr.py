"""QR codes as SVG, for the address where a paper copy can be checked. Source: ISO/IEC 18004."""

from __future__ import annotations

import segno


def qr_svg(text: str) -> str:
    """Return the QR code of a text as an SVG document without a declaration."""
    code = segno.make(text, error="m", micro=False)
    return str(code.svg_inline(border=1, dark="#14213d", light="#ffffff", omitsize=True))
