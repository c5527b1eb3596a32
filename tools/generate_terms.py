"""Writes src/yersin/terminology/r4: R4's code systems, value sets and concept maps, slim and compressed. Same input, same content.

Usage: python tools/generate_terms.py DEFINITIONS [--check]
DEFINITIONS is a folder of HL7's FHIR 4.0.1 definitions as <Type>*.ndjson.gz (CC0, https://hl7.org/fhir/R4/downloads.html).
What no operation of the terminology service needs is left out: narrative, contacts, purposes, extensions.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from pathlib import Path
from typing import Any

import msgspec
import zstandard

OUTPUT = Path(__file__).resolve().parents[1] / "src" / "yersin" / "terminology" / "r4" / "definitions.ndjson.zst"
KINDS = ("CodeSystem", "ValueSet", "ConceptMap")
NEEDED_NOWHERE = frozenset(
    {"text", "meta", "contact", "publisher", "identifier", "extension", "description", "_description", "experimental"}
    | {"purpose", "useContext", "jurisdiction", "copyright", "immutable"}
)
LEVEL = 19


def read(folder: Path, kind: str) -> list[dict[str, Any]]:
    """Every resource of one type in the folder."""
    packed = [file.read_bytes() for file in sorted(folder.glob(f"{kind}*.ndjson.gz"))]
    if not packed:
        sys.exit(f"name the folder of definitions: {folder} holds no {kind}*.ndjson.gz")
    return [msgspec.json.decode(line) for file in packed for line in gzip.decompress(file).splitlines() if line.strip()]


def slim(part: Any) -> Any:
    """Leave out what no operation needs, at every depth."""
    if isinstance(part, list):
        return [slim(each) for each in part]
    if isinstance(part, dict):
        return {name: slim(value) for name, value in part.items() if name not in NEEDED_NOWHERE}
    return part


def made(folder: Path) -> bytes:
    """Make the lines of all resources, by kind and address."""
    lines = []
    for kind in KINDS:
        found = sorted(read(folder, kind), key=lambda resource: resource["url"])
        lines += [msgspec.json.encode(slim(resource)) for resource in found]
    return b"\n".join(lines) + b"\n"


def main() -> int:
    """Write the file, or compare what is in it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("definitions", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the content differs")
    asked = parser.parse_args()
    content = made(asked.definitions)
    if asked.check:
        same = OUTPUT.exists() and zstandard.ZstdDecompressor().decompress(OUTPUT.read_bytes()) == content
        print("same" if same else f"{OUTPUT.name} differs: run tools/generate_terms.py {asked.definitions}")
        return 0 if same else 1
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_bytes(zstandard.ZstdCompressor(level=LEVEL).compress(content))
    print(f"{OUTPUT.name}: {OUTPUT.stat().st_size} bytes, {len(content)} unpacked")
    return 0


if __name__ == "__main__":
    sys.exit(main())
