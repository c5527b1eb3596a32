"""`Observation/$lastn`: the latest observations of each code. Source: https://hl7.org/fhir/R4/observation-operation-lastn.html"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from yersin.fhir import choice, parse, r4
from yersin.fhir.parameters import parameters
from yersin.fhir.problem import problem
from yersin.guard.who import Grant
from yersin.search.page import Query, Sort
from yersin.store.versions import Version

from .bundles import bundle, search_entry
from .messages import Request, Response
from .operations import Asked, Input, Operation, returning

#: observations that one answer looks at
LIMIT = 10_000
_WHOSE = frozenset({"patient", "subject"})
_WHICH = frozenset({"category", "code", "component-code", "combo-code"})
_SHOWING = frozenset({"_count", "_sort", "_total", "_summary", "_include", "_revinclude"})


async def lastn(asked: Asked) -> Response:
    """GET or POST [base]/Observation/$lastn?max=3&patient=…&category=vital-signs"""
    request = asked.request
    pairs = _pairs(request)
    most = _most([value for name, value in pairs if name == "max"])
    wanted = [(name, value) for name, value in pairs if name != "max"]
    _require_narrow([name for name, _ in wanted])
    newest = Sort(parameter=parameters("Observation")["date"], descending=True)
    found = await request.access.search(replace(Query.of("Observation", wanted), sort=(newest,), count=LIMIT))
    if found.after:
        text = f"More than {LIMIT} observations match. Narrow $lastn by code, category or date."
        raise problem("too-costly", text, status=422)
    chosen = [version for group in _groups(found.versions) for version in group[:most]]
    entries = [search_entry(request.base, version, b"match") for version in chosen]
    return Response(body=bundle("searchset", entries, total=len(chosen)))


def _pairs(request: Request) -> list[tuple[str, str]]:
    pairs = request.parameters()
    if request.body and not request.is_form:
        sent = parse(request.body, expect="Parameters")
        assert isinstance(sent, r4.Parameters)  # noqa: S101 - parsed as such
        pairs += [(part.name or "", str(choice(part, "value") or "")) for part in sent.parameter or ()]
    return pairs


def _most(given: Sequence[str]) -> int:
    if not given:
        return 1
    if len(given) > 1 or not given[0].isdecimal() or len(given[0]) > 6 or int(given[0]) == 0:
        raise problem("value", "max: write one whole number from 1.", expression="max")
    return int(given[0])


def _require_narrow(names: Sequence[str]) -> None:
    plain = {name.partition(":")[0].partition(".")[0] for name in names}
    if shown := plain & _SHOWING:
        name = min(shown)
        raise problem("not-supported", f"$lastn does not take {name}: it says itself what comes.", expression=name)
    if not plain & _WHOSE:
        raise problem("required", "$lastn needs patient or subject.", expression="patient")
    if not plain & _WHICH:
        raise problem("required", "$lastn needs category or code.", expression="category")


def _groups(versions: Sequence[Version]) -> list[list[Version]]:
    """Put observations together whose codes share a coding, or the text where there is none; the latest stand first."""
    groups: list[tuple[set[tuple[str, str]], list[Version]]] = []
    at: dict[tuple[str, str], int] = {}
    for version in versions:
        marks = _marks(version)
        joined = sorted({at[mark] for mark in marks if mark in at})
        if not joined:
            joined = [len(groups)]
            groups.append((set(), []))
        first, *others = joined
        for other in others:  # this one says that two groups are the same
            known, listed = groups[other]
            groups[first][0].update(known)
            groups[first][1].extend(listed)
            at |= dict.fromkeys(known, first)
            groups[other] = (set(), [])
        groups[first][0].update(marks)
        groups[first][1].append(version)
        at |= dict.fromkeys(marks, first)
    place = {version.id: n for n, version in enumerate(versions)}
    return [sorted(listed, key=lambda v: place[v.id]) for _, listed in groups if listed]


def _marks(version: Version) -> set[tuple[str, str]]:
    resource = version.resource()
    code = resource.code if isinstance(resource, r4.Observation) else None
    if code is None:
        return {("", "")}
    marks = {(coding.system or "", coding.code or "") for coding in code.coding or () if coding.code}
    return marks or {("text", (code.text or "").casefold())}


OPERATIONS: Sequence[Operation] = (
    Operation(
        name="lastn",
        definition="http://hl7.org/fhir/OperationDefinition/Observation-lastn",
        work=lastn,
        levels=frozenset({"type"}),
        types=("Observation",),
        grant=Grant("Observation", "s"),
        inputs=(Input(name="max", type="positiveInt"),),
        takes_search=True,
        title="The latest observations of each code",
        outputs=returning("Bundle"),
    ),
)
