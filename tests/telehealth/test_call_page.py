"""The call of a real request: the patient's banner above, the chart beside the video, every key inside the window."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import FilePayload, FrameLocator, Page, expect
from tests.imaging import makers
from tests.telehealth.browserless import signed_in as quietly
from tests.telehealth.conftest import asked
from tests.telehealth.meetings import PATIENT, Meeting, accepted_request, meet, sees

SignedIn = Callable[..., Page]


@pytest.fixture
def meeting(signed_in: SignedIn, place: tuple[str, str], patient: str) -> Meeting:
    path = accepted_request(place[0], patient)
    return meet(signed_in("tram"), signed_in("chuyengia"), path)


def _chart(page: Page) -> FrameLocator:
    return page.frame_locator("iframe[data-record]")


def _looks(api: Any, patient: str) -> int:
    """How often somebody has looked into the chart, as the audit has it."""
    return len(api.found(f"AuditEvent?patient=Patient/{patient}&_count=200"))


@pytest.mark.parametrize("size", [(1366, 768), (390, 844), (683, 384)])
def test_with_the_patients_banner_every_key_lies_inside_the_window(meeting: Meeting, size: tuple[int, int]) -> None:
    page, (width, height) = meeting.hospital, size
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_timeout(300)
    expect(page.locator(".shell-banner .patient-banner").first).to_be_in_viewport()
    for key in page.locator(".call-key:visible").all():
        box = key.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= height
    assert page.evaluate("document.documentElement.scrollHeight") <= height


def test_the_whole_chart_stands_beside_the_video_and_the_call_goes_on(meeting: Meeting, api: Any, patient: str) -> None:
    page = meeting.hospital
    before = _looks(api, patient)
    chart = _chart(page)
    expect(chart.locator(".strip")).to_be_visible(timeout=PATIENT)
    expect(chart.locator(".shell-side, .shell-bar, .patient-banner:visible")).to_have_count(0)
    for section in ("timeline", "results", "documents", "images"):
        chart.locator(f"a[href='/records/{patient}/{section}']").first.click()
        expect(chart.locator(f"a[href='/records/{patient}/{section}'][aria-current]")).to_be_visible(timeout=PATIENT)
    sees(page)
    assert _looks(api, patient) >= before + 4, "opening the chart beside a call is recorded as opening it elsewhere is"


def test_an_image_is_looked_at_in_the_viewer_beside_the_video(meeting: Meeting, patient: str) -> None:
    page = meeting.station
    chart = _chart(page)
    chart.locator(f"a[href='/records/{patient}/images']").first.click()
    uid = f"1.2.826.0.1.{int.from_bytes(os.urandom(6))}"
    values = [[(x * y) % 900 for x in range(64)] for y in range(64)]
    content = makers.grey_dicom(values, SOPInstanceUID=uid, StudyInstanceUID=f"{uid}.1", SeriesInstanceUID=f"{uid}.2")
    file: FilePayload = {"name": "phim.dcm", "mimeType": "application/dicom", "buffer": content}
    chart.locator("input[type=file]").first.set_input_files(file)
    chart.get_by_role("button", name="Đính kèm vào hồ sơ này").click(timeout=PATIENT)
    chart.locator(f"#pictures a[href^='/records/{patient}/images/']").first.click(timeout=PATIENT)
    image = chart.locator(".viewer-stage img")
    expect(image).to_be_visible(timeout=PATIENT)
    image.evaluate("(img) => img.decode()")
    assert image.evaluate("(img) => img.naturalWidth") > 0
    sees(page)


def test_a_letter_pressed_in_the_chart_mutes_unless_something_is_typed_there(meeting: Meeting, patient: str) -> None:
    page = meeting.station
    chart, mute = _chart(page), page.locator('.call-bar [data-act-on="audio"]')
    chart.locator(".strip h2").click(timeout=PATIENT)
    page.keyboard.press("m")
    expect(mute).to_have_attribute("aria-pressed", "true")
    chart.locator(f"a[href='/records/{patient}/vitals/new']").first.click()
    chart.locator("main input:not([type=hidden])").first.press("m")
    expect(mute).to_have_attribute("aria-pressed", "true")


def test_what_leads_out_of_the_chart_opens_elsewhere(meeting: Meeting, patient: str) -> None:
    page = meeting.station
    with page.context.expect_page() as opened:
        _chart(page).locator(f"a[href='/telehealth/ask/{patient}']").first.click(timeout=PATIENT)
    opened.value.wait_for_url("**/telehealth/ask/**")
    expect(_chart(page).locator(".chart-sections")).to_be_visible()
    sees(page)


def test_no_other_site_may_show_the_chart_in_a_frame(place: tuple[str, str], browser: Any, patient: str) -> None:
    station = browser("tram")
    alone = station.call("GET", f"/records/{patient}").headers
    assert "frame-ancestors 'none'" in alone["content-security-policy"]
    assert alone["x-frame-options"] == "DENY"
    framed = station.call("GET", f"/records/{patient}", headers={"Sec-Fetch-Dest": "iframe"}).headers
    assert "frame-ancestors 'self'" in framed["content-security-policy"]
    assert framed["x-frame-options"] == "SAMEORIGIN"


def test_on_a_phone_the_chart_takes_the_page_and_the_video_floats(meeting: Meeting) -> None:
    phone = meeting.station
    phone.set_viewport_size({"width": 390, "height": 844})
    phone.click(".to-panel")
    expect(_chart(phone).locator(".strip")).to_be_visible(timeout=PATIENT)
    assert _chart(phone).locator("html").evaluate("(page) => page.scrollWidth - page.clientWidth") <= 0
    box = phone.locator(".pictures").bounding_box()
    assert box is not None
    assert box["width"] < 140
    sees(phone)


def test_waits_are_counted_by_the_clock_of_the_server(
    signed_in: SignedIn, place: tuple[str, str], patient: str
) -> None:
    path = asked(quietly(place[0], "tram"), patient)
    page = signed_in("tram")
    page.clock.install(time="2031-05-04T03:02:01+03:00")
    page.goto(path)
    waited = page.locator(".wait-text")
    expect(waited).to_have_text(re.compile(r"^0[0-2]:\d\d$"))
    before = waited.inner_text()
    page.clock.run_for(3000)
    assert waited.inner_text() > before
    assert page.locator(".wait.late, .wait.warn").count() == 0
