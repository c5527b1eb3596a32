"""attach.ts and viewer.ts in Chromium: progress, a cut network, a killed server, another person's image, touch and keys."""

from __future__ import annotations

import asyncio
import io
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect
from tests import browsers
from tests.imaging.makers import grey_dicom, pdf, picture

from yersin.blobs.uploads import DDL
from yersin.db import connect

ROOT = Path(__file__).parents[2]
PATIENCE = 30_000  # a worker of the workshop starts within it on a busy machine too


class Small:
    """The small application in a process of its own, which tests may kill and start again."""

    def __init__(self, url: str, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.command = [sys.executable, "-m", "tests.imaging.small_room", url, str(folder), str(self.port)]
        self.base = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, slow: float = 0.0) -> None:
        self.process = subprocess.Popen(self.command, cwd=ROOT, env={**os.environ, "SLOW": str(slow)})
        until = time.monotonic() + 120
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError("the small application did not start")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def uploads_url(make_database: Callable[..., str]) -> str:
    """Address of a database with the table of uploads; made before the browser, whose driver keeps a loop running."""
    url = make_database()

    async def prepare() -> None:
        database = await connect(url, max_size=1)
        await database.execute(DDL)
        await database.close()

    asyncio.run(prepare())
    return url


@pytest.fixture
def small(uploads_url: str, tmp_path: Path) -> Iterator[Small]:
    made = Small(uploads_url, tmp_path / "blobs")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def browser(uploads_url: str) -> Iterator[Browser]:
    del uploads_url
    with browsers.chromium() as launched:
        yield launched


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, locale="vi-VN"
    )
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    yield opened
    context.close()
    assert errors == []


def noise(size: tuple[int, int] = (1500, 1200)) -> bytes:
    image = Image.frombytes("RGB", size, random.Random(1).randbytes(size[0] * size[1] * 3))  # noqa: S311 - repeatable
    target = io.BytesIO()
    image.save(target, format="JPEG", quality=95)
    return target.getvalue()


def choose(page: Page, *files: tuple[str, bytes]) -> None:
    payload = [{"name": name, "mimeType": "application/octet-stream", "buffer": content} for name, content in files]
    page.locator('.upload input[name="files"]').set_input_files(payload)  # type: ignore[arg-type]  # plain dictionaries


def test_files_are_sent_at_once_and_each_says_its_state(small: Small, page: Page) -> None:
    small.start()
    page.goto(f"{small.base}/attach")
    page.evaluate(
        "window.done = []; document.addEventListener('attached', (event) => window.done.push(event.detail.resource))"
    )
    files = [
        ("vết thương.jpg", noise()),
        ("giấy.pdf", pdf()),
        ("bài.docx", b"PK\x03\x04 a document"),
        ("trống.jpg", b""),
    ]
    choose(page, *files)
    lines = page.locator(".attach-item")
    expect(lines).to_have_count(4)
    expect(lines.nth(0)).to_have_attribute("data-state", "ready")
    expect(lines.nth(1)).to_have_attribute("data-state", "ready")
    expect(lines.nth(2)).to_contain_text("ZIP, Word, Excel")
    expect(lines.nth(3)).to_contain_text("Tệp rỗng")
    assert page.evaluate("window.done") == ["Media/1", "Media/1"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('upload:'))") == []
    expect(page.get_by_role("button", name="Gửi")).to_be_hidden()
    expect(page.get_by_role("button", name="Chụp ảnh")).to_be_visible()
    assert page.locator('input[capture="environment"]').get_attribute("accept") == "image/*"


def test_a_cut_network_stops_nothing_for_good(small: Small, page: Page) -> None:
    small.start(slow=0.3)
    page.goto(f"{small.base}/attach")
    offsets: list[int] = []
    page.on("request", lambda request: offsets.append(int(request.headers.get("upload-offset", -1))))
    choose(page, ("ảnh.jpg", noise((2600, 2000))))
    line = page.locator(".attach-item")
    expect(line.locator("progress")).not_to_have_js_property("value", 0)
    page.context.set_offline(True)
    expect(line).to_have_attribute("data-state", "waiting")
    expect(line).to_contain_text("Mất mạng")
    page.context.set_offline(False)
    expect(line).to_have_attribute("data-state", "ready")
    sent = [offset for offset in offsets if offset >= 0]
    assert len(sent) <= len(set(sent)) + 1, "only the piece that was cut is sent again"


def test_a_killed_server_and_a_reload_go_on_from_where_it_was(small: Small, page: Page) -> None:
    small.start(slow=0.3)
    # the driver dates every file it hands over now; a file on a disk keeps its date
    page.add_init_script("Object.defineProperty(File.prototype, 'lastModified', { get: () => 0 })")
    page.goto(f"{small.base}/attach")
    content = noise((2600, 2000))
    choose(page, ("ảnh.jpg", content))
    line = page.locator(".attach-item")
    expect(line.locator("progress")).not_to_have_js_property("value", 0)
    small.stop()
    expect(line).to_have_attribute("data-state", "waiting")
    small.start()
    page.goto(f"{small.base}/attach")
    offsets: list[int] = []
    page.on("request", lambda request: offsets.append(int(request.headers.get("upload-offset", -1))))
    choose(page, ("ảnh.jpg", content))
    expect(page.locator(".attach-item")).to_have_attribute("data-state", "ready")
    assert min(offset for offset in offsets if offset >= 0) > 0


