"""Sessions, CSRF, lockout and access tokens. Sources: OWASP ASVS 5 V6 and V7, RFC 9068, SMART 2 scopes."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import httpx
import pytest
from tests.running import Client, House, form_token, on

from yersin.guard import accounts, sessions
from yersin.guard.access import Access
from yersin.guard.tokens import Tokens
from yersin.web import csrf

PATIENT = {"resourceType": "Patient"}


def forged(token: str, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token with another header or other claims and the old signature."""
    parts = token.split(".")

    def opened(part: str) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return made

    def closed(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return ".".join([closed(header or opened(parts[0])), closed({**opened(parts[1]), **claims}), parts[2]])


def test_tokens_that_are_not_ours_are_refused(house: House) -> None:
    good = house.token()
    bad = {
        "altered claims": forged(good, sub="someone", scope="system/*.cruds"),
        "no algorithm": forged(good, {"alg": "none", "typ": "at+jwt"}).rpartition(".")[0] + ".",
        "another algorithm": forged(good, {"alg": "RS256", "typ": "at+jwt"}),
        "cut": good[:-2],
        "almost nothing": "-",
        "not a token": "Aladdin",
        "ended": house.token(seconds=-1),
        "three dots": "...",
    }
    assert house.visitor().get("/fhir/Patient?_count=1", headers={"authorization": f"Bearer {good}"}).status_code == 200
    for what, token in bad.items():
        answer = house.visitor().get("/fhir/Patient?_count=1", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 401, what
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_token_ends_while_it_is_remembered(run: Any, system: Access) -> None:
    tokens = Tokens(system.ground.keys)
    token = tokens.make("system/*.cruds", 2)
    assert tokens.who(token).role == "system"
    time.sleep(2.1)
    with pytest.raises(Exception, match="has ended"):
        tokens.who(token)


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("system/*.cruds", "c r u d s v h t"),
        ("system/Patient.rs", "r s v h"),
        ("system/Patient.s", "s"),
        ("system/*.r", "r v h"),
        ("system/Patient.c", "c t"),
        ("system/Patient.u system/Observation.cruds", "u"),
        ("system/Patient.d", "d"),
        ("system/Observation.cruds", ""),
    ],
)
def test_a_token_does_what_its_scopes_say_and_no_more(client: Client, scope: str, allowed: str) -> None:
    made = client.post("/Patient", PATIENT).json()
    who = Tokens(client.access.ground.keys).who(client.token(scope))
    narrow = client.bound(client.access.ground.access(who))
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"request": {"method": "POST", "url": "Patient"}, "resource": PATIENT}],
    }
    address = f"/Patient/{made['id']}"
    answers = {
        "r": narrow.get(address),
        "v": narrow.get(f"{address}/_history/1"),
        "h": narrow.get(f"{address}/_history"),
        "s": narrow.get("/Patient?_count=1"),
        "c": narrow.post("/Patient", PATIENT),
        "t": narrow.post("", bundle),
        "u": narrow.put(address, made),
        "d": narrow.delete(address),
    }
    assert {k for k, a in answers.items() if a.status_code < 300} == set(allowed.split())
    assert {a.status_code for k, a in answers.items() if k not in allowed.split()} <= {403}
    narrow.close()


