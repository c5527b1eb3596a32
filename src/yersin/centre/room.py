"""The centre's manifest."""

from __future__ import annotations

from pathlib import Path

from yersin.room import Room, Slot
from yersin.web.language import N_
from yersin.web.menu import MenuItem, PaletteEntry

from . import home, measures, operations, pages, views_pages

ROOM = Room(
    name="centre",
    folder=Path(__file__).parent,
    pages=(pages.nation, pages.fresh, pages.as_of, pages.number, pages.export, *views_pages.PAGES),
    operations=(operations.EVALUATE,),
    living=measures.living,
    menu=(
        MenuItem(label=N_("The nation"), href="/centre", icon="map", permission="figures.read", group=N_("Figures"), go="n"),
        MenuItem(label=N_("Views for counting"), href=views_pages.PLACE, icon="download", permission="views.export",
                 group=N_("Figures")),
    ),
    slots=(Slot(place="home.cards", template="centre/home.html", permission="figures.read", gather=home.nation, order=40),),
    palette=(
        PaletteEntry(label=N_("Figures of the nation"), href="/centre", icon="chart-column", permission="figures.read",
                     words="so lieu quoc gia thong ke ban do tinh"),
    ),
)  # fmt: skip
