"""Every statement that reads or writes resources, got by asking the product itself, without a database.

All search parameters with each modifier and prefix, chains and `_has` along every reference, includes, orders,
compartments and further pages; under the scope of the system, of a citizen and of a facility; and all that reads,
writes, numbers, exports, gathers or hears versions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from yersin.fhir import r4
from yersin.fhir.parameters import Parameter, parameters
from yersin.fhir.problem import Problem
from yersin.guard import alone, care, exporting, gathering, hearing, holding, labelling, profiling, reindexing
from yersin.guard.access import Access, Ground
from yersin.guard.keys import PURPOSES, Keys
from yersin.guard.laws import Laws
from yersin.guard.scope import in_chart
from yersin.guard.who import Who, system
from yersin.guard.writing import Change, Create, Delete, Update, Writing
from yersin.search import people
from yersin.search.forms import forms
from yersin.search.include import included
from yersin.search.joins import IDS_LIMIT, Ids, Joiner, Numbers
from yersin.search.page import Include, Query
from yersin.search.rows import Indexer
from yersin.search.run import count, estimate, search
from yersin.store import changes, histories, reading
from yersin.store import writing as store
from yersin.store.content import PLAIN
from yersin.store.identity import RowId
from yersin.store.versions import Version
from yersin.terminology import intake

from .recording import Recorder

_ID, _OTHER = UUID(int=7), UUID(int=8)
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_PLACE = ("2026-01-01", str(_ID), str(_ID))
_HORIZON = "3:3: 0.0"
_SEVERAL = 2
#: types whose single changes are tried: two of charts, with and without ranges, and one outside of them
_TRIED: tuple[Callable[[], r4.Resource], ...] = (
    lambda: r4.Patient(name=[r4.HumanName(family="An")]),
    lambda: r4.Observation(
        status="final", code=r4.CodeableConcept(text="x"), subject=r4.Reference(reference=f"Patient/{_ID}")
    ),
    lambda: r4.Encounter(
        status="in-progress",
        class_=r4.Coding(code="AMB"),
        subject=r4.Reference(reference=f"Patient/{_ID}"),
        serviceProvider=r4.Reference(reference=f"Organization/{_OTHER}"),
    ),
    lambda: r4.Basic(code=r4.CodeableConcept(text="x")),
    lambda: r4.Organization(name="An"),
)


def scopes() -> dict[str, Who]:
    """Askers whose scopes differ: the system, a citizen, a health worker of a facility."""
    citizen = Who(role="citizen", purpose="PATRQT", patient=_ID, patient_id=str(_ID))
    worker = Who(role="doctor", purpose="TREAT", organization=_ID, organization_id=str(_ID), practitioner=_ID)
    return {"system": system("HOPERAT"), "citizen": citizen, "facility": worker}


class Shapes:
    """Tries everything on a recorder."""

    def __init__(self, laws: Laws) -> None:
        self.recorder = Recorder()
        self.indexer = Indexer(bytes(16), ZoneInfo("Asia/Ho_Chi_Minh"), base="http://localhost/fhir", terms=_Terms())
        recorder = cast("Any", self.recorder)
        keys = Keys(dict.fromkeys(PURPOSES, bytes(32)))
        self.ground = Ground(recorder, recorder, self.indexer, keys, self.indexer.zone, laws)
        self.connection = recorder
        self.accesses = {name: self.ground.access(who) for name, who in scopes().items()}

    async def all(self, types: Iterable[str] = r4.TYPE_NUMBER) -> dict[str, str]:
        """Return every statement about some types, and what was asked when it was made."""
        for type_name in types:
            for name, access in self.accesses.items():
                await self._searches(type_name, name, access)
                self.recorder.type = type_name
                await self._versions(type_name, name, access)
                self.recorder.type = "Basic"
            await self._writes(type_name)
        await self._changes()
        await self._rest()
        return self.recorder.asked

    async def _try(self, of: str, work: Awaitable[Any]) -> None:
        """Do work as far as it goes: until the product refuses it, or an invented row is of no further use."""
        self.recorder.of = of
        with suppress(Problem, ValueError, LookupError, TypeError):
            await work

    async def _searches(self, type_name: str, asker: str, access: Access) -> None:
        known = parameters(type_name).values()
        for parameter in known if asker == "system" else {each.kind: each for each in known}.values():
            for text, query in self._queries(type_name, asker, parameter):
                for many in (False, True) if query.joins else (False,):
                    self.recorder.many = many
                    await self._try(f"{text} by {asker}", search(self.connection, self.indexer, query, access.scope))
            self.recorder.many = False
        plain = Query(type=type_name)
        settled = replace(plain, settled=(Ids(ids=[_ID]), Numbers(numbers=[1])))
        for query in (plain, settled, replace(plain, within=("Patient", str(_ID))), replace(plain, summary="count")):
            await self._try(f"{type_name} by {asker}", search(self.connection, self.indexer, query, access.scope))
        for counting in (count, estimate):
            await self._try(
                f"{type_name} counted by {asker}", counting(self.connection, self.indexer, plain, access.scope)
            )
        joiner = Joiner(connection=self.connection, indexer=self.indexer, scope=access.scope)
        await self._try(f"names of {type_name} by {asker}", joiner.names(plain, IDS_LIMIT))
        for rule in _inclusions(type_name):
            match = Version(type="Basic", id=str(_ID), ver=1, upd=_NOW, pat=_ID, enc=PLAIN, content=b"}}")
            query = Query(type=rule.parameter.type, revincludes=(rule,))
            text = f"_revinclude={type_name}:{rule.parameter.code} by {asker}"
            await self._try(text, included(self.connection, self.indexer, query, [match], access.scope))

    def _queries(self, type_name: str, asker: str, parameter: Parameter) -> Iterator[tuple[str, Query]]:
        """Give searches by a parameter: all its forms, sorted by it, further pages of that, through it elsewhere."""
        asked: list[tuple[str, str]] = []
        if asker == "system":
            asked += [(name, value) for _, name, value in forms(parameter)]
        if parameter.kind == "reference":
            for target in (parameter.targets or ("Patient", "Organization"))[:_SEVERAL]:
                asked += [
                    (f"{parameter.code}:{target}._id", "x"),
                    (f"{parameter.code}:{target}._lastUpdated", "ge2026"),
                ]
        for name, value in asked:
            with suppress(Problem):
                yield f"{type_name}?{name}={value}", Query.of(type_name, [(name, value)])
        for sign in ("", "-"):
            with suppress(Problem):
                query = Query.of(type_name, [("_sort", f"{sign}{parameter.code}")])
                yield f"{type_name}?_sort={sign}{parameter.code}", query
                if query.sort[0].parameter.kind != "token":
                    yield f"{type_name}?_sort={parameter.code}, page 2", replace(query, after=_PLACE, horizon=_HORIZON)
        if parameter.kind == "reference":
            for target in (parameter.targets or ("Patient", "Organization"))[:_SEVERAL]:
                name = f"_has:{type_name}:{parameter.code}:_lastUpdated"
                with suppress(Problem):
                    yield f"{target}?{name}=ge2026", Query.of(target, [(name, "ge2026")])

    async def _versions(self, type_name: str, asker: str, access: Access) -> None:
        row = RowId(_ID, None)
        for wanted in (
            histories.Wanted(limit=5),
            histories.Wanted(limit=5, since=_NOW, after=(3, 1), oldest_first=True),
            histories.Wanted(limit=5, lo=_NOW, hi=_NOW),
        ):
            of = f"history by {asker}"
            one = replace(wanted, after=wanted.after[:1])
            await self._try(
                f"{type_name}/1 {of}", histories.of_resource(self.connection, type_name, row, access.scope, one)
            )
            await self._try(f"{type_name} {of}", histories.of_types(self.connection, [type_name], access.scope, wanted))
        reads: Sequence[Awaitable[Any]] = (
            access.read(type_name, str(_ID)),
            access.vread(type_name, str(_ID), 1),
            reading.read(self.connection, type_name, row, access.scope),
            reading.vread(self.connection, type_name, row, 1, access.scope),
            reading.current(self.connection, type_name, [_ID], access.scope),
            hearing.matching(self.connection, access, Query(type=type_name), [_ID]),
            labelling.used(access, [type_name]),
            *self._exports(type_name, access),
        )
        for read in reads:
            await self._try(f"{type_name} read by {asker}", read)

    def _exports(self, type_name: str, access: Access) -> Iterator[Awaitable[Any]]:
        async def take(_versions: Sequence[Version]) -> bool:
            return True

        whole = exporting.Slice(type=type_name, moment=exporting.Moment(_NOW, 3), since=_NOW)
        parts = [
            whole,
            replace(whole, charts=True, others=("export_member", _ID)),
            replace(whole, charts=True, patients=["x"], placed=[_ID], others=("export_member", _ID)),
            replace(whole, queries=[Query(type=type_name)]),
        ]
        for part in parts:
            yield exporting.read(access, part, exporting.Place(), 10, take)
            yield exporting.deleted(access, [part], (0, 0))
        if in_chart(type_name):
            for compartment in ("Patient", "Encounter"):
                gathered = gathering.Whole(
                    compartment=compartment, id=str(_ID), types=[type_name], since=_NOW, start=_NOW, end=_NOW, count=5
                )
                yield gathering.gather(access, gathered, gathering.Reached())

    async def _writes(self, type_name: str) -> None:
        """Write first and further versions, revive, delete, and carry to another place."""
        one = store.Write(op="C", type=type_name, id=_ID, pat=_ID)
        for write in (
            one,
            store.Write(op="C", type=type_name, id=_ID, pat=_ID, ver=2, old_pat=_ID),
            store.Write(op="U", type=type_name, id=_ID, pat=_ID, ver=2, old_pat=_OTHER),
            store.Write(op="D", type=type_name, id=_ID, pat=_ID, ver=2, old_pat=_ID),
        ):
            await self._try(f"{type_name} written ({write.op})", store.write(self.connection, [write]))
        for every in (False, True):
            work = reindexing.batch(self.ground, type_name, reindexing.BEGINNING, every=every)
            await self._try(f"{type_name} indexed anew", work)
        await self._try(f"{type_name} locked", store.lock(self.connection, [(r4.TYPE_NUMBER[type_name], _ID)] * 2))

    async def _changes(self) -> None:
        """Write by each asker, one change at a time and together."""
        for make in _TRIED:
            type_name = type(make()).__name__
            for name, access in self.accesses.items():
                for changed in _changed(make):
                    of = f"{type(changed).__name__} {type_name} by {name}"
                    await self._try(of, alone.write(access, changed()))
                    await self._try(of, Writing(access, self.connection).write([changed()]))
        for name, access in self.accesses.items():
            await self._try(f"held by {name}", holding.is_there(Writing(access, self.connection), "Patient", str(_ID)))
            await self._try(f"patient shared by {name}", access.shared(str(_ID)))
            find = access.find_people(people.typed("Nguyen An 1980"), list)
            await self._try(f"people found by {name}", find)
        told = care.Told(r4.TYPE_NUMBER["Encounter"], _ID, _ID, [care.Care(org=_ID, since=_NOW, until=_NOW)], new=False)
        await self._try("care relationships", care.put(self.connection, [told]))

    async def _rest(self) -> None:
        await self._try("change log", changes.after(self.connection, changes.Cursor()))
        await self._try("terminology", intake.take_in(self.connection))
        await self._try("profiles", profiling.Profiling(self.connection, self.indexer).library())


def _changed(make: Callable[[], r4.Resource]) -> Iterator[Callable[[], Change]]:
    def named() -> r4.Resource:
        resource = make()
        resource.id = str(_ID)
        return resource

    yield lambda: Create(resource=make())
    yield lambda: Update(resource=named())
    yield lambda: Delete(type=type(make()).__name__, id=str(_ID))


def _inclusions(type_name: str) -> Iterator[Include]:
    for parameter in parameters(type_name).values():
        if parameter.kind == "reference" and not parameter.covers:
            yield Include(source=type_name, parameter=parameter, target="")


class _Terms:
    """Value sets and hierarchies that hold one code."""

    async def members(self, _connection: Any, _url: str, _limit: int) -> Sequence[tuple[str, str]]:
        return [("urn:x", "y")]

    async def below(self, _connection: Any, _system: str, code: str, _limit: int) -> Sequence[str]:
        return [code]

    async def above(self, _connection: Any, _system: str, code: str, _limit: int) -> Sequence[str]:
        return [code]
