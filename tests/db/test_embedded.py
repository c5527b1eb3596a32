"""The embedded server keeps its rows through stops, kills and crashes, and says clearly why it cannot start."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from yersin.db import DatabaseFailure, account, cluster, connect, embedded
from yersin.settings import Settings

DEBIAN = Path("/usr/lib/postgresql/15/bin")
PATHS = [str(Path(embedded.__file__).parents[2]), str(Path(msgspec.__file__).parents[1])]
NOBODY: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []}
Start = Callable[[Settings], embedded.Server]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has another account to give the server to")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal at a parent's death is Linux's")


def ask(url: str, *statements: str) -> object:
    async def run() -> object:
        database = await connect(url, max_size=1)
        try:
            for statement in statements[:-1]:
                await database.execute(statement)
            return await database.fetchval(statements[-1])
        finally:
            await database.close()

    return asyncio.run(run())


def fill(url: str) -> None:
    ask(url, "CREATE TABLE kept (n int)", "INSERT INTO kept SELECT generate_series(1, 1000)", "SELECT 1")


def count(url: str) -> object:
    return ask(url, "SELECT count(*) FROM kept")


def gone(pid: int, seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def another(folder: Path, then: str, *, python: str = sys.executable, **options: Any) -> subprocess.Popen[str]:
    """Start a second Yersin process that starts the server, says its number and goes on with `then`."""
    program = f"""
        import os, signal, sys, time
        sys.path[:0] = {PATHS!r}
        from pathlib import Path
        from yersin.db import DatabaseFailure, embedded
        from yersin.settings import Settings
        try:
            server = embedded.start(Settings(data_dir=Path({str(folder)!r})))
        except DatabaseFailure as failure:
            print(failure.code, failure.diagnostics, flush=True)
            raise SystemExit(3)
        print(server.pid, server.url, flush=True)
        {then}
    """
    return subprocess.Popen([python, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True, **options)


@pytest.fixture(params=["wheel", "debian 15"])
def pg_bin(request: pytest.FixtureRequest) -> Path | None:
    if request.param == "wheel":
        return None
    if not DEBIAN.exists():
        pytest.skip(f"{DEBIAN} is absent; the package postgresql-15 brings it")
    return DEBIAN


def test_rows_stay_from_one_start_to_the_next(folder: Path, served: Start, pg_bin: Path | None) -> None:
    settings = Settings(data_dir=folder, pg_bin=pg_bin)
    first = served(settings)
    fill(first.url)
    embedded.stop(first)
    assert count(served(settings).url) == 1000


def test_the_server_knows_vietnamese_and_pins_its_settings(folder: Path, served: Start, pg_bin: Path | None) -> None:
    url = served(Settings(data_dir=folder, pg_bin=pg_bin)).url
    assert ask(url, "SELECT lower('ĐẶNG THỊ ÁNH')") == "đặng thị ánh"
    assert ask(url, "CREATE EXTENSION pg_trgm", "SELECT show_trgm('ánh') IS NOT NULL") is True
    assert ask(url, "SHOW listen_addresses") == ""
    assert ask(url, "SHOW fsync") == "on"
    assert ask(url, "SHOW data_checksums") == "on"
    assert ask(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


def test_rows_survive_a_killed_postmaster(folder: Path, served: Start) -> None:
    settings = Settings(data_dir=folder)
    first = served(settings)
    fill(first.url)
    os.kill(first.pid, signal.SIGKILL)
    embedded.stop(first)
    assert count(served(settings).url) == 1000


def test_a_start_waits_for_workers_of_a_killed_postmaster(folder: Path, served: Start) -> None:
    settings = Settings(data_dir=folder)
    first = served(settings)
    fill(first.url)

    async def busy_when_killed() -> None:
        database = await connect(first.url, max_size=1)
        until = "e timestamptz = clock_timestamp() + '2s'"
        spin = f"DO $$ DECLARE {until}; BEGIN WHILE clock_timestamp() < e LOOP END LOOP; END $$"
        task = asyncio.create_task(database.execute(spin))
        await asyncio.sleep(0.3)
        os.kill(first.pid, signal.SIGKILL)
        database.points.terminate()
        with pytest.raises(DatabaseFailure):
            await task
        await database.close()

    asyncio.run(busy_when_killed())
    embedded.stop(first)
    assert count(served(settings).url) == 1000
    assert "pre-existing shared memory block" in (first.home / "server.log").read_text()


@on_linux
@pytest.mark.parametrize("word", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_ends_cleanly_when_its_supervisor_is_killed(
    folder: Path, served: Start, word: signal.Signals
) -> None:
    with another(folder, "time.sleep(60)") as process:
        assert process.stdout is not None
        pid, url = process.stdout.readline().split()
        fill(url)
        process.send_signal(word)
        process.wait(10)
    assert gone(int(pid))
    assert "database system is shut down" in (folder / "postgres" / "server.log").read_text()
    assert count(served(Settings(data_dir=folder)).url) == 1000


def test_a_server_left_behind_is_stopped_before_the_next_start(folder: Path, served: Start) -> None:
    settings = Settings(data_dir=folder)
    lost = served(settings)
    fill(lost.url)
    assert lost.process is not None
    # what is left when the supervisor goes: the postmaster, its files, no lock
    embedded._held.discard(lost.home)
    os.close(lost.lock)
    process, lost.process = lost.process, None
    # nobody else reaps our child: a thread stands in for init

    reaper = threading.Thread(target=process.wait)
    reaper.start()
    second = served(settings)
    reaper.join(10)
    assert process.returncode == 0
    assert count(second.url) == 1000


def test_a_pid_file_that_names_a_stranger_does_no_harm(folder: Path, served: Start) -> None:
    settings = Settings(data_dir=folder)
    first = served(settings)
    fill(first.url)
    pid_file = first.home / "data" / "postmaster.pid"
    text = pid_file.read_text()
    owner, group = first.account.owner
    identity: dict[str, Any] = {"user": owner, "group": group} if os.geteuid() == 0 else {}
    os.kill(first.pid, signal.SIGKILL)
    embedded.stop(first)
    with subprocess.Popen(["sleep", "60"], **identity) as stranger:
        pid_file.write_text("\n".join([str(stranger.pid), *text.splitlines()[1:]]) + "\n")
        first.account.give(pid_file)
        assert count(served(settings).url) == 1000
        assert stranger.poll() is None
        stranger.kill()


def test_a_second_start_in_the_same_process_is_refused(folder: Path, served: Start) -> None:
    served(Settings(data_dir=folder))
    with pytest.raises(DatabaseFailure, match=f"already served by process {os.getpid()}"):
        embedded.start(Settings(data_dir=folder))


def test_a_second_process_on_the_same_folder_is_refused(folder: Path, served: Start) -> None:
    first = served(Settings(data_dir=folder))
    with another(folder, "") as process:
        said, _ = process.communicate(timeout=30)
    assert said.startswith("conflict")
    assert f"already served by process {os.getpid()}" in said
    assert ask(first.url, "SELECT 1") == 1


def test_workers_find_the_address_while_the_server_runs(folder: Path, served: Start) -> None:
    settings = Settings(data_dir=folder)
    assert embedded.address(settings) is None
    server = served(settings)
    assert embedded.address(settings) == server.url
    embedded.stop(server)
    assert embedded.address(settings) is None


def test_an_address_in_the_settings_starts_nothing(folder: Path) -> None:
    settings = Settings(data_dir=folder, database_url="postgresql://elsewhere/yersin")

    async def use() -> str:
        async with embedded.run(settings) as url:
            return url

    assert asyncio.run(use()) == "postgresql://elsewhere/yersin"
    assert not folder.exists()


def test_a_killed_server_is_started_again_while_running(folder: Path) -> None:
    seen = set()

    async def story() -> object:
        async with embedded.run(Settings(data_dir=folder)) as url:
            database = await connect(url, max_size=1)
            await database.execute("CREATE TABLE kept (n int)")
            pid = int((folder / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGKILL)
            for _ in range(100):
                await asyncio.sleep(0.1)
                try:
                    answer = await database.fetchval("SELECT count(*) FROM kept")
                except DatabaseFailure as failure:
                    seen.add((failure.code, failure.status))
                else:
                    await database.close()
                    return answer
            raise AssertionError("not back within ten seconds")

    assert asyncio.run(story()) == 0
    assert seen == {("transient", 503)}


def test_a_data_folder_with_a_very_long_path_gets_its_socket_elsewhere(tmp_path: Path, served: Start) -> None:
    server = served(Settings(data_dir=tmp_path / ("long" * 20) / ("path" * 20)))
    assert ask(server.url, "SELECT 1") == 1
    socket_dir = Path(server.url.partition("host=")[2].partition("&")[0])
    assert not socket_dir.is_relative_to(tmp_path)
    assert stat.S_IMODE(socket_dir.stat().st_mode) == 0o700
    embedded.stop(server)
    assert not socket_dir.exists()


def test_secrets_are_private_and_the_address_holds_none(folder: Path, served: Start) -> None:
    server = served(Settings(data_dir=folder))
    passfile = server.home / "passfile"
    assert stat.S_IMODE(passfile.stat().st_mode) == 0o600
    assert not any(line.rpartition(":")[2] in server.url for line in passfile.read_text().split())
    with pytest.raises(DatabaseFailure) as caught:
        ask(server.url.partition("&passfile")[0].replace("yersin@", "yersin:guess@"), "SELECT 1")
    assert caught.value.code == "login"


def test_the_log_tells_no_value_of_a_failed_statement(folder: Path, served: Start) -> None:
    server = served(Settings(data_dir=folder))
    with pytest.raises(Exception, match="duplicate key"):
        ask(
            server.url,
            "CREATE TABLE t (id text PRIMARY KEY)",
            "INSERT INTO t VALUES ('999012345678'), ('999012345678')",
        )
    log = (server.home / "server.log").read_text()
    assert "duplicate key" in log
    assert "999012345678" not in log


def test_an_operators_own_settings_have_the_last_word(folder: Path, served: Start) -> None:
    embedded.stop(served(Settings(data_dir=folder)))
    (folder / "postgres" / "operator.conf").write_text("work_mem = '33MB'\n")
    (folder / "postgres" / "operator.conf").chmod(0o644)
    assert ask(served(Settings(data_dir=folder)).url, "SHOW work_mem") == "33MB"


def test_a_data_folder_that_is_a_file_is_refused_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(DatabaseFailure, match="YERSIN_DATA_DIR"):
        embedded.start(Settings(data_dir=tmp_path / "data"))


def test_a_folder_without_programs_is_refused_with_the_cure(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DatabaseFailure, match="YERSIN_PG_BIN is"):
        embedded.start(Settings(data_dir=folder, pg_bin=tmp_path))
    assert embedded.address(Settings(data_dir=folder)) is None


def test_a_broken_setting_is_told_in_postgresqls_words(folder: Path, served: Start) -> None:
    embedded.stop(served(Settings(data_dir=folder)))
    (folder / "postgres" / "operator.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(DatabaseFailure, match="no_such_setting"):
        embedded.start(Settings(data_dir=folder))


def test_data_of_another_major_version_choose_their_own_programs(folder: Path, served: Start) -> None:
    if not DEBIAN.exists():
        pytest.skip(f"{DEBIAN} is absent; the package postgresql-15 brings it")
    embedded.stop(served(Settings(data_dir=folder, pg_bin=DEBIAN)))
    assert served(Settings(data_dir=folder)).programs.major == 15


def test_programs_no_longer_in_the_wheel_are_kept_beside_the_data(
    folder: Path, served: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded.stop(served(Settings(data_dir=folder)))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert ask(served(Settings(data_dir=folder)).url, "SELECT 1") == 1


def test_data_without_programs_of_their_version_are_refused(
    folder: Path, served: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = served(Settings(data_dir=folder))
    embedded.stop(server)
    (server.home / "data" / "PG_VERSION").write_text("14\n")
    with pytest.raises(DatabaseFailure, match="PostgreSQL 14"):
        embedded.start(Settings(data_dir=folder))


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    parent = tmp_path / "closed"
    parent.mkdir(mode=0o700)
    return parent


@as_root
def test_root_with_a_closed_parent_runs_the_server_as_another_account(closed: Path, served: Start) -> None:
    server = served(Settings(data_dir=closed / "data"))
    fill(server.url)
    assert Path(f"/proc/{server.pid}").stat().st_uid == server.account.uid != 0
    assert (server.home / "data").stat().st_uid == server.account.uid
    assert (server.home / "passfile").stat().st_uid == 0
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    embedded.stop(server)
    assert count(served(Settings(data_dir=closed / "data")).url) == 1000


@as_root
def test_root_that_may_not_mount_uses_a_user_namespace(
    closed: Path, served: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=closed / "data")
    monkeypatch.setattr(account, "VIEWS", ())
    if not account._works(account.Account(home=closed, uid=65534, gid=65534, mapped=True)):
        pytest.skip("this kernel allows no user namespace")
    server = served(settings)
    fill(server.url)
    rights = [line for line in Path(f"/proc/{server.pid}/status").read_text().splitlines() if "CapEff" in line]
    assert rights == ["CapEff:\t0000000000000000"]
    embedded.stop(server)
    monkeypatch.undo()
    # the next start, with the other way, takes the files over
    assert count(served(settings).url) == 1000


@as_root
def test_root_without_any_way_is_told_where_to_put_the_data(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "_works", lambda _: False)
    with pytest.raises(DatabaseFailure, match="/var/lib/yersin"):
        embedded.start(Settings(data_dir=closed / "data"))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder everybody may reach: pytest's own are closed to other accounts."""

    found = Path(tempfile.mkdtemp(prefix="yersin-test-", dir="/tmp"))
    found.chmod(0o755)
    yield found
    shutil.rmtree(found)


