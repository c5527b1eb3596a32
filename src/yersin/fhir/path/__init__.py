"""FHIRPath for R4: compile an expression once, run it on any resource, struct or JSON. No input or output.

`compiled("name.given")(patient)` gives items; `values()` gives them as JSON has them. What only upper floors know
(terminology, other resources, profiles) comes through the Protocols of `Environment`.
Sources: https://hl7.org/fhirpath/N1/ (Normative 2.0.0), https://hl7.org/fhir/R4/fhirpath.html
"""

from __future__ import annotations

from .calling import Function, single, text
from .expression import Expression, compiled, last_step
from .items import Items, Node, plain
from .quantities import Quantity
from .refusal import CannotEvaluate, NotFHIRPath
from .scene import NOTHING, Environment, Profiles, Resolver, Scene, Terms
from .temporal import Temporal

__all__ = [
    "NOTHING",
    "CannotEvaluate",
    "Environment",
    "Expression",
    "Function",
    "Items",
    "Node",
    "NotFHIRPath",
    "Profiles",
    "Quantity",
    "Resolver",
    "Scene",
    "Temporal",
    "Terms",
    "compiled",
    "last_step",
    "plain",
    "single",
    "text",
]
