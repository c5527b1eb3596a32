"""FHIR R4 (4.0.1) types, parsing, validation. No input or output."""

from __future__ import annotations

from yersin.fhir import r4
from yersin.fhir.outcome import choice, outcome
from yersin.fhir.parse import encode, parse
from yersin.fhir.problem import Issue, Problem, problem

__all__ = ["Issue", "Problem", "choice", "encode", "outcome", "parse", "problem", "r4"]
