"""`yersin cluster check`: tables and statements judged by what Citus can run; docs/scale.md tells what follows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from yersin.fhir import r4
from yersin.guard.cluster.checking import Refused, refused, shapes_of
from yersin.guard.cluster.shapes import Shapes
from yersin.guard.cluster.tables import judge_tables
from yersin.views.feed import next_to_fill
from yersin.views.tables import house_views

from .schema import STEPS
from .upkeep import CLEARING


def check(tell: Callable[[str], None], types: Iterable[str] = r4.TYPE_NUMBER) -> bool:
    """Tell what a cluster cannot run; answers whether there is nothing."""
    broken = judge_tables("\n".join(step.sql for step in STEPS))
    for table, finding in broken:
        tell(f"table {table}: {finding.rule}\n  cure: {finding.cure}")
    asked = asyncio.run(Shapes({}).all(types)) | beside()
    shapes = shapes_of(asked)
    found = refused(shapes)
    alike: dict[tuple[str, ...], list[Refused]] = {}
    for each in found:
        alike.setdefault((each.shape.sql[:80], *(finding.rule for finding in each.findings)), []).append(each)
    for shapes_alike in alike.values():
        tell(_told(shapes_alike))
    tell(
        f"{len(asked)} statements of {len(shapes)} shapes; {len(found)} shapes and {len(broken)} tables that Citus cannot run"
    )
    return not found and not broken


def beside() -> dict[str, str]:
    """Return statements of what works beside the answers and names spread tables: the feed of views, the clearing of what has ended."""
    fed = {next_to_fill(view.definition.resource): f"{view.name} filled" for view in house_views()}
    return fed | {statement: "cleared every hour" for statement in CLEARING if statement.startswith("DELETE")}


def _told(alike: Sequence[Refused]) -> str:
    each, count = alike[0], sum(one.shape.alike for one in alike)
    rules = "".join(f"\n  rule: it {finding.rule}\n  cure: {finding.cure}" for finding in each.findings)
    return f"{each.shape.asked} ({count} alike){rules}\n  {' '.join(each.shape.sql.split())}"
