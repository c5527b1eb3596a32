"""Every string a person can see has Vietnamese, with the same places to fill in; every icon exists."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from yersin.web import extraction

ROOT = Path(__file__).parents[2]
PLACES = re.compile(r"%\((\w+)\)s")


@pytest.mark.parametrize("room", extraction.rooms(), ids=lambda room: room.name)
def test_every_marked_string_has_vietnamese(room):
    lacking = [
        f"{found.path.relative_to(extraction.SOURCE)}:{found.line}: {found.text}" for found in extraction.missing(room)
    ]
    assert not lacking, "\n".join(lacking)


@pytest.mark.parametrize("room", extraction.rooms(), ids=lambda room: room.name)
def test_translations_keep_the_places_of_their_source(room):
    for message in extraction.catalogue(room):
        source = message.id[-1] if isinstance(message.id, (tuple, list)) else message.id
        for form in message.string if isinstance(message.string, (tuple, list)) else [message.string]:
            if source and form:
                assert set(PLACES.findall(form)) == set(PLACES.findall(source)), source


def test_extraction_finds_strings_in_code_templates_and_browser_modules():
    kinds = {found.path.suffix for found in extraction.find(extraction.SOURCE / "web")}
    assert kinds == {".py", ".html", ".ts"}


def test_every_icon_named_in_the_source_exists(small_site):
    del small_site  # it makes the bundle
    manifest = json.loads((ROOT / "src/yersin/web/bundle/manifest.json").read_bytes())
    assert manifest["unknown_icons"] == []
