"""An official list, read from its file and ready to be taken in: a CodeSystem, where it comes from, and since when it holds."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from yersin.db import Connection

from . import intake
from .concepts import JSON

#: what a list may unpack to
SIZE_LIMIT = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A code system out of a file. Lists of one name and version replace each other; other versions stay beside it."""

    name: str
    system: JSON
    dated: date | None

    @property
    def source(self) -> str:
        return f"file:{self.name}:{self.system['version']}"


#: reads a file; raises ValueError that names the right file when it is another
Reader = Callable[[Path], Loaded]


async def load(connection: Connection, path: Path, read: Reader) -> tuple[int, str]:
    """Read a file and take it in. Returns the number of concepts and the version."""
    found = read(path)
    count = await intake.load(connection, found.source, found.system, found.dated)
    return count, str(found.system["version"])


def opened(path: Path, cure: str) -> zipfile.ZipFile:
    """Open a zip file. Raises ValueError when it is none, or unpacks to more than any list."""
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path.name} is no zip file; {cure}") from error
    if sum(part.file_size for part in archive.infolist()) > SIZE_LIMIT:
        archive.close()
        raise ValueError(f"{path.name} unpacks to more than {SIZE_LIMIT >> 20} MB; {cure}")
    return archive
