"""How searches and storage grow: the same searches on 100,000, 1 million and 10 million resources, by turns; bytes a resource.

python bench/growth.py build FOLDER [--sizes 100000,1000000,10000000] [--people 1150]     makes them, 16 GB for 10 million
python bench/growth.py measure FOLDER [--requests 1000] [--repeat 3]      measures them by turns
python bench/growth.py sizes FOLDER; python bench/growth.py explain FOLDER

The ballast: 15 third-party records (10,350 resources) are imported and 1,150 people created through the product, which is
what searches for people need; with `--people 0` the mix is that of the records, which is what storage is told by. Rows in
patients' places are then copied by SQL under new ids; a copy's dates are moved, and every token, reference and word that
only one patient has becomes another one, so that codes grow commoner with the size and identifiers do not. What is
searched for is created through the API in each database and counted, so that its number does not grow.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from fhir_server import Client
from rates import Round, person
from running import COMMAND, Running, running
from yersin.app.ground import opened
from yersin.db import connect, embedded
from yersin.db.lending import Connection
from yersin.fhir import r4
from yersin.guard.scope import in_chart
from yersin.guard.who import system
from yersin.search.page import Query
from yersin.search.run import search
from yersin.settings import Settings, read
from yersin.store.schema import has_ranges, range_table, table
from yersin.views.feed import BEHIND, CONSUMER

SIZES = (100_000, 1_000_000, 10_000_000)
SEARCHES = ("read", "identifier", "name", "birth date", "birth date, cold", "observation", "page of one")
PEOPLE, FIRST, HITS, YEARS = 1_150, 500_000_000, 30, 80
GOAL, BYTES = 2.0, 1.4 * 1024
_FAST = "fsync = off\nfull_page_writes = off\nautovacuum = off\nmax_wal_size = '8GB'\nmaintenance_work_mem = '1GB'\n"
_ID = "md5({}::text || ':' || k)::uuid"
_DAYS = "make_interval(days => (k * 37) % 3650)"
_PLAIN = "ver, tx, upd, ixv, enc, srt, content"


def shared() -> Path:
    """Folder of third-party data."""
    return Path(os.environ.get("YERSIN_SHARED", Path(__file__).parent.parent.parent / "shared"))


def base(folder: Path, people: int) -> None:
    """Make the database that is copied: third-party records and people, through the product, views filled."""
    with running(data=folder) as server:
        command = [*COMMAND, "import", str(shared() / "data/synthea/r4-bundles")]
        subprocess.run(command, env=server.environment, check=True, capture_output=True)
        client = Client(server.base, server.token(), 8)
        bodies = [client.request("POST", "/fhir/Patient", person(FIRST + n * 17)) for n in range(people)]
        answers, _ = asyncio.run(client.send(bodies))
        assert {status for status, _ in answers} <= {201}
        asyncio.run(_settled(folder))


async def _settled(folder: Path) -> None:
    url = embedded.address(_settings(folder))
    assert url is not None
    database = await connect(url, max_size=2)
    while await database.fetchval(BEHIND, CONSUMER) or await database.fetchval(
        "SELECT EXISTS (SELECT FROM views.built WHERE NOT filled)"
    ):
        await asyncio.sleep(0.5)
    await database.close()


def _settings(folder: Path) -> Settings:
    return replace(read(), data_dir=folder, database_url="")


@asynccontextmanager
async def database(folder: Path) -> AsyncIterator[Connection]:
    async with embedded.run(_settings(folder)) as url:
        database = await connect(url, max_size=2)
        async with database.dedicated(work_mem="256MB") as connection:
            yield connection
        await database.close()


async def multiply(folder: Path, size: int) -> None:
    """Copy what lies in patients' places until there are so many resources."""
    faster = folder / "postgres" / "operator.conf"
    faster.write_text(_FAST)
    async with database(folder) as connection:
        types = [t for t in r4.TYPE_NUMBER if in_chart(t) and await _count(connection, table(t))]
        charts = sum([await _count(connection, table(t)) for t in types])
        copies = round((size - await _count(connection, "id_map")) / charts)
        made = await _without_indexes(connection, types)
        await connection.execute(_personal(types))
        for name in types:
            begun = time.monotonic()
            await connection.execute(_rows(name, copies))
            if has_ranges(name):
                await connection.execute(_ranges(name, copies))
            print(f"{size}: {name} copied in {time.monotonic() - begun:.0f} s", flush=True)
        await _shared_tables(connection, types, copies)
        for statement in made:
            begun = time.monotonic()
            await connection.execute(statement)
            if time.monotonic() - begun > 10:
                print(f"{size}: {statement[:90]} in {time.monotonic() - begun:.0f} s", flush=True)
        await connection.execute("DROP TABLE growth_personal")
        await connection.execute("VACUUM ANALYZE")
    faster.unlink()


