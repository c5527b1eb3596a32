"""The national page over a real server: figures before and after a consultation, definitions, lists, download."""

from __future__ import annotations

import csv
import io
import re
import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from yersin.guard import roles

ACTIVITY = "urn:yersin:code-system:telehealth-activity"


def figure(browser, indicator, query=""):
    text = browser.get(f"/centre/figures{query}").text
    found = re.search(rf'href="/centre/numbers/{indicator}[^"]*"[^>]*>([^<]+)</a>', text)
    assert found, text[:500]
    return int(re.sub(r"\D", "", found[1]))


def seen_in(text):
    found = re.search(r'seen=([\d.]+)"', text)
    assert found
    return found[1]


def consultation(house):
    """A request and its task, signed: as the API takes them from another system."""
    at = datetime.now(UTC).isoformat()
    with house.machine() as machine:
        patient = machine.get("/fhir/Patient?_count=1").json()["entry"][0]["resource"]
        key = str(uuid4())
        code = {"coding": [{"system": ACTIVITY, "code": "CONSULT_CARE"}]}
        subject = {"reference": f"Patient/{patient['id']}"}
        machine.put(f"/fhir/ServiceRequest/{key}", json={
            "resourceType": "ServiceRequest", "id": key, "status": "active", "intent": "order", "code": code,
            "subject": subject, "authoredOn": at, "priority": "urgent", "requester": patient["managingOrganization"],
        }).raise_for_status()  # fmt: skip
        task = str(uuid4())
        machine.put(f"/fhir/Task/{task}", json={
            "resourceType": "Task", "id": task, "status": "completed", "intent": "order", "for": subject, "code": code,
            "focus": {"reference": f"ServiceRequest/{key}"}, "authoredOn": at, "lastModified": at,
            "executionPeriod": {"start": at, "end": at},
        }).raise_for_status()  # fmt: skip


@pytest.fixture(scope="module")
def analyst(house):
    browser = house.signed_in("boyte")
    deadline = time.monotonic() + 120
    while re.search("Đang nạp|being filled", browser.get("/centre").text):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return browser


def test_a_signed_consultation_is_in_the_national_figures_within_five_seconds(house, analyst):
    before = figure(analyst, "asked"), figure(analyst, "answered")
    seen = seen_in(analyst.get("/centre").text)
    consultation(house)
    begun = time.monotonic()
    while (figure(analyst, "asked"), figure(analyst, "answered")) != (before[0] + 1, before[1] + 1):
        assert time.monotonic() - begun < 5
        time.sleep(0.1)
    told = analyst.get(f"/centre/as-of?seen={seen}")
    assert told.headers["hx-trigger"] == "figures-changed"
    now = seen_in(told.text)
    assert "hx-trigger" not in analyst.get(f"/centre/as-of?seen={now}").headers


def test_every_number_opens_its_definition(analyst):
    text = analyst.get("/centre?period=90").text
    links = set(re.findall(r'href="(/centre/numbers/[^"]+)"', text))
    assert {link.split("?")[0].rpartition("/")[2] for link in links} >= {
        "asked",
        "answered",
        "median",
        "slow",
        "records",
    }
    for link in sorted(links)[:12]:
        page = analyst.get(link.replace("&amp;", "&"))
        assert page.status_code == 200
        assert "Định nghĩa" in page.text
        assert "Tính đến" in page.text


def test_an_analyst_sees_no_list_of_requests(analyst):
    text = analyst.get("/centre/numbers/asked?period=90").text
    assert "Danh sách yêu cầu chỉ mở cho" in text
    assert not roles.may("analyst", "figures.list")


def test_who_may_not_read_figures_is_refused(house):
    for login in ("tram", "benhnhan"):
        browser = house.signed_in(login)
        for path in ("/centre", "/centre/figures", "/centre/as-of", "/centre/numbers/asked", "/centre/export.csv"):
            assert browser.get(path).status_code == 403
    assert house.visitor().get("/centre").status_code in (303, 401)


@pytest.mark.parametrize("table", ["days", "provinces", "facilities", "specialties", "urgencies", "records"])
def test_tables_come_as_csv(analyst, table):
    answer = analyst.get(f"/centre/export.csv?table={table}&period=90")
    assert answer.status_code == 200
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) > 1
    assert {len(row) for row in rows} == {len(rows[0])}


