"""The call in Chromium with an invented camera: two and three meet, are cut off, come back, are recorded."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from playwright.sync_api import Page, expect
from tests.calls.small_house import KEY, Worker, on

from yersin.guard.keys import open_sealed

Visit = Callable[..., Page]
PATIENT = 20_000  # milliseconds; the two cores of a test machine carry server, encoders and decoders

_FRAMES = (
    """() => [...document.querySelectorAll('.tile video')].map((v) => v.getVideoPlaybackQuality().totalVideoFrames)"""
)
_GREW = """(before) => [...document.querySelectorAll('.tile video')].length === before.length
  && [...document.querySelectorAll('.tile video')].every((v, i) => v.getVideoPlaybackQuality().totalVideoFrames > before[i] + 4)"""


def sees(page: Page, count: int = 1) -> None:
    """Wait until so many others are seen moving."""
    page.wait_for_function(f"() => document.querySelectorAll('.tile video').length === {count}", timeout=PATIENT)
    page.wait_for_function(_GREW, arg=page.evaluate(_FRAMES), timeout=PATIENT)


def enter(page: Page) -> Page:
    page.click("[data-enter]")
    return page


def meeting(visit: Visit, base: str, call: UUID, other: str = "", **options: Any) -> tuple[Page, Page]:
    """The doctor and the station's worker, admitted and seeing each other."""
    path = f"/telehealth/calls/{call}"
    doctor, worker = visit(base, path, "doctor"), visit(other or base, path, "worker", **options)
    enter(doctor)
    enter(worker)
    doctor.click(".bell button", timeout=PATIENT)
    sees(doctor)
    sees(worker)
    return doctor, worker


def test_two_meet_across_workers_within_two_seconds(start: Callable[..., Worker], visit: Visit, call: UUID) -> None:
    path = f"/telehealth/calls/{call}"
    doctor, worker = visit(start().base, path, "doctor"), visit(start().base, path, "worker")
    enter(doctor)
    enter(worker)
    doctor.wait_for_selector(".bell button", timeout=PATIENT)
    began = time.monotonic()
    doctor.click(".bell button")
    for page in (doctor, worker):
        page.wait_for_function(f"() => ({_FRAMES})()[0] > 0", timeout=PATIENT, polling=20)
    took = time.monotonic() - began
    sees(doctor)
    sees(worker)
    # the promise of two seconds is measured by bench/call_setup.py; a loaded test machine gets some more
    assert took < 6, f"{took:.2f} s from admission to the first decoded frame on both sides"


def test_a_line_to_the_server_that_is_cut_neither_stops_the_picture_nor_costs_the_seat(
    worker: Worker, visit: Visit, call: UUID
) -> None:
    doctor, station = meeting(visit, worker.base, call)
    station.context.set_offline(True)
    expect(station.locator("[data-no-line]")).to_be_visible(timeout=PATIENT)
    station.click("[data-side-tab=chat]")
    station.fill("[data-chat-input]", "Viết khi mất mạng")
    station.press("[data-chat-input]", "Enter")
    sees(doctor)
    station.context.set_offline(False)
    expect(station.locator("[data-no-line]")).to_be_hidden(timeout=PATIENT)
    doctor.click("[data-side-tab=chat]")
    expect(doctor.locator(".chat-lines li")).to_have_text([_has("Viết khi mất mạng")], timeout=PATIENT)
    sees(station)


def _has(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text))


def test_a_reload_in_the_call_goes_straight_back_to_the_seat(
    worker: Worker, visit: Visit, call: UUID, calls_url: str
) -> None:
    doctor, station = meeting(visit, worker.base, call)
    station.reload()
    sees(station)
    sees(doctor)
    assert len(on(calls_url, "SELECT 1 FROM call_seat")) == 2
    expect(doctor.locator(".bell")).to_have_count(0)


def test_a_restart_of_the_server_is_survived_without_a_hand(
    start: Callable[..., Worker], visit: Visit, call: UUID
) -> None:
    first = start()
    doctor, station = meeting(visit, first.base, call)
    first.stop()
    expect(doctor.locator("[data-no-line]")).to_be_visible(timeout=PATIENT)
    sees(doctor)
    start(port=first.port)
    for page in (doctor, station):
        expect(page.locator("[data-no-line]")).to_be_hidden(timeout=PATIENT)
    sees(station)


