"""Tables of the store, generated from the R4 types: one table a type, and beside it its ranges.

`pat` is placement only: the patient whose compartment the row lies in, or the row's own id. It is part of every key,
so that the same tables can be spread over machines by it (docs/adr/0003-tables.md).
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from yersin.fhir import r4
from yersin.fhir.parameters import built_in, generation

#: version of the index rows that `search.rows` makes; raise it when an extractor changes and old rows must be remade
INDEX_VERSION = 1
#: versions of one generation: a type's index begins a new generation whenever its search parameters change
GENERATION = 32
#: generations that `ixv` has room for
GENERATIONS_LIMIT = 1023


#: main dates that cover more (months, years, periods) are long spans
SHORT_SPAN = timedelta(hours=25)


def first_version(number: int) -> int:
    """First version of a generation: a row at this or a later one was made with its search parameters."""
    return number * GENERATION


def index_version(type_name: str) -> int:
    """Version of the index rows that this process makes of a type."""
    return first_version(generation(type_name)) + _release_version(type_name)


@cache
def _release_version(type_name: str) -> int:
    """Version of this release. Pairs say since then that they are there, and one pair more is kept; strings keep both ends."""
    pairs = any(p.form == "pair" for p in built_in(type_name).values())
    return INDEX_VERSION + pairs + has_text(type_name)


def table(type_name: str) -> str:
    """Qualified table name of a resource type."""
    return f'fhir."{type_name.lower()}"'


def range_table(type_name: str) -> str:
    """Qualified name of a type's table of dates, numbers and quantities."""
    return f'fhir."{type_name.lower()}_range"'


def has_ranges(type_name: str) -> bool:
    """Whether a type has parameters that live in its range table."""
    return any(
        p.kind in ("date", "number", "quantity", "composite") and not p.main for p in built_in(type_name).values()
    )


def has_text(type_name: str) -> bool:
    """Whether a type has string parameters."""
    return any(p.kind == "string" for p in built_in(type_name).values())


def has_main_date(type_name: str) -> bool:
    """Whether a type has a date that lies in its own row (`d_lo`, `d_hi`)."""
    return any(p.main for p in built_in(type_name).values())


def long_span(row: str = "") -> str:
    """SQL condition that a row's main date is a long span, as the partial index states it. `row` is empty or ends with a dot."""
    hours = int(SHORT_SPAN.total_seconds()) // 3600
    # in a fixed zone, for only what depends on no setting may stand in an index; "= 1" because the planner
    # believes that few rows equal something, but that a third are greater
    ends = f"({row}d_hi AT TIME ZONE 'UTC') > ({row}d_lo AT TIME ZONE 'UTC') + interval '{hours} hours'"
    return f"(CASE WHEN {ends} THEN 1 ELSE 0 END) = 1"


def type_tables() -> str:
    """DDL of every type's tables."""
    return "\n".join(_type_table(name) for name in r4.TYPE_NUMBER)


def _type_table(name: str) -> str:
    lower = name.lower()
    ddl = [
        f"""
CREATE TABLE {table(name)} (
  pat uuid NOT NULL, id uuid NOT NULL, ver int NOT NULL, tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
  upd timestamptz NOT NULL, ixv smallint NOT NULL, enc smallint NOT NULL,
  d_lo timestamptz, d_hi timestamptz, name text, txt text, srt text[], tok bigint[] NOT NULL,
  content bytea NOT NULL, PRIMARY KEY (pat, id)) WITH (fillfactor = 95, toast_tuple_target = 4080);
ALTER TABLE {table(name)} ALTER content SET STORAGE EXTERNAL, ALTER tok SET STATISTICS 1000;
CREATE INDEX "{lower}_tok" ON {table(name)} USING gin (tok);
CREATE INDEX "{lower}_upd" ON {table(name)} USING brin (upd);"""
    ]
    if has_main_date(name):
        ddl.append(f'CREATE INDEX "{lower}_date" ON {table(name)} (d_lo DESC, id);')
        if name != "Patient":
            ddl.append(f'CREATE INDEX "{lower}_pat_date" ON {table(name)} (pat, d_lo DESC, id);')
    if has_text(name):
        ddl.append(f'CREATE INDEX "{lower}_txt" ON {table(name)} USING gin (txt gin_trgm_ops);')
    if has_ranges(name):
        ddl.append(f"""
CREATE TABLE {range_table(name)} (
  pat uuid NOT NULL, id uuid NOT NULL, param smallint NOT NULL, key bigint NOT NULL DEFAULT 0, unit bigint NOT NULL DEFAULT 0,
  lo double precision NOT NULL, hi double precision NOT NULL);
CREATE INDEX "{lower}_range_id" ON {range_table(name)} (pat, id);
CREATE INDEX "{lower}_range_lo" ON {range_table(name)} (param, lo);""")
    return "\n".join(ddl)


#: tables that every type shares
SHARED = """
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE SCHEMA fhir;
CREATE TABLE id_map (
  type smallint NOT NULL, id uuid NOT NULL, pat uuid NOT NULL, ver int NOT NULL, deleted boolean NOT NULL DEFAULT false,
  name text, owner uuid, PRIMARY KEY (type, id));
COMMENT ON TABLE id_map IS 'Every logical id ever used: the lock, the uniqueness, the 404/410 answer, the version counter.';
COMMENT ON COLUMN id_map.owner IS 'Organization that wrote the first version: the only writer of facts about it.';
CREATE TABLE history (
  pat uuid NOT NULL, type smallint NOT NULL, id uuid NOT NULL, ver int NOT NULL, tx xid8 NOT NULL,
  upd timestamptz NOT NULL, op "char" NOT NULL, enc smallint NOT NULL, content bytea, PRIMARY KEY (pat, type, id, ver));
ALTER TABLE history ALTER content SET STORAGE EXTERNAL;
CREATE TABLE change_log (
  seq bigint GENERATED ALWAYS AS IDENTITY, tx xid8 NOT NULL DEFAULT pg_current_xact_id(), at timestamptz NOT NULL,
  type smallint NOT NULL, id uuid NOT NULL, ver int NOT NULL, pat uuid NOT NULL, op "char" NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX change_log_order ON change_log (tx, seq);
CREATE TABLE change_log_rest PARTITION OF change_log DEFAULT;
CREATE TABLE cursor (consumer text PRIMARY KEY, tx xid8 NOT NULL DEFAULT '0', seq bigint NOT NULL DEFAULT 0);
COMMENT ON TABLE cursor IS 'How far each reader of the change log has come.';
CREATE FUNCTION make_months(parent regclass, months int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE first date := date_trunc('month', now() AT TIME ZONE 'UTC')::date; part text;
BEGIN
  FOR n IN 0..months LOOP
    part := format('%s_%s', parent, to_char(first + make_interval(months => n), 'YYYYMM'));
    IF to_regclass(part) IS NULL THEN
      EXECUTE format('CREATE TABLE %s PARTITION OF %s FOR VALUES FROM (%L) TO (%L)', part, parent,
        (first + make_interval(months => n))::date::timestamp AT TIME ZONE 'UTC',
        (first + make_interval(months => n + 1))::date::timestamp AT TIME ZONE 'UTC');
    END IF;
  END LOOP;
END $$;
SELECT make_months('change_log', 2);
"""


def ddl() -> str:
    """DDL of the whole store."""
    return SHARED + type_tables()
