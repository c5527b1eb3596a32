"""Finds every string marked for translation in code, templates and browser modules, and those a catalogue lacks.

`python -m yersin.web.extraction` lists what has no Vietnamese; `--add` appends it to the room's vi.po to be filled in.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

SOURCE = Path(__file__).parent.parent
KEYWORDS: Mapping[str, tuple[int, ...] | None] = {
    "_": None,
    "N_": None,
    "gettext": None,
    "mark": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),  # type: ignore[dict-item]  # Babel's way to name the context
}
_TEMPLATES = {"silent": "false", "extensions": "jinja2.ext.do,jinja2.ext.loopcontrols"}
_BROWSER = re.compile(r'(?<![\w.])_\(\s*"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A marked string and where it stands."""

    text: str
    plural: str
    context: str | None
    path: Path
    line: int


def rooms() -> list[Path]:
    """Return the folders that may hold strings of their own."""
    return sorted(path.parent for path in SOURCE.glob("*/__init__.py"))


def find(room: Path) -> Iterator[Found]:
    """Find the marked strings of one room."""
    for path in sorted(room.rglob("*")):
        if path.suffix == ".py":
            yield from _by_babel("python", path)
        elif path.suffix == ".html":
            yield from _by_babel("jinja2.ext:babel_extract", path)
        elif path.suffix == ".ts":
            yield from _in_browser_module(path)


def _by_babel(method: str, path: Path) -> Iterator[Found]:
    options = _TEMPLATES if path.suffix == ".html" else {}
    for line, message, _comments, context in extract_from_file(method, path, keywords=KEYWORDS, options=options):
        text, plural = (message[0], message[1]) if isinstance(message, tuple) else (message, "")
        if text:
            yield Found(text=text, plural=plural, context=context, path=path, line=line)


def _in_browser_module(path: Path) -> Iterator[Found]:
    source = path.read_text()
    for match in _BROWSER.finditer(source):
        line = source.count("\n", 0, match.start()) + 1
        yield Found(text=match[1].replace('\\"', '"'), plural="", context=None, path=path, line=line)


def catalogue(room: Path, language: str = "vi") -> Catalog:
    """Read a room's catalogue; an empty one if it has none yet."""
    path = room / "languages" / f"{language}.po"
    if not path.is_file():
        return Catalog(locale=language, fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def missing(room: Path) -> list[Found]:
    """Return the strings of a room without Vietnamese in its own catalogue or in the shell's."""
    books = [catalogue(room), *([catalogue(SOURCE / "web")] if room.name != "web" else [])]
    lacking: dict[tuple[str | None, str], Found] = {}
    for found in find(room):
        known = (book.get(found.text, found.context) for book in books)
        if not any(message and message.string and not message.fuzzy for message in known):
            lacking.setdefault((found.context, found.text), found)
    return list(lacking.values())


def add(room: Path) -> int:
    """Append what is missing to the room's vi.po with empty translations; returns how many."""
    book, lacking = catalogue(room), missing(room)
    for found in lacking:
        identity = (found.text, found.plural) if found.plural else found.text
        book.add(identity, context=found.context)
    if lacking:
        path = room / "languages" / "vi.po"
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as file:
            write_po(file, book, width=120, omit_header=False)
    return len(lacking)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--add", action="store_true", help="append them to the catalogues")
    parser.add_argument("room", nargs="*", help="rooms to look at; all without one")
    options = parser.parse_args()
    lacking = 0
    for room in rooms():
        if options.room and room.name not in options.room:
            continue
        for found in missing(room):
            lacking += 1
            sys.stdout.write(f"{found.path.relative_to(SOURCE)}:{found.line}: {found.text}\n")
        if options.add:
            add(room)
    sys.exit(1 if lacking and not options.add else 0)


if __name__ == "__main__":
    main()
