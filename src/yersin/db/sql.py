"""A statement under construction: text with numbered arguments, so that values are never pasted into SQL."""

from __future__ import annotations

from typing import Any


class Sql:
    """Collects arguments; `arg` answers the placeholder to write in their place."""

    __slots__ = ("arguments",)

    def __init__(self, *arguments: Any) -> None:
        self.arguments: list[Any] = list(arguments)

    def arg(self, value: Any, cast: str = "") -> str:
        """Add an argument; returns `$n` or `$n::cast`."""
        self.arguments.append(value)
        return f"${len(self.arguments)}::{cast}" if cast else f"${len(self.arguments)}"
