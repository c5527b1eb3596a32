"""The rooms of this house. Taking a line away takes the room away."""

from __future__ import annotations

from yersin.room import Room

ROOMS: tuple[Room, ...] = ()
