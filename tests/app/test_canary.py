"""The canary: a patient with unmistakable marks goes through the house, and the marks may appear to those who treat her alone.

Registered, searched, read, asked about, talked about, concluded, imported, with a failure in the middle of each; then log lines,
metrics, headers, addresses, titles, others' answers, files of the data folder and PostgreSQL's log are searched for her.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from tests.running import House, Served, answering, free_port, on
from tests.telehealth.conftest import WISH, minutes_of
from websockets.sync.client import connect
from websockets.typing import Origin

NUMBER, PHONE, BORN = "999713072913", "0900007913", "1913-07-29"
FAMILY, GIVEN, NOTE, CHAT = "Zyxkwong", "Qwertzanh", "Wuxghichu khong ai duoc thay", "Vyxtrochuyen rieng"
HER_NAME = f"{FAMILY} Thi {GIVEN}"
#: what gives her away, as it may be written, without the difference of case
MARKS = {
    "name": (FAMILY, GIVEN),
    "birth date": (BORN, "29/07/1913", "29.07.1913", "29071913", "19130729", "29-07-1913"),
    "number": (NUMBER, "999 713 072 913", "999713"),
    "telephone": (PHONE, "0900 007 913", "+84900007913", "84 900 007 913", "900007913"),
    "note": (NOTE, "wuxghichu", "vyxtrochuyen"),
}
REGISTRATION = {
    "family": FAMILY, "middle": "Thi", "given": GIVEN, "born": "29/07/1913", "sex": "female", "personal": NUMBER, "phone": PHONE,
    "line": NOTE, "ethnicity": "01",
}  # fmt: skip


def marks_in(text: str) -> list[str]:
    """Which kinds of marks a text holds, plain, percent-encoded or in base64."""
    plain = text.lower()
    words = [(kind, word) for kind, spelled in MARKS.items() for word in spelled]
    found = {kind for kind, word in words if word.lower() in plain or quote(word).lower() in plain}
    coded = [(kind, _base64(word, cut)) for kind, word in words for cut in range(3)]
    # what is shorter comes up by chance in a few megabytes of encrypted bytes
    in_base64 = {kind for kind, piece in coded if len(piece) > 7 and piece in text}
    return sorted(found | in_base64)


def _base64(word: str, cut: int) -> str:
    """The middle of a word in base64, when `cut` bytes stand before it."""
    coded = base64.b64encode(b" " * cut + word.encode()).decode()
    return coded[4 if cut else 0 : -4]


@dataclass
class Watch:
    """Everything that the server sent where nobody's data may stand."""

    seen: list[tuple[str, str]] = field(default_factory=list)

    def response(self, answer: httpx.Response) -> None:
        answer.read()
        where = f"{answer.request.method} {answer.request.url.path}"
        self.seen += [(f"header {name} of {where}", value) for name, value in answer.headers.items()]
        if not answer.request.url.path.startswith("/fhir"):
            self.seen.append((f"address of {where}", str(answer.request.url)))
        title = re.search(r"<title>(.*?)</title>", answer.text, re.DOTALL)
        if title:
            self.seen.append((f"title of {where}", title[1]))

    def other(self, answer: httpx.Response) -> None:
        """What somebody got who has no part in her care: all of it."""
        self.seen.append((f"answer to a stranger of {answer.request.url.path}", answer.text))


@dataclass
class Place:
    """A house of this test alone, its data folder and what was seen of it."""

    house: House
    folder: Path
    watch: Watch
    server_log: Path
    commands: list[str] = field(default_factory=list)

    def browser(self, login: str, language: str = "vi") -> httpx.Client:
        browser = self.house.signed_in(login)
        browser.cookies.set("language", language)
        browser.event_hooks["response"].append(self.watch.response)
        return browser

    def on(self, *statements: str) -> None:
        on(self.house.database_url, *statements)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command line beside the server; what it prints is looked at in the end."""
        program = [sys.executable, "-c", "from yersin.app.command import main; main()", *words]
        environment = self.house.server._environment
        done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=120)
        self.commands += [done.stdout, done.stderr]
        return done


@pytest.fixture
def place(
    run: Any, kept: Path, make_database: Callable[..., str], country: str, keys_dir: Path, tmp_path: Path
) -> Iterator[Place]:
    url = make_database(country)
    folder = tmp_path / "data"
    shutil.copytree(keys_dir, folder)
    server_log = kept / "postgres" / "server.log"
    with closing(Served(url, folder, free_port(), tmp_path, {})) as server:
        answering(server)
        house = House(run, server, url, folder)
        yield Place(house=house, folder=folder, watch=Watch(), server_log=server_log)
        house.close()
    on(kept_server(url), f"DROP DATABASE {url.partition('@/')[2].partition('?')[0]} WITH (FORCE)")


def kept_server(url: str) -> str:
    """Address of the server's first database, beside the one of this test."""
    return re.sub(r"@/[^?]+\?", "@/yersin?", url)


