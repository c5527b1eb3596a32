"""Files dropped on a chart or taken with the camera, in Chromium: progress, a cut network, plain refusals, and where they appear."""

from __future__ import annotations

import base64
import io
import os
import random
import re
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect
from pydicom.uid import generate_uid
from tests.imaging import makers

from yersin.app.demo.cast import demo_people

SON = next(m.patient_id for m in demo_people() if m.patient_id)
STATION = "Trạm Y tế xã Bắc Hà"
_DROP = """(zone, files) => {
  const dropped = new DataTransfer();
  for (const [name, type, text] of files) {
    const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
    dropped.items.add(new File([bytes], name, { type }));
  }
  for (const kind of ["dragenter", "dragover", "drop"])
    zone.dispatchEvent(new DragEvent(kind, { dataTransfer: dropped, bubbles: true, cancelable: true }));
}"""
_PATIENCE = 60_000


def _drop(page: Page, *files: tuple[str, str, bytes]) -> Locator:
    """Drop files on the zone; gives their lines."""
    sent = [[name, kind, base64.b64encode(content).decode()] for name, kind, content in files]
    page.locator("[data-upload][data-attaching]").evaluate(_DROP, sent)
    return page.locator(".attach-item")


def _noise(side: int = 1500) -> bytes:
    """A photograph of a few megabytes, like no other."""
    seed = random.Random(os.urandom(8))  # noqa: S311 - only to be unlike the others
    target = io.BytesIO()
    Image.frombytes("RGB", (side, side), seed.randbytes(side * side * 3)).save(target, format="JPEG", quality=95)
    return target.getvalue()


def _of_son() -> bytes:
    return makers.grey_dicom(
        np.random.default_rng().integers(0, 900, (64, 64)), PatientName="Hoàng^Văn^Sơn", PatientSex="M",
        PatientBirthDate="19680412", PatientID=None, StudyInstanceUID=generate_uid(), SeriesInstanceUID=generate_uid(),
        SOPInstanceUID=generate_uid(), StudyDescription="Chup phoi",
    )  # fmt: skip


@pytest.fixture
def images(signed_in: Callable[..., Page]) -> Iterator[Page]:
    page = signed_in("tram")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"/records/{SON}/images")
    yield page
    assert errors == []


def test_a_photograph_a_pdf_and_a_dicom_file_are_dropped_on_the_chart(images: Page) -> None:
    name = f"tha-{os.urandom(3).hex()}"
    lines = _drop(
        images,
        (f"{name}.jpg", "image/jpeg", _noise(200)),
        (f"{name}.pdf", "application/pdf", makers.pdf() + os.urandom(4).hex().encode()),
        (f"{name}.dcm", "application/dicom", _of_son()),
    )
    expect(lines).to_have_count(3)
    for number in range(3):
        expect(lines.nth(number)).to_have_attribute("data-state", "ready", timeout=_PATIENCE)
    expect(images.locator("#pictures")).to_contain_text(name)
    photo = images.locator("#pictures .panel", has_text=name).first
    expect(photo).to_contain_text(STATION)
    expect(photo.locator("img")).to_have_js_property("complete", value=True)
    images.goto(f"/records/{SON}/documents")
    expect(images.locator("#papers tr", has_text=name)).to_contain_text(STATION)
    images.goto(f"/records/{SON}/timeline")
    moments = images.locator(".moment", has_text=name)
    expect(moments.first).to_contain_text(STATION)
    told = "".join(moments.all_text_contents())  # each by itself, or both in a visit that is going on
    assert told.count(name) == 2, told
    expect(images.locator(".moment", has_text="Chup phoi").first).to_contain_text(STATION)


def test_progress_is_shown_and_a_cut_in_the_middle_costs_one_piece(images: Page) -> None:
    offsets: list[int] = []

    def slowly(route: Route) -> None:
        offsets.append(int(route.request.headers["upload-offset"]))
        time.sleep(0.4)
        route.continue_()

    images.route("**/pieces", slowly)
    content = _noise()
    line = _drop(images, ("vet-mo.jpg", "image/jpeg", content))
    bar = line.locator("progress")
    expect(bar).to_be_visible()
    images.wait_for_function("() => document.querySelector('.attach-item progress').value > 0")
    images.context.set_offline(True)
    expect(line).to_have_attribute("data-state", "waiting", timeout=_PATIENCE)
    expect(line).to_contain_text("Mất mạng")
    sent = images.evaluate("document.querySelector('.attach-item progress').value")
    assert 0 < sent < len(content)
    images.context.set_offline(False)
    expect(line).to_have_attribute("data-state", "ready", timeout=_PATIENCE)
    assert len(offsets) <= len(set(offsets)) + 1, "only the piece that was cut is sent again"


def test_a_file_that_is_not_what_it_says_is_refused_in_plain_words(images: Page) -> None:
    before = images.locator("#pictures .panel").count()
    lines = _drop(
        images,
        ("anh.jpg", "image/jpeg", b"this is a letter and no image " * 40),
        ("hong.jpg", "image/jpeg", makers.picture()[:300]),
        ("bang-ke.xlsx", "application/vnd.ms-excel", b"PK\x03\x04 a sheet"),
        ("rong.jpg", "image/jpeg", b""),
    )
    expect(lines).to_have_count(4)
    for number in range(4):
        expect(lines.nth(number)).to_have_attribute("data-state", "refused", timeout=_PATIENCE)
        said = lines.nth(number).locator(".upload-state").inner_text()
        assert len(said) >= len("Tệp rỗng")
        assert not re.search(r"Error|Exception|\b[45]\d\d\b", said), said
    images.reload()
    assert images.locator("#pictures .panel").count() == before


def test_a_photograph_is_taken_with_the_camera_and_looked_at_before_it_is_kept(images: Page) -> None:
    before = images.locator("#pictures .panel").count()
    images.locator(".attach-camera").click()
    dialog = images.locator("dialog.camera")
    take = dialog.get_by_role("button", name="Chụp", exact=True)
    expect(take).to_be_visible(timeout=_PATIENCE)
    assert dialog.locator("video").evaluate("(video) => video.videoWidth") > 0
    take.click()
    dialog.get_by_role("button", name="Chụp lại").click()
    expect(take).to_be_visible(timeout=_PATIENCE)
    take.click()
    dialog.get_by_role("button", name="Dùng ảnh này").click()
    expect(dialog).to_have_count(0)
    expect(images.locator(".attach-item")).to_have_attribute("data-state", "ready", timeout=_PATIENCE)
    images.reload()
    assert images.locator("#pictures .panel").count() == before + 1


def test_without_a_camera_it_is_said_what_to_do(images: Page) -> None:
    images.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('none', 'NotFoundError')); }"
    )
    images.locator(".attach-camera").click()
    dialog = images.locator("dialog.camera")
    expect(dialog).to_contain_text("Không tìm thấy camera")
    dialog.get_by_role("button", name="Đóng").click()
    expect(dialog).to_have_count(0)