def test_odd_filters_are_left_out_and_odd_names_are_not_found(analyst):
    assert analyst.get("/centre?period=x&province=%27&facility=y&compare=z&activity=%22%3E").status_code == 200
    assert analyst.get("/centre/numbers/nothing").status_code == 404
    assert analyst.get("/centre/export.csv?table=nothing").status_code == 404


def test_an_administrator_of_a_facility_sees_the_list_behind_a_number_without_names(house):
    page = house.signed_in("quantribv").get("/centre/numbers/asked?period=90").text
    listed = re.findall(r"<li>(.*?)</li>", page.partition('class="plain-list"')[2].partition("</ul>")[0], re.DOTALL)
    assert listed
    assert all("Sông Hồng" in line for line in listed), "requests of other facilities are not on it"
    assert "Hoàng Văn Sơn" not in page
    assert "/records/" not in page


def test_every_number_on_the_page_leads_to_its_definition_with_its_moment(analyst):
    page = analyst.get("/centre?period=90").text
    figures_ = page.partition('id="figures"')[2]
    cells = re.findall(r'<td class="number"[^>]*>(.*?)</td>', figures_, re.DOTALL)
    # what is compared with, and other people's counts (population), have their source beside them instead
    plain = [c for c in cells if re.search(r"[0-9]", c) and "<a " not in c]
    assert len(plain) < len(cells) / 2
    for path in sorted(set(re.findall(r'href="(/centre/numbers/[a-z]+)', figures_))):
        opened = analyst.get(path).text
        assert "Định nghĩa" in opened
        assert "Tính đến" in opened


def test_the_map_has_the_archipelagos_and_the_table_a_dated_source(analyst):
    page = analyst.get("/centre").text
    tiles = page.partition('class="tiles"')[2].partition("</svg>")[0]
    assert tiles.count('class="tile ') == 34 + 2
    assert "Hoàng Sa" in tiles
    assert "Trường Sa" in tiles
    sources = page.partition("sources")[2].partition("</ol>")[0]
    assert re.search(r"20\d\d", sources)
    assert "hư cấu" in page


# --- files of views ------------------------------------------------------------------------------------------------


def test_an_analyst_gets_files_of_the_views_in_the_browser(house, analyst):
    analyst.cookies.set("language", "vi")
    text = analyst.get("/centre/views").text
    assert 'value="person" checked' in text
    assert "Một người: năm sinh" in text
    token = re.search(r'name="csrf_token" value="([^"]+)"', text)
    assert token is not None
    form = {"csrf_token": token[1], "kind": "csv"}
    nothing = analyst.post("/centre/views", data=form)
    assert nothing.status_code == 422
    assert "Hãy chọn ít nhất một bảng" in nothing.text
    assert analyst.post("/centre/views", data={**form, "view": ["person", "facility"]}).status_code == 303
    deadline = time.monotonic() + 60
    while "hx-trigger" in (found := analyst.get("/centre/views/files").text):
        assert "Đang tạo" in found
        assert time.monotonic() < deadline
        time.sleep(0.2)
    places = dict(re.findall(r'href="(/fhir/bulkdata/[^"]+)" download>([^<]+)<', found))
    assert sorted(places.values()) == ["facility.1.csv", "person.0.csv"]
    place = next(place for place, name in places.items() if name.startswith("person"))
    answer = analyst.get(place)
    assert answer.headers["content-disposition"].startswith('attachment; filename="person.')
    assert len(list(csv.DictReader(io.StringIO(answer.text)))) > 100
    job = re.search(r'name="job" value="([^"]+)"', found)
    assert job is not None
    assert analyst.post("/centre/views/remove", data={**form, "job": job[1]}).status_code == 303
    assert job[1] not in analyst.get("/centre/views").text
    assert analyst.get(place).status_code == 404


def test_nobody_else_gets_files_of_views(house):
    administrator = house.signed_in("quantri")
    assert administrator.get("/centre/views").status_code == 403
    assert "/centre/views" not in administrator.get("/").text
