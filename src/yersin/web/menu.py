"""Plain data the shell draws: who looks, the menu, and the entries of the command palette."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol, TypeVar


class Visitor(Protocol):
    """Who is signed in, as far as a page needs to know. `guard` provides it as `request.state.access`."""

    @property
    def display_name(self) -> str: ...
    @property
    def role_title(self) -> str: ...
    @property
    def facility_name(self) -> str: ...
    def may(self, permission: str) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuItem:
    """A line of the menu. `label` and `group` are English source strings marked with `N_`; `go` is the letter after `g`."""

    label: str
    href: str
    icon: str
    permission: str = ""
    group: str = ""
    go: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaletteEntry:
    """Something the command palette offers besides the menu; `words` help to find it."""

    label: str
    href: str
    icon: str = "arrow-right"
    permission: str = ""
    words: str = ""
    key: str = ""


Entry = TypeVar("Entry", MenuItem, PaletteEntry)


def allowed(entries: Iterable[Entry], visitor: Visitor | None) -> list[Entry]:
    """Return what this visitor may open; a stranger sees only entries that need no permission."""
    return [e for e in entries if not e.permission or (visitor is not None and visitor.may(e.permission))]


def grouped(items: Sequence[MenuItem]) -> list[tuple[str, list[MenuItem]]]:
    """Return the items under their group headings, in the order given."""
    return [(group, list(members)) for group, members in groupby(items, key=lambda item: item.group)]


def active(items: Iterable[MenuItem], path: str) -> str:
    """Return the href of the item a path belongs to: the longest that is the path or a folder above it."""
    above = (i.href for i in items if path == i.href or (i.href != "/" and path.startswith(i.href.rstrip("/") + "/")))
    return max(above, key=len, default="")
