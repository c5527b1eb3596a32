"""`yersin import`: bundles, single resources and NDJSON, resumable, every bad piece named.

A resource keeps its id, or gets the UUID of its `fullUrl`; so importing twice makes no second one, and bundles may refer
to each other. How far a file has come is written in the transaction of its last unit.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from yersin.fhir import encode, parse, r4
from yersin.fhir.problem import Issue, Problem, problem
from yersin.guard.access import Access
from yersin.guard.writing import Update, Writing

from . import sources
from .addresses import AllFiles, Places, id_of, settled
from .conditions import query_of
from .references import has_more, readdress, rewritten
from .sources import UNREADABLE, Piece, Unit

DDL = """
CREATE TABLE import_progress (
  file text PRIMARY KEY, size bigint NOT NULL, modified bigint NOT NULL, units int NOT NULL, resources int NOT NULL,
  at timestamptz NOT NULL DEFAULT now());
COMMENT ON TABLE import_progress IS 'How many units of a file are in the database, so that an import can go on where it was cut off.';
"""
#: transactions under way at once
_ABREAST = 3
_CONDITIONAL = re.compile(rb'("reference"\s*:\s*")([A-Z][A-Za-z]+\?[^"\\]+)(")')


class FileVersion(NamedTuple):
    """Which file, as it is now: another size or time of change makes it another file."""

    file: str
    size: int
    modified: int


def _version(path: Path) -> FileVersion:
    stat = path.stat()
    return FileVersion(str(path.absolute()), stat.st_size, stat.st_mtime_ns)


_PROGRESS = """
INSERT INTO import_progress (file, size, modified, units, resources) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (file) DO UPDATE SET size = $2, modified = $3, units = $4, resources = import_progress.resources + $5, at = now()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that was not imported, and why."""

    file: Path
    place: int | None
    issue: Issue

    def __str__(self) -> str:
        entry = "" if self.place is None else f", entry {self.place + 1}"
        at = f", {self.issue.expression}" if self.issue.expression else ""
        return f"{self.file}{entry}{at}: {self.issue.diagnostics}"


@dataclass(slots=True, kw_only=True)
class Report:
    """What an import has done so far."""

    files: int = 0
    resources: int = 0
    skipped: int = 0
    findings: list[Finding] = field(default_factory=list)


class Importer:
    """Imports files under one access; `told` is called after every unit."""

    def __init__(
        self,
        access: Access,
        told: Callable[[Report], None] | None = None,
        *,
        full: bool = False,
        drafts: bool = False,
    ) -> None:
        #: whether XML out of order is mended, as guides that are drafts need it
        self.drafts = drafts
        #: whether invariants, bindings and profiles are judged too; one that is asked for none judges no profile
        self.full = full
        self.access = access
        self.access.is_judged = False
        self.report = Report()
        self._told = told
        self._found: dict[str, bytes] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, paths: Sequence[Path]) -> Report:
        """Import everything under some paths. Raises FileNotFoundError when one is not there."""
        listed = await asyncio.to_thread(sources.files, paths)
        return await self.take(listed, AllFiles(listed, drafts=self.drafts))

    async def take(self, files: Iterable[Path], everywhere: AllFiles) -> Report:
        """Import files as they come, `everywhere` being all that they may refer to."""
        try:
            for path in files:
                await self._file(path, everywhere)
                if sources.is_directory(path):
                    await self._all()  # the files after it refer to what is in it
                self.report.files += 1
                self._tell()
            await self._all()
        finally:
            # after a failure, what is under way comes to its end before anyone starts anew
            await asyncio.gather(*self._running, return_exceptions=True)
        return self.report

    def _tell(self) -> None:
        if self._told is not None:
            self._told(self.report)

    async def _file(self, path: Path, everywhere: AllFiles) -> None:
        version = await asyncio.to_thread(_version, path)
        done = await self._progress(version)
        try:
            units: Iterable[Unit] = sources.units(path, drafts=self.drafts)
            own: dict[str, bytes] = {}
            if not sources.is_lines(path):
                units = list(units)
                own = settled(piece for unit in units for piece in unit.pieces)
            places = Places(own, self._found, everywhere)
            for unit in units:
                if unit.number < done:
                    self.report.skipped += len(unit.pieces)
                    continue
                await self._start(unit, version, places)
        except Problem as refusal:
            self.report.findings += [Finding(file=path, place=None, issue=i) for i in refusal.issues]
        except UNREADABLE as error:
            text = f"The file cannot be read: {error}. Nothing of the rest was imported."
            self.report.findings.append(Finding(file=path, place=None, issue=Issue(code="structure", diagnostics=text)))

    async def _start(self, unit: Unit, version: FileVersion, places: Places) -> None:
        """Begin a unit once fewer than the limit are under way; units of one file follow each other."""
        while self._running and (unit.number or len(self._running) >= _ABREAST):
            await self._some()
        self._running.add(asyncio.create_task(self._unit(unit, version, places)))

    async def _all(self) -> None:
        while self._running:
            await self._some()

    async def _some(self) -> None:
        """Wait until some unit is done; what it raised is raised here."""
        done, self._running = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def _progress(self, version: FileVersion) -> int:
        async with self.access.own_tables() as connection:
            done = await connection.fetchval(
                "SELECT units FROM import_progress WHERE file = $1 AND size = $2 AND modified = $3", *version
            )
        return int(done or 0)

    async def _unit(self, unit: Unit, version: FileVersion, places: Places) -> None:
        await self._find(unit)
        resources = self._parsed(unit, places)
        if self.full:
            resources = await self._judged(unit, resources)
        if not resources:
            return

        async def work(writing: Writing) -> int:
            written = await writing.write([Update(resource=r) for r in resources.values()])
            await writing.connection.execute(_PROGRESS, *version, unit.number + 1, len(written))
            return len(written)

        try:
            written = await self.access.atomically(work)
            self.report.resources += written  # read only now: other units have counted meanwhile
        except Problem as refusal:
            self.report.findings += [Finding(file=unit.file, place=None, issue=i) for i in refusal.issues]
        self._tell()

    async def _find(self, unit: Unit) -> None:
        """Find what conditional references such as `Practitioner?identifier=…` mean."""
        wanted = {m[2].decode() for piece in unit.pieces for m in _CONDITIONAL.finditer(piece.raw)}
        for reference in sorted(wanted - self._found.keys()):
            type_name, _, criteria = reference.partition("?")
            if type_name in r4.TYPE_NUMBER:
                found = (await self.access.search(query_of(type_name, criteria))).versions
                if len(found) == 1:
                    self._found[reference] = f"{type_name}/{found[0].id}".encode()

    async def _judged(self, unit: Unit, parsed: Mapping[int, r4.Resource]) -> dict[int, r4.Resource]:
        """Keep what meets all rules and the profiles it claims. Of a whole unit with a bad piece nothing is left."""
        good: dict[int, r4.Resource] = {}
        for place, resource in parsed.items():
            issues = await self.access.ground.profiling.judge(encode(resource))
            errors = [issue for issue in issues if issue.severity in ("error", "fatal")]
            self.report.findings += [Finding(file=unit.file, place=place, issue=issue) for issue in errors]
            if not errors:
                good[place] = resource
        return {} if unit.whole and len(good) < len(parsed) else good

    def _parsed(self, unit: Unit, places: Places) -> dict[int, r4.Resource]:
        """Parse the pieces of a unit, by place. Of a whole unit with a bad piece nothing is left."""
        entries: dict[tuple[str, str], int] = {}
        parsed: dict[tuple[str, str], r4.Resource] = {}
        bad = False
        for piece in unit.pieces:
            try:
                resource = self._resource(piece, places)
                parsed[resource.resourceType, resource.id or ""] = resource
                entries[resource.resourceType, resource.id or ""] = piece.place
            except Problem as refusal:
                bad = True
                self.report.findings += [Finding(file=unit.file, place=piece.place, issue=i) for i in refusal.issues]
        return {} if bad and unit.whole else {entries[key]: resource for key, resource in parsed.items()}

    def _resource(self, piece: Piece, places: Places) -> r4.Resource:
        if piece.method not in ("PUT", "POST"):
            raise problem("not-supported", f"{piece.method} {piece.url}: an import only writes.")
        raw = rewritten(piece.raw, places.of)
        left = _CONDITIONAL.search(raw)
        if left is not None:
            text = f"The reference {left[2].decode()} matches no resource, or several. Import the one it means first."
            raise problem("not-found", text)
        resource = parse(raw)
        if has_more(raw, places.own):
            readdress(resource, places.own)
        resource.id = id_of(piece, resource.id)
        return resource