async def _count(connection: Connection, name: str) -> int:
    return int(await connection.fetchval(f"SELECT count(*) FROM {name}"))


async def _without_indexes(connection: Connection, types: Sequence[str]) -> list[str]:
    """Drop the indexes of what is filled; returns the statements that make them again."""
    names = [f"fhir.{t.lower()}{end}" for t in types for end in ("", "_range")] + ["id_map"]
    rows = await connection.fetch(
        "SELECT i.indexrelid::regclass::text AS name, i.indrelid::regclass::text AS of, pg_get_indexdef(i.indexrelid) AS made, "
        "c.conname, pg_get_constraintdef(c.oid) AS key FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid "
        "WHERE i.indrelid = ANY(SELECT to_regclass(n) FROM unnest($1::text[]) AS n)",
        names,
    )
    made = []
    for row in rows:
        if row["conname"]:
            await connection.execute(f'ALTER TABLE {row["of"]} DROP CONSTRAINT "{row["conname"]}"')
            made.append(f'ALTER TABLE {row["of"]} ADD CONSTRAINT "{row["conname"]}" {row["key"]}')
        else:
            await connection.execute(f"DROP INDEX {row['name']}")
            made.append(row["made"])
    return made


def _personal(types: Sequence[str]) -> str:
    """Tokens that only one patient has."""
    every = " UNION ".join(f"SELECT pat, unnest(tok) AS t FROM {table(name)}" for name in types)
    return (
        f"CREATE TABLE growth_personal AS SELECT t FROM ({every}) AS e GROUP BY t HAVING count(*) = 1;"
        "ALTER TABLE growth_personal ADD PRIMARY KEY (t); ANALYZE growth_personal"
    )


def _rows(name: str, copies: int) -> str:
    return (
        f"CREATE TABLE growth_row AS SELECT b.*, ARRAY(SELECT t FROM unnest(tok) AS t WHERE t NOT IN (TABLE growth_personal)) AS s, "
        f"ARRAY(SELECT t FROM unnest(tok) AS t WHERE t IN (TABLE growth_personal)) AS p FROM {table(name)} b ORDER BY pat, id;"
        f"INSERT INTO {table(name)} (pat, id, d_lo, d_hi, txt, tok, {_PLAIN}) "
        f"SELECT {_ID.format('pat')}, {_ID.format('id')}, d_lo + {_DAYS}, d_hi + {_DAYS}, "
        "translate(txt, '0123456789', substr(md5(k::text), 1, 10)), "
        f"s || ARRAY(SELECT hashint8extended(t, k) FROM unnest(p) AS t), {_PLAIN} "
        f"FROM generate_series(1, {copies}) AS k CROSS JOIN LATERAL (SELECT * FROM growth_row OFFSET 0) AS b;"
        "DROP TABLE growth_row"
    )


def _ranges(name: str, copies: int) -> str:
    return (
        f"CREATE TABLE growth_row AS SELECT * FROM {range_table(name)};"
        f"INSERT INTO {range_table(name)} (pat, id, param, key, unit, lo, hi) "
        f"SELECT {_ID.format('pat')}, {_ID.format('id')}, param, key, unit, lo, hi "
        f"FROM generate_series(1, {copies}) AS k CROSS JOIN LATERAL (SELECT * FROM growth_row OFFSET 0) AS b;"
        "DROP TABLE growth_row"
    )


async def _shared_tables(connection: Connection, types: Sequence[str], copies: int) -> None:
    """Copy lines of the id map and the change log; no reader of the log is to follow them."""
    numbers = [r4.TYPE_NUMBER[name] for name in types]
    for name, columns in (("id_map", "type, ver, deleted, owner"), ("change_log", "type, ver, tx, at, op")):
        await connection.execute(
            f"CREATE TABLE growth_row AS SELECT * FROM {name} WHERE type = ANY('{{{','.join(map(str, numbers))}}}');"
            f"INSERT INTO {name} (pat, id, {columns}) SELECT {_ID.format('pat')}, {_ID.format('id')}, {columns} "
            f"FROM generate_series(1, {copies}) AS k CROSS JOIN LATERAL (SELECT * FROM growth_row OFFSET 0) AS b;"
            "DROP TABLE growth_row"
        )
    await connection.execute("UPDATE cursor SET tx = pg_current_xact_id(), seq = (SELECT max(seq) FROM change_log)")


