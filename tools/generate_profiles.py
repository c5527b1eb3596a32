"""Writes R4's StructureDefinitions, compressed, to src/yersin/fhir/r4/. Same input, same content.

Usage: python tools/generate_profiles.py DEFINITIONS [--check]
DEFINITIONS is a folder of HL7's FHIR 4.0.1 definitions as <Type>*.ndjson.gz (CC0, https://hl7.org/fhir/R4/downloads.html).
profiles.ndjson.zst keeps what judges a resource: differentials without prose, from which snapshots are made when one is
needed. whole.ndjson.zst keeps all but snapshots and narratives, for those who ask for a snapshot to read.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import zstandard

FOLDER = Path(__file__).resolve().parents[1] / "src" / "yersin" / "fhir" / "r4"
OUTPUTS = (FOLDER / "profiles.ndjson.zst", FOLDER / "whole.ndjson.zst")
HEAD = (
    "url",
    "version",
    "name",
    "kind",
    "abstract",
    "type",
    "context",
    "contextInvariant",
    "baseDefinition",
    "derivation",
)
PLAIN = ("id", "path", "sliceName", "min", "max", "slicing", "contentReference", "isModifier", "maxLength")
CHOICES = ("fixed", "pattern", "minValue", "maxValue")
CONSTRAINT = ("key", "severity", "human", "expression")
TYPE = ("code", "profile", "targetProfile", "aggregation", "versioning")
BINDING = ("strength", "valueSet", "extension")
MOST = "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet"
LEVEL = 19


def read(folder: Path, kind: str) -> list[dict[str, Any]]:
    """Every resource of one type in the folder."""
    packed = [file.read_bytes() for file in sorted(folder.glob(f"{kind}*.ndjson.gz"))]
    return [msgspec.json.decode(line) for file in packed for line in gzip.decompress(file).splitlines() if line.strip()]


def kept(part: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: part[name] for name in names if name in part}


def binding(part: dict[str, Any]) -> dict[str, Any]:
    """Strength and value set, and the widest value set if an extension names one."""
    most = [each for each in part.get("extension", ()) if each["url"] == MOST]
    return kept({**part, "extension": most}, BINDING if most else BINDING[:2])


def element(definition: dict[str, Any]) -> dict[str, Any]:
    """Keep of one element what judges a value."""
    found = kept(definition, PLAIN)
    found |= {name: value for name, value in definition.items() if name.startswith(CHOICES)}
    if "type" in definition:
        found["type"] = [kept(each, TYPE) for each in definition["type"]]
    if "binding" in definition:
        found["binding"] = binding(definition["binding"])
    if "constraint" in definition:
        found["constraint"] = [kept(each, CONSTRAINT) for each in definition["constraint"]]
    return found


def slim(definition: dict[str, Any]) -> dict[str, Any]:
    """Keep of a StructureDefinition what judges a resource."""
    elements = [element(each) for each in definition["differential"]["element"]]
    return {**kept(definition, HEAD), "differential": {"element": elements}}


def whole(definition: dict[str, Any]) -> dict[str, Any]:
    """Keep of a StructureDefinition what a snapshot can be made of, with all that is said of its elements."""
    return {name: value for name, value in definition.items() if name not in ("snapshot", "text")}


def made(folder: Path) -> tuple[bytes, bytes]:
    """Make the lines of both files, by address. Patterns of resources (kind logical) judge nothing."""
    found = [
        each for each in read(folder, "StructureDefinition") if each["kind"] != "logical" and "differential" in each
    ]
    if not found:
        sys.exit(f"name the folder of definitions: {folder} holds no StructureDefinition*.ndjson.gz")
    found.sort(key=lambda each: str(each["url"]))
    return lines(map(slim, found)), lines(map(whole, found))


def lines(rows: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def main() -> int:
    """Write the files, or compare what is in them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("definitions", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the content differs")
    asked = parser.parse_args()
    differs = False
    for output, content in zip(OUTPUTS, made(asked.definitions), strict=True):
        if asked.check:
            same = output.exists() and zstandard.ZstdDecompressor().decompress(output.read_bytes()) == content
            print("same" if same else f"{output.name} differs: run tools/generate_profiles.py {asked.definitions}")
            differs = differs or not same
            continue
        output.write_bytes(zstandard.ZstdCompressor(level=LEVEL).compress(content))
        print(f"{output.name}: {output.stat().st_size} bytes, {len(content)} unpacked")
    return 1 if differs else 0


if __name__ == "__main__":
    sys.exit(main())
