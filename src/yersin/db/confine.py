"""Becomes a PostgreSQL program: gives up root, asks to be stopped when its parent dies, and executes it.

Run by file path as a process of its own, with standard library modules only, because PostgreSQL refuses root and
because changing namespaces between fork and exec is not safe in a threaded parent. Linux only.
Source: man 2 unshare, mount, prctl; man 7 user_namespaces.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from typing import Any

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: Any) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _show(home: str, view: str) -> None:
    """Make `home` visible at `view`, for this process and its children only; its parents may be closed."""
    _call("unshare", CLONE_NEWNS)
    _call("mount", None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None)
    _call("mount", os.fsencode(home), os.fsencode(view), None, ctypes.c_ulong(MS_BIND | MS_REC), None)


def _map(uid: int, gid: int) -> None:
    """Appear as `uid` in a user namespace in which this process holds no rights beyond owning its files."""
    _call("unshare", CLONE_NEWUSER)
    for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} 0 1"), ("gid_map", f"{gid} 0 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 - starts sooner without pathlib
            file.write(line)


def main(order: dict[str, Any], command: list[str]) -> None:
    """Take the steps of `order`, then become `command`."""
    if order["view"]:
        _show(order["home"], order["view"])
    if order["mapped"]:
        _map(order["uid"], order["gid"])
    elif order["uid"] is not None:
        os.setgroups([])
        os.setgid(order["gid"])
        os.setuid(order["uid"])
    # after the change of identity, which clears it; SIGINT is PostgreSQL's fast and clean shutdown
    _call("prctl", PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGINT), 0, 0, 0)
    if os.getppid() != order["parent"]:
        raise SystemExit("The parent died before its child was ready.")
    os.umask(0o077)
    os.chdir("/")
    os.execv(command[0], command)  # noqa: S606 - the command is ours, and no shell is wanted


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]), sys.argv[2:])
    except OSError as error:
        raise SystemExit(f"confine: {error}") from error
