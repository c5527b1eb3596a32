"""The floor: what this machine does with no FHIR, no index, no access and no audit. `fhir_server.py` measures beside it.

A bare program on the same web server and driver decodes the body, stores the text in two tables in one statement (current
and history), and reads it back by id. What it takes here, against what it took on the machine the goals were set on, says
how fast this machine is at the moment.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import uvicorn

from running import Running, free_port
from yersin.db import embedded
from yersin.settings import Settings
from yersin.store.identity import new_id

#: requests/s and CPU ms on the machine of the goals, database included
REFERENCE = {"create": (4128, 0.37), "read": (7111, 0.20)}
TABLES = """
CREATE TABLE IF NOT EXISTS floor_current (id uuid PRIMARY KEY, ver int NOT NULL, content text NOT NULL);
CREATE TABLE IF NOT EXISTS floor_history (id uuid, ver int, content text NOT NULL, PRIMARY KEY (id, ver));
"""
INSERT = "WITH c AS (INSERT INTO floor_current VALUES ($1, 1, $2)) INSERT INTO floor_history VALUES ($1, 1, $2) RETURNING ver"


class Floor:
    """The bare program."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pool: asyncpg.Pool | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            self.pool = await asyncpg.create_pool(self.url, min_size=10, max_size=10)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self.pool.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
        assert self.pool is not None
        if scope["method"] == "POST":
            status, body = 201, await self._create(self.pool, (await receive())["body"])
        else:
            key = UUID(scope["path"].rpartition("/")[2])
            status, body = 200, await self.pool.fetchval("SELECT content FROM floor_current WHERE id = $1", key)
        raw = body.encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": raw})

    async def _create(self, pool: asyncpg.Pool, body: bytes) -> str:
        document, key = msgspec.json.decode(body), new_id()
        document["id"] = str(key)
        content = msgspec.json.encode(document).decode()
        await pool.fetchval(INSERT, key, content)
        return content


async def _serve(folder: str, port: int) -> None:
    async with embedded.run(replace(Settings(), data_dir=Path(folder))) as url:
        connection = await asyncpg.connect(url)
        await connection.execute(TABLES)
        await connection.close()
        config = uvicorn.Config(
            Floor(url), port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning", lifespan="on"
        )
        await uvicorn.Server(config).serve()


@contextmanager
def floor() -> Iterator[Running]:
    """Start the bare program with a database of its own, and stop it afterwards."""
    with tempfile.TemporaryDirectory(prefix="yersin-floor-") as folder:
        port = free_port()
        environment = {**os.environ, "YERSIN_DATABASE_URL": ""}
        process = subprocess.Popen([sys.executable, __file__, folder, str(port)], env=environment)
        try:
            _wait(port)
            yield Running(base=f"http://127.0.0.1:{port}", data=Path(folder), pid=process.pid, environment=environment)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _wait(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), 1)):
            return
        time.sleep(0.1)
    raise RuntimeError("the floor did not get ready")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        with suppress(KeyboardInterrupt):
            asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
    else:
        print(__doc__)
