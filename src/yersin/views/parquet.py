"""One Parquet file of rows that PostgreSQL gave as CSV, written by DuckDB: the extra `yersin[parquet]`, and its one home.

DuckDB is held to a small memory and one thread, and fetches nothing. Sources: https://duckdb.org/docs/stable/data/parquet/overview,
https://parquet.apache.org/docs/file-format/
"""

from __future__ import annotations

from collections.abc import Mapping
from errno import ENOSPC
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Final

from yersin.fhir.problem import problem

MEMORY: Final = "256MB"
#: the longest row, in bytes: a column of text may hold whole lists as JSON
LONGEST: Final = 32 * 1024 * 1024
_CONFIG = {
    "memory_limit": MEMORY,
    "threads": 1,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
#: types of Parquet's writer by those of PostgreSQL; numeric is measured first, see `decimal`
TYPES: Mapping[str, str] = {
    "boolean": "BOOLEAN", "integer": "INTEGER", "bigint": "BIGINT", "date": "DATE", "uuid": "UUID", "text": "VARCHAR",
    "timestamp with time zone": "TIMESTAMPTZ",
}  # fmt: skip


def writer() -> ModuleType:
    """DuckDB. Raises Problem (not-supported) saying how to install it where it is missing."""
    try:
        return import_module("duckdb")
    except ImportError as error:
        text = "Parquet is written by DuckDB, which is not installed: `make parquet`, or pip install 'yersin[parquet]', then try again."
        raise problem("not-supported", text, status=501) from error


def is_there() -> bool:
    """Whether Parquet can be written here."""
    return find_spec("duckdb") is not None


def decimal(whole: int, places: int) -> str:
    """Type that holds numbers of so many digits before and after the point exactly; text where none is wide enough."""
    digits = whole + places
    if digits > 38:
        return "VARCHAR"
    return f"DECIMAL({18 if digits <= 18 else 38}, {places})"


def write(rows: Path, target: Path, columns: Mapping[str, str]) -> None:
    """Write CSV as `target`: empty is NULL, quoted nothing is an empty text. `columns` are names and DuckDB's types.

    Raises OSError where the disk takes no more.
    """
    duckdb = writer()
    reading = (
        "SELECT * FROM read_csv($rows, header = false, auto_detect = false, delim = ',', quote = '\"', escape = '\"', "
        f"nullstr = '', allow_quoted_nulls = false, new_line = '\\n', max_line_size = {LONGEST}, columns = $columns)"
    )
    with duckdb.connect(config=_CONFIG) as connection:
        try:
            connection.execute(
                f"COPY ({reading}) TO $target (FORMAT parquet, COMPRESSION zstd)",
                {"rows": str(rows), "columns": dict(columns), "target": str(target)},
            )
        except duckdb.IOException as error:
            if "No space left" in str(error):
                raise OSError(ENOSPC, "No space left on device", str(target)) from error
            raise
