"""The routes of the call, for the application's list."""

from __future__ import annotations

from typing import Any, Final

from yersin.telehealth.calling import line, pages, recording

HANDLERS: Final[list[Any]] = [
    pages.call_page,
    pages.ice,
    pages.probe_down,
    pages.probe_up,
    pages.invite,
    pages.join_page,
    pages.join,
    line.signals_line,
    recording.begin,
    recording.chunk,
    recording.finish,
    recording.made,
    recording.play,
]
