"""Named SQL: `.sql` files in which each statement has a `-- name:` line and a sentence, loaded once at import.

    -- name: find_version
    -- One version of one resource.
    SELECT content FROM history WHERE ...

The form is that of yesql and aiosql.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import resources

_HEADER = re.compile(r"^--\s*name\s*:(.*)$", re.MULTILINE)
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class BadQueryFileError(ValueError):
    """A `.sql` file cannot be used; the message names the file, the query and the cure."""


class Queries:
    """Statements as attributes: `queries.find_version` is SQL text."""

    __slots__ = ("_place", "_statements")

    def __init__(self, statements: Mapping[str, str], place: str) -> None:
        self._statements = dict(statements)
        self._place = place

    def __getattr__(self, name: str) -> str:
        try:
            return self._statements[name]
        except KeyError:
            raise AttributeError(f"{self._place} has no query {name!r}; it has {', '.join(self._statements)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)


def load(package: str | None, file: str, *expected: str) -> Queries:
    """Read `file` of `package`. With names in `expected`, file and names must match exactly, or the import fails."""
    if package is None:
        raise BadQueryFileError(f"{file}: load() was called outside a package; pass __package__ of a module in one")
    place = f"{package}/{file}"
    statements = parse(resources.files(package).joinpath(file).read_text(encoding="utf-8"), place)
    missing, spare = set(expected) - set(statements), set(statements) - set(expected)
    if expected and (missing or spare):
        raise BadQueryFileError(f"{place}: not in the file {sorted(missing)}; not expected {sorted(spare)}")
    return Queries(statements, place)


def parse(text: str, place: str) -> dict[str, str]:
    """Statements by name, comments and closing semicolons taken off."""
    preface, *parts = _HEADER.split(text)
    if _body(preface):
        raise BadQueryFileError(f"{place}: SQL before the first '-- name:' line")
    statements: dict[str, str] = {}
    for name, part in zip((p.strip() for p in parts[::2]), parts[1::2], strict=True):
        if not _NAME.fullmatch(name) or name in statements:
            raise BadQueryFileError(f"{place}: {name!r} is not a name, or stands twice; use lower_case names once each")
        statements[name] = _statement(name, part, place)
    if not statements:
        raise BadQueryFileError(f"{place}: no '-- name:' line")
    return statements


def _statement(name: str, part: str, place: str) -> str:
    sentence = part.lstrip("\n").partition("\n")[0].strip()
    if not sentence.startswith("--") or not sentence.strip("- "):
        raise BadQueryFileError(f"{place}: {name} needs a sentence, '-- What it finds.', under its name")
    body = _body(part)
    if not body:
        raise BadQueryFileError(f"{place}: {name} has no SQL")
    return body


def _body(part: str) -> str:
    kept = [line.rstrip() for line in part.splitlines() if line.strip() and not line.lstrip().startswith("--")]
    return "\n".join(kept).strip().removesuffix(";").rstrip()
