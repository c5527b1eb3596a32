"""An indicator as data: what is counted, against what, on what basis, and who answers for it.

The parts follow the WHO indicator reference sheet (https://www.who.int/data/gho/indicator-metadata-registry).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple


class Words(NamedTuple):
    """A text of a definition in both languages: definitions are data and travel with their figures."""

    vi: str
    en: str

    def spoken(self, language: str) -> str:
        """Text in a language; Vietnamese unless it is English."""
        return self.en if language == "en" else self.vi


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """A definition. `views` are all it is computed from; `suppressed` says that small counts of people are hidden."""

    id: str
    name: Words
    numerator: Words
    denominator: Words | None = None
    unit: Words
    basis: Words
    owner: Words
    valid_from: date
    valid_to: date | None = None
    views: tuple[str, ...]
    suppressed: bool = False
