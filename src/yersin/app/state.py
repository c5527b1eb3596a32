"""What a running process holds, for handlers to find."""

from __future__ import annotations

from dataclasses import dataclass

from litestar import Litestar

from yersin.guard.access import Ground
from yersin.settings import Settings


@dataclass(slots=True)
class House:
    """The running process: settings, and the ground once it is open."""

    settings: Settings
    opened: Ground | None = None

    @property
    def ground(self) -> Ground:
        """The open ground. Raises RuntimeError before start-up has finished."""
        if self.opened is None:
            raise RuntimeError("the application has not started")
        return self.opened


def house_of(app: Litestar) -> House:
    """House an application was assembled with."""
    house: House = app.state.house
    return house
