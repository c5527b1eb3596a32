"""Judges the text of one statement by what Citus can run; each finding names the rule and the cure.

Sources: https://docs.citusdata.com/en/stable/develop/reference_workarounds.html and what was tried on a cluster
(docs/scale.md). A common table expression and a subquery that speaks of nothing outside itself are run first and their
rows sent to every machine, so they stand with any table; what speaks of an outer row must lie beside that row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import sqlglot
from sqlglot import exp

from .placement import LOCAL, LOOSE, Place, place_of


class Finding(NamedTuple):
    """A rule that a statement or a table breaks, and what to do about it."""

    rule: str
    cure: str


TOGETHER = Finding(
    "joins tables that are not spread by the columns they are joined on",
    "join them on pat, or gather one side in a common table expression first",
)
OUTER = Finding(
    "keeps rows that lie on no machine beside rows of a spread table (LEFT JOIN)",
    "gather the spread side in a common table expression first",
)
BESIDE = Finding(
    "asks, for each row, of a spread table whose rows do not lie beside it",
    "compare the columns both are spread by, or write IN with a subquery that names nothing outside itself",
)
MIXED = Finding(
    "joins a table of the coordinator with a spread one",
    "gather the coordinator's rows in a common table expression, or write IN with a subquery of its own",
)
LOCKED = Finding(
    "locks rows of more than one machine in one statement (FOR UPDATE)",
    "name the one value of the column the table is spread by, a statement for each",
)
EACH = Finding("takes the first rows for each row (LATERAL with LIMIT)", "number them by a window function")
MOVED = Finding("changes the column that rows are spread by", "delete the row and insert it at its new place")
VOLATILE = Finding(
    "asks a volatile function for each row of an update", "ask it in a common table expression before the update"
)
THROUGH = Finding(
    "compares spread tables through a column of a table that is copied to every machine, or of gathered rows",
    "compare the columns they are spread by with each other, or gather one step after the other",
)
NOTHING = Finding("gathers rows without a column (SELECT FROM)", "name a column, such as SELECT 1")
SHORT_CASE = Finding(
    "writes the short form of CASE among rows put together (UNION) for an INSERT", "write CASE WHEN x = 1"
)
AGAIN = Finding("repeats over a spread table (WITH RECURSIVE)", "repeat in the program, a step a statement")

_VOLATILE = frozenset({"clock_timestamp", "random", "nextval", "gen_random_uuid"})
_EMPTY = re.compile(r"\bSELECT\s+(?=FROM\b)")
#: what stands for an empty list of columns, which the parser does not read
_NO_COLUMN = "no_column"


@dataclass(slots=True)
class _Source:
    """A table, or what stands for one, under the name it has in the statement."""

    name: str
    place: Place


@dataclass(slots=True)
class _Level:
    """One SELECT, UPDATE or DELETE: what it reads, and what its rows are known to equal."""

    sources: dict[str, _Source] = field(default_factory=dict)
    outer: _Level | None = None
    number: int = 0

    def spread(self) -> list[_Source]:
        return [source for source in self.sources.values() if source.place.kind == "spread"]

    def find(self, name: str) -> tuple[_Level, _Source] | None:
        level: _Level | None = self
        while level is not None:
            if name in level.sources:
                return level, level.sources[name]
            level = level.outer
        return None


def judge(sql: str) -> list[Finding]:
    """Return the rules that a statement breaks, none where Citus can run it. Raises sqlglot.ParseError."""
    found: list[Finding] = []
    for statement in sqlglot.parse(_EMPTY.sub(f"SELECT NULL AS {_NO_COLUMN} ", sql), dialect="postgres"):
        if statement is not None:
            found += _Judge().statement(statement, frozenset())
    return list(dict.fromkeys(found))


class _Judge:
    """Goes through one statement from the outside in. Equal columns are kept as classes over all its levels."""

    def __init__(self) -> None:
        self.equal: dict[str, str] = {}
        self.pairs: list[tuple[str, str]] = []
        self.kinds: dict[str, str] = {}
        self.levels = 0

    def statement(self, node: exp.Expr, known: frozenset[str], outer: _Level | None = None) -> list[Finding]:
        """Judge a statement or a subquery; `known` are the common table expressions that may be named."""
        found: list[Finding] = []
        with_ = node.args.get("with_") or node.args.get("with")
        if with_ is not None:
            names = {each.alias for each in with_.expressions}
            for each in with_.expressions:
                inner = known | names if with_.args.get("recursive") else known
                found += _without_columns(each.this, beside=node)
                found += self.statement(each.this, inner)
                if with_.args.get("recursive") and any(_is_spread(t) for t in each.this.find_all(exp.Table)):
                    found.append(AGAIN)
                known |= {each.alias}
        if isinstance(node, exp.SetOperation):
            return found + [f for side in (node.left, node.right) for f in self.statement(side, known, outer)]
        if isinstance(node, exp.Subquery):
            return found + self.statement(node.this, known, outer)
        if isinstance(node, exp.Insert):
            inside = node.expression
            found += _short_cases(inside)
            return found + (self.statement(inside, known) if isinstance(inside, exp.Query) else [])
        if isinstance(node, (exp.Select, exp.Update, exp.Delete)):
            return found + self._level(node, known, outer)
        return found

    def _level(self, node: exp.Expr, known: frozenset[str], outer: _Level | None) -> list[Finding]:
        self.levels += 1
        level = _Level(outer=outer, number=self.levels)
        found: list[Finding] = []
        for item in _read(node):
            found += self._add(level, item, known)
        self._learn(level, node)
        found += self._together(level)
        found += self._outer_joins(level, node)
        found += self._locks(level, node)
        found += _changes(node)
        where = node.args.get("where")
        required = {id(part) for part in _parts(where.this)} if where else set()
        for inner in _inside(node):
            found += self._beside(level, inner, known, is_joined=id(_condition(inner)) in required)
        return found

    def _add(self, level: _Level, item: exp.Expr, known: frozenset[str]) -> list[Finding]:
        if isinstance(item, exp.Table) and isinstance(item.this, exp.Identifier):
            is_gathered = not item.db and item.name in known
            place = LOOSE if is_gathered else place_of(item.db, item.name)
            level.sources[item.alias_or_name] = _Source(item.alias_or_name, place)
            return []
        level.sources[item.alias_or_name or f"?{len(level.sources)}"] = _Source(item.alias_or_name, LOOSE)
        query = item.this if isinstance(item, (exp.Subquery, exp.Lateral)) else None
        if isinstance(query, exp.Select) and query.args.get("limit") and _without_columns(query):
            return [NOTHING]
        if isinstance(item, exp.Lateral) and isinstance(query, exp.Subquery):
            inner = query.this
            if inner.args.get("limit") and any(_is_spread(t) for t in inner.find_all(exp.Table)):
                return [EACH]
            return self.statement(inner, known, level)
        return self.statement(query, known) if isinstance(query, exp.Query) else []

    def _learn(self, level: _Level, node: exp.Expr) -> None:
        """Remember which columns and values are equal in every row of a level."""
        conditions = [join.args.get("on") for join in node.args.get("joins") or ()]
        if from_ := _from(node):
            conditions += [join.args.get("on") for join in from_.this.args.get("joins") or ()]
        if where := node.args.get("where"):
            conditions.append(where.this)
        for condition in conditions:
            for part in _parts(condition):
                if isinstance(part, exp.EQ):
                    one, two = self._key(level, part.left), self._key(level, part.right)
                    if one and two:
                        self.pairs.append((one, two))
                        self.equal[self._root(one)] = self._root(two)

    def _key(self, level: _Level, side: exp.Expr) -> str:
        side = side.unnest()
        while isinstance(side, exp.Cast):
            side = side.this
        if isinstance(side, (exp.Parameter, exp.Literal)):
            return f"value {side.sql('postgres')}"
        if not isinstance(side, exp.Column):
            return ""
        if side.table:
            found = level.find(side.table)
            return self._named(*found, side.name) if found else ""
        if len(level.sources) == 1 or len(level.spread()) == 1:
            # of several sources a bare column may be any: the spread one is the one that matters
            name = next(iter(level.spread()), next(iter(level.sources.values()), None))
            return self._named(level, name, side.name) if name else ""
        return ""

    def _named(self, level: _Level, source: _Source, column: str) -> str:
        key = f"{level.number}.{source.name}.{column}"
        self.kinds[key] = source.place.kind
        return key

    def _reached(self, start: str, without: frozenset[str]) -> set[str]:
        """Give what equals a column, by steps that lead through no table of some kinds; a value may be named by any."""
        seen, ahead = {start}, [start]
        while ahead:
            key = ahead.pop()
            for pair in self.pairs:
                other = pair[1 - pair.index(key)] if key in pair else key
                if other not in seen and self.kinds.get(other, "") not in without:
                    seen.add(other)
                    ahead.append(other)
        return seen

    def _root(self, key: str) -> str:
        while key in self.equal and self.equal[key] != key:
            key = self.equal[key]
        return key

    def _class(self, level: _Level, source: _Source) -> str:
        return self._root(f"{level.number}.{source.name}.{source.place.column}")

    def _is_one_value(self, level: _Level, source: _Source) -> bool:
        return self._class(level, source).startswith("value ") or any(
            self._root(key) == self._class(level, source) for key in list(self.equal) if key.startswith("value ")
        )

    def _together(self, level: _Level) -> list[Finding]:
        spread = level.spread()
        found = []
        if len({(source.place.group, self._class(level, source)) for source in spread}) > 1:
            found.append(TOGETHER)
        elif spread and not self._is_one_value(level, spread[0]):
            first, *others = [f"{level.number}.{source.name}.{source.place.column}" for source in spread]
            if not self._reached(first, frozenset({"copied"})) >= set(others):
                found.append(THROUGH)
        if spread and any(source.place == LOCAL for source in level.sources.values()):
            found.append(MIXED)
        return found

    def _outer_joins(self, level: _Level, node: exp.Expr) -> list[Finding]:
        found, kept = [], []
        if from_ := _from(node):
            kept = [level.sources.get(from_.this.alias_or_name)]
        for join in node.args.get("joins") or ():
            source = level.sources.get(join.this.alias_or_name)
            has_spread = any(each is not None and each.place.kind == "spread" for each in kept)
            if join.side in ("LEFT", "FULL") and source and source.place.kind == "spread" and not has_spread:
                found.append(OUTER)
            kept.append(source)
        return found

    def _locks(self, level: _Level, node: exp.Expr) -> list[Finding]:
        for lock in node.args.get("locks") or ():
            named = {each.name for each in lock.expressions or ()}
            for source in level.spread():
                if (not named or source.name in named) and not self._is_one_value(level, source):
                    return [LOCKED]
        return []

    def _beside(self, level: _Level, inner: exp.Expr, known: frozenset[str], *, is_joined: bool) -> list[Finding]:
        """Judge a subquery within a condition or among the columns; `is_joined`: each row must have a row of it."""
        if not _is_correlated(level, inner):
            return _without_columns(inner, beside=level) + self.statement(inner, known)
        found = self.statement(inner, known, level)
        selects = [inner] if isinstance(inner, exp.Select) else list(inner.find_all(exp.Select))
        around: list[tuple[_Level, _Source]] = []
        each: _Level | None = level
        while each is not None:
            around += [(each, source) for source in each.spread()]
            each = each.outer
        for select in selects:
            tables = [t for t in _read(select) if isinstance(t, exp.Table) and t.name not in known]
            places = [(t.alias_or_name, place_of(t.db, t.name)) for t in tables]
            if any(place == LOCAL for _, place in places) and around:
                found.append(MIXED)
            for name, place in places:
                if place.kind != "spread":
                    continue
                if not self._lies_beside(name, place, around):
                    found.append(BESIDE)
                elif not is_joined and not self._touches(name, place, around):
                    found.append(THROUGH)
        return found

    def _lies_beside(self, name: str, place: Place, around: list[tuple[_Level, _Source]]) -> bool:
        """Whether the rows of an inner table are those at the place of an outer row."""
        ends = f".{name}.{place.column}"
        classes = {self._root(key) for key in list(self.equal) if key.endswith(ends)} | {
            self._root(value) for value in list(self.equal.values()) if value.endswith(ends)
        }
        return any(
            place.group == source.place.group and self._class(level, source) in classes for level, source in around
        )

    def _touches(self, name: str, place: Place, around: list[tuple[_Level, _Source]]) -> bool:
        """Whether the columns are compared with each other, not through one of a table that lies elsewhere too."""
        ends = f".{name}.{place.column}"
        reached: set[str] = set()
        for key in [key for key in self.kinds if key.endswith(ends)]:
            reached |= self._reached(key, frozenset({"copied", "loose"}))
        return any(
            self._is_one_value(level, source) or f"{level.number}.{source.name}.{source.place.column}" in reached
            for level, source in around
        )


def _condition(inner: exp.Expr) -> exp.Expr | None:
    """Give the EXISTS or IN that asks of a subquery."""
    around = inner.parent
    while isinstance(around, (exp.Subquery, exp.Paren)):
        around = around.parent
    return around if isinstance(around, (exp.Exists, exp.In)) else None


def _without_columns(query: exp.Expr, beside: exp.Expr | _Level | None = None) -> list[Finding]:
    """Judge what is run first and sent to the machines: rows of a spread table, or the coordinator's beside one."""
    if not isinstance(query, exp.Select) or [each.alias_or_name for each in query.expressions] != [_NO_COLUMN]:
        return []
    has_spread = any(map(_is_spread, query.find_all(exp.Table)))
    if isinstance(beside, exp.Expr):
        has_spread |= any(map(_is_spread, beside.find_all(exp.Table)))
    elif beside is not None:
        has_spread |= bool(beside.spread())
    return [NOTHING] if has_spread else []