def key_of(browser: httpx.Client, path: str) -> str:
    found = re.search(r'name="idempotency_key" value="([^"]+)"', browser.get(path).text)
    assert found, path
    return found[1]


#: ways in which the database breaks in the middle of work, and how each is mended: a table gone, a row refused with its values
BREAKS = (
    ("ALTER TABLE fhir.{0} RENAME TO {0}_gone", "ALTER TABLE fhir.{0}_gone RENAME TO {0}"),
    (
        "ALTER TABLE fhir.{0} ADD CONSTRAINT broken CHECK (false) NOT VALID",
        "ALTER TABLE fhir.{0} DROP CONSTRAINT broken",
    ),
)


def broken(place: Place, table: str, ask: Callable[[], httpx.Response], *, writes: bool = True) -> None:
    """Ask while the database is broken: the answer is a failure of ours."""
    for breaking, mending in BREAKS if writes else BREAKS[:1]:
        place.on(breaking.format(table))
        try:
            assert ask().status_code == 500
        finally:
            place.on(mending.format(table))


@pytest.mark.timeout(240)
def test_no_patients_data_appears_where_it_may_not(place: Place, tmp_path: Path) -> None:
    station, hospital, stranger = place.browser("tram"), place.browser("chuyengia", "en"), place.browser("bstinh")
    patient = _registers(place, station)
    _searches(place, station, stranger, patient)
    _reads(place, station, stranger, patient)
    _consults(place, station, hospital, stranger, patient)
    _imports(place, tmp_path)
    _commands(place)
    _is_nowhere_else(place)
    assert marks_in(station.get(f"/records/{patient}").text) == ["birth date", "name", "note", "number", "telephone"], (
        "she is there"
    )


def _registers(place: Place, browser: httpx.Client) -> str:
    key = key_of(browser, "/people/new")
    assert (
        browser.post("/people", data={**REGISTRATION, "born": "29/07/19133", "idempotency_key": key}).status_code == 422
    )
    assert (
        browser.post("/people", data={**REGISTRATION, "personal": NUMBER[:-1], "idempotency_key": key}).status_code
        == 422
    )
    broken(place, "patient", lambda: browser.post("/people", data={**REGISTRATION, "idempotency_key": key}))
    made = browser.post("/people", data={**REGISTRATION, "idempotency_key": key})
    assert made.status_code in (302, 303), made.text[:500]
    patient = made.headers["location"].partition("/records/")[2].partition("?")[0]
    again = browser.post("/people", data={**REGISTRATION, "idempotency_key": key_of(browser, "/people/new")})
    assert again.status_code == 422, "she is here already"
    return patient


def _searches(place: Place, browser: httpx.Client, stranger: httpx.Client, patient: str) -> None:
    for typed in (f"{GIVEN} {FAMILY} 1913", NUMBER, PHONE, "29/07/1913"):
        assert browser.post("/people/find", data={"q": typed}).status_code == 200
    assert patient in browser.post("/people/find", data={"q": f"{GIVEN} {FAMILY}"}).text
    broken(place, "patient", lambda: browser.post("/people/find", data={"q": HER_NAME}), writes=False)
    asked: list[tuple[str, Any]] = [
        ("family", FAMILY),
        ("given", GIVEN),
        ("birthdate", BORN),
        ("phone", PHONE),
        ("identifier", NUMBER),
        ("address", NOTE),
    ]
    for one in asked:
        found = browser.get("/fhir/Patient", params=[one, ("_count", "1"), ("_sort", "_id")])
        assert [e["resource"]["id"] for e in found.json()["entry"]] == [patient], one
        assert browser.post("/fhir/Patient/_search", data=dict([one])).status_code == 200
        assert browser.get("/fhir/Patient", params=[one, ("nonsense", "x")]).status_code == 400
        place.watch.other(stranger.get("/fhir/Patient", params=[("_id", patient)]))
    broken(place, "patient", lambda: browser.get("/fhir/Patient", params=asked), writes=False)
    broken(place, "patient", lambda: browser.post("/fhir/Patient/_search", data=dict(asked)), writes=False)
    assert browser.get(f"/fhir/Patient/{FAMILY}").status_code == 404
    # an address that somebody typed wrong: no other page may repeat it, and no log keep it
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    lost = httpx.get(f"{place.house.base_url}/{FAMILY}/{NUMBER}", headers={"cookie": cookies})
    assert lost.status_code == 404


