"""Removes files that nothing names any more, and parts of files that were never finished.

A file named by no row may be about to be named by a transaction still running: so only what is older than a day goes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from pathlib import Path

from yersin.blobs.disk import locked
from yersin.blobs.folder import FolderBlobs

#: of the addresses given, those that some stored resource names
Named = Callable[[list[str]], Awaitable[set[str]]]
BATCH = 500


async def sweep(blobs: FolderBlobs, named: Named) -> int:
    """Remove unnamed files older than the limit; returns how many."""
    before = time.time() - blobs.limits.unnamed.total_seconds()
    removed = 0
    candidates = _old(blobs, before)
    while batch := await asyncio.to_thread(lambda: list(islice(candidates, BATCH))):
        kept = await named(batch)
        removed += await asyncio.to_thread(_remove, blobs, [a for a in batch if a not in kept], before)
    return removed


def _old(blobs: FolderBlobs, before: float) -> Iterator[str]:
    return (address for address in blobs.addresses() if _age(blobs.path(address)) < before)


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _remove(blobs: FolderBlobs, addresses: list[str], before: float) -> int:
    removed = 0
    with locked(blobs.lock):
        for address in addresses:
            path = blobs.path(address)
            # written again since it was listed: somebody is about to name it
            if _age(path) < before:
                path.unlink(missing_ok=True)
                removed += 1
    return removed


def sweep_parts(blobs: FolderBlobs, known: set[str]) -> int:
    """Remove parts in `incoming` that no upload knows and that have not moved for the upload's patience."""
    before = time.time() - blobs.limits.patience.total_seconds()
    removed = 0
    for path in blobs.incoming.iterdir():
        if path.stem not in known and _age(path) < before:
            path.unlink(missing_ok=True)
            removed += 1
    return removed