class Grown(Round):
    """One turn on one size: the creates are what is searched for. Spans of birth dates find the same number at each size."""

    days: int

    def run(self, names: list[str]) -> dict[str, Any]:
        """The searches of `rates.py`, and an identifier on a page of one, as a conditional create asks for it."""
        super().run(names)
        paths = [f"/fhir/Patient?identifier=urn:bench:national%7C999{n:09d}&_count=1" for n in self.numbers]
        self._get("page of one", paths, lambda found, n: [e["resource"]["id"] for e in found["entry"]] == [self.ids[n]])
        return self.figures

    def _births(self) -> None:
        paths = []
        for _ in range(self.count):
            first = date(1945, 1, 1) + timedelta(days=self.random.randrange(70 * 365))
            paths.append(
                f"/fhir/Patient?birthdate=ge{first}&birthdate=le{first + timedelta(days=self.days - 1)}&_count=50"
            )
        found: list[int] = []

        def seen(answer: Any, _: int) -> bool:
            found.append(len(answer.get("entry", ())))
            return True

        self._get("birth date, cold", paths, seen)
        self._get("birth date", paths, seen)
        self.figures["birth date"]["hits"] = round(statistics.mean(found), 1)


def measure(folder: Path, sizes: Sequence[int], requests: int, repeat: int) -> dict[str, Any]:
    """Measure by turns; the first turn warms up."""
    turns: dict[int, list[dict[str, Any]]] = {size: [] for size in sizes}
    with ExitStack() as stack:
        servers = {size: stack.enter_context(running(data=folder / str(size))) for size in sizes}
        clients = {size: Client(server.base, server.token(), 16) for size, server in servers.items()}
        people = {size: asyncio.run(_people(folder / str(size))) for size in sizes}
        for turn in range(repeat + 1):
            for size, server in servers.items():
                turns[size].append(_turn(server, clients[size], turn, requests, people[size]))
                print(size, turns[size][-1], flush=True)
    return {op: _line(op, turns) for op in ("create", *SEARCHES)}


def _turn(server: Running, client: Client, turn: int, requests: int, people: int) -> dict[str, Any]:
    one = Grown(server, client, turn + int(time.time()) % 10_000, requests)
    one.days = max(1, round(HITS / (people / (YEARS * 365))))
    return one.run(list(SEARCHES))


async def _people(folder: Path) -> int:
    url = embedded.address(_settings(folder))
    assert url is not None
    database = await connect(url, max_size=2)
    found: int = await database.fetchval('SELECT count(*) FROM fhir."patient"')
    await database.close()
    return found


