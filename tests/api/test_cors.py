"""Apps of other origins: those that are registered read answers with a token of theirs, others nothing, cookies count for nothing.

Source: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

import functools
import http.server
import threading
import time

import httpx
import pytest
from playwright.sync_api import sync_playwright
from tests.browsers import launched
from tests.running import on

from yersin.fhir.problem import Problem
from yersin.guard import origins
from yersin.guard.tokens import Tokens
from yersin.guard.who import system

APP, STRANGER = "https://app.example.org", "https://evil.example.org"
PREFLIGHT = {"access-control-request-method": "PUT", "access-control-request-headers": "authorization,if-match"}


@pytest.fixture(scope="module")
def token(ground):
    return Tokens(ground.keys).make("system/*.cruds", 3600)


@pytest.fixture(scope="module")
def api(run, ground, served, token):
    run(origins.register(ground.access(system("HSYSADMIN")), APP, "An app"))
    run(origins.register(ground.access(system("HSYSADMIN")), "http://localhost:1", "Another"))
    with httpx.Client(base_url=f"{served.base_url}/fhir", timeout=30) as client:
        yield client


def allowed(answer):
    return answer.headers.get("access-control-allow-origin")


def test_a_registered_app_asks_beforehand_and_reads(api, token):
    before = api.options("/Patient/1", headers={"origin": APP, **PREFLIGHT})
    assert (before.status_code, allowed(before)) == (204, APP)
    assert "PUT" in before.headers["access-control-allow-methods"]
    assert {"authorization", "if-match", "if-none-exist", "prefer", "content-type"} <= {
        each.strip().lower() for each in before.headers["access-control-allow-headers"].split(",")
    }
    answer = api.get("/Patient?_count=1", headers={"origin": APP, "authorization": f"Bearer {token}"})
    assert (answer.status_code, allowed(answer)) == (200, APP)
    exposed = {each.strip().lower() for each in answer.headers["access-control-expose-headers"].split(",")}
    assert {
        "etag",
        "location",
        "content-location",
        "last-modified",
        "x-request-id",
        "ratelimit",
        "retry-after",
    } <= exposed


@pytest.mark.parametrize("path", ["/metadata", "/Patient?_count=1", "/Nothing", "/openapi.json?_type=Basic"])
def test_every_answer_differs_by_origin_and_gives_no_credentials(api, token, path):
    for origin in (APP, STRANGER, "null"):
        answer = api.get(path, headers={"origin": origin, "authorization": f"Bearer {token}"})
        assert allowed(answer) == (APP if origin == APP else None)
        assert "origin" in answer.headers["vary"].lower()
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", [STRANGER, "null", "*", f"{APP}.evil.example.org", f"{APP}:444", APP.upper()])
def test_others_are_refused_beforehand(api, origin):
    answer = api.options("/Patient/1", headers={"origin": origin, **PREFLIGHT})
    assert (answer.status_code, allowed(answer)) == (403, None)
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_raw_content_is_read_across_origins_too(api, token):
    mine = {"origin": APP, "authorization": f"Bearer {token}"}
    made = api.post("/Binary", content=b"words", headers={**mine, "content-type": "text/plain"})
    answer = api.get(
        f"/Binary/{made.headers['location'].split('/Binary/')[1].split('/')[0]}",
        headers={**mine, "accept": "text/plain"},
    )
    assert (answer.content, allowed(answer)) == (b"words", APP)


def test_a_cookie_counts_for_nothing_from_elsewhere(house):
    doctor = house.signed_in("tram")
    assert doctor.get("/fhir/Patient?_count=1").status_code == 200
    own = house.base_url
    assert doctor.get("/fhir/Patient?_count=1", headers={"origin": own}).status_code == 200
    for origin in (STRANGER, "null", own.replace("127.0.0.1", "localhost")):
        assert doctor.get("/fhir/Patient?_count=1", headers={"origin": origin}).status_code == 401


def test_every_process_learns_of_a_change(run, ground, serve, database_url):
    many = serve(database_url, YERSIN_WORKERS="2")
    app = "https://later.example.org"

    def seen():
        headers = {"origin": app, **PREFLIGHT, "connection": "close"}
        return {httpx.options(f"{many.base_url}/fhir/Patient", headers=headers).status_code for _ in range(12)}

    assert seen() == {403}
    run(origins.register(ground.access(system("HSYSADMIN")), app, "Later"))
    wait_for(lambda: seen() == {204})
    assert run(origins.remove(ground.access(system("HSYSADMIN")), app))
    wait_for(lambda: seen() == {403})
    assert not run(origins.remove(ground.access(system("HSYSADMIN")), app))
    many.close()


def wait_for(happened):
    end = time.monotonic() + 90
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "null",
        "app.example.org",
        "https://",
        "ftp://a.b",
        "https://a.b/path",
        "https://u@a.b",
        "https://a:x",
        f"https://{'a' * 300}.org",
    ],
)
def test_what_is_no_origin_is_refused(text):
    with pytest.raises(Problem):
        origins.origin_of(text)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("HTTPS://App.Example.org/", "https://app.example.org"),
        ("https://a.b:443", "https://a.b"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:80", "http://[::1]"),
        ("https://sức-khỏe.example.org:8443", "https://xn--sc-khe-7l8b2h.example.org:8443"),
    ],
)
def test_origins_are_kept_as_browsers_write_them(text, origin):
    assert origins.origin_of(text) == origin


ASK = """async ([url, token]) => {
  const made = await fetch(url + '/Patient', {method: 'POST', body: '{"resourceType":"Patient"}',
    headers: {'Authorization': 'Bearer ' + token, 'Content-Type': 'application/fhir+json'}});
  const id = (await made.json()).id;
  const read = await fetch(url + '/Patient/' + id, {headers: {'Authorization': 'Bearer ' + token}});
  return [made.status, made.headers.get('Location'), read.status, read.headers.get('ETag')];
}"""


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>An app</title>")

    def log_message(self, *_):
        pass


def test_a_browser_lets_a_registered_page_read_and_no_other(run, ground, served, token):
    app = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=app.serve_forever, daemon=True).start()
    port = app.server_address[1]
    on(
        ground.database and str(served.url),
        f"INSERT INTO cors_origin VALUES ('http://localhost:{port}', 'Page', 'tests')",
    )
    time.sleep(2.1)
    try:
        with sync_playwright() as playwright:
            browser = launched(playwright)
            page = browser.new_page()
            page.goto(f"http://localhost:{port}/")
            created, location, read, tag = page.evaluate(ASK, [f"{served.base_url}/fhir", token])
            assert (created, read, tag) == (201, 200, 'W/"1"')
            assert "/Patient/" in location
            page.goto(f"http://127.0.0.1:{port}/")
            refused = functools.partial(page.evaluate, ASK, [f"{served.base_url}/fhir", token])
            with pytest.raises(Exception, match="Failed to fetch"):
                refused()
            browser.close()
    finally:
        app.shutdown()
        app.server_close()
