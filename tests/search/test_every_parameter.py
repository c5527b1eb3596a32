"""Every search parameter of R4 with every modifier and prefix that fits its kind: run on a database, or on the list of what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.conformance.outcomes import Tally

from yersin.fhir import r4
from yersin.fhir.parameters import Parameter, parameters
from yersin.fhir.problem import Problem
from yersin.guard.access import Access
from yersin.search.forms import forms
from yersin.search.page import Query
from yersin.search.run import search

#: what is refused: a kind of parameter or one parameter, and the modifier; "" is the parameter itself
REFUSED = {
    *(("_id", modifier) for modifier in ("above", "below", "in", "not-in", "of-type", "text")),
    ("reference", "above"),
    ("reference", "below"),
}
#: asked once for each type: what it looks up is the same for all
ONCE = ("in", "not-in", "above", "below")


def named(parameter: Parameter, modifier: str) -> str:
    """The kind where a modifier of the whole kind is refused, else the parameter."""
    if parameter.code.startswith("_"):
        return parameter.code
    return parameter.kind if modifier else f"{parameter.type}.{parameter.code}"


TYPES = [name for name in r4.TYPE_NUMBER if name != "AuditEvent"]


def test_there_are_all_parameters_of_r4() -> None:
    assert sum(len([c for c in parameters(name) if not c.startswith("_")]) for name in r4.TYPE_NUMBER) > 1_700


@pytest.mark.timeout(120)
def test_every_form_of_every_parameter_is_run_or_refused_by_name(run: Any, system: Access, tally: Tally) -> None:
    asked = datetime.now(UTC)
    refused, failed, done = run(_all(system))
    assert not failed, failed[:10]
    assert refused == REFUSED, (sorted(refused - REFUSED), sorted(REFUSED - refused))
    assert done > 3_000
    tally(done)
    assert (datetime.now(UTC) - asked).total_seconds() < 100


async def _all(system: Access) -> tuple[set[tuple[str, str]], list[str], int]:
    refused: set[tuple[str, str]] = set()
    failed: list[str] = []
    done = 0
    async with system.ground.database.searching() as connection:
        for type_name in TYPES:
            once: set[str] = set()
            for parameter in parameters(type_name).values():
                code = parameter.code
                for modifier, name, value in forms(parameter):
                    if modifier in ONCE and parameter.kind == "token":
                        if modifier in once:
                            continue
                        once.add(modifier)
                    try:
                        query = Query.of(type_name, [(name, value)])
                        await search(connection, system.ground.indexer, query, system.scope)
                        done += 1
                    except Problem as refusal:
                        refused.add((named(parameter, modifier), modifier))
                        if code not in refusal.issues[0].diagnostics:
                            failed.append(f"{type_name}?{name}={value}: refused without its name")
                    except Exception as error:  # noqa: BLE001 - whatever fails is the finding
                        failed.append(f"{type_name}?{name}={value}: {error!r:.120}")
    return refused, failed, done
