"""Yersin: an open national digital health system, FHIR R4 at heart."""
