"""Views as Parquet files for DuckDB, Spark or ClickHouse: all as they stood at one moment, so that they can be joined.

Each export is a folder of its own, named by its moment; the name `latest` turns to it when it is whole, in one step. The
one before stays for whoever is still reading it. Rows are streamed in parts: neither the table nor a part is in memory.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from yersin.blobs.disk import full_disk_is_a_problem, sync_folder
from yersin.db import Connection
from yersin.fhir.problem import problem
from yersin.guard import audit
from yersin.guard.access import Access

from . import feed, parquet

PERMISSION = "views.export"
#: rows of one file
PART = 500_000
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


class _Key(NamedTuple):
    row: UUID
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A table that is shown under the name of its view."""

    view: str
    relation: str
    digest: str


async def export(access: Access, folder: Path, names: Sequence[str], tell: Tell, *, part: int = PART) -> Manifest:
    """Export views, all of them where none is named, into a folder of exports.

    Raises Problem: forbidden (403), not-found for an unknown view, conflict for one that is being filled, no-store for a
    full disk, not-supported without DuckDB; OSError for a folder that cannot be used.
    """
    await _require(access)
    parquet.writer()
    await access.record(audit.Entry(interaction="export-views", query=",".join(names) or None))
    database = access.ground.database
    async with (
        database.dedicated(idle_in_transaction_session_timeout="0") as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        return await _export(connection, folder, names, tell, part)


async def _export(connection: Connection, folder: Path, names: Sequence[str], tell: Tell, part: int) -> Manifest:
    sources = await _sources(connection, names)
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


async def _sources(connection: Connection, names: Sequence[str]) -> list[_Source]:
    rows = await connection.fetch("SELECT view, relation, digest, filled FROM views.built WHERE shown ORDER BY view")
    known = [row["view"] for row in rows]
    if wrong := [name for name in names if name not in known]:
        text = f"There is no view {', '.join(wrong)} here. Views: {', '.join(known) or 'none yet'}."
        raise problem("not-found", text, status=404)
    chosen = [row for row in rows if not names or row["view"] in names]
    if not chosen:
        raise problem("not-found", "No view is here yet: `yersin serve` or `yersin worker` fills them.", status=404)
    if filling := [row["view"] for row in chosen if not row["filled"]]:
        text = f"{', '.join(filling)}: still being filled by `yersin serve` or `yersin worker`. Try again when it is whole."
        raise problem("conflict", text, status=409)
    return [_Source(view=row["view"], relation=row["relation"], digest=row["digest"]) for row in chosen]


# --- rows ----------------------------------------------------------------------------------------------------------


async def _view(connection: Connection, source: _Source, begun: Path, tell: Tell, part: int) -> Written:
    columns = await _columns(connection, source.relation)
    folder = begun / source.view
    folder.mkdir(mode=0o700)
    rows = 0
    files: list[str] = []
    after: _Key | None = None
    while not files or after is not None:
        until = await _end(connection, source.relation, after, part)
        name = f"{len(files):05}.parquet"
        rows += await _part(connection, source.relation, (after, until), columns, folder / name)
        files.append(f"{source.view}/{name}")
        tell(source.view, rows)
        after = until
    return Written(view=source.view, version=source.digest, rows=rows, files=files, columns=columns)


async def _columns(connection: Connection, relation: str) -> dict[str, str]:
    """Names and types; of numbers the narrowest that loses no digit of those that are there."""
    rows = await connection.fetch(
        "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute "
        "WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        f'views."{relation}"',
    )
    return {
        row["attname"]: parquet.TYPES[row["type"]]
        if row["type"] != "numeric"
        else await _decimal(connection, relation, row["attname"])
        for row in rows
    }


async def _decimal(connection: Connection, relation: str, column: str) -> str:
    row = await connection.fetchrow(
        f'SELECT max(length(trunc(abs("{column}"))::text)) AS whole, max(scale("{column}")) AS places FROM views."{relation}"'
    )
    return parquet.decimal(row["whole"] or 1, row["places"] or 0)


async def _end(connection: Connection, relation: str, after: _Key | None, part: int) -> _Key | None:
    """Key of the last row of a part; None where it is the last part."""
    sql, values = _between(after, None)
    found = await connection.fetch(
        f'SELECT row_key, n FROM views."{relation}" {sql} ORDER BY row_key, n OFFSET {part - 1} LIMIT 2', *values
    )
    return _Key(found[0]["row_key"], found[0]["n"]) if len(found) == 2 else None


def _between(after: _Key | None, until: _Key | None) -> tuple[str, list[Any]]:
    values: list[Any] = []
    conditions = []
    for key, sign in ((after, ">"), (until, "<=")):
        if key is not None:
            conditions.append(f"(row_key, n) {sign} (${len(values) + 1}, ${len(values) + 2})")
            values += key
    return ("WHERE " + " AND ".join(conditions) if conditions else ""), values


async def _part(
    connection: Connection, relation: str, keys: tuple[_Key | None, _Key | None], columns: dict[str, str], target: Path
) -> int:
    sql, values = _between(*keys)
    names = ", ".join(f'"{name}"' for name in columns)
    spool = target.with_suffix(".csv")
    try:
        copied = await connection.copy_from_query(
            f'SELECT {names} FROM views."{relation}" {sql} ORDER BY row_key, n', *values, output=spool, format="csv"
        )
        await asyncio.to_thread(parquet.write, spool, target, columns)
    finally:
        spool.unlink(missing_ok=True)
    return int(copied.split()[-1])


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
