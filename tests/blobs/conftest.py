"""A database with the table of uploads, and a folder of blobs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.blobs.sealers import sealer

from yersin.blobs import FolderBlobs
from yersin.blobs.uploads import DDL
from yersin.db import connect


@pytest.fixture(scope="module")
def uploads_url(make_database: Callable[..., str]) -> str:
    url = make_database()

    async def make() -> None:
        database = await connect(url, max_size=1)
        await database.execute(DDL)
        await database.close()

    asyncio.run(make())
    return url


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs", sealer())
