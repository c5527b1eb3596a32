"""Photographs, PDF documents and DICOM files: recognised, made safe, described as FHIR, shown in the browser.

`taking_in` is the way in, `resources` what goes into the record, `requests` what the browser's modules ask for.
"""
