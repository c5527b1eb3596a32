"""Views as Parquet files for DuckDB, Spark or ClickHouse: all as they stood at one moment, so that they can be joined.

Each export is a folder of its own, named by its moment; the name `latest` turns to it when it is whole, in one step. The
one before stays for whoever is still reading it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from yersin.blobs.disk import full_disk_is_a_problem, sync_folder
from yersin.db import Connection
from yersin.guard import audit
from yersin.guard.access import Access

from . import feed, kept, parquet
from .kept import Source

PERMISSION = "views.export"
LATEST, MANIFEST = "latest", "manifest.json"
Tell = Callable[[str, int], None]


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """One view in the manifest: which definition, how many rows, in which files, under which types."""

    view: str
    #: changes with the definition
    version: str
    rows: int
    files: list[str]
    columns: dict[str, str]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an export holds. All that was committed before `as_of`, and the change log up to `position`, is in it."""

    as_of: datetime
    position: tuple[int, int]
    views: list[Written]


async def export(access: Access, folder: Path, names: Sequence[str], tell: Tell, *, part: int = kept.PART) -> Manifest:
    """Export views, all of them where none is named, into a folder of exports.

    Raises Problem: forbidden (403), not-found for an unknown view, conflict for one that is being filled, no-store for a
    full disk, not-supported without DuckDB; OSError for a folder that cannot be used.
    """
    await _require(access)
    parquet.writer()
    await access.record(audit.Entry(interaction="export-views", query=",".join(names) or None))
    database = access.ground.database
    async with kept.one_moment(database) as connection:
        return await _export(connection, folder, names, tell, part)


async def _export(connection: Connection, folder: Path, names: Sequence[str], tell: Tell, part: int) -> Manifest:
    sources = await kept.sources(connection, names)
    standing = await feed.standing(connection)
    place = await connection.fetchrow("SELECT tx, seq FROM cursor WHERE consumer = $1", feed.CONSUMER)
    name = standing.as_of.strftime("%Y%m%dT%H%M%S.%fZ")
    begun = _begun(folder, name)
    try:
        with full_disk_is_a_problem():
            views = [await _view(connection, source, begun, tell, part) for source in sources]
            manifest = Manifest(as_of=standing.as_of, position=(place["tx"], place["seq"]), views=views)
            await asyncio.to_thread(_finish, folder, begun, manifest, name)
    except BaseException:
        shutil.rmtree(begun, ignore_errors=True)
        raise
    return manifest


async def _require(access: Access) -> None:
    if not access.may(PERMISSION):
        await access.record(audit.Entry(interaction="export-views", outcome=audit.REFUSED))
    access.require(PERMISSION)


async def _view(connection: Connection, source: Source, begun: Path, tell: Tell, part: int) -> Written:
    columns = await kept.columns(connection, source)
    folder = begun / source.view
    folder.mkdir(mode=0o700)
    rows = 0
    files: list[str] = []
    async for each in kept.parts(connection, source, part):
        name = f"{len(files):05}.parquet"
        rows += await write(connection, source, each, columns, folder / name)
        files.append(f"{source.view}/{name}")
        tell(source.view, rows)
    return Written(view=source.view, version=source.digest, rows=rows, files=files, columns=columns)


async def write(
    connection: Connection, source: Source, part: kept.Part, columns: Mapping[str, str], target: Path
) -> int:
    """Write a part of a view as a file of Parquet; returns how many rows it holds."""
    spool = target.with_suffix(".csv")
    try:
        rows = await kept.copy(connection, source, part, spool)
        await asyncio.to_thread(parquet.write, spool, target, columns)
    finally:
        spool.unlink(missing_ok=True)
    return rows


# --- folders ---------------------------------------------------------------------------------------------------------


def _begun(folder: Path, name: str) -> Path:
    """Make the folder of this export. Raises FileExistsError where `folder` holds what no export has put there."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    link = folder / LATEST
    foreign = [path for path in folder.iterdir() if path != link and not _is_export(path)]
    if foreign or (link.exists() and not link.is_symlink()):
        raise FileExistsError(folder)
    begun = folder / f".{name}.part"
    shutil.rmtree(begun, ignore_errors=True)
    begun.mkdir(mode=0o700)
    return begun


def _is_export(path: Path) -> bool:
    return path.name.endswith(".part") or (path / MANIFEST).is_file()


def _finish(folder: Path, begun: Path, manifest: Manifest, name: str) -> None:
    """Make the export durable, give it its name, and let `latest` turn to it; all but the one before are removed."""
    (begun / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    for path in begun.rglob("*"):
        _sync(path)
    link = folder / LATEST
    before = link.readlink().name if link.is_symlink() else ""
    whole = folder / name
    if whole.exists():  # nothing was written since: the same again
        shutil.rmtree(whole)
    begun.rename(whole)
    turned = folder / f".{LATEST}.part"
    turned.unlink(missing_ok=True)
    turned.symlink_to(name)
    turned.rename(link)
    sync_folder(folder)
    for path in folder.iterdir():
        if path.name not in (LATEST, name, before):
            shutil.rmtree(path, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