def _reads(place: Place, browser: httpx.Client, stranger: httpx.Client, patient: str) -> None:
    for part in ("", "/timeline", "/results", "/documents", "/images", "/vitals/new"):
        assert browser.get(f"/records/{patient}{part}").status_code == 200, part
        place.watch.other(stranger.get(f"/records/{patient}{part}"))
    broken(place, "patient", lambda: browser.get(f"/records/{patient}"), writes=False)
    current = browser.get(f"/fhir/Patient/{patient}").json()
    headers = {"content-type": "application/fhir+json"}
    for body, status in (
        ({**current, "birthDate": f"{BORN}x"}, 400),
        ({**current, "gender": FAMILY}, 400),
        ({**current, "id": FAMILY}, 400),
        ({**current, FAMILY: NOTE}, 400),
    ):
        assert browser.put(f"/fhir/Patient/{patient}", content=json.dumps(body), headers=headers).status_code == status
    stale = {**headers, "if-match": 'W/"7"'}
    assert browser.put(f"/fhir/Patient/{patient}", content=json.dumps(current), headers=stale).status_code == 412
    broken(
        place, "patient", lambda: browser.put(f"/fhir/Patient/{patient}", content=json.dumps(current), headers=headers)
    )
    assert browser.put(f"/fhir/Patient/{patient}", content=json.dumps(current), headers=headers).status_code == 200
    place.watch.other(stranger.put(f"/fhir/Patient/{patient}", content=json.dumps(current), headers=headers))
    place.watch.other(stranger.get(f"/fhir/Patient/{patient}/_history"))


def _consults(
    place: Place, station: httpx.Client, hospital: httpx.Client, stranger: httpx.Client, patient: str
) -> None:
    wish = [(n, f"{v} {NOTE}" if n in ("question", "history", "diagnosis_text") else v) for n, v in WISH]
    form = [
        *wish,
        ("urgency", "urgent"),
        ("step", "send"),
        ("idempotency_key", key_of(station, f"/telehealth/ask/{patient}")),
    ]
    lacking = [pair for pair in form if pair[0] != "consents"]
    assert _sent(station, f"/telehealth/ask/{patient}", lacking).status_code == 422
    broken(place, "task", lambda: _sent(station, f"/telehealth/ask/{patient}", form))
    path = _sent(station, f"/telehealth/ask/{patient}", form).headers["location"]
    assert (
        station.get(path).status_code
        == hospital.get("/telehealth/queue").status_code
        == hospital.get(path).status_code
        == 200
    )
    colleague = place.browser("chuyengia2")
    colleague.get(path)
    assert _moved(hospital, path, "accept") < 400
    assert _moved(colleague, path, "accept") == 409
    assert _moved(hospital, path, "ask-back", text=NOTE) < 400
    assert _moved(station, path, "reply", text=NOTE) < 400
    for place_of_it in ("", "/minutes", "/minutes.pdf", "/live"):
        place.watch.other(stranger.get(path + place_of_it))
    place.watch.other(stranger.post(f"{path}/accept", data={}))
    assert _moved(hospital, path, "begin") < 400
    _talks(place, station, hospital, path)
    _concludes(place, station, hospital, path)


def _sent(browser: httpx.Client, path: str, pairs: list[tuple[str, str]]) -> httpx.Response:
    body = "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs)
    return browser.post(path, content=body, headers={"content-type": "application/x-www-form-urlencoded"})


def _moved(browser: httpx.Client, path: str, move: str, **form: str) -> int:
    return browser.post(f"{path}/{move}", data={**form, "idempotency_key": str(uuid4())}).status_code


def _talks(place: Place, station: httpx.Client, hospital: httpx.Client, path: str) -> None:
    """Both enter the call; lines of chat, good and bad, go over its socket."""
    call = re.search(r"/telehealth/calls/([0-9a-f-]{36})", station.get(path).text)
    assert call
    address = f"{place.house.base_url}/telehealth/calls/{call[1]}/signals".replace("http", "ws", 1)
    sockets = []
    for browser in (hospital, station):
        assert browser.get(f"/telehealth/calls/{call[1]}").status_code == 200
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        socket = connect(
            address, additional_headers={"cookie": cookies}, origin=Origin(place.house.base_url), legacy=True
        )
        socket.send(json.dumps({"kind": "hello", "page": f"page-{uuid4().hex}"}))
        sockets.append(socket)
    for text in (CHAT, NOTE, HER_NAME):
        for socket in sockets:
            socket.send(json.dumps({"kind": "say", "key": uuid4().hex, "text": text}))
    heard = ""
    while CHAT not in heard:
        heard += str(sockets[0].recv(timeout=10))
    sockets[0].send(json.dumps({"kind": CHAT, "text": HER_NAME}))
    sockets[1].send(HER_NAME)
    for socket in sockets:
        socket.close()
        socket.recv_events_thread.join(10)
        socket.socket.close()