def _short_cases(inside: exp.Expr | None) -> list[Finding]:
    if not isinstance(inside, exp.SetOperation) or not any(map(_is_spread, inside.find_all(exp.Table))):
        return []
    return [SHORT_CASE] if any(each.this is not None for each in inside.find_all(exp.Case)) else []


def _from(node: exp.Expr) -> exp.Expr | None:
    found = node.args.get("from_") or node.args.get("from")
    return found if isinstance(found, exp.From) else None


def _read(node: exp.Expr) -> Iterator[exp.Expr]:
    """Give what a statement reads or changes: tables, subqueries and functions of its FROM."""
    if isinstance(node, (exp.Update, exp.Delete)) and isinstance(node.this, exp.Table):
        yield node.this
    if isinstance(node, exp.Delete):
        yield from node.args.get("using") or ()
    from_ = _from(node)
    if from_ is not None:
        yield from_.this
        for join in from_.this.args.get("joins") or ():
            yield join.this
    for join in node.args.get("joins") or ():
        yield join.this
    yield from node.args.get("laterals") or ()


def _parts(condition: exp.Expr | None) -> Iterator[exp.Expr]:
    """Give the conditions that must all hold."""
    if condition is None:
        return
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        yield from _parts(condition.left)
        yield from _parts(condition.right)
    else:
        yield condition


