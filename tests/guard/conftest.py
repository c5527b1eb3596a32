"""The cast, once for each module."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cast import Cast

from yersin.guard.access import Access


@pytest.fixture(scope="module")
def cast(run: Any, system: Access) -> Cast:
    return Cast(run, system)
