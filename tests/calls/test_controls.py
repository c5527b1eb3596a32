"""What the keys of the call and the troubles of a camera do to the picture."""

from __future__ import annotations

import re
from uuid import UUID

from playwright.sync_api import Page, expect
from tests.calls.small_house import Worker
from tests.calls.test_browser import PATIENT, Visit, enter, meeting, sees

_CAMERA = "document.querySelector('[data-own]').srcObject.getVideoTracks()[0].getSettings().deviceId"
_SHARES = re.compile(r"\bshares\b")


def _key(page: Page, act: str) -> None:
    page.click(f'.call-bar [data-act-on="{act}"]')


def test_a_shared_screen_is_seen_in_place_of_the_camera_and_given_back(
    worker: Worker, visit: Visit, call: UUID
) -> None:
    doctor, station = meeting(visit, worker.base, call)
    camera = doctor.evaluate(_CAMERA)
    _key(doctor, "screen")
    expect(doctor.locator('[data-act-on="screen"]')).to_have_attribute("aria-pressed", "true", timeout=PATIENT)
    expect(station.locator(".tile")).to_have_class(_SHARES, timeout=PATIENT)
    sees(station)
    _key(doctor, "screen")
    expect(station.locator(".tile")).not_to_have_class(_SHARES, timeout=PATIENT)
    doctor.wait_for_function(f"(camera) => {_CAMERA} === camera", arg=camera, timeout=PATIENT)
    sees(station)


def test_a_screen_is_shared_while_the_camera_is_off(worker: Worker, visit: Visit, call: UUID) -> None:
    doctor, station = meeting(visit, worker.base, call)
    _key(doctor, "video")
    expect(station.locator(".tile-note")).to_have_text("Camera đang tắt", timeout=PATIENT)
    _key(doctor, "screen")
    expect(station.locator(".tile")).to_have_class(_SHARES, timeout=PATIENT)
    sees(station)


def test_the_other_camera_is_taken_without_a_break(worker: Worker, visit: Visit, call: UUID) -> None:
    path = f"/telehealth/calls/{call}"
    doctor, station = visit(worker.base, path, "doctor"), visit(worker.base, path, "worker")
    # of Chromium's invented cameras the second measures depth, which no call can carry: begin at the third
    doctor.select_option('[data-choose="video"]', index=2)
    doctor.wait_for_function("() => document.querySelector('[data-preview]').videoWidth > 0")
    enter(doctor)
    enter(station)
    doctor.click(".bell button", timeout=PATIENT)
    sees(station)
    before = doctor.evaluate(_CAMERA)
    _key(doctor, "turn")
    doctor.wait_for_function(
        f"(before) => document.querySelector('[data-own]').srcObject && {_CAMERA} !== before", arg=before
    )
    sees(station)


def test_who_refuses_the_browser_is_told_how_to_allow_it_and_tries_again(
    worker: Worker, visit: Visit, call: UUID
) -> None:
    page = visit(worker.base, f"/telehealth/calls/{call}", "worker")
    page.context.add_init_script("""{
      const asked = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      window.allowed = false;
      navigator.mediaDevices.getUserMedia = (wish) =>
        window.allowed ? asked(wish) : Promise.reject(new DOMException('', 'NotAllowedError'));
    }""")
    page.reload()
    check = page.locator('[data-check="video"]')
    expect(check).to_have_attribute("data-state", "bad", timeout=PATIENT)
    expect(check.locator("[data-cure] li")).not_to_have_count(0)
    page.evaluate("window.allowed = true")
    page.click('[data-again="video"]')
    expect(check).to_have_attribute("data-state", "ok", timeout=PATIENT)
    expect(check.locator("[data-cure] li")).to_have_count(0)


def test_a_camera_that_is_pulled_out_in_the_call_leaves_the_sound(worker: Worker, visit: Visit, call: UUID) -> None:
    doctor, station = meeting(visit, worker.base, call)
    # the browser tells the page of a pulled plug by this event
    station.evaluate(
        "document.querySelector('[data-own]').srcObject.getVideoTracks()[0].dispatchEvent(new Event('ended'))"
    )
    expect(doctor.locator(".tile-note")).to_have_text("Camera đang tắt", timeout=PATIENT)
    expect(station.locator('.call-bar [data-act-on="audio"]')).to_have_attribute("aria-pressed", "false")
    _key(station, "video")
    sees(doctor)


def test_a_link_that_was_used_is_dead_for_the_next(worker: Worker, visit: Visit, call: UUID) -> None:
    doctor, _station = meeting(visit, worker.base, call)
    _key(doctor, "invite")
    doctor.wait_for_function("() => document.querySelector('[data-link]').value !== ''")
    link = doctor.input_value("[data-link]").removeprefix(worker.base)
    for name, serves in (("Lý A Sử", True), ("Giàng A Páo", False)):
        guest = visit(worker.base, link)
        assert guest.locator("#f-name").count() == int(serves)
        if serves:
            guest.fill("#f-name", name)
            guest.click("button.primary[type=submit]")
            guest.wait_for_url("**/telehealth/calls/**")
            assert guest.locator("iframe[data-record]").count() == 0
