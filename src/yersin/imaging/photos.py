"""Photographs: turned upright, freed of everything but the picture, encoded again; with a thumbnail.

Encoding again is the safety: places, device numbers, comments and whatever was hidden in or behind the file are gone.
Runs in the workshop, under its limits of time and memory. Orientation: Exif 2.32, tag 274.
"""

from __future__ import annotations

import io
import warnings
from typing import Any, Final

from PIL import Image, ImageOps, UnidentifiedImageError

from yersin.fhir.problem import Problem, problem
from yersin.imaging.kinds import Kind
from yersin.imaging.results import Photo

#: refused before anything is decoded; the largest phone cameras make 200 megapixels, as JPEG
MOST_PIXELS: Final = 210_000_000
#: PNG and WebP cannot be decoded at a smaller scale
MOST_PIXELS_WHOLE: Final = 60_000_000
#: the longest side that is kept: finer than any wound or form needs, and a tenth of the bytes
LONGEST_SIDE: Final = 6000
THUMBNAIL_SIDE: Final = 400
_FORMATS: Final = {Kind.JPEG: "JPEG", Kind.PNG: "PNG", Kind.WEBP: "WEBP"}


def prepare(raw: bytes, kind: Kind) -> Photo:
    """Make a photograph safe. Raises Problem when it is no picture, damaged, or too large to open."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of what is checked here
        return _prepare(raw, kind)


def _prepare(raw: bytes, kind: Kind) -> Photo:
    try:
        with Image.open(io.BytesIO(raw), formats=[_FORMATS[kind]]) as opened:
            _check_size(opened, kind)
            size = opened.size
            upright = _upright(opened)
    except UnidentifiedImageError as error:
        raise no_picture() from error
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError, ZeroDivisionError) as error:
        raise no_picture() from error
    kept = _within(upright, LONGEST_SIDE)
    content, media_type = _encoded(kept, kind)
    return Photo(
        media_type=media_type,
        content=content,
        width=kept.width,
        height=kept.height,
        thumbnail=thumbnail(kept),
        reduced=max(kept.size) < max(size),
    )


def _check_size(image: Image.Image, kind: Kind) -> None:
    pixels = image.width * image.height
    if pixels > (MOST_PIXELS if kind is Kind.JPEG else MOST_PIXELS_WHOLE):
        text = (
            f"Ảnh quá lớn ({image.width} × {image.height} điểm ảnh); hãy giảm kích thước rồi gửi lại. / "
            f"The picture is too large ({image.width} × {image.height} pixels): make it smaller and send it again."
        )
        raise problem("too-long", text, status=413)


def _upright(image: Image.Image) -> Image.Image:
    if max(image.size) > LONGEST_SIDE:
        image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
    image.load()
    turned = ImageOps.exif_transpose(image)
    clear = turned.has_transparency_data
    plain = turned.convert("RGBA" if clear else "L" if turned.mode in ("1", "L") else "RGB")
    # a new picture: nothing of the old one's metadata can follow
    made = Image.new(plain.mode, plain.size)
    made.paste(plain)
    return made


def _within(image: Image.Image, side: int) -> Image.Image:
    if max(image.size) <= side:
        return image
    smaller = image.copy()
    smaller.thumbnail((side, side), Image.Resampling.LANCZOS)
    return smaller


def _encoded(image: Image.Image, kind: Kind) -> tuple[bytes, str]:
    lossless = kind is Kind.PNG or image.mode == "RGBA"
    options: dict[str, Any] = {"format": "PNG"} if lossless else {"format": "JPEG", "quality": 90, "optimize": True}
    target = io.BytesIO()
    image.save(target, **options)
    return target.getvalue(), "image/png" if lossless else "image/jpeg"


def thumbnail(image: Image.Image) -> bytes:
    """Small JPEG of a picture, on white where it is transparent."""
    small = image.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    if small.mode == "RGBA":
        ground = Image.new("RGB", small.size, "white")
        ground.paste(small, mask=small.getchannel("A"))
        small = ground
    target = io.BytesIO()
    small.save(target, format="JPEG", quality=80)
    return target.getvalue()


def no_picture() -> Problem:
    """Build the Problem of a picture that cannot be opened."""
    text = (
        "Tệp có đuôi ảnh nhưng không mở được như một ảnh: có thể đã hỏng hoặc gửi chưa hết. Hãy chụp hoặc xuất lại ảnh. / "
        "The file looks like a picture but cannot be opened as one: it may be damaged or cut off. Take or export it again."
    )
    return problem("invalid", text, status=422)
