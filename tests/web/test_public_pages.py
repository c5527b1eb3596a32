"""What is open to everybody is written down, and nothing else is."""

from __future__ import annotations

import re
import warnings
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from litestar.exceptions import LitestarDeprecationWarning

from yersin.app.asgi import pages
from yersin.app.state import House
from yersin.settings import Settings

PAGE = Path(__file__).parents[2] / "docs/public-pages.md"


def _told() -> list[str]:
    """Paths of the table; `…/x` stands below the path before it."""
    told: list[str] = []
    for cell in re.findall(r"^\| (`.*?) \|", PAGE.read_text(), re.MULTILINE):
        paths = re.findall(r"`([^`]+)`", cell)
        told += [paths[0] + path[1:] if path.startswith("…") else path for path in paths]
    return told


def test_every_public_page_is_told_with_its_reason(ground: Any, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LitestarDeprecationWarning)  # said by the tests of the pages themselves
        app: Any = pages(House(Settings(data_dir=tmp_path), ground))
    public = {
        route.path
        for route in app.app.routes
        for handler in getattr(route, "route_handlers", None) or [route.route_handler]
        if handler.opt.get("public")
    }
    told = _told()
    assert {path for path in public if not any(fnmatch(path, one) or path == one.rstrip("/") for one in told)} == set()
    assert [one for one in told if not any(fnmatch(path, one) or path == one.rstrip("/") for path in public)] == []
