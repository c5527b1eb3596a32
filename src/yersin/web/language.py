"""Languages of the pages: catalogues read straight from .po files, the language of the request, and `_`.

Source strings are English; Vietnamese is complete and the default. A room's catalogue is `<room>/languages/vi.po`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from babel.messages.pofile import read_po

LANGUAGES: Mapping[str, str] = {"vi": "Tiếng Việt", "en": "English"}
DEFAULT = "vi"
COOKIE = "language"

_Key = tuple[str | None, str]
_PREFERENCE = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9]+)*\s*(?:;\s*q=(\d(?:\.\d{0,3})?))?\s*")


@dataclass(slots=True)
class Catalogue:
    """The strings of one language; plural forms are kept in the order of the .po file."""

    language: str
    strings: dict[_Key, tuple[str, ...]] = field(default_factory=dict)

    def read(self, path: Path) -> None:
        with path.open("rb") as file:
            messages = read_po(file, locale=self.language)
        for message in messages:
            if not message.id or message.fuzzy:
                continue
            singular = message.id[0] if isinstance(message.id, (list, tuple)) else message.id
            forms = message.string if isinstance(message.string, (list, tuple)) else (message.string,)
            if all(forms):
                self.strings[message.context, singular] = tuple(str(form) for form in forms)

    def one(self, text: str, context: str | None = None) -> str:
        found = self.strings.get((context, text))
        return found[0] if found else text

    def many(self, singular: str, plural: str, number: int, context: str | None = None) -> str:
        found = self.strings.get((context, singular))
        one_form = 0 if number == 1 else 1
        return found[min(one_form, len(found) - 1)] if found else (singular, plural)[one_form]


_catalogues: dict[str, Catalogue] = {name: Catalogue(name) for name in LANGUAGES}
_current: ContextVar[str] = ContextVar("language", default=DEFAULT)


def load(rooms: Iterable[Path]) -> None:
    """Read `languages/<language>.po` of each room's folder; later rooms win over earlier ones."""
    for room in rooms:
        for name, catalogue in _catalogues.items():
            path = room / "languages" / f"{name}.po"
            if path.is_file():
                catalogue.read(path)


def current() -> str:
    """Return the language of the request being answered."""
    return _current.get()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Answer in this language inside the block: for messages sent outside a request, and for tests."""
    token = _current.set(language if language in LANGUAGES else DEFAULT)
    try:
        yield
    finally:
        _current.reset(token)


def choose(cookie: str | None, accept: str | None) -> str:
    """Choose the language: what the person set, then what the browser asks for, then Vietnamese."""
    if cookie in LANGUAGES:
        return str(cookie)
    wishes = [match for part in (accept or "").split(",") if (match := _PREFERENCE.fullmatch(part))]
    ranked = sorted(wishes, key=lambda match: -float(match[2] or 1))
    return next((match[1].lower() for match in ranked if match[1].lower() in LANGUAGES), DEFAULT)


def gettext(text: str, /, **values: object) -> str:
    """Translate; `%(name)s` places are filled with the values."""
    translated = _catalogues[current()].one(text)
    return translated % values if values else translated


def ngettext(singular: str, plural: str, number: int, /, **values: object) -> str:
    """Translate a counted phrase; `%(num)s` is the number."""
    return _catalogues[current()].many(singular, plural, number) % {"num": number, **values}


def pgettext(context: str, text: str, /, **values: object) -> str:
    """Translate a string that needs a context to be told from its twin."""
    translated = _catalogues[current()].one(text, context)
    return translated % values if values else translated


def mark(text: str) -> str:
    """Mark a string for translation where it is defined; it is translated where it is shown (usual name: `N_`)."""
    return text


def words_for(language: str, messages: Sequence[str]) -> dict[str, str]:
    """Return the translations of the browser modules' strings that differ from their source."""
    catalogue = _catalogues[language]
    return {text: there for text in messages if (there := catalogue.one(text)) != text}


def _one(text: str, context: str | None = None) -> str:
    return _catalogues[current()].one(text, context)


def _many(singular: str, plural: str, number: int, context: str | None = None) -> str:
    return _catalogues[current()].many(singular, plural, number, context)


def jinja_callables() -> dict[str, object]:
    """Return the callables of Jinja's i18n extension, which formats by itself (newstyle)."""
    return {
        "gettext": _one,
        "ngettext": _many,
        "pgettext": lambda context, text: _one(text, context),
        "npgettext": lambda context, one, many, number: _many(one, many, number, context),
    }


_ = gettext
N_ = mark
