"""Under whose name the embedded server runs, and how it reaches its folder. PostgreSQL refuses root.

Not root: as ourselves. Root: as an existing account; where a closed parent folder (0700) bars that account, the data
is bound to an open place in a mount namespace of the server's own; where mounting is forbidden (containers), root
appears as that account in a user namespace. No account is made and no parent folder is changed.
"""

from __future__ import annotations

import json
import logging
import os
import pwd
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from yersin.db.failure import DatabaseFailure

log = logging.getLogger(__name__)

ACCOUNTS = ("yersin", "postgres", "nobody")
VIEWS = ("/mnt", "/media", "/srv")
LAUNCHER = Path(__file__).with_name("confine.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """How programs of the server are started. `view` is where they see `home`; None means at its own path."""

    home: Path
    uid: int | None = None
    gid: int | None = None
    view: str | None = None
    mapped: bool = False

    @property
    def owner(self) -> tuple[int, int]:
        """Owner of the cluster's files as the file system knows it."""
        if self.uid is None or self.gid is None:
            return os.geteuid(), os.getegid()
        return (0, 0) if self.mapped else (self.uid, self.gid)

    def inside(self, path: Path) -> str:
        """Name the path as the server sees it."""
        if self.view is None or not path.is_relative_to(self.home):
            return str(path)
        return str(Path(self.view) / path.relative_to(self.home))

    def command(self, program: Path, *arguments: str) -> list[str]:
        """Command line that runs `program` under this account and stops it cleanly when our process dies."""
        command = [self.inside(program), *arguments]
        if sys.platform != "linux":
            return command
        order = {
            "home": str(self.home),
            "uid": self.uid,
            "gid": self.gid,
            "view": self.view,
            "mapped": self.mapped,
            "parent": os.getpid(),
        }
        return [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(order), *command]

    def give(self, path: Path) -> None:
        """Hand a file, or a folder with all in it, to the server's account."""
        if os.geteuid() != 0:
            return
        for each in (path, *(path.rglob("*") if path.is_dir() else ())):
            if (each.lstat().st_uid, each.lstat().st_gid) != self.owner:
                os.chown(each, *self.owner, follow_symlinks=False)


def choose(home: Path, pg_bin: Path | None) -> Account:
    """Find the first way that works here."""
    if os.geteuid() != 0:
        return Account(home=home)
    entry = next((e for name in ACCOUNTS if (e := _entry(name)) is not None), None)
    if entry is None:
        raise _nowhere(home)
    uid, gid = entry.pw_uid, entry.pw_gid
    if _reaches(home, uid, gid):
        return Account(home=home, uid=uid, gid=gid)
    views = [v for v in VIEWS if Path(v).is_dir() and not (pg_bin and pg_bin.is_relative_to(v))]
    ways = [Account(home=home, uid=uid, gid=gid, view=view) for view in views]
    for way in (*ways, Account(home=home, uid=uid, gid=gid, mapped=True)):
        if _works(way):
            if way.mapped:
                log.warning("the database runs in a user namespace and owns what root owns; prefer another account")
            return way
    raise _nowhere(home)


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _reaches(home: Path, uid: int, gid: int) -> bool:
    def may_pass(folder: Path) -> bool:
        status = folder.stat()
        if status.st_uid == uid:
            return bool(status.st_mode & 0o100)
        return bool(status.st_mode & (0o010 if status.st_gid == gid else 0o001))

    return all(may_pass(folder) for folder in (home, *home.parents))


def _works(way: Account) -> bool:
    command = way.command(Path("/bin/sh"), "-c", f"cd {way.view or '/'}")
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own launcher


def _nowhere(home: Path) -> DatabaseFailure:
    return DatabaseFailure(
        "forbidden",
        f"PostgreSQL refuses to run as root, and no other account can reach {home}. Start Yersin as another user, or"
        " set YERSIN_DATA_DIR to a folder whose parents everybody may enter, such as /var/lib/yersin.",
        vi=f"PostgreSQL không chạy với quyền root, và không tài khoản nào khác vào được {home}. Hãy chạy Yersin bằng"
        " người dùng khác, hoặc đặt YERSIN_DATA_DIR là thư mục mà mọi người vào được, ví dụ /var/lib/yersin.",
    )
