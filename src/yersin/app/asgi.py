"""The ASGI application: `/fhir` goes straight to the API, everything else to the pages."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp

from yersin.api.app import Api
from yersin.db import DatabaseFailure
from yersin.documents import public_routes
from yersin.guard.origins import Origins
from yersin.guard.rates import Rates
from yersin.jobs import periodic
from yersin.room import Room
from yersin.settings import Settings
from yersin.web.frame import Frame
from yersin.web.site import assemble

from . import developers, drafts, entrance, failures, health, telling
from .asking import AccessMiddleware, ApiAsker
from .ground import opened
from .rooms import ROOMS
from .state import House
from .working import tasks_of

#: floors that have words or scripts of their own for pages
_FLOORS = tuple(Path(__file__).parent.parent / name for name in ("app", "imaging"))


def require_sign_in(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Guard of every page: signed in, unless the page says that it is public, and entitled, where it names a permission."""
    if handler.opt.get("public"):
        return
    access = connection.scope["state"].get("access")
    if access is None:
        raise NotAuthorizedException
    permission = handler.opt.get("permission", "")
    if permission:
        access.require(permission)


def pages(house: House, rooms: Sequence[Room] = ROOMS, kept: Mapping[str, Any] | None = None) -> ASGIApp:
    """Assemble the pages of some rooms; `kept` is what their `living` keeps."""
    site = assemble(
        rooms=[*(room.folder for room in rooms), *_FLOORS],
        menu=[item for room in rooms for item in room.menu],
        palette=[entry for room in rooms for entry in room.palette],
        secret=house.ground.keys.get("cookies"),
    )
    app = Litestar(
        route_handlers=[
            *site.handlers,
            *(page for room in rooms for page in room.pages),
            *(drafts.save, drafts.read, drafts.discard),
            *(entrance.show_sign_in, entrance.sign_in, entrance.sign_out),
            developers.show,
            *health.PAGES,
            *public_routes.ROUTES,
        ],
        guards=[require_sign_in],
        middleware=[AccessMiddleware, *site.middleware],
        exception_handlers={**dict[Any, Any](site.exception_handlers), DatabaseFailure: failures.on_failure},
        state=site.state,
        openapi_config=None,
        logging_config=None,  # app/logs.py is the house's: the framework's would print what failures say
    )
    app.state.house = house
    app.state.rooms = tuple(rooms)
    app.state.update(kept or {})
    return Frame(app, bare=("/fhir",), zone=house.settings.zone)


class Application:
    """The whole of Yersin in one process."""

    def __init__(self, settings: Settings, url: str) -> None:
        self._url = url
        self._house = House(settings)
        self._api: Api | None = None
        self._pages: ASGIApp | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] in ("http", "websocket") and (
            scope["path"] == "/fhir" or scope["path"].startswith("/fhir/")
        ):
            assert self._api is not None  # noqa: S101 - the server sends nothing before start-up is complete
            await self._api(scope, receive, send)
        else:
            assert self._pages is not None  # noqa: S101 - as above
            await self._pages(scope, receive, send)

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._open())
            except Exception as error:  # noqa: BLE001 - whatever it is is told in words
                await send({"type": "lifespan.startup.failed", "message": "\n".join(telling.words(error))})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        settings = self._house.settings
        async with opened(settings, self._url) as ground:
            self._house.opened = ground
            operations = [operation for room in ROOMS for operation in room.operations]
            limits = {name: getattr(settings, f"rate_{name}") for name in ("program", "account", "address")}
            self._api = Api(
                ApiAsker(ground),
                f"{settings.base_url}/fhir",
                operations,
                known=Origins(ground.database).knows,
                rates=Rates(settings.data_dir, limits) if any(limits.values()) else None,
            )
            async with AsyncExitStack() as stack:
                kept: dict[str, Any] = {}
                for room in ROOMS:
                    if room.living:
                        await stack.enter_async_context(room.living(kept, ground, settings.data_dir))
                self._pages = pages(self._house, kept=kept)
                await stack.enter_async_context(ground.extending.listening())
                await stack.enter_async_context(periodic.running(ground.database, tasks_of(ground)))
                spare_the_collector()
                yield


def spare_the_collector() -> None:
    """Leave out what start-up made, which lives as long as the process: going through it held requests up for 50 ms and more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
