"""The WHERE clause of a search under construction. Token criteria that must all hold become one array, one index scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from yersin.db.sql import Sql
from yersin.fhir.dates import shifted
from yersin.fhir.problem import Problem, problem
from yersin.store.schema import SHORT_SPAN, long_span, range_table, table

from .page import Criterion
from .rarity import Rarity
from .tokens import hashes

#: what a whole date covers; no single date, however partial, covers more than the other
_DAY, _LONGEST = timedelta(days=1), timedelta(days=366)
_BEYOND = timedelta(microseconds=1)


@dataclass(slots=True, kw_only=True)
class Where:
    """Conditions on the rows `r` of one type's table."""

    type: str
    sql: Sql
    key: bytes
    zone: ZoneInfo
    now: datetime
    rarity: Rarity
    base: str = ""
    #: tokens that a match has all of, groups of which it has one each, and whether one of these names few by its nature
    required: list[int] = field(default_factory=list)
    groups: list[list[int]] = field(default_factory=list)
    names_few: bool = False
    parts: list[str] = field(default_factory=list)
    #: moments that every match reaches, and before which it begins, by its main date
    since: list[datetime] = field(default_factory=list)
    before: list[datetime] = field(default_factory=list)
    #: whether the main date is one date, never a period
    calendar: bool = False
    #: key that range rows must have: the code beside the value, in a composite
    beside: int | None = None

    def add(self, condition: str) -> None:
        """Require a condition."""
        self.parts.append(condition)

    def any_token(self, texts: Sequence[str], *, negated: bool = False, names_few: bool = False) -> None:
        """Require one of some tokens, or that none of them is there. `names_few`: an identifier, somebody's record."""
        numbers = list(hashes(texts, self.key))
        if negated:
            self.parts.append(f"NOT r.tok && {self.sql.arg(numbers, 'bigint[]')}")
            return
        self.names_few = self.names_few or names_few
        if len(numbers) == 1:
            self.required += numbers
        else:
            self.groups.append(numbers)

    def hashed(self, texts: Sequence[str]) -> str:
        """Return the argument that holds the hashes of some texts."""
        return self.sql.arg(list(hashes(texts, self.key)), "bigint[]")

    def in_ranges(self, numbers: Sequence[int], condition: str, *, negated: bool = False) -> None:
        """Require a row `x` of the range table, of one of these parameters, that meets a condition."""
        wanted = self.sql.arg(list(numbers), "smallint[]")
        if self.beside is not None:
            condition = f"x.key = {self.sql.arg(self.beside, 'bigint')} AND {condition}"
        exists = (
            f"EXISTS (SELECT 1 FROM {range_table(self.type)} x WHERE x.pat = r.pat AND x.id = r.id "
            f"AND x.param = ANY({wanted}) AND {condition})"
        )
        self.parts.append(f"NOT {exists}" if negated else exists)

    def text(self) -> str:
        """Return the whole clause."""
        return " AND ".join([*self._tokens(), *self._dated(), *self.parts]) or "true"

    @property
    def is_narrow(self) -> bool:
        """Whether one of the tokens is known to be rare, so that its rows are best gathered first."""
        groups = [*([number] for number in self.required), *self.groups]
        return self.names_few or any(self.rarity.are_rare(self.type, group) for group in groups)

    def rows(self) -> str:
        """Return the rows `r` that match, as FROM and WHERE, for a statement that orders or limits them.

        A narrow search gathers by its tokens first: OFFSET 0 keeps the planner from anything else (see `rarity`).
        What asks of other tables is asked in there, where Citus sees that their rows lie beside each other.
        """
        if not self.is_narrow:
            return f"{table(self.type)} r WHERE {self.text()}"
        elsewhere = [part for part in self.parts if "(SELECT" in part]
        here = [part for part in self.parts if "(SELECT" not in part]
        inner = " AND ".join([*self._tokens(), *elsewhere])
        outer = " AND ".join([*self._dated(), *here]) or "true"
        return f"(SELECT * FROM {table(self.type)} r WHERE {inner} OFFSET 0) r WHERE {outer}"

    def _tokens(self) -> list[str]:
        every = [f"r.tok @> {self.sql.arg(self.required, 'bigint[]')}"] if self.required else []
        return [*every, *(f"r.tok && {self.sql.arg(group, 'bigint[]')}" for group in self.groups)]

    def _dated(self) -> list[str]:
        """Bounds of the main date's beginning. Most spans are short; long ones have an index of their own."""
        until = [f"r.d_lo < {self.sql.arg(min(self.before), 'timestamptz')}"] if self.before else []
        if not self.since:
            return until
        since = max(self.since)
        # what is short of single dates is one day: an hour more would read everybody of the day before
        reach = _DAY if self.calendar else SHORT_SPAN
        short = [f"r.d_lo > {self.sql.arg(shifted(since, -reach), 'timestamptz')}", *until]
        # a bound that both sides shared would be taken out of the OR, and then neither side be seen to be narrow
        later = [f"r.d_lo < {self.sql.arg(shifted(min(self.before), _BEYOND), 'timestamptz')}"] if self.before else []
        long = [long_span("r."), *later]
        if self.calendar:
            long.append(f"r.d_lo > {self.sql.arg(shifted(since, -_LONGEST), 'timestamptz')}")
        return [f"({' AND '.join(short)} OR {' AND '.join(long)})"]


def either(conditions: Sequence[str]) -> str:
    """Join conditions of which one must hold."""
    return conditions[0] if len(conditions) == 1 else f"({' OR '.join(conditions)})"


def refuse_modifier(criterion: Criterion, allowed: Sequence[str]) -> Problem:
    """Say that a modifier does not fit."""
    can = f"It takes {', '.join(':' + m for m in allowed)}." if allowed else "It takes none."
    code = criterion.parameter.code
    return problem(
        "not-supported", f"{code} does not take the modifier :{criterion.modifier}. {can}", expression=criterion.place
    )


def refuse_value(criterion: Criterion, value: str, wanted: str) -> Problem:
    """Say that a value cannot be read."""
    return problem("invalid", f"{criterion.place}={value}: {wanted}", expression=criterion.place)
