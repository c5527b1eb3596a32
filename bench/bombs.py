"""What bodies made to be dear cost: CPU of reading them and the memory they take, each in a process of its own.

Usage: python bench/bombs.py [megabytes]. Prints a table and JSON.
"""

from __future__ import annotations

import gzip
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

from yersin.api.app import BODY_LIMIT
from yersin.api.formats import unpacked
from yersin.fhir import Problem, parse, xml

PATIENT = b'{"resourceType":"Patient",'
XML = b'<Patient xmlns="http://hl7.org/fhir">'


def filled(head: bytes, piece: bytes, tail: bytes, size: int) -> bytes:
    return head + piece * (size // len(piece)) + tail


BOMBS: dict[str, tuple[Callable[[int], bytes], Callable[[bytes], object]]] = {
    "nested arrays": (lambda n: b"[" * n, parse),
    "nested objects": (lambda n: filled(PATIENT, b'"a":{', b"", n), parse),
    "nested extensions": (lambda n: filled(PATIENT + b'"extension":[', b'{"url":"u:x","extension":[', b"", n), parse),
    "empty objects": (lambda n: filled(PATIENT + b'"name":[', b"{},", b"{}]}", n), parse),
    "objects, the last one wrong": (lambda n: filled(PATIENT + b'"name":[', b'{"text":"a"},', b'{"txt":"a"}]}', n), parse),
    "nulls": (lambda n: filled(PATIENT + b'"name":[', b"null,", b"null]}", n), parse),
    "unknown members": (lambda n: PATIENT + b",".join(b'"k%d":1' % i for i in range(n // 10)) + b"}", parse),
    "one member many times": (lambda n: filled(PATIENT, b'"id":"x",', b'"id":"x"}', n), parse),
    "a long id": (lambda n: filled(PATIENT + b'"id":"', b"x", b'"}', n), parse),
    "a long text": (lambda n: filled(PATIENT + b'"name":[{"text":"', b"x", b'"}]}', n), parse),
    "a long number": (lambda n: filled(PATIENT + b'"multipleBirthInteger":', b"9", b"}", n), parse),
    "blanks": (lambda n: filled(PATIENT, b" ", b'"id":"x"}', n), parse),
    "XML, deep": (lambda n: filled(XML, b"<a>", b"", n), xml.read),
    "XML, entities": (lambda n: b'<!DOCTYPE x [<!ENTITY a "' + b"a" * n + b'">]>' + XML + b"&a;</Patient>", xml.read),
    "XML, many elements": (lambda n: filled(XML, b'<name><text value="a"/></name>', b"</Patient>", n), xml.read),
    "gzip of blanks": (lambda n: gzip.compress(b" " * 8 * n), lambda raw: unpacked({b"content-encoding": b"gzip"}, raw, BODY_LIMIT)),
}  # fmt: skip


def measure(name: str, size: int) -> dict[str, object]:
    """Read one bomb in this process."""
    make, read = BOMBS[name]
    parse(PATIENT + b'"id":"x"}')
    raw = make(size)
    memory, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        read(raw)
        status = 200
    except Problem as refusal:
        status = refusal.status
    took, most = time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "megabytes": round(len(raw) / 1e6, 1),
        "seconds": round(took, 3),
        "memory_mb": (most - memory) >> 10,
        "status": status,
    }


def main() -> None:
    if len(sys.argv) > 2:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
        return
    size = int(float(sys.argv[1] if len(sys.argv) > 1 else 16) * (1 << 20))
    rows = {}
    for name in BOMBS:
        told = subprocess.run([sys.executable, __file__, name, str(size)], check=True, capture_output=True).stdout
        rows[name] = json.loads(told)
        print(f"{name:30}", "  ".join(f"{key} {value}" for key, value in rows[name].items()), flush=True)
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