def _concludes(place: Place, station: httpx.Client, hospital: httpx.Client, path: str) -> None:
    hospital.get(f"{path}/minutes")

    def minutes(step: str, *conclusions: str) -> list[tuple[str, str]]:
        marked = ("findings", "plan", "advice")
        pairs = [(n, f"{v} {NOTE}" if n in marked else v) for n, v in minutes_of(step, *conclusions)]
        return [*pairs, ("idempotency_key", str(uuid4()))]

    assert _sent(hospital, f"{path}/minutes", minutes("save", NOTE, "")).status_code < 400
    assert _sent(hospital, f"{path}/minutes", minutes("sign", NOTE, "")).status_code == 422
    broken(place, "composition", lambda: _sent(hospital, f"{path}/minutes", minutes("sign", NOTE, NOTE)))
    assert _sent(hospital, f"{path}/minutes", minutes("sign", NOTE, NOTE)).status_code < 400
    assert _sent(hospital, f"{path}/minutes", minutes("sign", NOTE, NOTE)).status_code in (303, 409)
    assert _moved(station, path, "countersign") < 400
    assert station.get(f"{path}/minutes.pdf").headers["content-type"] == "application/pdf"
    assert _moved(station, path, "done", done=NOTE) < 400


def _imports(place: Place, folder: Path) -> None:
    """Files with her in them, good and bad: what is wrong is named by file, entry and element."""
    source = folder / "to import"
    source.mkdir()
    good = {
        "resourceType": "Patient",
        "id": str(uuid4()),
        "name": [{"family": FAMILY, "given": [GIVEN]}],
        "birthDate": BORN,
    }
    bad = [
        {**good, "birthDate": f"{BORN}T"},
        {**good, "gender": FAMILY},
        {**good, "telecom": [{"system": PHONE}]},
        {**good, "identifier": NUMBER},
        {**good, "active": NOTE},
        {**good, "managingOrganization": {"reference": f"Organization?identifier={NUMBER}"}},
        {**good, "resourceType": FAMILY},
    ]
    (source / "Patient.ndjson").write_text("\n".join(map(json.dumps, [good, *bad])) + f'\n{{"resourceType":"{FAMILY}\n')
    assert place.command("import", str(source)).returncode == 2
    other = folder / "other.json"
    other.write_text(json.dumps({**good, "id": str(uuid4())}))
    for breaking, mending in BREAKS:
        place.on(breaking.format("patient"))
        try:
            assert place.command("import", str(other)).returncode != 0
        finally:
            place.on(mending.format("patient"))
    assert place.command("import", str(other)).returncode == 0


def _commands(place: Place) -> None:
    assert place.command("migrate").returncode == 0


def _is_nowhere_else(place: Place) -> None:
    metrics = httpx.get(f"{place.house.base_url}/metrics")
    assert metrics.status_code == 200
    looked_at = [
        *place.watch.seen,
        ("metrics", metrics.text),
        ("output of the server", place.house.server.output.read_text()),
        ("PostgreSQL's log", place.server_log.read_text(errors="replace")),
        *((f"output of a command ({n})", text) for n, text in enumerate(place.commands)),
        *((f"file {p.name} of the data folder", p.read_bytes().decode("latin-1")) for p in _files(place.folder)),
    ]
    assert len(place.watch.seen) > 500
    found = {where: marks for where, text in looked_at if (marks := marks_in(text))}
    assert not found, "\n".join(f"{where}: {marks}" for where, marks in found.items())


def _files(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file()]


def test_the_canary_would_be_found() -> None:
    for text in (
        f"GET /people?q={FAMILY.lower()}",
        f"born {BORN}",
        quote("29/07/1913"),
        f"x {NUMBER} y",
        base64.b64encode(f"ab {HER_NAME} cd".encode()).decode(),
        base64.b64encode(f"a {NOTE}".encode()).decode(),
    ):
        assert marks_in(text), text
    assert marks_in("a quiet line, GET /people/find 200") == []
