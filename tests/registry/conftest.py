"""The browsers of the journeys, for tests of single pages."""

from __future__ import annotations

from tests.journeys.conftest import chromium, place, signed_in

__all__ = ["chromium", "place", "signed_in"]
