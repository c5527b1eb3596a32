"""Bulk Data export: all resources of a kind, or flat views, as files made in the background.

Source: https://hl7.org/fhir/uv/bulkdata/STU2/export.html

A job and how far it has come lie in PostgreSQL; a file is named there only when it is whole and on the disk. So
whatever is killed, the work goes on after the last whole file.
"""

from __future__ import annotations

from . import asking, flat
from .serving import route
from .tables import STEPS
from .working import Exporter

OPERATIONS = (*asking.OPERATIONS, *flat.OPERATIONS)

__all__ = ["OPERATIONS", "STEPS", "Exporter", "route"]