def _line(op: str, turns: dict[int, list[dict[str, Any]]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for size, each in turns.items():
        found[f"{size:,}/s"] = statistics.median(turn[op]["requests_per_s"] for turn in each[1:])
        found[f"{size:,} ms"] = statistics.median(turn[op]["cpu_ms"] for turn in each[1:])
    smallest, *others = (f"{size:,} ms" for size in turns)
    found["dearer"] = round(max((found[other] / found[smallest] for other in others), default=1.0), 2)
    return found


_OF = {
    "content and rows": "sum(pg_relation_size(oid)) FILTER (WHERE kind = 'row')",
    "oversize content": "sum(pg_relation_size(nullif(reltoastrelid, 0))) FILTER (WHERE kind = 'row')",
    "token index": "sum(size) FILTER (WHERE kind = 'index' AND relname LIKE '%\\_tok')",
    "text index": "sum(size) FILTER (WHERE kind = 'index' AND relname LIKE '%\\_txt')",
    "other indexes": "sum(size) FILTER (WHERE kind = 'index' AND relname NOT LIKE '%\\_tok' AND relname NOT LIKE '%\\_txt')",
    "ranges and their indexes": "sum(size) FILTER (WHERE kind = 'range')",
    "id map": "sum(pg_total_relation_size(oid)) FILTER (WHERE relname = 'id_map')",
    "change log": "sum(pg_total_relation_size(oid)) FILTER (WHERE relname LIKE 'change\\_log%' AND kind = 'table')",
    "audit": "sum(pg_total_relation_size(oid)) FILTER (WHERE relname LIKE 'audit%' AND kind = 'table')",
    "views": "sum(pg_total_relation_size(oid)) FILTER (WHERE nspname = 'views' AND kind = 'table')",
}
_SIZES = f"""WITH r AS (SELECT c.oid, c.relname, c.reltoastrelid, n.nspname, pg_relation_size(c.oid) AS size, CASE
  WHEN n.nspname = 'fhir' AND coalesce(t.relname, c.relname) LIKE '%\\_range' THEN 'range'
  WHEN n.nspname = 'fhir' AND c.relkind = 'i' THEN 'index' WHEN n.nspname = 'fhir' THEN 'row' WHEN c.relkind = 'r' THEN 'table' END AS kind
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_index i ON i.indexrelid = c.oid
  LEFT JOIN pg_class t ON t.oid = i.indrelid WHERE n.nspname IN ('fhir', 'public', 'views') AND c.relkind IN ('r', 'i'))
SELECT {", ".join(f'coalesce({what}, 0)::bigint AS "{name}"' for name, what in _OF.items())},
  (SELECT count(*) FROM id_map WHERE NOT deleted) AS resources, pg_database_size(current_database()) AS database FROM r"""
#: what the goal counts: everything but the audit and the views
_COUNTED = tuple(_OF)[:8]


async def sizes_of(folder: Path) -> dict[str, float]:
    """Bytes a resource, by what takes them."""
    async with database(folder) as connection:
        row = dict(await connection.fetchrow(_SIZES))
    resources = row["resources"]
    found: dict[str, float] = {name: round(row[name] / resources, 1) for name in _OF}
    return {"resources": resources, **found, "in all": round(sum(row[name] for name in _COUNTED) / resources)}


class _Heard:
    """A connection that remembers what was asked."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    async def fetch(self, sql: str, *values: Any) -> Any:
        self.asked.append((sql, values))
        return await self.connection.fetch(sql, *values)

    async def fetchval(self, sql: str, *values: Any) -> Any:
        self.asked.append((sql, values))
        return await self.connection.fetchval(sql, *values)

    async def fetchrow(self, sql: str, *values: Any) -> Any:
        return await self.connection.fetchrow(sql, *values)


async def explain(folder: Path) -> None:
    """Print the plans of the searches measured."""
    settings = _settings(folder)
    async with (
        embedded.run(settings) as url,
        opened(settings, url) as ground,
        ground.database.searching() as connection,
    ):
        patient = await connection.fetchval(
            'SELECT pat FROM fhir."observation" WHERE d_lo IS NOT NULL ORDER BY upd DESC LIMIT 1'
        )
        asked = (
            ("Patient", [("identifier", "urn:bench:national|999000002000")]),
            ("Patient", [("name", "Lê000200"), ("_count", "50")]),
            ("Patient", [("birthdate", "ge1970-03-05"), ("birthdate", "le1970-03-05"), ("_count", "50")]),
            ("Observation", [("patient", str(patient)), ("code", "http://loinc.org|8867-4"), ("date", "ge2022-01-01"),
                             ("date", "lt2023-01-01"), ("_sort", "-date")]),
        )  # fmt: skip
        for name, criteria in asked:
            heard = _Heard(connection)
            query = Query.of(name, criteria)
            access = ground.access(system("HSYSADMIN"))
            await search(heard, ground.indexer, query, access.scope)
            for sql, values in heard.asked:
                rows = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS) {sql}", *values)
                print(f"-- {name}?{criteria}", *(row[0] for row in rows), sep="\n")


def build(folder: Path, sizes: Sequence[int], people: int) -> None:
    """Make the databases that are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "base.done").exists():
        shutil.rmtree(folder / "base", ignore_errors=True)
        base(folder / "base", people)
        (folder / "base.done").touch()
    for size in sizes:
        if not (folder / f"{size}.done").exists():
            shutil.rmtree(folder / str(size), ignore_errors=True)
            subprocess.run(["/bin/cp", "-a", str(folder / "base"), str(folder / str(size))], check=True)
            begun = time.monotonic()
            asyncio.run(multiply(folder / str(size), size))
            (folder / f"{size}.done").touch()
            print(f"{size} made in {time.monotonic() - begun:.0f} s", flush=True)


def _table(report: dict[str, dict[str, Any]]) -> None:
    print(f"{'':>12}" + "".join(f"{title:>26}" for title in next(iter(report.values()))))
    for name, line in report.items():
        print(f"{name:>12}" + "".join(f"{value:>26}" for value in line.values()))
    print(json.dumps(report))


def main() -> None:
    """Do what is asked, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("build", "measure", "sizes", "explain"), nargs="?")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--people", type=int, default=PEOPLE, help="created beside the records, before they are copied")
    parser.add_argument("--requests", type=int, default=1000, help="a multiple of ten")
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    if asked.what is None or asked.folder is None:
        print("skipped: it needs a folder with 20 GB; see --help")
        return
    sizes = [int(size) for size in asked.sizes.split(",")]
    if asked.what == "build":
        build(asked.folder, sizes, asked.people)
    elif asked.what == "measure":
        report = measure(asked.folder, sizes, asked.requests, asked.repeat)
        print(f"CPU of server and database a request; the goal is that none gets {GOAL} times as dear")
        _table(report)
    elif asked.what == "sizes":
        _table({"base": asyncio.run(sizes_of(asked.folder / "base"))})
        _table({str(size): asyncio.run(sizes_of(asked.folder / str(size))) for size in sizes})
    else:
        for size in sizes:
            asyncio.run(explain(asked.folder / str(size)))


if __name__ == "__main__":
    main()
