"""The page of notifications that could not be delivered: administrators see them in their language, and send them again."""

from __future__ import annotations

import re
import uuid

from tests.running import on

from yersin.fhir import r4

PAGE = "/administration/notifications"


def dead_letter(house, note):
    """A Subscription whose endpoint did not answer, and what could not be told; returns its name."""
    name = f"hook-{uuid.uuid4().hex[:8]}"
    on(
        house.database_url,
        f"""WITH s AS (INSERT INTO subscription (id, name, owner, tx, seq, type, state)
        VALUES (gen_random_uuid(), '{name}', 'program:x', 0, 0, 'Patient', 'error') RETURNING id)
        INSERT INTO subscription_delivery (subscription, type, id, name, ver, at, attempts, dead, note)
        SELECT id, {r4.TYPE_NUMBER["Patient"]}, gen_random_uuid(), 'someone', 1, now(), 9, true, '{note}' FROM s""",
    )
    return name


def test_administrators_see_and_send_again_what_was_not_delivered(house):
    name = dead_letter(house, "answered 503")
    administrator = house.signed_in("quantri")
    administrator.cookies.set("language", "vi")
    page = administrator.get(PAGE)
    assert page.status_code == 200
    assert {"Thông báo chưa gửi được", name, "Bên nhận trả lời 503"} <= set(re.split(r"\s*<[^>]*>\s*", page.text))
    assert "someone" not in page.text
    administrator.cookies.set("language", "en")
    assert "The other side answered 503" in administrator.get(PAGE).text
    assert PAGE in administrator.get("/").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert token is not None
    assert administrator.post(f"{PAGE}/again", data={"csrf_token": token[1]}).status_code == 303
    after = administrator.get(PAGE).text
    assert name not in after
    assert "Everything has been delivered" in after


def test_nobody_else_sees_them(house):
    for login in ("tram", "quantribv"):
        person = house.signed_in(login)
        assert person.get(PAGE).status_code == 403
        assert PAGE not in person.get("/").text
