"""The rooms of this house. Taking a line away takes the room away."""

from __future__ import annotations

from yersin.centre.room import ROOM as CENTRE
from yersin.records.room import ROOM as RECORDS
from yersin.registry.room import ROOM as REGISTRY
from yersin.room import Room
from yersin.telehealth.room import ROOM as TELEHEALTH

ROOMS: tuple[Room, ...] = (RECORDS, REGISTRY, TELEHEALTH, CENTRE)
