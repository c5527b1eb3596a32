"""Backup and its return, a standby, and the death of the primary, measured with PostgreSQL's own programs on a filled database.

python bench/failover.py backup FOLDER [--seconds 20]      base backups, the way back, how fast the log is replayed
python bench/failover.py standby FOLDER [--seconds 20]     a standby: to be made, its lag; the primary killed while people are written
python bench/failover.py dump FOLDER                       pg_dump and pg_restore

FOLDER is a data folder of Yersin with the embedded PostgreSQL, such as `growth.py build` makes. It is only read: everything
runs on copies in a folder beside it, which is removed (`--keep` keeps it) and takes up to four times the room. Where it matters
people are written through the API by 16 connections, and what was acknowledged is looked for afterwards. The primary is killed as a
machine dies, all processes at once by SIGKILL; the standby is promoted at once: a watchdog's patience comes on top.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

from fhir_server import Client
from rates import person
from running import Running, processes, running
from yersin.db import account, binaries, embedded
from yersin.settings import read

MEGA = 2**20
Figures = dict[str, Any]


@dataclass(slots=True)
class Node:
    """A PostgreSQL on a copy: `home` holds its data, its socket and the way its programs are started."""

    home: Path
    secrets: Path
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    account: account.Account = field(init=False)
    programs: binaries.Binaries = field(init=False)

    def __post_init__(self) -> None:
        for folder in (self.home, self.home / "run"):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o711)
        self.account = account.choose(self.home, None)
        major = int((self.data / "PG_VERSION").read_text()) if self.data.exists() else None
        self.programs = binaries.find(self.home, pg_bin=None, major=major)

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def socket(self) -> str:
        return str(self.home / "run")

    def start(self) -> float:
        """Start it and wait until it answers; seconds that took."""
        self.account.give(self.data)
        self.account.give(self.home / "run")
        begun = time.monotonic()
        given = (f"unix_socket_directories={self.account.inside(self.home / 'run')}", *self.options)
        options = [word for option in given for word in ("-c", option)]
        with (self.home / "server.log").open("ab") as sink:
            self.process = subprocess.Popen(
                self.account.command(self.programs.program("postgres"), "-D", self.account.inside(self.data), *options),
                stdout=sink, stderr=sink, start_new_session=True,
            )  # fmt: skip
        while not self.ready():
            if self.process.poll() is not None:
                raise RuntimeError((self.home / "server.log").read_text()[-1000:])
            time.sleep(0.02)
        return time.monotonic() - begun

    def ready(self) -> bool:
        """Whether it takes connections: the eighth line of PostgreSQL's pid file, written by this very process."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            mine = self.process is not None and lines[0] == str(self.process.pid)
            return mine and len(lines) > 7 and lines[7].strip() in {"ready", "standby"}
        return False

    def stop(self) -> None:
        """Stop it in order."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(120)
            self.process = None

    def kill(self) -> None:
        """Let it die as its machine would: every process at once."""
        assert self.process is not None
        for pid in processes(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def ask(self, sql: str, database: str = "postgres") -> Any:
        """Fetch one value as superuser."""

        async def fetched() -> Any:
            connection = await asyncpg.connect(
                host=self.socket, user="postgres", database=database, passfile=str(self.secrets)
            )
            try:
                return await connection.fetchval(sql)
            finally:
                await connection.close()

        return asyncio.run(fetched())

    def run(self, program: str, *arguments: str) -> float:
        """Run one of PostgreSQL's client programs against it as superuser; seconds that took."""
        begun = time.monotonic()
        subprocess.run(self.command(program, *arguments), env=self.environment, check=True, capture_output=True)
        return time.monotonic() - begun

    def command(self, program: str, *arguments: str) -> list[str]:
        return [str(self.programs.program(program)), "--host", self.socket, "--username", "postgres", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PGPASSFILE": str(self.secrets)}


def address(*nodes: Node) -> str:
    """Where Yersin finds the one of these nodes that takes writes."""
    hosts = quote(",".join(node.socket for node in nodes), safe="/,")
    passfile = quote(str(nodes[0].secrets), safe="/")
    return f"postgresql://yersin@/yersin?host={hosts}&passfile={passfile}&target_session_attrs=primary"


class Bench:
    """The work folder and what is made in it."""

    def __init__(self, folder: Path, work: Path, seconds: float) -> None:
        self.folder, self.work, self.seconds = folder, work, seconds
        self.secrets = folder / "postgres" / "passfile"
        self.nodes: list[Node] = []
        self.number = int(time.time()) % 1_000_000 * 1000
        # Yersin's own folder: keys and blobs, without the database
        self.house = work / "house"
        shutil.copytree(folder, self.house, ignore=shutil.ignore_patterns("postgres"))

    def node(self, name: str, *options: str) -> Node:
        made = Node(self.work / name, self.secrets, options)
        self.nodes.append(made)
        return made

    def copied(self, source: Node, name: str, *arguments: str, options: tuple[str, ...] = ()) -> tuple[Node, float]:
        """Make a node by pg_basebackup; answers it and the seconds."""
        (self.work / name).mkdir()
        seconds = source.run(
            "pg_basebackup", "--pgdata", str(self.work / name / "data"), "--checkpoint=fast", *arguments
        )
        return self.node(name, *options), seconds

    def first(self) -> tuple[Node, float]:
        """Copy the folder's database by a base backup."""
        server = embedded.start(replace(read(), data_dir=self.folder, database_url=""))
        try:
            source = Node.__new__(Node)
            source.home, source.secrets, source.programs = server.home, self.secrets, server.programs
            return self.copied(source, "first")
        finally:
            embedded.stop(server)

    def write(
        self, server: Running, meanwhile: Callable[[threading.Event], None] | None = None
    ) -> tuple[list[str], Figures]:
        """Write people for so many seconds; answers the ids that were acknowledged, and how it went."""
        client, ids, statuses = Client(server.base, server.token(), 16), [], {}  # type: ignore[var-annotated]
        over = threading.Event()
        beside = threading.Thread(target=meanwhile, args=(over,)) if meanwhile else None
        if beside:
            beside.start()
        begun = time.monotonic()
        while time.monotonic() - begun < self.seconds:
            bodies = [client.request("POST", "/fhir/Patient", person(self.number + n)) for n in range(400)]
            self.number += 400
            answers, _ = asyncio.run(client.send(bodies))
            for status, body in answers:
                statuses[status] = statuses.get(status, 0) + 1
                if status == 201:
                    ids.append(json.loads(body)["id"])
        seconds = time.monotonic() - begun
        over.set()
        if beside:
            beside.join()
        return ids, {"people/s": round(len(ids) / seconds), "answers": statuses}

    def served(self, *nodes: Node) -> contextlib.AbstractContextManager[Running]:
        return running(data=self.house, database=address(*nodes))

    def close(self) -> None:
        for node in self.nodes:
            with contextlib.suppress(Exception):
                node.stop()


def size(folder: Path) -> int:
    """Bytes of a folder's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def missing(node: Node, ids: list[str]) -> int:
    """How many of the acknowledged people a node does not know."""
    listed = ",".join(ids)
    known = node.ask(f"SELECT count(*) FROM id_map WHERE id = ANY('{{{listed}}}'::uuid[])", "yersin")  # noqa: S608 - ids of the server's own
    return len(ids) - int(known)


def backup(bench: Bench) -> Figures:
    """Base backup plain and compressed, start of the copy, replay of what was written since."""
    found: Figures = {}
    first, seconds = bench.first()
    taken = size(first.data)
    found["base backup"] = {"MB": taken // MEGA, "s": round(seconds, 1), "MB/s": round(taken / MEGA / seconds)}
    found["start of the copy"] = {"s": round(first.start(), 1)}
    packed = bench.work / "packed"
    seconds = first.run(
        "pg_basebackup", "--pgdata", str(packed), "--format=tar", "--compress=client-gzip:1", "--checkpoint=fast"
    )
    found["compressed (gzip 1)"] = {
        "MB": size(packed) // MEGA,
        "s": round(seconds, 1),
        "of the bytes": round(size(packed) / taken, 2),
    }
    begun = time.monotonic()
    unpacked = bench.work / "unpacked"
    unpacked.mkdir()
    subprocess.run(["/bin/tar", "xzf", str(packed / "base.tar.gz"), "-C", str(unpacked)], check=True)
    found["unpacked"] = {"s": round(time.monotonic() - begun, 1)}
    shutil.rmtree(packed)
    shutil.rmtree(unpacked)
    found |= _replayed(bench, first)
    return found


def _replayed(bench: Bench, first: Node) -> Figures:
    """Keep the log while people are written, then bring an earlier base backup up to its end."""
    log = bench.work / "log"
    log.mkdir()
    first.ask("SELECT pg_create_physical_replication_slot('log', true)")
    keeping = subprocess.Popen(
        first.command("pg_receivewal", "--directory", str(log), "--slot", "log"), env=first.environment
    )
    try:
        second, _ = bench.copied(first, "second")
        with bench.served(first) as server:
            ids, wrote = bench.write(server)
        end = first.ask("SELECT pg_switch_wal()::text")
        behind = f"SELECT restart_lsn < '{end}' FROM pg_replication_slots WHERE slot_name = 'log'"  # noqa: S608 - a place in the log
        while first.ask(behind):
            time.sleep(0.1)
    finally:
        keeping.send_signal(signal.SIGINT)
        keeping.wait(30)
    first.stop()
    log.chmod(0o755)
    second.account.give(log)
    whole = sum(path.stat().st_size for path in log.iterdir() if not path.suffix)
    (second.data / "recovery.signal").touch()
    second.options = (f"restore_command=cp {second.account.inside(log)}/%f %p",)
    begun = time.monotonic()
    second.start()  # answers readers as soon as it is consistent; the log may have further to go
    while second.ask("SELECT pg_is_in_recovery()"):
        time.sleep(0.05)
    seconds = time.monotonic() - begun
    return {
        "written": {**wrote, "log MB": whole // MEGA, "log KB a person": round(whole / 1024 / len(ids), 1)},
        "replayed": {"s": round(seconds, 1), "log MB/s": round(whole / MEGA / seconds), "people/s": round(len(ids) / seconds),
                     "acknowledged but missing": missing(second, ids)},
    }  # fmt: skip


_BEHIND = """SELECT json_build_object('bytes', pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn),
  'ms', coalesce(extract(epoch FROM replay_lag) * 1000, 0)) FROM pg_stat_replication WHERE application_name = 'standby'"""


def standby(bench: Bench) -> Figures:
    """Make a standby, see how far it lags, and let it take over."""
    found: Figures = {}
    first, _ = bench.first()
    first.start()
    begun = time.monotonic()
    other, seconds = bench.copied(first, "other", "--write-recovery-conf")
    with (other.data / "postgresql.auto.conf").open("a") as conf:
        conf.write(
            f"primary_conninfo = 'host={first.socket} user=postgres passfile={other.home / 'passfile'} application_name=standby'\n"
        )
    shutil.copy(bench.secrets, other.home / "passfile")
    other.account.give(other.home / "passfile")
    other.start()
    while not first.ask("SELECT EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming')"):
        time.sleep(0.05)
    found["standby made"] = {"copy s": round(seconds, 1), "streaming after s": round(time.monotonic() - begun, 1)}
    house = bench.served(first, other)
    with house as server:
        for turn in range(2):
            for word, names in (("behind", ""), ("synchronous", "standby")):
                _set(first, f"synchronous_standby_names = '{names}'")
                lags: list[dict[str, float]] = []
                _, wrote = bench.write(server, partial(_watch, first, lags))
                found[f"{word}, turn {turn + 1}"] = {**wrote, **_lag(lags)}
        found["killed"] = _killed(bench, server, first, other)
    return found


def _set(node: Node, setting: str) -> None:
    node.ask(f"ALTER SYSTEM SET {setting}")
    node.ask("SELECT pg_reload_conf()")
    time.sleep(0.5)


def _watch(node: Node, lags: list[dict[str, float]], over: threading.Event) -> None:
    while not over.wait(0.25):
        lags.append(json.loads(node.ask(_BEHIND)))


def _lag(lags: list[dict[str, float]]) -> Figures:
    return {
        f"{key} behind, {word}": round(how([lag[key] for lag in lags]))
        for key in ("bytes", "ms")
        for word, how in (("median", statistics.median), ("most", max))
    }


def _killed(bench: Bench, server: Running, first: Node, other: Node) -> Figures:
    """Kill the primary in the middle of writes, promote, and count what was acknowledged before and is not there."""
    at: dict[str, float] = {}

    def strike(over: threading.Event) -> None:
        over.wait(bench.seconds / 3)
        at["killed"] = time.monotonic()
        first.kill()
        other.ask("SELECT pg_promote(true, 60)")
        at["promoted"] = time.monotonic()
        probe = Client(server.base, token, 1)
        while not over.is_set():
            answers, _ = asyncio.run(probe.send([probe.request("POST", "/fhir/Patient", person(bench.number - 500))]))
            if answers[0][0] == 201:
                at["written"] = time.monotonic()
                return
            time.sleep(0.05)

    token = server.token()
    ids, wrote = bench.write(server, strike)
    return {
        "promoted after s": round(at["promoted"] - at["killed"], 2),
        "first write acknowledged after s": round(at["written"] - at["killed"], 2),
        **wrote, "acknowledged": len(ids), "acknowledged but missing": missing(other, ids),
    }  # fmt: skip


def dump(bench: Bench) -> Figures:
    """Dump the whole database and restore it into an empty one."""
    first, _ = bench.first()
    first.start()
    packed = bench.work / "dump"
    out = first.run("pg_dump", "--format=directory", "--jobs=2", "--compress=gzip:1", "--file", str(packed), "yersin")
    first.run("createdb", "back")
    back = first.run("pg_restore", "--jobs=2", "--dbname=back", str(packed))
    return {
        "pg_dump": {"s": round(out, 1), "MB": size(packed) // MEGA},
        "pg_restore": {"s": round(back, 1), "resources": first.ask("SELECT count(*) FROM id_map", "back")},
    }


PARTS: dict[str, Callable[[Bench], Figures]] = {"backup": backup, "standby": standby, "dump": dump}


@contextlib.contextmanager
def workplace(folder: Path, *, keep: bool) -> Iterator[Path]:
    """Make a folder beside the one measured, for the copies."""
    work = Path(tempfile.mkdtemp(prefix="failover-", dir=folder.parent))
    work.chmod(0o711)
    try:
        yield work
    finally:
        if not keep:
            shutil.rmtree(work, ignore_errors=True)


def main() -> None:
    """Do what is asked, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=PARTS, nargs="?")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()
    if asked.what is None or asked.folder is None:
        print("skipped: it needs a filled data folder; see --help")
        return
    with workplace(asked.folder.resolve(), keep=asked.keep) as work:
        bench = Bench(asked.folder.resolve(), work, asked.seconds)
        try:
            for name, line in PARTS[asked.what](bench).items():
                print(f"{name}: {json.dumps(line)}", flush=True)
        finally:
            bench.close()


if __name__ == "__main__":
    main()
