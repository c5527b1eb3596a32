"""FHIR search compiled to SQL, one file per kind of parameter."""
