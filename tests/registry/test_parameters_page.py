"""The page of search parameters: administrators see what was added and how far it is, and turn it off."""

from __future__ import annotations

import re
from uuid import uuid4

from tests.running import House

PAGE = "/administration/search-parameters"


def test_administrators_see_how_far_it_is_and_turn_it_off(house: House) -> None:
    code = f"x-page-{uuid4().hex[:8]}"
    program = house.machine()
    body = {"resourceType": "SearchParameter", "url": f"urn:{code}", "name": "Page", "status": "active", "description": "x",
            "code": code, "base": ["ResearchStudy", "ResearchSubject"], "type": "date", "expression": "ResearchStudy.period | "
            "ResearchSubject.period.start"}  # fmt: skip
    made = program.post("/fhir/SearchParameter", json=body)
    assert made.status_code == 201, made.text
    administrator = house.signed_in("quantri")
    administrator.cookies.set("language", "vi")
    shown = set(re.split(r"\s*<[^>]*>\s*", administrator.get(PAGE).text))
    assert {"Tham số tìm kiếm", code, "Ngày", "ResearchStudy, ResearchSubject"} <= shown
    administrator.cookies.set("language", "en")
    page = administrator.get(PAGE).text
    assert PAGE in administrator.get("/").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    off = administrator.post(f"{PAGE}/{made.json()['id']}/off", data={"csrf_token": token[1]})
    assert off.status_code == 303
    assert code not in administrator.get(PAGE).text
    assert program.get(f"/fhir/SearchParameter/{made.json()['id']}").status_code == 410


def test_nobody_else_sees_it(house: House) -> None:
    for login in ("tram", "quantribv"):
        person = house.signed_in(login)
        assert person.get(PAGE).status_code == 403
        assert person.post(f"{PAGE}/x/off").status_code == 403
        assert PAGE not in person.get("/").text
