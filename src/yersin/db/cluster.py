"""Makes a cluster (initdb, roles, database) and writes its configuration: socket only, passwords, settings by memory.

Two roles: `postgres`, the superuser, for upgrades and physical backup; `yersin`, owner of the database, for all else.
Source: https://www.postgresql.org/docs/current/app-initdb.html, runtime-config.html
"""

from __future__ import annotations

import locale
import os
import secrets
import shutil
import subprocess
from pathlib import Path

from yersin.db.account import Account
from yersin.db.binaries import Binaries
from yersin.db.failure import DatabaseFailure, disk_full, transient

ROOM_NEEDED = 200 * 2**20
NAME = "yersin"
_HBA = "local all all scram-sha-256\nlocal replication postgres scram-sha-256\n"


def create(home: Path, binaries: Binaries, account: Account) -> None:
    """Initialise `home/data`; complete or absent, also when the power fails meanwhile."""
    if shutil.disk_usage(home).free < ROOM_NEEDED:
        raise disk_full(str(home))
    fresh = home / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    secret = {role: secrets.token_urlsafe(24) for role in ("postgres", NAME)}
    word = home / "initial"
    _write_private(word, secret["postgres"])
    account.give(word)
    account.give(fresh)
    try:
        _initdb(home, binaries, account)
    finally:
        word.unlink()
    _write_private(home / "passfile", "".join(f"*:*:*:{role}:{text}\n" for role, text in secret.items()))
    _run(
        account.command(binaries.program("postgres"), "--single", "-j", "-D", account.inside(fresh), "postgres"),
        f"CREATE ROLE {NAME} LOGIN CREATEDB CREATEROLE PASSWORD '{secret[NAME]}';\n\n"
        f"CREATE DATABASE {NAME} OWNER {NAME};\n\n",
    )
    fresh.rename(home / "data")
    _sync(home)


def _initdb(home: Path, binaries: Binaries, account: Account) -> None:
    libc = "C.UTF-8" if _has_locale("C.UTF-8") else "C"
    provider = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if binaries.major >= 17 else []
    _run(
        account.command(
            binaries.program("initdb"),
            f"--pgdata={account.inside(home / 'data.new')}",
            f"--pwfile={account.inside(home / 'initial')}",
            "--username=postgres",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            f"--locale={libc}",
            "--lc-messages=C",
            "--data-checksums",
            "--no-instructions",
            *provider,
        )
    )


def _has_locale(name: str) -> bool:
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, name)
    except locale.Error:
        return False
    locale.setlocale(locale.LC_CTYPE, before)
    return True


def _run(command: list[str], words: str = "") -> None:
    done = subprocess.run(command, input=words, capture_output=True, text=True, check=False, start_new_session=True)  # noqa: S603 - programs we found, arguments we wrote
    # a single-user backend reports a failed statement and still ends with 0
    if done.returncode != 0 or "ERROR:" in done.stderr or "FATAL:" in done.stderr:
        raise explain(done.stderr.strip() or done.stdout.strip())


def explain(said: str) -> DatabaseFailure:
    """Make a clear problem of the last words of a PostgreSQL program."""
    if "No space left on device" in said or "Disk quota exceeded" in said:
        return disk_full()
    if "pre-existing shared memory block" in said:
        return transient()
    end = "\n".join(said.splitlines()[-6:])
    cure = ""
    if "Permission denied" in said or "Read-only file system" in said:
        cure = " Give the data folder to the account Yersin runs as, on a disk that is writable and not mounted noexec."
    elif "database files are incompatible" in said:
        cure = " The data were written by another version of PostgreSQL: set YERSIN_PG_BIN to its programs."
    return DatabaseFailure(
        "exception",
        f"PostgreSQL did not start.{cure} It said:\n{end}",
        vi=f"PostgreSQL không khởi động được. Thông báo của nó:\n{end}",
    )


def configure(home: Path, account: Account, socket_dir: Path) -> None:
    """Write postgresql.conf and pg_hba.conf anew; `home/operator.conf`, if there is one, has the last word."""
    data = home / "data"
    values = {**_fixed(), **_by_memory(_memory()), "unix_socket_directories": f"'{account.inside(socket_dir)}'"}
    lines = ["# written by Yersin at every start; put your own lines into operator.conf in the folder above"]
    lines += [f"{name} = {value}" for name, value in values.items()]
    lines.append("include = '../operator.conf'\n" if (home / "operator.conf").exists() else "")
    for name, text in (("postgresql.conf", "\n".join(lines)), ("pg_hba.conf", _HBA)):
        _write_private(data / name, text)
        account.give(data / name)


def _fixed() -> dict[str, str]:
    return {
        "listen_addresses": "''",
        "unix_socket_permissions": "0700",
        "password_encryption": "'scram-sha-256'",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "wal_compression": "on",
        "checkpoint_timeout": "'10min'",
        "max_connections": "200",
        "jit": "off",
        "random_page_cost": "1.1",
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "autovacuum_naptime": "'20s'",
        "autovacuum_vacuum_scale_factor": "0.05",
        "autovacuum_vacuum_insert_scale_factor": "0.05",  # merges the GIN pending list of tables that only grow
        "autovacuum_analyze_scale_factor": "0.05",
        "gin_pending_list_limit": "'1MB'",
        "idle_in_transaction_session_timeout": "'60s'",
        # a log may be read by people who may not read records: no statement, no value, no detail
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_min_messages": "warning",
        "log_checkpoints": "off",
        "log_autovacuum_min_duration": "-1",
        "log_line_prefix": "'%m [%p] '",
    }


def _by_memory(memory: int) -> dict[str, str]:
    share = max(64, min(4096, memory // 2**20 // 8))
    return {
        "shared_buffers": f"'{share}MB'",
        "effective_cache_size": f"'{share * 4}MB'",
        "work_mem": "'16MB'" if share >= 256 else "'8MB'",
        "maintenance_work_mem": f"'{max(64, min(512, share // 2))}MB'",
        # the first touch of a page after a checkpoint writes it whole: the more there is to touch, the rarer they should be
        "max_wal_size": f"'{max(2, min(8, share // 512))}GB'",
    }


def _memory() -> int:
    """Bytes of memory this machine, or the container we are in, has."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text(encoding="ascii").strip() if limit.exists() else "max"
    return min(total, int(text)) if text.isdecimal() else total


def _write_private(path: Path, text: str) -> None:
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
