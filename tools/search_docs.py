"""Writes docs/search.md from the tables that tests/spec runs: `python tools/search_docs.py`; `--check` only compares."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "search.md"
_CELL = re.compile(r"(?<!\\)\|")
_OPENING = """\
# Search

What a search finds, value by value. Every cell is run by `tests/spec` on the real search; this page is made of the same tables by
`tools/search_docs.py`. Source of the rules: https://hl7.org/fhir/R4/search.html

In the tables `ucum` stands for `http://unitsofmeasure.org`, `loinc` for `http://loinc.org`,
`act` for `http://terminology.hl7.org/CodeSystem/v3-ActCode`, `(base)` for the address of the API; `..` joins the
ends of a period or range, `(none)` is a resource without the element. `yes` and `no` say whether the query finds the resource;
`refused` is an answer 400 that names the parameter; `gap` is what the specification would find and Yersin does not yet.
GET with a query string and POST to `_search` with a form answer alike. Several parameters must all hold; of the values between
commas any may (`\\,` is a comma in a value).
"""


def page() -> str:
    """Return the whole document."""
    parts = [path.read_text().strip() for path in sorted((ROOT / "tests" / "spec").glob("*.md"))]
    return "\n\n".join([_OPENING.strip(), *(aligned(part) for part in parts)]) + "\n"


def aligned(text: str) -> str:
    """Give the columns of each table one width."""
    made: list[str] = []
    rows: list[list[str]] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in _CELL.split(line)[1:-1]])
            continue
        made += _lines(rows)
        rows = []
        made.append(line)
    return "\n".join(made).rstrip()


def _lines(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "| "
        + " | ".join("-" * width if n == 1 else cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        + " |"
        for n, row in enumerate(rows)
    ]


def main() -> int:
    """Write the document, or say that it is out of date."""
    text = page()
    if sys.argv[1:] != ["--check"]:
        TARGET.write_text(text)
        return 0
    if TARGET.exists() and TARGET.read_text() == text:
        return 0
    print(f"{TARGET.relative_to(ROOT)} is out of date: run python {Path(__file__).relative_to(ROOT)}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
