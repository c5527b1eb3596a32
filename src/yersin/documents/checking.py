"""Check a PDF that a stranger brings: in a process of its own with little time and memory, and nothing is kept.

What is no PDF, or carries no signature at all, is told without starting one. The process reads a header line (JSON) and
the PDF from standard input and answers JSON. Sources: ISO 32000-2 12.8 (signatures), OWASP File Upload Cheat Sheet.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from yersin.documents.reports import Covers, SignatureReport

LARGEST: Final = 20 << 20
SECONDS: Final = 20
_MEGABYTES: Final = 1024
_WORKER = Path(__file__).with_name("check_worker.py")
_BEGINNING = 1024
_MOMENTS = ("signed_at", "claimed_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found. `refused` says why nothing could be: `no-pdf`, `encrypted`, `damaged`, `too-costly`; empty: it could.

    `code` is the one that the document says of itself; it proves nothing until the signatures hold.
    """

    refused: str = ""
    signatures: tuple[SignatureReport, ...] = ()
    code: str = ""


def check(pdf: bytes, trust: Sequence[bytes], *, seconds: int = SECONDS) -> Checked:
    """Report on every signature of a PDF from anywhere; `trust` holds root certificates, DER. Blocks: call it in a thread."""
    if b"%PDF-" not in pdf[:_BEGINNING]:
        return Checked(refused="no-pdf")
    if b"/ByteRange" not in pdf and b"/Encrypt" not in pdf:
        return Checked()
    job = {"trust": [base64.b64encode(root).decode() for root in trust], "seconds": seconds, "megabytes": _MEGABYTES}
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and our own file, no shell
            [sys.executable, "-P", str(_WORKER)],
            input=json.dumps(job).encode() + b"\n" + pdf,
            capture_output=True,
            timeout=seconds,
            check=False,
            env={},
        )
    except subprocess.TimeoutExpired:
        return Checked(refused="too-costly")
    if done.returncode != 0:  # ended by a limit
        return Checked(refused="too-costly")
    return _read(json.loads(done.stdout))


def _read(told: dict[str, Any]) -> Checked:
    return Checked(
        refused=told["refused"], code=told["code"], signatures=tuple(_report(plain) for plain in told["signatures"])
    )


def _report(plain: dict[str, Any]) -> SignatureReport:
    moments = {name: datetime.fromisoformat(plain[name]) if plain[name] else None for name in _MOMENTS}
    changed = {"covers": Covers(plain["covers"]), "findings": tuple(plain["findings"])}
    return SignatureReport(**{**plain, **moments, **changed})