def _inside(node: exp.Expr) -> Iterator[exp.Expr]:
    """Give the subqueries of conditions and columns, the outermost ones."""
    skipped = {id(each) for each in _read(node)}
    stack = [
        value
        for name, value in node.args.items()
        if name not in ("with", "with_", "from", "from_", "laterals", "using") and value is not None
    ]
    while stack:
        each = stack.pop()
        if isinstance(each, list):
            stack += each
        elif isinstance(each, exp.Expr) and id(each) not in skipped:
            if isinstance(each, exp.Query) and not isinstance(each, exp.Subquery):
                yield each
            else:
                stack += [value for value in each.args.values() if isinstance(value, (list, exp.Expr))]


def _is_correlated(level: _Level, inner: exp.Expr) -> bool:
    own = {each.alias_or_name for select in inner.find_all(exp.Select) for each in _read(select)}
    return any(
        column.table and column.table not in own and level.find(column.table) for column in inner.find_all(exp.Column)
    )


def _is_spread(table: exp.Table) -> bool:
    return place_of(table.db, table.name).kind == "spread"


def _changes(node: exp.Expr) -> list[Finding]:
    """Judge what an update assigns."""
    if not isinstance(node, exp.Update) or not isinstance(node.this, exp.Table):
        return []
    place, found = place_of(node.this.db, node.this.name), []
    for assignment in node.expressions:
        if isinstance(assignment, exp.EQ) and assignment.left.name == place.column:
            found.append(MOVED)
        names = {f.name.lower() for f in assignment.find_all(exp.Anonymous)}
        if place.kind == "spread" and names & _VOLATILE:
            found.append(VOLATILE)
    return found
