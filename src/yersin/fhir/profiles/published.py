"""R4's own StructureDefinitions: differentials without prose, from the generated file (tools/generate_profiles.py).

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
    packed = files("yersin.fhir.r4").joinpath("profiles.ndjson.zst").read_bytes()
    decode = msgspec.json.Decoder().decode
    lines = zstandard.ZstdDecompressor().decompress(packed).splitlines()
    return MappingProxyType({each["url"]: each for each in map(decode, lines)})