def test_audio_only_is_one_tap_and_sticks(worker: Worker, visit: Visit, call: UUID) -> None:
    doctor, station = meeting(visit, worker.base, call)
    station.keyboard.press("a")
    expect(station.locator("[data-quality-words]")).to_have_text("Chỉ tiếng, theo lựa chọn của bạn", timeout=PATIENT)
    expect(doctor.locator(".tile-note")).to_have_text("Chỉ tiếng", timeout=PATIENT)
    station.reload()
    expect(station.locator("[data-act-on=only]")).to_have_attribute("aria-pressed", "true", timeout=PATIENT)
    expect(doctor.locator(".tile-note")).to_have_text("Chỉ tiếng", timeout=PATIENT)


def test_letters_typed_into_the_chat_mute_nobody(worker: Worker, visit: Visit, call: UUID) -> None:
    doctor, _station = meeting(visit, worker.base, call)
    doctor.click("[data-side-tab=chat]")
    doctor.click("[data-chat-input]")
    doctor.keyboard.type("mava")
    expect(doctor.locator('[data-act-on="audio"]')).to_have_attribute("aria-pressed", "false")
    doctor.locator("h1").first.focus()
    doctor.evaluate("document.activeElement.blur()")
    doctor.keyboard.press("m")
    expect(doctor.locator('[data-act-on="audio"]')).to_have_attribute("aria-pressed", "true")


def test_a_third_person_comes_by_a_link_that_dies_and_all_are_recorded_only_after_agreeing(
    worker: Worker, visit: Visit, call: UUID, calls_url: str
) -> None:
    doctor, station = meeting(visit, worker.base, call)
    doctor.click("[data-act-on=invite]")
    doctor.wait_for_function("() => document.querySelector('[data-link]').value !== ''")
    link = doctor.input_value("[data-link]").removeprefix(worker.base)
    doctor.keyboard.press("Escape")
    guest = visit(worker.base, link)
    guest.fill("#f-name", "Lý A Sử")
    guest.click("button.primary[type=submit]")
    enter(guest)
    doctor.click(".bell button", timeout=PATIENT)
    for page in (doctor, station, guest):
        sees(page, 2)
    expect(visit(worker.base, link).locator(".empty")).to_be_visible()
    doctor.click("[data-act-on=record]")
    station.click(".notices [data-agree=yes]", timeout=PATIENT)
    expect(doctor.locator("[data-recording-words]")).to_contain_text("Lý A Sử", timeout=PATIENT)
    assert on(calls_url, "SELECT 1 FROM call_recording") == []
    guest.click(".notices [data-agree=yes]", timeout=PATIENT)
    for page in (doctor, station, guest):
        expect(page.locator("[data-recording]")).to_have_class(_has("runs"), timeout=PATIENT)
    assert len(_recorded(calls_url, pieces=3)) > 10_000
    doctor.click("[data-act-on=record]")
    expect(doctor.locator("[data-recording]")).to_be_hidden(timeout=PATIENT)
    whole = _recorded(calls_url, pieces=3)
    assert whole.startswith(b"\x1a\x45\xdf\xa3"), "not the head of a WebM file"
    played = doctor.evaluate(_PLAYS, [f"/telehealth/calls/{call}/recordings"])
    assert played["width"] == 1280
    assert played["frames"] > 0


_PLAYS = """async ([url]) => {
  const [{ id }] = await (await fetch(url)).json();
  const video = document.createElement('video');
  video.muted = true;
  video.src = URL.createObjectURL(await (await fetch(`${url}/${id}`)).blob());
  await video.play();
  await new Promise((done) => setTimeout(done, 1500));
  return { width: video.videoWidth, frames: video.getVideoPlaybackQuality().totalVideoFrames };
}"""


def _recorded(url: str, *, pieces: int) -> bytes:
    """The recording as the database holds it, unsealed, once it has so many pieces."""
    deadline = time.monotonic() + 90
    while True:
        rows = on(url, "SELECT sealed FROM call_recording_chunk ORDER BY number")
        if len(rows) >= pieces:
            return b"".join(open_sealed(KEY, row["sealed"], "blobs")[20:] for row in rows)
        assert time.monotonic() < deadline, f"only {len(rows)} pieces came"
        time.sleep(0.3)


def test_handed_back_to_the_waiting_room_the_picture_ends_at_once(worker: Worker, visit: Visit, call: UUID) -> None:
    doctor, station = meeting(visit, worker.base, call)
    doctor.click("[data-side-tab=people]")
    doctor.click("[data-act^=sendback]")
    expect(station.locator("[data-lobby]")).to_be_visible(timeout=PATIENT)
    expect(doctor.locator(".tile")).to_have_count(0)
    doctor.click("[data-act^=admit]")
    sees(doctor)
    sees(station)


