"""The embedded PostgreSQL: one supervising process starts it, keeps it running and stops it; others use its address.

It never outlives its supervisor: an orderly end stops it, and when the supervisor is killed the kernel sends SIGINT, a
clean fast shutdown. What an earlier run left behind is stopped before a new start, and recovery may take its time.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from yersin.db import account as accounts
from yersin.db import binaries, cluster
from yersin.db.account import Account
from yersin.db.binaries import Binaries
from yersin.db.failure import DatabaseFailure
from yersin.settings import Settings

log = logging.getLogger(__name__)

SOCKET_LIMIT = 107  # bytes of sockaddr_un.sun_path without its closing zero
SOCKET_NAME = ".s.PGSQL.5432"
LOG_LIMIT = 10 * 2**20
PATIENCE = 120.0  # seconds for a shutdown checkpoint, then recovery at the next start is the smaller evil
PAUSE = 0.02
_held: set[Path] = set()


@dataclass(slots=True, kw_only=True)
class Server:
    """A server this process started. `url` holds no secret: the password stands in the private file it names."""

    home: Path
    url: str
    account: Account
    programs: Binaries
    lock: int
    process: subprocess.Popen[bytes] | None = None
    #: where in server.log the words of this start begin
    said_from: int = 0
    #: until when a start is tried again while processes of a killed server still hold its memory
    deadline: float = 0.0

    @property
    def pid(self) -> int:
        """Process number of the postmaster."""
        return self.process.pid if self.process else 0


def start(settings: Settings) -> Server:
    """Start the server of `settings.data_dir` and wait until it answers. Call from a thread that lives on.

    The kernel ends the server when the thread that started it ends, as it does when the process is killed.
    """
    server = _prepare(settings)
    try:
        while not _started(server):
            time.sleep(1.0)
    except BaseException:
        stop(server)
        raise
    return server


def _started(server: Server) -> bool:
    """Launch it and wait, however long recovery takes; False when the one before has not quite gone."""
    try:
        _launch(server)
        while not _ready(server):
            time.sleep(PAUSE)
    except DatabaseFailure as failure:
        if failure.permanent or time.monotonic() > server.deadline:
            raise
        return False
    return True


def stop(server: Server) -> None:
    """Stop it cleanly (open transactions are rolled back) and let go of the folder. Twice does no harm."""
    if server.process is not None:
        if server.process.poll() is None:
            server.process.send_signal(signal.SIGINT)
        _reap(server.process)
        server.process = None
    if server.home in _held:
        _forget_address(server.home)
        _held.discard(server.home)
        os.close(server.lock)


@contextlib.asynccontextmanager
async def run(settings: Settings) -> AsyncIterator[str]:
    """Yield the address of the database; start, watch and stop a server unless `database_url` names one."""
    if settings.database_url:
        yield settings.database_url
        return
    server = start(settings)
    keeper = asyncio.create_task(_keep(server))
    try:
        yield server.url
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper
        await asyncio.to_thread(stop, server)


def address(settings: Settings) -> str | None:
    """Address for worker processes and command line tools; None when no server runs on this data folder."""
    if settings.database_url:
        return settings.database_url
    home = _home(settings)
    with contextlib.suppress(FileNotFoundError):
        url = (home / "address").read_text(encoding="utf-8")
        if _postmaster(home) is not None:
            return url
    return None


async def _keep(server: Server) -> None:
    """Start the server again when it ended though nobody asked, for example killed for lack of memory."""
    delay = 1.0
    while True:
        await asyncio.sleep(0.2)
        if server.process is not None and server.process.poll() is None:
            continue
        log.error("the embedded database ended unexpectedly; it is started again in %.0f s", delay)
        await asyncio.sleep(delay)
        try:
            _stop_orphan(server.home)
            _launch(server)
            while not _ready(server):  # noqa: ASYNC110 - another process is waited for, it sets no event
                await asyncio.sleep(PAUSE)
        except DatabaseFailure as failure:
            log.error("the embedded database did not start: %s", failure.diagnostics)  # noqa: TRY400 - the cause is told in the message
            delay = min(delay * 2, 30.0)
        else:
            delay = 1.0


def _home(settings: Settings) -> Path:
    return settings.data_dir.resolve() / "postgres"


def _prepare(settings: Settings) -> Server:
    home = _home(settings)
    _make(home)
    lock = _lock(home)
    try:
        _stop_orphan(home)
        account = accounts.choose(home, settings.pg_bin)
        programs = binaries.find(home, pg_bin=settings.pg_bin, major=_major(home))
        if _major(home) is None:
            cluster.create(home, programs, account)
        account.give(home / "data")
        socket_dir = _socket_dir(home, account)
        cluster.configure(home, account, socket_dir)
        url = _url(home, socket_dir)
        (home / "address").write_text(url, encoding="utf-8")
    except OSError as error:
        _release(home, lock)
        raise _unwritable(home, error) from error
    except BaseException:
        _release(home, lock)
        raise
    return Server(
        home=home, url=url, account=account, programs=programs, lock=lock, deadline=time.monotonic() + PATIENCE
    )


def _make(home: Path) -> None:
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        # as root the server's own account passes through to its folders; secrets inside are 0600
        home.mkdir(exist_ok=True, mode=0o700)
        home.chmod(0o711 if os.geteuid() == 0 else 0o700)
    except OSError as error:
        raise _unwritable(home, error) from error


def _unwritable(home: Path, error: OSError) -> DatabaseFailure:
    if error.errno in {28, 122}:  # ENOSPC, EDQUOT
        return cluster.explain("No space left on device")
    return DatabaseFailure(
        "forbidden",
        f"The data folder cannot be used: {error.strerror}: {error.filename or home}. Give it to the account Yersin"
        " runs as, or set YERSIN_DATA_DIR to a folder that account may write.",
        vi=f"Không dùng được thư mục dữ liệu: {error.strerror}: {error.filename or home}. Hãy cấp quyền cho tài khoản"
        " chạy Yersin, hoặc đặt YERSIN_DATA_DIR là thư mục tài khoản đó ghi được.",
    )


def _lock(home: Path) -> int:
    """Hold the folder for this process: a record lock ends with the process and is not inherited by its children."""
    if home in _held:
        raise _served(home, os.getpid())
    handle = os.open(home / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(handle, 20, 0).decode("ascii").strip()
        os.close(handle)
        raise _served(home, int(holder or 0)) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode("ascii"), 0)
    _held.add(home)
    return handle


def _release(home: Path, lock: int) -> None:
    _held.discard(home)
    os.close(lock)


def _served(home: Path, pid: int) -> DatabaseFailure:
    return DatabaseFailure(
        "conflict",
        f"The data in {home} are already served by process {pid}. Stop it first, or set YERSIN_DATA_DIR to another"
        " folder.",
        vi=f"Dữ liệu trong {home} đang được tiến trình {pid} phục vụ. Hãy dừng nó trước, hoặc đặt YERSIN_DATA_DIR là"
        " thư mục khác.",
        status=409,
    )


def _major(home: Path) -> int | None:
    mark = home / "data" / "PG_VERSION"
    return int(mark.read_text(encoding="ascii")) if mark.exists() else None


def _postmaster(home: Path) -> int | None:
    """Process number of a live postmaster on this folder."""
    try:
        pid = int((home / "data" / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    if pid == os.getpid():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return None if os.geteuid() != 0 else pid
    return pid if _works_in(pid, home / "data") else None


def _works_in(pid: int, data: Path) -> bool:
    """Whether the process stands in the data folder, as a postmaster does; numbers are used again after a crash."""
    there = Path(f"/proc/{pid}/cwd")
    if not Path("/proc/self/cwd").exists():
        return True
    try:
        return there.samefile(data)
    except OSError:
        return False


def _stop_orphan(home: Path) -> None:
    """Stop a server an earlier run left behind; make a file of a dead one harmless."""
    pid = _postmaster(home)
    if pid is not None:
        log.warning("stopping the database left behind by an earlier run (process %d)", pid)
        _end(pid, home)
    stale = home / "data" / "postmaster.pid"
    if stale.exists():
        # The number may by now belong to some other program, at which PostgreSQL would refuse to start. Its own
        # parent's number it takes for stale, and the rest of the file still lets it check for left-over backends.
        rest = stale.read_text(encoding="utf-8").splitlines()[1:]
        stale.write_text("\n".join([str(os.getpid()), *rest]) + "\n", encoding="utf-8")
    with contextlib.suppress(FileNotFoundError):
        _forget_address(home)


def _end(pid: int, home: Path) -> None:
    for word in (signal.SIGINT, signal.SIGQUIT):
        os.kill(pid, word)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if _postmaster(home) != pid:
                return
            time.sleep(PAUSE)
    raise DatabaseFailure(
        "conflict",
        f"The database left behind by an earlier run (process {pid}) does not stop. End that process, then start"
        " again.",
        vi=f"Cơ sở dữ liệu của lần chạy trước (tiến trình {pid}) không dừng. Hãy kết thúc tiến trình đó rồi chạy lại.",
        status=409,
    )


def _reap(process: subprocess.Popen[bytes]) -> None:
    for word in (signal.SIGQUIT, signal.SIGKILL):
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.send_signal(word)
        else:
            return
    process.wait()


def _socket_dir(home: Path, account: Account) -> Path:
    """`home/run`, or a private folder elsewhere when that path is too long for a socket."""
    near = home / "run"
    if max(len(os.fsencode(f"{path}/{SOCKET_NAME}")) for path in (near, account.inside(near))) <= SOCKET_LIMIT:
        near.mkdir(mode=0o700, exist_ok=True)
        found = near
    else:
        room = os.environ.get("XDG_RUNTIME_DIR", "") if account.uid is None else ""
        found = Path(tempfile.mkdtemp(prefix="yersin-", dir=room if 0 < len(room) < 60 else "/tmp"))  # noqa: S108 - made 0700 with a name nobody can guess
    account.give(found)
    return found


def _forget_address(home: Path) -> None:
    """Remove the note of the address, and the socket folder if it lies outside."""
    note = home / "address"
    host = note.read_text(encoding="utf-8").partition("host=")[2].partition("&")[0] if note.exists() else ""
    folder = Path(host)
    if host and folder.name.startswith("yersin-") and folder.parent != home:
        shutil.rmtree(folder, ignore_errors=True)
    note.unlink(missing_ok=True)


def _url(home: Path, socket_dir: Path) -> str:
    keep = "/"
    return (
        f"postgresql://{cluster.NAME}@/{cluster.NAME}?host={quote(str(socket_dir), safe=keep)}"
        f"&passfile={quote(str(home / 'passfile'), safe=keep)}"
    )


def _launch(server: Server) -> None:
    journal = server.home / "server.log"
    if journal.exists() and journal.stat().st_size > LOG_LIMIT:
        journal.replace(journal.with_suffix(".log.1"))
    server.said_from = journal.stat().st_size if journal.exists() else 0
    command = server.account.command(
        server.programs.program("postgres"), "-D", server.account.inside(server.home / "data")
    )
    with journal.open("ab") as sink:
        journal.chmod(0o600)
        # a session of its own: Ctrl-C at the terminal is for us, who then stop the server in order
        server.process = subprocess.Popen(  # noqa: S603 - a program we found, arguments we wrote
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
        )


def _ready(server: Server) -> bool:
    """Whether it answers; raises when it has ended. The eighth line of PostgreSQL's pid file tells its state."""
    process = server.process
    if process is None or process.poll() is not None:
        raise cluster.explain(_last_words(server))
    try:
        lines = (server.home / "data" / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0].strip() == str(process.pid) and lines[7].strip() == "ready"


def _last_words(server: Server) -> str:
    with (server.home / "server.log").open("rb") as file:
        file.seek(server.said_from)
        return file.read()[-4000:].decode("utf-8", "replace")
