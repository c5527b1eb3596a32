"""The registry: places, facilities, the workforce, and who each person is."""

from __future__ import annotations

from pathlib import Path

from yersin.room import Room, Slot
from yersin.web.language import mark as N_  # noqa: N812 - gettext's customary name
from yersin.web.menu import MenuItem, PaletteEntry

from . import accounts, editing_pages, judging_pages, letters_pages, origins_pages, pages, parameters_pages, persons

ROOM = Room(
    name="registry",
    folder=Path(__file__).parent,
    pages=(
        *pages.PAGES,
        *editing_pages.PAGES,
        *letters_pages.HANDLERS,
        *parameters_pages.HANDLERS,
        *origins_pages.HANDLERS,
        *judging_pages.HANDLERS,
    ),
    tables=persons.TABLES,
    slots=(
        Slot(
            place="home.cards",
            template="registry/accounts_card.html",
            permission="account.write",
            gather=accounts.accounts,
            order=50,
        ),
    ),
    menu=(
        MenuItem(label=N_("Find a patient"), href="/people", icon="search", permission="person.find", go="f"),
        MenuItem(
            label=N_("Register a patient"), href="/people/new", icon="user-plus", permission="person.register", go="n"
        ),
        MenuItem(
            label=N_("Undelivered notifications"),
            href="/administration/notifications",
            icon="send",
            permission="subscriptions.watch",
            group=N_("Administration"),
        ),
        MenuItem(
            label=N_("Search parameters"),
            href="/administration/search-parameters",
            icon="list-filter",
            permission="index.make",
            group=N_("Administration"),
        ),
        MenuItem(
            label=N_("Apps in browsers"),
            href=origins_pages.PLACE,
            icon="link",
            permission=origins_pages.PERMISSION,
            group=N_("Administration"),
        ),
        MenuItem(
            label=N_("Check a resource"),
            href=judging_pages.PLACE,
            icon="circle-check",
            permission=judging_pages.PERMISSION,
            group=N_("Administration"),
        ),
    ),
    palette=(
        PaletteEntry(
            label=N_("Find a patient"),
            href="/people",
            icon="search",
            permission="person.find",
            words="tim nguoi benh search",
        ),
        PaletteEntry(
            label=N_("Register a patient"),
            href="/people/new",
            icon="user-plus",
            permission="person.register",
            words="dang ky tiep don new person",
        ),
    ),
)
