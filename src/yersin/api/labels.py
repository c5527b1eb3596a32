"""`$meta`, `$meta-add` and `$meta-delete`: profiles, tags and security labels. A change of them is a new version.

Source: https://hl7.org/fhir/R4/resource-operations.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from yersin.fhir import r4
from yersin.fhir.problem import problem
from yersin.guard import audit, holding, labelling
from yersin.guard.access import disclosed
from yersin.guard.writing import Update, Writing
from yersin.store.identity import row_id
from yersin.store.versions import Version

from .messages import Response
from .operations import EVERY, Asked, Input, Operation, answer, returning
from .read import there

_DEFINITIONS = "http://hl7.org/fhir/OperationDefinition/Resource-"
Change = Callable[[r4.Meta, r4.Meta], None]


async def meta(asked: Asked) -> Response:
    """GET or POST [base]/$meta, [base]/[type]/$meta, [base]/[type]/[id]/$meta, [base]/[type]/[id]/_history/[version]/$meta"""
    access = asked.request.access
    if asked.id:
        return _answered(_meta(await _asked_version(asked)))
    types = [name for name in ([asked.type] if asked.type else r4.TYPE_NUMBER) if access.who.is_granted(name, "s")]
    if not types:
        access.who.require_grant(asked.type or "*", "s")
    found = await labelling.used(access, types)
    kept = {name: value for name, value in msgspec.to_builtins(found).items() if value}
    for labels in (kept.get("tag", ()), kept.get("security", ())):
        for label in labels:
            for name in [name for name, value in label.items() if not value]:
                del label[name]
    return _answered(msgspec.convert(kept, r4.Meta))


async def _asked_version(asked: Asked) -> Version:
    path, access = asked.request.path, asked.request.access
    if len(path) == 3:
        version = await access.read(asked.type, asked.id)
    elif path[3].isdecimal() and len(path[3]) < 10:
        version = await access.vread(asked.type, asked.id, int(path[3]))
    else:
        raise problem("not-found", f"There is no version {path[3][:20]}; versions are numbers.", status=404)
    return there(version)


def _meta(version: Version) -> r4.Meta:
    return version.resource().meta or r4.Meta()


def _answered(found: r4.Meta) -> Response:
    return answer(r4.Parameters(parameter=[r4.ParametersParameter(name="return", valueMeta=found)]))


async def add(asked: Asked) -> Response:
    """POST [base]/[type]/[id]/$meta-add"""
    return await _changed(asked, _added)


async def remove(asked: Asked) -> Response:
    """POST [base]/[type]/[id]/$meta-delete"""
    return await _changed(asked, _removed)


async def _changed(asked: Asked, change: Change) -> Response:
    access, given = asked.request.access, asked.given.value("meta")
    access.who.require_grant(asked.type, "u")
    if asked.type == "AuditEvent":
        raise problem("not-supported", "The audit is read and searched; nobody changes it.", status=405)

    async def work(writing: Writing) -> tuple[Version, bool]:
        version = there(await holding.standing(writing, asked.type, asked.id))
        resource = version.resource()
        resource.meta = resource.meta or r4.Meta()
        before = msgspec.to_builtins(resource.meta)
        change(resource.meta, given)
        if msgspec.to_builtins(resource.meta) == before:
            return version, False
        (written,) = await writing.write([Update(resource=resource, expected=version.ver)])
        return written.version, True

    entity = row_id(asked.type, asked.id).id
    attempt = audit.Entry(interaction="update", type=asked.type, entity=entity)
    version, is_new = await access.atomically(work, attempt=attempt)
    if not is_new:
        patients = disclosed([version])
        await access.record(audit.Entry(interaction="read", type=asked.type, entity=entity, patients=patients))
    return _answered(_meta(version))


def _added(kept: r4.Meta, given: r4.Meta) -> None:
    profiles = [*(kept.profile or ()), *(given.profile or ())]
    kept.profile = list(dict.fromkeys(profiles)) or None
    kept.tag = _united(kept.tag, given.tag)
    kept.security = _united(kept.security, given.security)


def _united(kept: Sequence[r4.Coding] | None, given: Sequence[r4.Coding] | None) -> list[r4.Coding] | None:
    known = {_key(label) for label in kept or ()}
    new: dict[Any, r4.Coding] = {_key(label): label for label in given or () if _key(label) not in known}
    return [*(kept or ()), *new.values()] or None


def _removed(kept: r4.Meta, given: r4.Meta) -> None:
    kept.profile = [each for each in kept.profile or () if each not in (given.profile or ())] or None
    kept.tag = _without(kept.tag, given.tag)
    kept.security = _without(kept.security, given.security)


def _without(kept: Sequence[r4.Coding] | None, given: Sequence[r4.Coding] | None) -> list[r4.Coding] | None:
    gone = {_key(label) for label in given or ()}
    return [label for label in kept or () if _key(label) not in gone] or None


def _key(label: r4.Coding) -> tuple[str | None, str | None]:
    return label.system, label.code


_META = (Input(name="meta", type="Meta", required=True),)
OPERATIONS: Sequence[Operation] = (
    Operation(
        name="meta",
        definition=f"{_DEFINITIONS}meta",
        work=meta,
        levels=frozenset({"system", "type", "instance"}),
        types=(EVERY,),
        of_versions=True,
        title="Profiles, tags and security labels",
        outputs=returning("Meta"),
    ),
    Operation(
        name="meta-add",
        definition=f"{_DEFINITIONS}meta-add",
        title="Add profiles, tags and security labels",
        outputs=returning("Meta"),
        work=add,
        levels=frozenset({"instance"}),
        types=(EVERY,),
        inputs=_META,
        affects_state=True,
    ),
    Operation(
        name="meta-delete",
        definition=f"{_DEFINITIONS}meta-delete",
        title="Take profiles, tags and security labels away",
        outputs=returning("Meta"),
        work=remove,
        levels=frozenset({"instance"}),
        types=(EVERY,),
        inputs=_META,
        affects_state=True,
    ),
)
