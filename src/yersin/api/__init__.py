"""The FHIR R4 REST API, import and export. Source: https://hl7.org/fhir/R4/http.html"""
