"""The WHERE clause of a search under construction. Token criteria that must all hold become one array, one index scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from yersin.db.sql import Sql
from yersin.fhir.dates import shifted
from yersin.fhir.problem import Problem, problem
from yersin.store.schema import SHORT_SPAN, long_span, range_table

from .page import Criterion
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
    base: str = ""
    required: list[int] = field(default_factory=list)
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

    def any_token(self, texts: Sequence[str], *, negated: bool = False) -> None:
        """Require one of some tokens, or that none of them is there."""
        numbers = list(hashes(texts, self.key))
        if negated:
            self.parts.append(f"NOT r.tok && {self.sql.arg(numbers, 'bigint[]')}")
        elif len(numbers) == 1:
            self.required += numbers
        else:
            self.parts.append(f"r.tok && {self.sql.arg(numbers, 'bigint[]')}")

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
        first = [f"r.tok @> {self.sql.arg(self.required, 'bigint[]')}"] if self.required else []
        return " AND ".join([*first, *self._dated(), *self.parts]) or "true"

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
