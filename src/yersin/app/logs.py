"""What goes into the log: where something failed and of what kind it was, never the words of a failure.

A driver's message repeats the row that was refused, a parser's the value it met: either could carry a patient's data into a file
that people without a right to it read. Source: OWASP ASVS 5 V16.2.5
"""

from __future__ import annotations

import logging
import traceback
from types import TracebackType
from typing import Any

_FRAMES = 8


def places(error: BaseException | None) -> str:
    """Tell each exception of a chain by its kind, SQLSTATE where there is one, and its last places."""
    lines: list[str] = []
    while error is not None:
        kind, state = type(error), getattr(error, "sqlstate", "")
        lines.append(f"{kind.__module__}.{kind.__qualname__} {state}".rstrip())
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        lines += [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(lines)


class Places(logging.Formatter):
    """Writes an exception as its kinds and places."""

    def formatException(  # noqa: N802 - the name is that of the library
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        """Return the chain without its words."""
        return places(ei[1])


#: for `logging.config.dictConfig`; the web server applies it in every process it starts
CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"places": {"()": Places, "format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "places", "stream": "ext://sys.stderr"}},
    "root": {"level": "WARNING", "handlers": ["stderr"]},
}
