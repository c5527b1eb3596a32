"""Where the test authority keeps its state: certificates, wrapped keys and revocations, as files in a folder of mode 0700.

Every write is complete or absent after a power cut: a temporary file, fsync, rename (or link), fsync of the folder.
Source: POSIX rename(2), link(2), fsync(2).
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from yersin.fhir.problem import problem

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,80}")


class AuthorityStore(Protocol):
    """A small repository of named blobs; private keys reach it wrapped only."""

    def get(self, name: str) -> bytes | None:
        """Return a blob or None."""
        ...

    def put(self, name: str, value: bytes) -> None:
        """Write or replace a blob durably."""
        ...

    def add(self, name: str, value: bytes) -> bool:
        """Write a blob unless the name is taken; say whether it was written."""
        ...

    def names(self, prefix: str) -> list[str]:
        """Return the names that begin with `prefix`, sorted."""
        ...

    def allocate_serial(self) -> int:
        """Return a serial number never given before."""
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """Hold everybody else off, in this process and in others."""
        ...


class FolderStore:
    """The AuthorityStore in a folder that only the server's account may enter."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
        self._folder = folder

    def get(self, name: str) -> bytes | None:
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, name: str, value: bytes) -> None:
        self._written(value).replace(self._path(name))
        self._settle()

    def add(self, name: str, value: bytes) -> bool:
        written = self._written(value)
        try:
            os.link(written, self._path(name))
        except FileExistsError:
            return False
        finally:
            written.unlink()
        self._settle()
        return True

    def names(self, prefix: str) -> list[str]:
        return sorted(path.name for path in self._folder.iterdir() if path.name.startswith(prefix))

    def allocate_serial(self) -> int:
        while True:
            serial = secrets.randbits(126) | 1 << 126
            if self.add(f"serial-{serial:x}", b""):
                return serial

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        with (self._folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise problem("value", f"Not a name of the authority's store: {name!r}", status=500)
        return self._folder / name

    def _written(self, value: bytes) -> Path:
        path = self._folder / f".new-{secrets.token_hex(8)}"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        return path

    def _settle(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
