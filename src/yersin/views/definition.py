"""ViewDefinition: reads one, refuses what is wrong with it, and makes the rows of a resource.

Source: https://sql-on-fhir.org, ViewDefinition and its processing algorithm (SQL on FHIR v2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any, TypedDict

import msgspec

from .paths import Items, Path, Scene, compiled, refusal, truth

Row = dict[str, Any]
JSON = Mapping[str, Any]


class _Named(TypedDict):
    """A constant, or a tag of a column."""

    name: str


class _Condition(TypedDict):
    """A part of `where`."""

    path: str


class _Column(TypedDict, total=False):
    name: str
    path: str
    type: str
    collection: bool
    tag: list[_Named]


class _Part(TypedDict, total=False):
    column: list[_Column]
    select: list[_Part]
    unionAll: list[_Part]
    forEach: str
    forEachOrNull: str
    repeat: list[str]


class _Written(TypedDict, total=False):
    """What a ViewDefinition is in JSON, as far as it is read here."""

    name: str
    resource: str
    constant: list[_Named]
    where: list[_Condition]
    select: list[_Part]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: its FHIR type, and the SQL type where the definition's tag `ansi/type` names one."""

    name: str
    path: Path
    type: str
    collection: bool
    sql_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Select:
    """One part of a view; `unfold` answers the elements it runs over, with their numbers."""

    columns: tuple[Column, ...]
    selects: tuple[Select, ...]
    unions: tuple[Select, ...]
    unfold: Callable[[Items, Scene], list[tuple[Items, int]]]
    or_null: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Columns in their order."""
        nested = [name for select in (*self.selects, *self.unions[:1]) for name in select.names]
        return (*(column.name for column in self.columns), *nested)

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Columns with those of the parts inside."""
        nested = [column for select in (*self.selects, *self.unions[:1]) for column in select.all_columns]
        return (*self.columns, *nested)


@dataclass(frozen=True, kw_only=True)
class ViewDefinition:
    """A view ready to run."""

    name: str
    resource: str
    root: Select
    where: tuple[Path, ...]
    constants: Mapping[str, Items]

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Columns in their order."""
        return self.root.all_columns

    def rows(self, resource: JSON, key_of: Callable[[str, str], Any]) -> list[Row]:
        """Rows of one resource, none when it is of another type or left out by `where`."""
        if resource.get("resourceType") != self.resource:
            return []
        scene = Scene(key_of=key_of, constants=self.constants)
        if not all(truth(path([resource], scene)) for path in self.where):
            return []
        return list(_rows(self.root, [resource], scene))


def read(definition: JSON) -> ViewDefinition:
    """Read a ViewDefinition. Raises Problem naming what is wrong, and where."""
    try:
        msgspec.convert(definition, _Written)
    except msgspec.ValidationError as error:
        raise refusal(f"This is no ViewDefinition: {error}.") from error
    constants = {each["name"]: [_value_of(each)] for each in definition.get("constant", ())}
    if not definition.get("resource") or not definition.get("select"):
        raise refusal("A ViewDefinition needs `resource` and `select`.")
    root = _select({"select": definition["select"]}, constants)
    if len(set(root.names)) != len(root.names):
        raise refusal(f"Two columns have the same name: {', '.join(root.names)}.")
    return ViewDefinition(
        name=definition.get("name", ""),
        resource=definition["resource"],
        root=root,
        where=tuple(compiled(each["path"], constants) for each in definition.get("where", ())),
        constants=constants,
    )


def _value_of(constant: JSON) -> Any:
    values = [value for key, value in constant.items() if key.startswith("value")]
    if len(values) != 1:
        raise refusal(f"The constant {constant.get('name')!r} needs exactly one value[x].")
    return values[0]


def _select(part: JSON, constants: Mapping[str, Items]) -> Select:
    made = Select(
        columns=tuple(_column(each, constants) for each in part.get("column", ())),
        selects=tuple(_select(each, constants) for each in part.get("select", ())),
        unions=tuple(_select(each, constants) for each in part.get("unionAll", ())),
        unfold=_unfolding(part, constants),
        or_null="forEachOrNull" in part,
    )
    if any(union.names != made.unions[0].names for union in made.unions):
        raise refusal("The parts of `unionAll` must have the same columns in the same order.")
    return made


def _column(part: JSON, constants: Mapping[str, Items]) -> Column:
    if not part.get("name") or not part.get("path"):
        raise refusal("A column needs `name` and `path`.")
    tags = {tag["name"]: tag.get("value", "") for tag in part.get("tag", ())}
    return Column(
        name=part["name"],
        path=compiled(part["path"], constants),
        type=part.get("type", "string"),
        collection=bool(part.get("collection")),
        sql_type=tags.get("ansi/type", ""),
    )


def _unfolding(part: JSON, constants: Mapping[str, Items]) -> Callable[[Items, Scene], list[tuple[Items, int]]]:
    given = [name for name in ("forEach", "forEachOrNull", "repeat") if name in part]
    if len(given) > 1:
        raise refusal(f"Only one of {' and '.join(given)} may stand in a select.")
    if not given:
        return lambda items, scene: [(items, scene.row_index)]
    if given == ["repeat"]:
        paths = [compiled(each, constants) for each in part["repeat"]]
        return lambda items, scene: [([found], n) for n, found in enumerate(_repeated(paths, items, scene))]
    path = compiled(part[given[0]], constants)
    return lambda items, scene: [([found], n) for n, found in enumerate(path(items, scene))]


def _repeated(paths: Sequence[Path], items: Items, scene: Scene) -> Iterator[Any]:
    for item in items:
        for path in paths:
            for child in path([item], scene):
                yield child
                yield from _repeated(paths, [child], scene)


def _rows(select: Select, items: Items, scene: Scene) -> Iterator[Row]:
    foci = select.unfold(items, scene)
    if not foci and select.or_null:
        yield _null(select, replace(scene, row_index=0))
    for focus, number in foci:
        yield from _joined(select, focus, scene if number == scene.row_index else replace(scene, row_index=number))


def _joined(select: Select, focus: Items, scene: Scene) -> Iterator[Row]:
    row = {column.name: _cell(column, focus, scene) for column in select.columns}
    if not select.selects and not select.unions:
        yield row
        return
    parts: list[list[Row]] = [[row]]
    parts += [list(_rows(inner, focus, scene)) for inner in select.selects]
    if select.unions:
        parts.append([row for union in select.unions for row in _rows(union, focus, scene)])
    for combination in product(*parts):
        yield {name: value for row in combination for name, value in row.items()}


def _null(select: Select, scene: Scene) -> Row:
    return {column.name: _cell(column, [], scene) for column in select.all_columns}


def _cell(column: Column, focus: Items, scene: Scene) -> Any:
    found = column.path(focus, scene)
    if column.collection:
        return found
    if len(found) > 1:
        raise refusal(f"The column {column.name!r} found {len(found)} values; set `collection`, or choose one.")
    return found[0] if found else None
