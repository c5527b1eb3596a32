"""Files that survive: write, sync, give the name, sync the folder. And what a full disk says to a person."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from yersin.fhir.problem import Problem, problem

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def disk_full() -> Problem:
    """Build the Problem of a disk without room. Nothing of the refused file remains."""
    return problem(
        "no-store",
        "Máy chủ hết chỗ lưu tệp. Tệp chưa được lưu; hãy báo người quản trị rồi gửi lại. / The server has no room left "
        "for files. Nothing was kept; tell the administrator, then send it again.",
        status=507,
    )


@contextlib.contextmanager
def full_disk_is_a_problem() -> Iterator[None]:
    """Turn `no space left` into a Problem; other failures pass as they are."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise disk_full() from error


def make_folder(folder: Path, upto: Path) -> None:
    """Make a folder below `upto` so that it survives a crash."""
    if folder.is_dir():
        return
    make_folder(folder.parent, upto)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names within a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock between processes; it falls by itself when its holder dies."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def require_room(folder: Path, size: int, reserve: int) -> None:
    """Refuse early what will not fit. Raises Problem `no-store`."""
    if shutil.disk_usage(folder).free < size + reserve:
        raise disk_full()
