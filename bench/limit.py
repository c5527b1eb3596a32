"""The limit: the SQL that the server sends, through the same driver and web server, with no FHIR in it.

Same tables, indexes, audit row and access SQL, in a database of its own; what the server works out of a resource (its
index rows) is worked out once, at the start. `rates.py` measures beside it: what is missing to it is what FHIR costs.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import uvicorn

from fhir_server import patient
from running import Running, free_port, wait
from yersin.app.ground import opened, prepared
from yersin.db import embedded
from yersin.db.sql import Sql
from yersin.fhir import parse, r4
from yersin.guard import audit, showing
from yersin.guard.access import Access, Ground
from yersin.guard.who import Who
from yersin.guard.writing import Create, draft
from yersin.settings import Settings
from yersin.store import reading
from yersin.store import writing as store
from yersin.store.content import ZSTD_DICTIONARY_2, pack, unpack
from yersin.store.identity import new_id

#: of about 120 tokens of a Patient so many are its own: identifiers, names, its id
_OWN_TOKENS = 60


class Limit:
    """The bare program. `ground` is the server's own, for its database, keys and statements."""

    def __init__(self, ground: Ground) -> None:
        self.grouped = ground.grouped
        self.access = Access(ground, Who(role="system", purpose="TREAT", display="limit", address="127.0.0.1"))
        self.template = draft(self.access, Create(resource=parse(patient(1)))).write
        self.insert = store.insert_sql("Patient", audit.also(store.argument_count("Patient") + 1))
        sql = Sql(r4.TYPE_NUMBER["Patient"], new_id())
        statement = reading.current_sql("Patient", self.access.scope.condition(sql, "Patient", reading.FOUND))
        self.read = showing.recording("Patient", statement, sql.arg(None, "text"), len(sql.arguments) + 1)
        self.random = Random(1)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["method"] == "POST":
            status, raw = 201, await self._create((await receive())["body"])
        elif scope["path"] == "/health/ready":
            status, raw = 200, b"{}"
        else:
            status, raw = 200, await self._read(UUID(scope["path"].rpartition("/")[2]))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": raw})

    async def _create(self, body: bytes) -> bytes:
        document, key = msgspec.json.decode(body), new_id()
        document["id"] = str(key)
        raw = msgspec.json.encode(document)
        tokens = [self.random.getrandbits(63) for _ in range(_OWN_TOKENS)] + list(self.template.tok)[_OWN_TOKENS:]
        enc, content = ZSTD_DICTIONARY_2, pack(raw, ZSTD_DICTIONARY_2)
        write = msgspec.structs.replace(self.template, id=key, pat=key, enc=enc, content=content, tok=tokens)
        entry = audit.Entry(interaction="create", type="Patient", entity=key, ver=1, patients=[key])
        await self.grouped.fetchval(self.insert, *write.arguments(), *audit.values(self.access.who, entry))
        return raw

    async def _read(self, key: UUID) -> bytes:
        entry = audit.Entry(interaction="read", outcome=audit.REFUSED, type="Patient", entity=key)
        number = r4.TYPE_NUMBER["Patient"]
        row: Any = await self.grouped.fetchrow(self.read, number, key, None, *audit.values(self.access.who, entry))
        return unpack(row["enc"], row["content"])


async def _lifespan(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def _serve(folder: str, port: int) -> None:
    settings = Settings(data_dir=Path(folder), port=port)
    async with embedded.run(settings) as url:
        await prepared(url)
        async with opened(settings, url) as ground:
            config = uvicorn.Config(
                Limit(ground),
                port=port,
                loop="uvloop",
                http="httptools",
                access_log=False,
                log_level="warning",
                lifespan="on",
            )
            await uvicorn.Server(config).serve()


@contextmanager
def limit() -> Iterator[Running]:
    """Start the bare program with a database of its own, and stop it afterwards."""
    with tempfile.TemporaryDirectory(prefix="yersin-limit-") as folder:
        port = free_port()
        environment = {**os.environ, "YERSIN_DATABASE_URL": "", "YERSIN_DATA_DIR": folder}
        process = subprocess.Popen([sys.executable, __file__, folder, str(port)], env=environment)
        try:
            wait(f"http://127.0.0.1:{port}", process)
            yield Running(base=f"http://127.0.0.1:{port}", data=Path(folder), pid=process.pid, environment=environment)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        with suppress(KeyboardInterrupt):
            asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
    else:
        print(__doc__)
