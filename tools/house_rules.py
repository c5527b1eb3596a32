"""House rules on what is committed: no large files, no keys, no real-looking personal numbers, lock files without addresses."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

LARGEST = 1_500_000
SECRET = re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----|AKIA[0-9A-Z]{16}")
#: twelve digits that start like a province code and a century of birth; invented people have 999 in front
PERSONAL_NUMBER = re.compile(r"(?<![\d.#-])0(?:0[1-9]|[1-8]\d|9[0-6])[0-3]\d{8}(?![\d.])")
PLAIN = {".py", ".md", ".html", ".ts", ".po", ".json", ".sql", ".toml", ".yaml", ".typ", ".css", ".sh"}


def findings(path: Path) -> list[str]:
    """Return what is wrong with one file."""
    if path.stat().st_size > LARGEST:
        return [f"{path}: {path.stat().st_size} bytes; nothing over {LARGEST} belongs in the repository"]
    if path.suffix not in PLAIN and path.suffix != ".lock":
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    found = [f"{path}: holds a private key"] if SECRET.search(text) and path.name != Path(__file__).name else []
    if path.suffix != ".lock" and path.name != "package-lock.json":
        found += [f"{path}: {m[0]} looks like a citizen's number; use 999…" for m in PERSONAL_NUMBER.finditer(text)]
    elif re.search(r"https?://", text) and path.suffix == ".lock":
        found.append(f"{path}: a lock file without addresses, please (make lock)")
    return found


def main() -> int:
    """Check every file git knows."""
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True).stdout  # noqa: S607 - git on PATH
    found = [f for name in listed.split("\0") if name and Path(name).is_file() for f in findings(Path(name))]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