def test_includes_and_conditions_stay_within_the_scopes(client: Client) -> None:
    made = client.post("/Patient", PATIENT).json()
    subject = {"reference": f"Patient/{made['id']}"}
    client.post(
        "/Observation", {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": subject}
    )
    who = Tokens(client.access.ground.keys).who(client.token("system/Observation.cs"))
    narrow = client.bound(client.access.ground.access(who))
    page = narrow.get(f"/Observation?subject=Patient/{made['id']}&_include=Observation:subject").json()
    assert [e["resource"]["resourceType"] for e in page["entry"]] == ["Observation"]
    who = Tokens(client.access.ground.keys).who(client.token("system/Patient.c"))
    writer = client.bound(client.access.ground.access(who))
    assert writer.post("/Patient", PATIENT, headers={"if-none-exist": f"_id={made['id']}"}).status_code == 403
    narrow.close()
    writer.close()


def sign_in(browser: httpx.Client, name: str, password: str, token: str | None = None) -> int:
    form = {"account": name, "password": password, "next": "/"}
    return browser.post("/sign-in", data={**form, csrf.FIELD: token or form_token(browser, "/sign-in")}).status_code


def test_wrong_passwords_lock_the_name_at_this_address_only(house: House) -> None:
    on(house.database_url, "DELETE FROM login_failure")
    browser = house.visitor()
    answers = [sign_in(browser, "boyte", "not the password") for _ in range(5)]
    assert answers == [403] * 5
    assert sign_in(browser, "boyte", house.password) == 403, "locked even with the right password"
    assert sign_in(house.visitor(), "quantri", house.password) == 303, "others are not locked"
    on(house.database_url, "UPDATE login_failure SET address = '192.0.2.1'")
    assert sign_in(house.visitor(), "boyte", house.password) == 303, "another address is not locked"
    on(house.database_url, "UPDATE login_failure SET address = '127.0.0.1', at = at - interval '16 minutes'")
    assert sign_in(house.visitor(), "boyte", house.password) == 303, "the lock ends by itself"


def test_an_unknown_name_is_answered_like_a_wrong_password(house: House) -> None:
    texts = set()
    for name in ("tram", "khong-co-ai"):
        browser = house.visitor()
        form = {
            "account": name,
            "password": "wrong wrong wrong",
            "next": "/",
            csrf.FIELD: form_token(browser, "/sign-in"),
        }
        answer = browser.post("/sign-in", data=form)
        texts.add((answer.status_code, 'role="alert"' in answer.text))
    assert len(texts) == 1
    on(house.database_url, "DELETE FROM login_failure")


def test_forms_without_the_pages_token_are_refused(house: House) -> None:
    browser = house.visitor()
    assert sign_in(browser, "tram", house.password, token="made-up") == 403
    inside = house.signed_in("tram")
    del inside.headers[csrf.HEADER]
    assert inside.post("/sign-out").status_code == 403
    other = house.signed_in("bstinh").headers[csrf.HEADER]
    assert inside.post("/sign-out", headers={csrf.HEADER: other}).status_code == 403


def test_a_session_changes_nothing_over_the_api_without_the_pages_token(house: House) -> None:
    browser = house.signed_in("tram")
    token = browser.headers.pop(csrf.HEADER)
    for method, path in (
        ("POST", "/fhir/Patient"),
        ("PUT", "/fhir/Patient/x"),
        ("DELETE", "/fhir/Patient/x"),
        ("POST", "/fhir"),
    ):
        assert browser.request(method, path, json=PATIENT).status_code == 403, path
        foreign = browser.request(
            method, path, json=PATIENT, headers={csrf.HEADER: token, "sec-fetch-site": "cross-site"}
        )
        assert foreign.status_code == 401
    assert browser.get("/fhir/Organization?_count=1").status_code == 200
    assert browser.post("/fhir/Patient", json=PATIENT, headers={csrf.HEADER: token}).status_code == 201


def test_signing_out_ends_the_session(house: House) -> None:
    browser = house.signed_in("tram")
    cookie = browser.cookies[sessions.COOKIE]
    assert browser.get("/fhir/Organization?_count=1").status_code == 200
    assert browser.post("/sign-out").status_code == 303
    again = house.visitor().get("/fhir/Organization?_count=1", headers={"cookie": f"{sessions.COOKIE}={cookie}"})
    assert again.status_code == 401


@pytest.mark.parametrize(
    "change",
    ["ends = now()", "seen = now() - interval '2 hours'"],
)
def test_a_session_ends_after_a_shift_and_after_two_idle_hours(house: House, change: str) -> None:
    browser = house.signed_in("boyte")
    assert browser.get("/fhir/Organization?_count=1").status_code == 200
    on(house.database_url, f"UPDATE session SET {change} WHERE account = (SELECT id FROM account WHERE name = 'boyte')")
    assert browser.get("/fhir/Organization?_count=1").status_code == 401


def test_a_disabled_account_is_out_at_once(run: Any, house: House) -> None:
    browser = house.signed_in("quantri")
    on(house.database_url, "UPDATE account SET disabled = true WHERE name = 'quantri'")
    try:
        assert browser.get("/fhir/Organization?_count=1").status_code == 401
        assert sign_in(house.visitor(), "quantri", house.password) == 403
    finally:
        on(house.database_url, "UPDATE account SET disabled = false WHERE name = 'quantri'")


def test_passwords_are_kept_as_argon2_and_short_ones_refused(run: Any, system: Access) -> None:
    async def work() -> str:
        async with system.own_tables() as connection:
            with pytest.raises(Exception, match="at least 12"):
                await accounts.create(connection, "short", "eleven char", "x", {})
            await accounts.create(connection, "  THỬ ", "long enough to keep", "x", {"role": "auditor"})
            with pytest.raises(Exception, match="is taken"):
                await accounts.create(connection, "thử", "long enough to keep", "x", {})
            kept: str = await connection.fetchval("SELECT password FROM account WHERE name = 'thử'")
            return kept

    assert run(work()).startswith("$argon2id$")
