"""Serving: the supervising process starts the database, brings it up to date and runs the web server."""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Final

from yersin.db import embedded
from yersin.fhir.problem import problem
from yersin.settings import Settings

from . import logs, web_process
from .ground import prepared

if TYPE_CHECKING:
    import uvicorn

#: seconds between two looks at the web processes and at the signals that came
_LOOK: Final = 0.2
#: seconds in which a web process that takes the place of another (SIGHUP) has to serve
_PATIENCE: Final = 60


def refuse_taken_port(settings: Settings) -> None:
    """Raise Problem when the port is in use, naming the cure."""
    with closing(socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            text = (
                f"{settings.host}:{settings.port} cannot be used ({error.strerror}). Is Yersin running already? "
                f"Stop it, or choose another port: YERSIN_PORT={settings.port + 1}\n"
                f"Cổng {settings.port} không dùng được. Yersin đang chạy rồi chăng? Hãy dừng nó, hoặc chọn cổng khác như trên."
            )
            raise problem("conflict", text, status=500) from error


async def serve(settings: Settings) -> None:
    """Serve until a signal comes."""
    refuse_taken_port(settings)
    async with embedded.run(settings) as url:
        await prepared(url)
        await run_web(settings, url)


async def run_web(settings: Settings, url: str) -> None:
    """Run the web server on an open database."""
    import uvicorn  # noqa: PLC0415 - with the pages, half of what other commands would wait for

    from .line import Line  # noqa: PLC0415 - as above

    several = settings.web_workers > 1
    config = uvicorn.Config(
        partial(web_process.create, settings, url),
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.web_workers,
        loop="uvloop",
        http=Line,
        access_log=False,
        log_config=logs.CONFIG,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        date_header=False,
        ws_max_size=1 << 20,
        timeout_keep_alive=75,
        timeout_worker_healthcheck=_PATIENCE,
    )
    await (_side_by_side(config) if several else uvicorn.Server(config).serve())


async def _side_by_side(config: uvicorn.Config) -> None:
    """Run several web processes and replace those that die, while this process goes on to look after the database.

    Raises SystemExit when one fails before it serves, as each that came after it would.
    """
    from uvicorn.config import STARTUP_FAILURE  # noqa: PLC0415 - only where several run
    from uvicorn.supervisors import multiprocess  # noqa: PLC0415 - as above

    supervisor = multiprocess.Multiprocess(config, sockets=[config.bind_socket()])
    supervisor.init_processes()
    try:
        while not supervisor.should_exit.is_set():
            await asyncio.sleep(_LOOK)
            supervisor.handle_signals()
            for place, each in enumerate(supervisor.processes):
                if each.process.is_alive():
                    continue
                if each.exitcode == STARTUP_FAILURE:
                    sys.exit(STARTUP_FAILURE)
                each.kill()  # closes what it left open
                supervisor.processes[place] = multiprocess.Process(config, supervisor.sockets)
                supervisor.processes[place].start()
    finally:
        supervisor.terminate_all()
        await asyncio.to_thread(supervisor.join_all)
