"""Where each table lies in a cluster: spread by a column, a copy on every machine, or on the coordinator alone.

What belongs to a chart is spread by `pat`, so that a chart is whole on one machine; types outside of charts are copied
everywhere. Source: https://docs.citusdata.com/en/stable/develop/reference_ddl.html
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from yersin.fhir import r4
from yersin.guard.scope import in_chart


class Place(NamedTuple):
    """Where a table lies. `column` is what it is spread by; tables of one `group` lie together by it."""

    kind: str
    column: str = ""
    group: str = ""


#: spread over the machines by patient, by logical id; on every machine; on the coordinator; made while a query runs
CHARTS, IDS = Place("spread", "pat", "charts"), Place("spread", "id", "ids")
COPIED, LOCAL, LOOSE = Place("copied"), Place("local"), Place("loose")
_SHARED = {"history": CHARTS, "care": CHARTS, "id_map": IDS}


def place_of(schema: str, table: str) -> Place:
    """Where a table lies."""
    return _types()[table] if schema == "fhir" and table in _types() else _SHARED.get(table, LOCAL)


@cache
def _types() -> dict[str, Place]:
    places = {name.lower(): CHARTS if in_chart(name) else COPIED for name in r4.TYPE_NUMBER}
    return places | {f"{name}_range": place for name, place in places.items()}