def test_another_persons_image_waits_for_a_decision(small: Small, page: Page) -> None:
    small.start()
    page.goto(f"{small.base}/attach")
    other = grey_dicom(np.arange(64).reshape(8, 8), PatientName="Trần^Văn^Ba", PatientSex="M")
    choose(page, ("ct.dcm", other))
    line = page.locator(".attach-item")
    expect(line).to_have_attribute("data-state", "confirm")
    expect(line).to_contain_text("Tên trong tệp là “Trần Văn Ba”")
    page.get_by_role("button", name="Không đính kèm: ct.dcm").click()
    expect(line).to_have_count(0)
    choose(page, ("ct.dcm", other))
    page.get_by_role("button", name="Đính kèm vào hồ sơ này: ct.dcm").click()
    expect(line).to_have_attribute("data-state", "ready")


def test_sending_can_be_cancelled(small: Small, page: Page) -> None:
    small.start(slow=1)
    page.goto(f"{small.base}/attach")
    choose(page, ("ảnh.jpg", noise((2600, 2000))))
    with page.expect_request("**/cancel"):
        page.get_by_role("button", name="Hủy: ảnh.jpg").click()
    expect(page.locator(".attach-item")).to_have_count(0)


def test_a_refusal_by_the_server_is_shown_with_its_cure(small: Small, page: Page) -> None:
    small.start()
    page.goto(f"{small.base}/attach")

    def full(route: Route) -> None:
        route.fulfill(
            status=507, content_type="application/json", body='{"state": "refused", "text": "Máy chủ hết chỗ"}'
        )

    page.route("**/pieces", full)
    choose(page, ("ảnh.jpg", picture()))
    expect(page.locator(".attach-item")).to_contain_text("Máy chủ hết chỗ")


@pytest.fixture
def viewing(small: Small, page: Page) -> Page:
    small.start()
    page.goto(f"{small.base}/attach")
    stack = np.random.default_rng(3).integers(-1000, 1000, (5, 64, 64))
    choose(page, ("ct.dcm", grey_dicom(stack, WindowCenter=[40, 300], WindowWidth=[400, 1500])))
    page.locator(".attach-item a").click()
    expect(page.locator("[data-viewer]")).to_have_attribute("data-shown", "1")
    return page


def test_frames_are_scrolled_by_slider_and_keys(viewing: Page) -> None:
    viewer, stage = viewing.locator("[data-viewer]"), viewing.locator(".viewer-stage")
    viewing.get_by_role("slider", name="Khung hình").fill("3")
    expect(viewer).to_have_attribute("data-shown", "3")
    stage.focus()
    for key, frame in (("End", "5"), ("PageUp", "4"), ("Home", "1"), ("PageDown", "2")):
        stage.press(key)
        expect(viewer).to_have_attribute("data-shown", frame)
    expect(viewing.locator(".viewer-words")).to_contain_text("Khung hình 2/5")


def test_the_window_follows_the_drag_the_keys_and_the_presets(viewing: Page) -> None:
    viewer, stage = viewing.locator("[data-viewer]"), viewing.locator(".viewer-stage")
    expect(viewer).to_have_attribute("data-window", "40/400")
    place = stage.bounding_box()
    assert place
    viewing.mouse.move(place["x"] + 100, place["y"] + 100)
    viewing.mouse.down()
    viewing.mouse.move(place["x"] + 160, place["y"] + 130, steps=5)
    viewing.mouse.up()
    expect(viewer).not_to_have_attribute("data-window", "40/400")
    center, width = (float(part) for part in (viewer.get_attribute("data-window") or "").split("/"))
    assert center > 40
    assert width > 400
    viewing.get_by_label("Cửa sổ").select_option("1")
    expect(viewer).to_have_attribute("data-window", "300/1500")
    stage.press("Shift+ArrowRight")
    expect(viewer).to_have_attribute("data-window", "300/1550")
    stage.press("r")
    expect(viewer).to_have_attribute("data-window", "40/400")


def test_zoom_and_pan_keep_the_image_on_the_stage(viewing: Page) -> None:
    stage, image = viewing.locator(".viewer-stage"), viewing.locator(".viewer-stage img")
    viewing.get_by_role("button", name="Phóng to").click()
    stage.press("ArrowRight")
    assert "scale(1.5)" in (image.get_attribute("style") or "")
    assert "translate(-40px" in (image.get_attribute("style") or "")
    for _ in range(20):
        stage.press("ArrowRight")
    width = viewing.evaluate("document.querySelector('.viewer-stage').clientWidth")
    assert f"translate(-{width / 4:g}px" in (image.get_attribute("style") or "")
    stage.press("0")
    assert "scale(1)" in (image.get_attribute("style") or "")
    assert viewing.evaluate("document.documentElement.scrollWidth") <= 360