@as_root
def test_root_with_open_parents_needs_no_namespace(open_folder: Path, served: Start) -> None:
    server = served(Settings(data_dir=open_folder / "data"))
    assert (server.account.view, server.account.mapped) == (None, False)
    assert Path(f"/proc/{server.pid}").stat().st_uid == server.account.uid != 0


@pytest.fixture(scope="module")
def public_python() -> str:
    """An interpreter of our version that an ordinary user may run, with our packages."""
    wanted = (
        f"import sys; sys.path[:0] = {PATHS!r}; import yersin.db; assert sys.version_info[:2] == {sys.version_info[:2]}"
    )
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info[1]}", "/usr/bin/python3"):
        try:
            subprocess.run([python, "-c", wanted], check=True, capture_output=True, **NOBODY)
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    pytest.skip("no interpreter of this version, with this checkout and its packages, that other accounts may read")


@as_root
def test_an_ordinary_user_starts_the_server_as_itself(open_folder: Path, public_python: str) -> None:
    data = open_folder / "data"
    data.mkdir()
    os.chown(data, 65534, 65534)
    with another(data, "embedded.stop(server)", python=public_python, **NOBODY) as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert (data / "postgres" / "data").stat().st_uid == 65534


@as_root
def test_a_folder_that_cannot_be_written_is_told_with_the_cure(open_folder: Path, public_python: str) -> None:
    with another(open_folder / "data", "", python=public_python, **NOBODY) as process:
        said, _ = process.communicate(timeout=60)
    assert said.startswith("forbidden")
    assert "Permission denied" in said
    assert "YERSIN_DATA_DIR" in said


@as_root
def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", small], check=False).returncode != 0:
        pytest.skip("this machine lets root mount nothing")
    try:
        with pytest.raises(DatabaseFailure) as caught:
            embedded.start(Settings(data_dir=small / "data"))
    finally:
        subprocess.run(["umount", small], check=True)
    assert (caught.value.code, caught.value.status) == ("no-store", 507)


@pytest.mark.parametrize(("gigabytes", "log"), [(2, "'2GB'"), (16, "'4GB'"), (32, "'8GB'"), (256, "'8GB'")])
def test_the_log_between_checkpoints_grows_with_the_memory(gigabytes: int, log: str) -> None:
    assert cluster._by_memory(gigabytes * 2**30)["max_wal_size"] == log
