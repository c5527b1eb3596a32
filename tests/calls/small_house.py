"""A small house for the calls: two signed-in people by cookie, a door that knows them, and worker processes' servers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
import warnings
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import uvicorn
from litestar import Litestar
from litestar.datastructures import State
from litestar.types import ASGIApp, Receive, Scope, Send
from markupsafe import Markup

import yersin.telehealth
from yersin.calls.ice import IceServers
from yersin.calls.recordings import Recordings, Sealer
from yersin.calls.room_bus import RoomBus
from yersin.calls.rooms import Rooms
from yersin.calls.seats import Participant
from yersin.db import connect
from yersin.guard.keys import open_sealed, seal
from yersin.telehealth.calling import HANDLERS, Beside, Calling
from yersin.telehealth.calling.door import AnyConnection
from yersin.web.frame import Frame, read_cookies
from yersin.web.site import Site, assemble

KEY = b"a key of thirty-two bytes, no mo"
SECRET = b"a secret of thirty-two bytes, 32"
SEALER = Sealer(seal=lambda plain: seal(KEY, plain, "blobs"), open=lambda sealed: open_sealed(KEY, sealed, "blobs"))


@dataclass(frozen=True, slots=True)
class Person:
    display_name: str
    role_title: str
    facility_name: str

    def may(self, permission: str) -> bool:
        return bool(permission)


PEOPLE = {
    "doctor": Person("BS. Lê Minh Tâm", "Chuyên khoa tim mạch", "Bệnh viện Trung ương Sao Mai"),
    "second": Person("BS. Phan Thu Nga", "Chuyên khoa nội", "Bệnh viện Trung ương Sao Mai"),
    "worker": Person("Trần Thu Hà", "Điều dưỡng", "Trạm Y tế Suối Dầu"),
    "stranger": Person("Vũ Văn Lạ", "Bác sĩ", "Phòng khám Xa"),
}
_PANEL = Markup("""<div class="stack"><h2>Bệnh án</h2><p class="muted">Huyết áp 148/94 mmHg, mạch 92, SpO₂ 95 %.</p>
<form class="stack tight"><label for="finding">Kết luận</label><textarea id="finding" rows="6"></textarea></form></div>""")


def on(url: str, sql: str, *values: Any) -> list[Any]:
    """Run one statement and return its rows."""

    async def work() -> list[Any]:
        database = await connect(url, max_size=1)
        try:
            return [dict(row) for row in await database.fetch(sql, *values)]
        finally:
            await database.close()

    # a thread of its own, as the browser's driver keeps a running loop in this one
    with ThreadPoolExecutor(1) as alone:
        return alone.submit(lambda: asyncio.run(work())).result()


class SmallDoor:
    """Knows the two specialists and the station's worker; everybody else is a stranger."""

    async def may_join(self, connection: AnyConnection, call_id: UUID) -> Participant | None:
        name = connection.scope["state"].get("who", "")
        if name not in PEOPLE or name == "stranger":
            return None
        person, expert = PEOPLE[name], name in {"doctor", "second"}
        return Participant(person=name, name=person.display_name, place=person.facility_name, may_host=expert)

    async def may_replay(self, connection: AnyConnection, call_id: UUID) -> bool:
        return connection.scope["state"].get("who") == "doctor"

    async def beside(self, connection: AnyConnection, call_id: UUID) -> Beside:
        return Beside(panel=_PANEL, panel_title="Câu hỏi", home=f"/telehealth/calls/{call_id}")


class SignedInByCookie:
    """Stands for guard's middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            header = dict(scope["headers"]).get(b"cookie", b"").decode()
            name = read_cookies(header).get("who", "")
            state = scope.setdefault("state", {})
            if name in PEOPLE:
                state.update(access=PEOPLE[name], session_id=f"session-{name}", who=name)
        await self.app(scope, receive, send)


def make(url: str, ice: IceServers) -> Any:
    """The application of one worker process."""

    @contextlib.asynccontextmanager
    async def life(app: Litestar) -> AsyncIterator[None]:
        database = await connect(url, max_size=8)
        rooms = Rooms(database=database, bus=RoomBus(database))
        recordings = Recordings(rooms=rooms, sealer=SEALER)
        app.state.calling = Calling(rooms=rooms, recordings=recordings, door=SmallDoor(), ice=ice)
        async with rooms.bus.running():
            yield
        await database.close()

    site = assemble(rooms=[Path(yersin.telehealth.__file__).parent], secret=SECRET)
    with warnings.catch_warnings():
        # the shell leaves `copy_scope` of its assets to the default, of which Litestar warns
        warnings.simplefilter("ignore", DeprecationWarning)
        app = _litestar(site, life)
    return Frame(SignedInByCookie(app))


def _litestar(site: Site, life: Any) -> Litestar:
    return Litestar(
        route_handlers=[*site.handlers, *HANDLERS],
        middleware=site.middleware,
        exception_handlers=site.exception_handlers,
        state=State({"site": site}),
        lifespan=[life],
        openapi_config=None,
    )


class Worker:
    """One worker process, here a thread with a loop and connections of its own."""

    def __init__(self, url: str, port: int = 0, host: str = "127.0.0.1", ice: IceServers | None = None) -> None:
        self.url, self.host = url, host
        self.port = port or free_port()
        self.server = uvicorn.Server(
            uvicorn.Config(
                make(url, ice or IceServers()),
                host=host,
                port=self.port,
                log_level="warning",
                timeout_graceful_shutdown=2,
            )
        )
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve()), daemon=True)
        self.thread.start()
        deadline = time.monotonic() + 90
        while not self.server.started:
            if time.monotonic() > deadline or not self.thread.is_alive():
                raise RuntimeError("the worker did not start")
            time.sleep(0.02)

    @property
    def base(self) -> str:
        return f"http://{self.host}:{self.port}"

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(15)


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
