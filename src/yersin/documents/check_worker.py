"""One check of a stranger's PDF in a process of its own, so that it can be limited and ended. Run by `checking`, never imported.

Source: https://man7.org/linux/man-pages/man2/setrlimit.2.html
"""

from __future__ import annotations

import base64
import json
import logging
import resource
import sys
from dataclasses import asdict
from io import BytesIO
from typing import Any

from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader

from yersin.documents.verifying import verify
from yersin.fhir.problem import Problem

_LONGEST_CODE = 40


def limit(seconds: int, megabytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def answer(refused: str = "", **found: Any) -> dict[str, Any]:
    return {"refused": refused, "signatures": [], "code": "", **found}


def checked(pdf: bytes, trust: list[bytes]) -> dict[str, Any]:
    try:
        if PdfFileReader(BytesIO(pdf)).encrypted:
            return answer("encrypted")
        reports = verify(pdf, trust)
    except (Problem, PdfError, RecursionError):
        return answer("damaged")
    except MemoryError:
        return answer("too-costly")
    return answer(signatures=[asdict(report) for report in reports], code=code_of(pdf))


def code_of(pdf: bytes) -> str:
    """The code that the document's own information names among its keywords."""
    try:
        words = str(PdfFileReader(BytesIO(pdf)).trailer["/Info"].get("/Keywords", ""))
    except (PdfError, KeyError, TypeError, AttributeError):
        return ""
    return words.strip()[:_LONGEST_CODE]


def main() -> None:
    logging.disable()  # the library tells at length what strangers send
    header, _, pdf = sys.stdin.buffer.read().partition(b"\n")
    job = json.loads(header)
    limit(job["seconds"], job["megabytes"])
    found = checked(pdf, [base64.b64decode(root) for root in job["trust"]])
    sys.stdout.write(json.dumps(found, default=str))


if __name__ == "__main__":
    main()
