"""Single values of a DICOM header, read so that a broken one is as good as none."""

from __future__ import annotations

import contextlib
import struct
import threading
import warnings
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue

_filters = threading.RLock()


@contextlib.contextmanager
def listening() -> Iterator[list[str]]:
    """Collect what pydicom warns of. One thread at a time: warning filters belong to the whole process."""
    heard: list[str] = []
    with _filters, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield heard
        heard.extend(str(one.message).splitlines()[0] for one in caught)


def value(data: Dataset, keyword: str) -> Any:
    """Value of an element; None when it is absent, empty or cannot be read."""
    try:
        found = data.get(keyword)
    except (ValueError, TypeError, AttributeError, LookupError, struct.error, BytesLengthException):
        return None
    except (NotImplementedError, OverflowError, RecursionError, EOFError, OSError):
        return None
    return None if found in (None, "", b"") else found


def first(data: Dataset, keyword: str) -> Any:
    """First of an element's values."""
    found = value(data, keyword)
    if isinstance(found, MultiValue | list):
        return found[0] if len(found) else None
    return found


def text(data: Dataset, keyword: str) -> str:
    """First value as text without surrounding blanks and zeros."""
    found = first(data, keyword)
    return "" if found is None else str(found).strip(" \0\t\r\n")


def whole(data: Dataset, keyword: str, default: int = 0) -> int:
    """First value as a whole number."""
    try:
        return int(first(data, keyword))
    except (TypeError, ValueError, OverflowError):
        return default


def number(data: Dataset, keyword: str) -> Decimal | None:
    """First value as a finite number."""
    try:
        found = Decimal(str(first(data, keyword)))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def items(data: Dataset, keyword: str) -> list[Dataset]:
    """Items of a sequence."""
    found = value(data, keyword)
    return (
        [item for item in found if isinstance(item, Dataset)]
        if found is not None and not isinstance(found, bytes | str)
        else []
    )
