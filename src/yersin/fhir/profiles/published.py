"""R4's own StructureDefinitions: their differentials, without prose and whole, as tools/generate_profiles.py wrote them.

Source: https://hl7.org/fhir/R4/profilelist.html
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import msgspec
import zstandard

BASE = "http://hl7.org/fhir/StructureDefinition/"


@cache
def published() -> Mapping[str, Mapping[str, Any]]:
    """Give every definition by its address."""
    decode = msgspec.json.Decoder().decode
    return MappingProxyType({each["url"]: each for each in map(decode, _lines("profiles"))})


class _Head(msgspec.Struct):
    url: str


@cache
def _rows() -> Mapping[str, bytes]:
    head = msgspec.json.Decoder(_Head).decode
    return {head(line).url: line for line in _lines("whole")}


def whole(url: str) -> dict[str, Any]:
    """Give all that R4's definition at an address says, but its snapshot; read anew each time, since it is long."""
    definition: dict[str, Any] = msgspec.json.decode(_rows()[url])
    return definition


def _lines(name: str) -> list[bytes]:
    packed = files("yersin.fhir.r4").joinpath(f"{name}.ndjson.zst").read_bytes()
    return zstandard.ZstdDecompressor().decompress(packed).splitlines()