def test_every_key_of_the_call_lies_inside_the_window(worker: Worker, visit: Visit, call: UUID) -> None:
    doctor, _station = meeting(visit, worker.base, call)
    for size in ((1366, 768), (1024, 700), (390, 844), (360, 740), (683, 384), (844, 390)):
        _fits(doctor, *size)


def _fits(page: Page, width: int, height: int) -> None:
    size = f"{width} x {height}"
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_function(_LAID_OUT, arg=width)
    assert page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]") == [
        width,
        height,
    ]
    keys = page.locator(".call-key:visible").all()
    assert len(keys) >= 8, size
    for box in (key.bounding_box() for key in keys):
        assert box is not None
        assert min(box["width"], box["height"]) >= 44, size
        assert box["x"] >= 0, size
        assert box["y"] >= 0, size
        assert box["x"] + box["width"] <= width, size
        assert box["y"] + box["height"] <= height, size
    tile = page.locator(".tile").bounding_box()
    assert tile is not None
    assert min(tile["width"], tile["height"]) > 120, size


#: the window has its size, and nothing moves any more
_LAID_OUT = """async (width) => {
  const boxes = () => JSON.stringify([...document.querySelectorAll('.call-key, .tile')].map((e) => e.getBoundingClientRect()));
  const before = boxes();
  for (let frame = 0; frame < 5; frame += 1) await new Promise(requestAnimationFrame);
  return innerWidth === width && boxes() === before;
}"""


def test_on_a_phone_video_and_panel_change_places_and_the_video_floats_small(
    worker: Worker, visit: Visit, call: UUID
) -> None:
    _doctor, phone = meeting(visit, worker.base, call, viewport={"width": 390, "height": 844}, has_touch=True)
    expect(phone.locator(".side")).to_be_hidden()
    large = phone.locator(".pictures").bounding_box()
    phone.click(".to-panel")
    expect(phone.locator(".side")).to_be_visible()
    small, bar = phone.locator(".pictures").bounding_box(), phone.locator(".call-bar").bounding_box()
    assert large is not None
    assert small is not None
    assert bar is not None
    assert large["width"] == 390
    assert 90 < small["width"] < 140
    assert small["x"] + small["width"] <= 390
    assert small["y"] + small["height"] <= bar["y"]
    sees(phone)
    phone.click("[data-side-tab=chat]")
    phone.fill("[data-chat-input]", "Tôi thấy bác sĩ.")
    form, floating = phone.locator(".chat-form").bounding_box(), phone.locator(".pictures").bounding_box()
    assert form is not None
    assert floating is not None
    assert floating["y"] + floating["height"] <= form["y"], "the video lies over what is being written"
    phone.click(".back-to-video")
    expect(phone.locator(".side")).to_be_hidden()
    sees(phone)


_REFUSE = """navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', '%s'); };"""


def test_each_trouble_with_a_camera_gets_its_cure(worker: Worker, visit: Visit, call: UUID) -> None:
    words = {
        "NotAllowedError": "Trình duyệt chưa được phép dùng camera",
        "NotFoundError": "Không tìm thấy camera",
        "NotReadableError": "Chương trình khác đang dùng camera",
    }
    page = visit(worker.base, f"/telehealth/calls/{call}", "worker")
    for name, expected in words.items():
        page.context.add_init_script(_REFUSE % name)
        page.reload()
        check = page.locator('[data-check="video"]')
        expect(check.locator("[data-words]")).to_have_text(expected, timeout=PATIENT)
        expect(check.locator("[data-cure] li").first).to_be_visible()
        expect(check.locator("[data-again]")).to_be_visible()


def test_without_camera_and_microphone_one_still_comes_in_and_sees(worker: Worker, visit: Visit, call: UUID) -> None:
    path = f"/telehealth/calls/{call}"
    doctor, station = visit(worker.base, path, "doctor"), visit(worker.base, path, "worker")
    station.context.add_init_script(_REFUSE % "NotFoundError")
    station.reload()
    enter(doctor)
    enter(station)
    doctor.click(".bell button", timeout=PATIENT)
    sees(station)
    expect(doctor.locator(".tile-note")).to_have_text("Camera đang tắt", timeout=PATIENT)
