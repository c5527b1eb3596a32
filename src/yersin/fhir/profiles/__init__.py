"""Profiles: snapshots made from differentials, and resources judged by them. No input or output.

`Judge(library, terms=…).judge(json)` lists every finding. The library holds R4's own definitions and those it is given.
Source: https://hl7.org/fhir/R4/profiling.html
"""

from __future__ import annotations

from .glance import Glance
from .judging import Judge
from .library import TWINS, Library, Tree

__all__ = ["TWINS", "Glance", "Judge", "Library", "Tree"]
