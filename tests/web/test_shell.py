"""The shell over HTTP: headers, menu, languages, errors that tell nothing about patients, forms that come from us."""

from __future__ import annotations

import re

import pytest

SECRET_NAME = "Bí Mật"


def only(pattern, text):
    found = re.search(pattern, text)
    assert found, pattern
    return found[1]


def token_of(page):
    return only(r'name="csrf-token" content="([^"]+)"', page.text)


def send(client, path, data, headers=None):
    return client.post(path, data=data, headers=headers or {})


@pytest.mark.parametrize("path", ["/", "/design", "/sign-in", "/nowhere", "/fail/500"])
def test_every_page_keeps_scripts_and_frames_out(nurse, path):
    answer = nurse.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"])


@pytest.mark.parametrize("path", ["/", "/design", "/sign-in", "/nowhere", "/form"])
def test_pages_hold_no_inline_script_style_or_foreign_address(nurse, path):
    text = nurse.get(path).text
    assert not re.search(r"<script(?![^>]* src=)", text)
    assert not re.search(r"\s(style|on[a-z]+)=", text)
    assert not re.search(r"(src|href|action)=\"(https?:)?//", text)


def test_the_design_page_shows_every_component(visitor):
    text = visitor.get("/design").text
    for word in (
        "patient-banner",
        "urgency u-stat",
        "combobox",
        "timeline",
        "error-summary",
        "upload",
        "shell-palette",
    ):
        assert word in text


def test_vietnamese_is_spoken_unless_another_language_is_asked_for(visitor):
    assert '<html lang="vi"' in visitor.get("/sign-in").text
    assert "Đăng nhập" in visitor.get("/sign-in", headers={"accept-language": "fr, de;q=0.5"}).text
    english = visitor.get("/sign-in", headers={"accept-language": "vi;q=0.3, en-GB;q=0.9"}).text
    assert '<html lang="en"' in english
    assert "Đăng nhập" not in english


def test_the_language_and_the_theme_are_kept_and_the_person_stays_where_they_were(visitor):
    token = token_of(visitor.get("/design"))
    answer = send(visitor, "/preferences", {"language": "en", "theme": "dark", "next": "/design", "csrf_token": token})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/design"
    assert '<html lang="en" data-theme="dark">' in visitor.get("/design").text


@pytest.mark.parametrize("target", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", "x"])
def test_preferences_never_lead_to_another_site(visitor, target):
    token = token_of(visitor.get("/design"))
    answer = send(visitor, "/preferences", {"language": "en", "next": target, "csrf_token": token})
    assert answer.headers["location"] == "/"


def test_the_menu_shows_what_the_visitor_may_open(nurse, visitor):
    assert 'href="/accounts"' not in nurse.get("/").text
    assert 'aria-current="page"' in nurse.get("/design").text
    assert "Trạm Y tế Suối Dầu" in nurse.get("/").text
    assert 'class="shell-menu"' not in visitor.get("/").text


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 413, 429, 500, 503])
@pytest.mark.parametrize("language", ["vi", "en"])
def test_error_pages_explain_themselves_and_name_nobody(nurse, status, language):
    nurse.cookies.set("language", language)
    answer = nurse.get(f"/fail/{status}")
    assert answer.status_code == status
    assert f'<html lang="{language}"' in answer.text
    assert SECRET_NAME not in answer.text
    assert answer.headers["x-request-id"] in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)


def test_a_failure_is_recorded_without_its_words(nurse, caplog):
    answer = nurse.get("/fail/500")
    out = caplog.text
    assert answer.headers["x-request-id"] in out
    assert SECRET_NAME not in out


def test_htmx_gets_a_message_in_place_of_an_error_page(nurse):
    answer = nurse.get("/fail/403", headers={"hx-request": "true"})
    assert answer.status_code == 403
    assert 'role="alert"' in answer.text
    assert "<html" not in answer.text


def test_a_form_without_our_token_is_refused(nurse):
    nurse.get("/form")
    data = {"name": "Hoa", "born": "14/08/1962"}
    assert send(nurse, "/form", data).status_code == 403
    assert send(nurse, "/form", {**data, "csrf_token": "made.up"}).status_code == 403


def test_the_token_works_from_the_field_and_from_the_header(nurse):
    token = token_of(nurse.get("/form"))
    data = {"name": "Hoa", "born": "14/08/1962", "idempotency_key": "k-1"}
    expected = {"name": "Hoa", "born": "1962-08-14", "key": "k-1"}
    assert send(nurse, "/form", {**data, "csrf_token": token}).json() == expected
    assert send(nurse, "/form", data, {"x-csrf-token": token}).json() == expected


def test_a_token_of_another_session_or_another_site_is_refused(nurse):
    token = token_of(nurse.get("/form"))
    data = {"name": "Hoa", "born": "14/08/1962", "csrf_token": token}
    assert send(nurse, "/form", data, {"sec-fetch-site": "cross-site"}).status_code == 403
    nurse.cookies.delete("who")
    assert send(nurse, "/form", data).status_code == 403


def test_a_refused_form_keeps_what_was_typed_and_leads_to_the_fields(nurse):
    token = token_of(nurse.get("/form"))
    answer = send(nurse, "/form", {"name": "Nguyễn Thị <b>", "born": "31/02/1962", "csrf_token": token})
    assert answer.status_code == 422
    assert 'value="Nguyễn Thị &lt;b&gt;"' in answer.text
    assert 'value="31/02/1962"' in answer.text
    assert 'href="#f-born"' in answer.text
    assert 'aria-invalid="true"' in answer.text


def test_bundled_files_are_kept_for_ever_and_sent_compressed(visitor):
    address = only(r'src="(/assets/web/main-[^"]+)"', visitor.get("/design").text)
    packed = visitor.get(address, headers={"accept-encoding": "gzip"})
    assert packed.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["content-type"].startswith("text/javascript")
    assert len(packed.content) <= 200_000
    assert visitor.get(address, headers={"accept-encoding": "identity"}).content == packed.content


@pytest.mark.parametrize(
    "path", ["/assets/manifest.json", "/assets/.fingerprint", "/assets/../site.py", "/assets/nothing.js"]
)
def test_nothing_but_bundled_files_is_served(visitor, path):
    assert visitor.get(path).status_code == 404


def test_words_of_the_browser_modules_come_in_the_language_of_the_page(visitor):
    page = visitor.get("/design")
    words = visitor.get(only(r'src="(/assets/words-vi-[^"]+)"', page.text))
    assert "Hiện mật khẩu" in words.text
