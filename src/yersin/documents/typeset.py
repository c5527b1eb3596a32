"""Typeset PDF documents from a typst template and plain data: PDF/A-2b and PDF/UA-1, fonts embedded.

The data reaches the template as JSON in `sys.inputs.data`, so text is never read as markup.
The template marks places for signatures with the `signature-field` of `documents/templates/letter.typ`.
Sources: ISO 19005-2 (PDF/A-2), ISO 14289-1 (PDF/UA-1), https://typst.app/docs/reference/foundations/sys
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from yersin.documents import fonts
from yersin.documents.fields import PlacedField, place_fields
from yersin.fhir.problem import Problem, problem

ROOT = Path(__file__).resolve().parent.parent
STANDARDS = ("a-2b", "ua-1")
LARGEST_DATA = 2 * 1024 * 1024
_WORKER = Path(__file__).with_name("compile_worker.py")
_SEATS = threading.BoundedSemaphore(os.cpu_count() or 2)


def typeset(
    template: Path | str,
    data: Mapping[str, Any],
    *,
    at: datetime,
    seconds: float = 20,
    standards: tuple[str, ...] = STANDARDS,
) -> bytes:
    """Return the PDF of a template (a path under the package, like `telehealth/documents/minutes.typ`).

    The same template, data and `at` give the same bytes. Blocks: call it in a thread.
    """
    header, pdf = _compiled(_job(template, data, at=at, seconds=seconds, standards=standards), seconds)
    placed = [PlacedField(**field) for field in header["fields"]]
    return place_fields(pdf, placed, at=at) if placed else pdf


def _job(
    template: Path | str, data: Mapping[str, Any], *, at: datetime, seconds: float, standards: tuple[str, ...]
) -> bytes:
    text = json.dumps(fonts.showable_data(dict(data)), ensure_ascii=False, allow_nan=False)
    if len(text) > LARGEST_DATA:
        raise problem("too-long", "Văn bản quá dài để in thành tài liệu. | The text is too long for one document.")
    job = {
        "template": str(_template(template)),
        "root": str(ROOT),
        "fonts": [str(folder) for folder in fonts.font_folders()],
        "families": fonts.FAMILIES,
        "data": text,
        "timestamp": int(at.timestamp()),
        "standards": standards,
        "seconds": max(1, int(seconds)),
        "megabytes": 4096,
    }
    return json.dumps(job).encode()


def _template(template: Path | str) -> Path:
    path = (ROOT / template).resolve()
    if not path.is_relative_to(ROOT) or not path.is_file():
        raise problem("not-found", f"Không có mẫu tài liệu {template}. | No document template {template}.", status=500)
    return path


def _compiled(job: bytes, seconds: float) -> tuple[dict[str, Any], bytes]:
    with _SEATS:
        try:
            done = subprocess.run(  # noqa: S603 - our own interpreter and our own file, no shell
                [sys.executable, "-P", str(_WORKER)], input=job, capture_output=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            raise _too_slow(seconds) from None
    head, _, pdf = done.stdout.partition(b"\n")
    if done.returncode != 0 or not head:
        raise _failed(done.stderr.decode(errors="replace")[-500:] or f"exit {done.returncode}")
    header: dict[str, Any] = json.loads(head)
    if "error" in header:
        raise _failed(header["error"])
    if header["warnings"]:  # an unknown font family only warns
        raise _failed("; ".join(header["warnings"]))
    return header, pdf


def _too_slow(seconds: float) -> Problem:
    return problem(
        "timeout",
        f"Dàn trang quá {seconds:g} giây nên đã dừng; hãy rút ngắn nội dung. | "
        f"Typesetting took over {seconds:g} seconds and was stopped; shorten the text.",
        status=503,
    )


def _failed(why: str) -> Problem:
    return problem(
        "exception", f"Không dàn trang được tài liệu. | The document could not be typeset: {why}", status=500
    )
