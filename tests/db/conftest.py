"""A real PostgreSQL for the tests: the embedded server in a temporary folder, and an empty database for each test."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.running import drop

from yersin.db import connect, embedded
from yersin.settings import Settings

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server for the whole run; YERSIN_PG_BIN chooses its programs."""
    chosen = os.environ.get("YERSIN_PG_BIN")
    settings = Settings(data_dir=tmp_path_factory.mktemp("server"), pg_bin=Path(chosen) if chosen else None)
    server = embedded.start(settings)
    yield server.url
    embedded.stop(server)


@pytest.fixture
def url(server_url: str) -> Iterator[str]:
    """Address of an empty database, dropped after the test."""
    name = f"test_{next(_numbers)}"
    _on(server_url, f"CREATE DATABASE {name}")
    made = server_url.replace("@/yersin?", f"@/{name}?")
    yield made
    drop(server_url, made)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder of the test's own."""
    return tmp_path / "data"


@pytest.fixture
def served() -> Iterator[Callable[[Settings], embedded.Server]]:
    """Start servers that are stopped after the test, whatever happens."""
    servers: list[embedded.Server] = []

    def start(settings: Settings) -> embedded.Server:
        servers.append(embedded.start(settings))
        return servers[-1]

    yield start
    for server in servers:
        embedded.stop(server)


def _on(url: str, sql: str) -> None:
    async def run() -> None:
        database = await connect(url, max_size=1)
        await database.execute(sql)
        await database.close()

    asyncio.run(run())
