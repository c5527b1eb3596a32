"""Flat tables for counting, fed by the change log.

`paths`, `functions`, `operators` and `boundaries` are the small part of FHIRPath that ViewDefinitions need, over JSON
without types. `yersin.fhir.path` is complete and meets the same cases of SQL on FHIR, but knowing every type makes it
1.2 to 1.5 times as slow on the views of this release (`person`, `measurement`), and the feed makes rows of every change.
"""
