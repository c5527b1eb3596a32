"""FHIR R4 (4.0.1) types, parsing, validation. No input or output."""
