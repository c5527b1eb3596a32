"""Serving: the supervising process starts the database, brings it up to date and runs the web server."""

from __future__ import annotations

import os
import socket
from contextlib import closing

from yersin.db import embedded
from yersin.fhir.problem import problem
from yersin.settings import Settings

from . import logs
from .ground import prepared


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

    from .asgi import Application  # noqa: PLC0415 - as above
    from .line import Line  # noqa: PLC0415 - as above

    if settings.web_workers > 1:
        os.environ["YERSIN_DATABASE_URL"] = url
    config = uvicorn.Config(
        "yersin.app.asgi:create" if settings.web_workers > 1 else Application(settings, url),
        factory=settings.web_workers > 1,
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
    )
    if settings.web_workers > 1:
        from uvicorn.supervisors import Multiprocess  # noqa: PLC0415 - only where several workers run

        Multiprocess(config, sockets=[config.bind_socket()]).run()
    else:
        await uvicorn.Server(config).serve()
