"""Photographs: upright, without metadata, encoded again; bombs and damaged ones are refused with the cure."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.imaging.makers import pdf, picture, png_of_size, turned

from yersin.fhir.problem import Problem
from yersin.imaging.kinds import Kind
from yersin.imaging.photos import LONGEST_SIDE, THUMBNAIL_SIDE, prepare


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_upright(orientation: int) -> None:
    photo = prepare(turned(orientation), Kind.JPEG)
    assert (photo.width, photo.height) == ((80, 60) if orientation < 5 else (60, 80))
    with Image.open(io.BytesIO(photo.content)) as image:
        image.load()
        corners = [(10, 10), (photo.width - 10, 10), (photo.width - 10, photo.height - 10), (10, photo.height - 10)]
        blue = [corner for corner in corners if image.getpixel(corner)[2] > 200]  # type: ignore[index]  # an RGB picture
    where = {1: 0, 2: 1, 3: 2, 4: 3, 5: 0, 6: 1, 7: 2, 8: 3}
    assert blue == [corners[where[orientation]]]


def test_place_device_and_comments_are_gone() -> None:
    raw = turned(6)
    assert b"Le Thi Hoa" in raw
    photo = prepare(raw + b"<script>hidden()</script>", Kind.JPEG)
    for part in (photo.content, photo.thumbnail):
        for hidden in (b"Le Thi Hoa", b"a comment", b"script", b"Exif"):
            assert hidden not in part


def test_what_is_hidden_behind_a_picture_is_gone() -> None:
    photo = prepare(picture(kind="PNG") + pdf(), Kind.PNG)
    assert b"%PDF" not in photo.content


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "RGBA"), ("PNG", "L"), ("PNG", "1"), ("WEBP", "RGB"), ("JPEG", "CMYK"), ("JPEG", "L")]
)
def test_all_modes_come_through(kind: str, mode: str) -> None:
    photo = prepare(picture((800, 600), kind, mode), Kind[kind])
    with Image.open(io.BytesIO(photo.thumbnail)) as small:
        assert max(small.size) == THUMBNAIL_SIDE
    assert photo.media_type == ("image/png" if kind == "PNG" else "image/jpeg")


def test_a_huge_photo_is_made_smaller() -> None:
    photo = prepare(picture((8000, 2000)), Kind.JPEG)
    assert photo.reduced
    assert max(photo.width, photo.height) == LONGEST_SIDE


@pytest.mark.parametrize("side", [20_000, 60_000, 2**31 - 1])
def test_a_decompression_bomb_is_refused_before_it_is_opened(side: int) -> None:
    with pytest.raises(Problem, match=r"too large|cannot be opened"):
        prepare(png_of_size(side, side), Kind.PNG)


@pytest.mark.parametrize(
    "content", [b"\xff\xd8\xff\xe0 this is no picture", picture()[:200], picture(kind="PNG")[:60], b""]
)
def test_a_picture_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(Problem, match="cannot be opened"):
        prepare(content, Kind.PNG if content[:1] == b"\x89" else Kind.JPEG)


@settings(deadline=None, max_examples=150)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "WEBP"]),
    at=st.integers(0, 10**6),
    put=st.binary(min_size=1, max_size=8),
    cut=st.integers(0, 300),
)
def test_a_damaged_picture_is_a_picture_or_a_problem(kind: str, at: int, put: bytes, cut: int) -> None:
    raw = bytearray(picture((40, 30), kind))
    at %= len(raw)
    raw[at : at + len(put)] = put
    with contextlib.suppress(Problem):  # nothing else may come out
        prepare(bytes(raw[: len(raw) - cut]), Kind[kind])
