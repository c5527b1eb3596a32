"""The terminology service as operations of the API. Source: https://hl7.org/fhir/R4/terminology-service.html"""

from __future__ import annotations

from . import closures, code_systems, maps, value_sets
from .capabilities import capabilities

OPERATIONS = (*value_sets.OPERATIONS, *code_systems.OPERATIONS, *maps.OPERATIONS, *closures.OPERATIONS)

__all__ = ["OPERATIONS", "capabilities"]
