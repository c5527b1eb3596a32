"""How often somebody may ask: counters in shared memory, which hold over all worker processes of a machine.

A file is mapped into every process. Whoever asks has two cells in it, found by a hash, and each process a column of its own
there, so that nobody waits for anybody; the count is the sum of a row, the smaller of the two (a count-min sketch). A cell
holds minute and count in 64 bits, written at once. Source: https://doi.org/10.1016/j.jalgor.2003.12.001
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from .who import Who

#: seconds of a window
WINDOW = 60
_COLUMNS = 16
_ROWS = 1 << 14
_COUNT = (1 << 32) - 1
_FILE = "rates-1.bin"


class Spent(NamedTuple):
    """What somebody has left in this minute: name and size of what they may, what is left of it, seconds until it is renewed."""

    name: str
    quota: int
    left: int
    seconds: int

    @property
    def is_over(self) -> bool:
        """Whether this request is one too many."""
        return self.left < 0


class Counters:
    """The counters of one data folder, as one process has them."""

    def __init__(self, folder: Path) -> None:
        size = 2 * _ROWS * _COLUMNS * 8
        self._file = os.open(folder / _FILE, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._file, size)
        self._cells = memoryview(mmap.mmap(self._file, size)).cast("Q")
        self._column = self._own_column()

    def _own_column(self) -> int:
        """Take a column that no living process has; the last is for all who come too late."""
        for column in range(_COLUMNS - 1):
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, column)
            except OSError:
                continue
            return column
        return _COLUMNS - 1

    def count(self, key: str, minute: int) -> int:
        """Count one more, and tell how many that makes in this minute."""
        return min(self._row(first, minute) for first in _places(key))

    def _row(self, first: int, minute: int) -> int:
        cells, own, floor = self._cells, first + self._column, minute << 32
        mine = cells[own]
        cells[own] = max(mine, floor) + 1
        row = cells[first : first + _COLUMNS].tolist()
        return sum([cell - floor for cell in row if floor < cell <= floor + _COUNT])


@lru_cache(maxsize=4096)
def _places(key: str) -> tuple[int, int]:
    """Where the two rows of somebody begin."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    one, other = int.from_bytes(digest[:4]) % _ROWS, int.from_bytes(digest[4:]) % _ROWS
    return one * _COLUMNS, (_ROWS + other) * _COLUMNS


class Rates:
    """Limits a minute: of a program, of an account, and of an address from which nobody says who they are. 0 is none."""

    def __init__(self, folder: Path, limits: Mapping[str, int], clock: Callable[[], float] = time.time) -> None:
        self._limits = limits
        self._clock = clock
        self._counters = Counters(folder) if any(limits.values()) else None

    def spend(self, who: Who) -> Spent | None:
        """Count a request of somebody; None where they may ask as often as they like."""
        if who.account is not None:
            return self._spend("account", who.account.hex)
        if who.role == "nobody":
            return self._spend("address", who.address)
        return self._spend("program", who.display)

    def spend_at(self, address: str) -> Spent | None:
        """Count a request from an address, by somebody who has not said who they are."""
        return self._spend("address", address)

    def _spend(self, kind: str, key: str) -> Spent | None:
        quota = self._limits.get(kind, 0)
        if not quota or self._counters is None:
            return None
        now = int(self._clock())
        used = self._counters.count(f"{kind}|{key}", now // WINDOW)
        return Spent(kind, quota, quota - used, WINDOW - now % WINDOW)
