"""What a room shows the house: its manifest. `app` lists rooms; nothing else knows them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yersin.api.operations import Operation
from yersin.db.migrate import Step
from yersin.guard.laws import Law
from yersin.web.menu import MenuItem, PaletteEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A place in another room's page that this room fills, such as a button in the chart.

    `place` names it (`chart.actions`, `chart.panels`, `home.cards`), `template` is rendered there with what `gather`
    answers for the request and the page's own subject.
    """

    place: str
    template: str
    permission: str = ""
    gather: Callable[..., Any] | None = None
    order: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A room: pages, operations of the FHIR API, background tasks, menu, slots in other rooms' pages, and its own tables."""

    name: str
    folder: Path
    pages: Sequence[Any] = ()
    operations: Sequence[Operation] = ()
    menu: Sequence[MenuItem] = ()
    palette: Sequence[PaletteEntry] = ()
    slots: Sequence[Slot] = ()
    tasks: Sequence[Callable[..., Any]] = ()
    tables: Sequence[Step] = ()
    #: what may become of resources of a type, whoever writes them
    laws: Mapping[str, Law] = field(default_factory=dict)
    #: keeps something open in each process: called with the mapping that becomes `app.state`, the ground and the data folder
    living: Callable[..., AbstractAsyncContextManager[None]] | None = None
    permissions: Mapping[str, frozenset[str]] = field(default_factory=dict)


def slots_of(rooms: Sequence[Room], place: str) -> list[Slot]:
    """Slots that rooms offer for a place, in their order."""
    return sorted((s for room in rooms for s in room.slots if s.place == place), key=lambda s: s.order)
