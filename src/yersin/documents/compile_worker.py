"""One typst compilation in a process of its own, so that it can be limited and ended. Run by `typeset`, never imported.

Reads a JSON job from standard input; writes a JSON header line (placed fields or the error), then the PDF.
Source: https://typst.app/docs/reference/pdf/
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

import typst


def limit(seconds: int, megabytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))


def compiler(job: dict[str, Any]) -> typst.Compiler:
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=job["fonts"])
    missing = set(job["families"]) - set(fonts.families())
    if missing:
        raise LookupError(f"font not found: {', '.join(sorted(missing))}")
    source = job["template"]
    return typst.Compiler(source, root=job["root"], font_paths=fonts, sys_inputs={"data": job["data"]})


def compiled(job: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    engine = compiler(job)
    pdf, warnings = engine.compile_with_warnings(
        format="pdf", pdf_standards=job["standards"], timestamp=job["timestamp"], pdf_tags="ua-1" in job["standards"]
    )
    fields = json.loads(engine.query("<signature-field>", field="value"))
    return {"fields": fields, "warnings": [warning.message for warning in warnings]}, bytes(pdf)  # type: ignore[arg-type]  # a PDF is one file


def main() -> None:
    job = json.load(sys.stdin.buffer)
    limit(job["seconds"], job["megabytes"])
    try:
        header, pdf = compiled(job)
    except (typst.TypstError, LookupError) as failure:
        header, pdf = {"error": str(failure)}, b""
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + pdf)


if __name__ == "__main__":
    main()
