"""The lifelong record: the chart as staff see it, and as its owner sees it."""

from __future__ import annotations

from pathlib import Path

from yersin.room import Room
from yersin.web.language import mark as N_  # noqa: N812 - gettext's customary name
from yersin.web.menu import MenuItem, PaletteEntry

from . import attachments, attachments_pages, attachments_showing, capture, citizen, home, pages, papers, vitals_pages

ROOM = Room(
    name="records",
    folder=Path(__file__).parent,
    pages=(
        *home.PAGES,
        *pages.PAGES,
        *papers.PAGES,
        *vitals_pages.PAGES,
        *citizen.PAGES,
        *attachments_pages.PAGES,
        *attachments_showing.PAGES,
    ),
    tables=(*capture.TABLES, *attachments.TABLES),
    living=attachments.living,
    tasks=attachments.TASKS,
    menu=(
        MenuItem(label=N_("Today"), href="/", icon="house", go="h"),
        MenuItem(label=N_("My record"), href="/my-record", icon="book-heart", permission="record.own", go="m"),
        MenuItem(label=N_("Who looked"), href="/my-record/who-looked", icon="eye", permission="record.own", go="w"),
    ),
    palette=(
        PaletteEntry(
            label=N_("My record"), href="/my-record", icon="book-heart", permission="record.own", words="ho so cua toi"
        ),
        PaletteEntry(
            label=N_("Who looked"), href="/my-record/who-looked", icon="eye", permission="record.own", words="ai da xem"
        ),
    ),
)
