"""Tables of the page as CSV (RFC 4180) with a byte order mark, so that spreadsheets read Vietnamese; no cell is a formula."""

from __future__ import annotations

import csv as writer
import io
from collections.abc import Callable, Mapping

from yersin.web import language
from yersin.web.language import gettext as _

from . import wording
from .figures import Count, Figures
from .rules import cell

Table = list[list[object]]


def csv(table: Table, figures: Figures) -> bytes:
    """Write a table; every row carries the moment up to which it is whole."""
    made = io.StringIO()
    out = writer.writer(made, lineterminator="\r\n")
    moment = figures.standing.as_of.isoformat(timespec="seconds")
    for number, row in enumerate(table):
        out.writerow([cell(value) for value in (*row, _("As of") if number == 0 else moment)])
    return b"\xef\xbb\xbf" + made.getvalue().encode()


def _counted(*names: str) -> list[object]:
    return [*names, _("Asked"), _("Answered"), _("Median, minutes"), _("90th percentile, minutes")]


def _of(count: Count) -> list[object]:
    return [count.asked, count.answered, count.median, count.slow]


def _days(figures: Figures) -> Table:
    days = figures.filters.period.all_days()
    return [_counted(_("Day")), *([day.isoformat(), *_of(figures.now.days.get(day, Count()))] for day in days)]


def _provinces(figures: Figures) -> Table:
    rows = ([code, wording.province(code), *_of(figures.now.provinces.get(code, Count()))] for code in figures.held)
    return [_counted(_("Code"), _("Province")), *rows]


def _facilities(figures: Figures) -> Table:
    rows = []
    for key, count in figures.now.askers.items():
        place = figures.places.get(key)
        rows.append([place.name if place else "", wording.province(place.province) if place else "", *_of(count)])
    return [_counted(_("Facility"), _("Province")), *rows]


def _specialties(figures: Figures) -> Table:
    rows = ([code, wording.specialty(count, code), *_of(count)] for code, count in figures.now.specialties.items())
    return [_counted(_("Code"), _("Specialty")), *rows]


def _urgencies(figures: Figures) -> Table:
    return [_counted(_("Urgency")), *([code, *_of(count)] for code, count in figures.now.urgencies.items())]


def _records(figures: Figures) -> Table:
    head: list[object] = [
        _("Code"), _("Province"), _("Records held"), _("People registered"), _("Counted in households"),
        _("Population"), _("As of day"), _("Source"), _("Invented"),
    ]  # fmt: skip
    rows: Table = []
    for code, held in figures.held.items():
        population = held.population
        source = (
            [population.people, population.as_of.isoformat(), population.source] if population else [None, None, None]
        )
        mark = ("yes" if language.current() == "en" else "có") if figures.is_invented else ""
        hidden = "<5"
        rows.append([
            code, wording.province(code), hidden if held.held is None else held.held,
            hidden if held.registered is None else held.registered, held.counted, *source, mark,
        ])  # fmt: skip
    return [head, *rows]


TABLES: Mapping[str, Callable[[Figures], Table]] = {
    "days": _days,
    "provinces": _provinces,
    "facilities": _facilities,
    "specialties": _specialties,
    "urgencies": _urgencies,
    "records": _records,
}
