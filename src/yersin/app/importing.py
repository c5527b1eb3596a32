"""`yersin import` on all cores: reading and indexing keep a core busy each, the database hardly.

What others refer to is imported first; then each process takes the next file, the largest first, until none is left.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkContext, ForkProcess
from pathlib import Path

import uvloop

from yersin.api import sources
from yersin.api.addresses import AllFiles
from yersin.api.importing import Importer, Report
from yersin.db import embedded
from yersin.guard.who import system
from yersin.settings import Settings

from . import telling
from .ground import opened, prepared

#: connections of one process; it has three transactions under way, and looks for what references ask for
_CONNECTIONS = 6
#: so many steps further back than others: who is served meanwhile comes first
_NICE = 10


class StoppedError(Exception):
    """A process of an import ended before its files did. `words` say why, for people."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(*words)
        self.words = tuple(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What is imported, and how. `jobs` is the number of processes at most; none chosen means one a core."""

    settings: Settings
    paths: Sequence[Path]
    full: bool = False
    jobs: int = 0


def run(wanted: Import, tell: Callable[[Report], None]) -> Report:
    """Import, the database started for that where none runs. Raises FileNotFoundError, DatabaseFailure, StoppedError."""
    listed = sources.files(wanted.paths)
    first = [path for path in listed if sources.is_directory(path)]
    rest = sorted(listed[len(first) :], key=lambda path: path.stat().st_size, reverse=True)
    jobs = min(wanted.jobs or os.cpu_count() or 1, len(rest))
    with _database(wanted.settings) as url:
        part = _Part(wanted, url, AllFiles(listed))
        if jobs < 2:
            return uvloop.run(part.take([*first, *rest], tell))
        done = uvloop.run(part.take(first, tell))
        return _side_by_side(part, rest, jobs, done, tell)


@contextmanager
def _database(settings: Settings) -> Iterator[str]:
    """Address of the database, prepared: that of a running server, or of one that is started meanwhile."""
    url = embedded.address(settings)
    server = None if url else embedded.start(settings)
    url = url or (server.url if server else "")
    try:
        uvloop.run(prepared(url))
        yield url
    finally:
        if server is not None:
            embedded.stop(server)


@dataclass(frozen=True, slots=True)
class _Part:
    wanted: Import
    url: str
    everywhere: AllFiles

    async def take(self, files: Iterator[Path] | Sequence[Path], tell: Callable[[Report], None]) -> Report:
        async with opened(self.wanted.settings, self.url, connections=_CONNECTIONS) as ground:
            access = ground.access(system("HSYSADMIN"))
            return await Importer(access, tell, full=self.wanted.full).take(files, self.everywhere)


def _side_by_side(
    part: _Part, files: Sequence[Path], jobs: int, done: Report, tell: Callable[[Report], None]
) -> Report:
    forking: ForkContext = multiprocessing.get_context("fork")
    following = forking.Value("i", 0)
    reports: dict[Connection, Report] = {}
    processes: list[ForkProcess] = []
    try:
        for _ in range(jobs):
            here, there = forking.Pipe(duplex=False)
            process = forking.Process(target=_work, args=(part, _shared(files, following), there), daemon=True)
            process.start()
            there.close()
            processes.append(process)
            reports[here] = Report()
        for _ in _heard(reports):
            tell(_together([done, *reports.values()]))
    finally:
        for process in processes:
            process.terminate()
            process.join()
    return _together([done, *reports.values()])


def _shared(files: Sequence[Path], following: multiprocessing.sharedctypes.Synchronized[int]) -> Iterator[Path]:
    """Take files, each by one process only."""
    while True:
        with following.get_lock():
            number = following.value
            following.value += 1
        if number >= len(files):
            return
        yield files[number]


class _Teller:
    """Sends reports to the process that began this one, each finding once."""

    def __init__(self, told: Connection) -> None:
        self._told = told
        self._findings = 0

    def tell(self, report: Report) -> None:
        self._told.send(replace(report, findings=report.findings[self._findings :]))
        self._findings = len(report.findings)


def _work(part: _Part, files: Iterator[Path], told: Connection) -> None:
    """Work of a process: each report goes to the one that began it, at last None, or why it could not go on."""
    os.nice(_NICE)
    try:
        teller = _Teller(told)
        teller.tell(uvloop.run(part.take(files, teller.tell)))
        told.send(None)
    except (KeyboardInterrupt, BrokenPipeError):
        # the one that began it has been stopped
        return
    except Exception as error:  # noqa: BLE001 - whatever it is is told where it can be seen
        with suppress(BrokenPipeError):
            told.send(telling.words(error))


def _heard(reports: dict[Connection, Report]) -> Iterator[None]:
    """Hear the processes out, keeping what each said last. Raises StoppedError when one could not end its work."""
    waiting = set(reports)
    while waiting:
        for each in waiting.intersection(wait(list(waiting))):
            try:
                said = each.recv()
            except EOFError:
                said = ("Một tiến trình đã bị dừng. Hãy chạy lại: việc nhập sẽ tiếp tục từ chỗ dừng.",
                        "A process was stopped. Run it again: the import goes on where it was cut off.")  # fmt: skip
            if isinstance(said, tuple):
                raise StoppedError(said)
            if said is None:
                waiting.remove(each)
            else:
                reports[each] = replace(said, findings=reports[each].findings + said.findings)
            yield


def _together(reports: Sequence[Report]) -> Report:
    return Report(
        files=sum(r.files for r in reports),
        resources=sum(r.resources for r in reports),
        skipped=sum(r.skipped for r in reports),
        findings=[finding for r in reports for finding in r.findings],
    )
