"""What the tests share: one PostgreSQL for the whole run, migrated databases in no time, a FHIR client, running servers.

Async code runs on one event loop, by `run(...)`; so plain test functions use what is async.

- `server_url`    the server; `empty_url` an empty database, dropped after the test
- `database_url`  a migrated database of this module alone; `fresh_url` one of this test alone
- `ground`        `yersin.app.ground.opened` on `database_url`; `system` an `Access` of the system itself
- `client`        the FHIR API in this process, asked as the system: `client.get("/Patient/x")`; `client.bound(access)`
                  asks as someone else
- `serve`         starts `yersin serve` as a process of its own on a free port (a factory); `served` one for this module
- `house`         the small invented country, loaded once a run and served: `house.base_url`, `house.token()`,
                  `house.signed_in("tram")` (an `httpx.Client` with session and CSRF token)
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from hypothesis import settings as hypothesis_settings
from tests.conformance.outcomes import Tally, is_told, outcomes
from tests.running import Client, House, Served, answering, do_not_wait_for_the_disk, drop, free_port, on

from yersin.api.app import Api
from yersin.app import demonstration
from yersin.app.ground import opened, prepared
from yersin.db import embedded
from yersin.guard.access import Access, Ground
from yersin.guard.who import system as the_system
from yersin.settings import Settings

T = TypeVar("T")

# servers and commands are started in their hundreds: what one of them has compiled serves the next
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
LONG = bool(os.environ.get("YERSIN_LONG_TESTS"))
# the same examples every time, so that a red run can be repeated; the long form looks further
hypothesis_settings.register_profile("fixed", derandomize=True, database=None, deadline=None)
hypothesis_settings.load_profile("default" if LONG else "fixed")
Run = Callable[[Coroutine[Any, Any, T]], T]


#: what takes longest begins first, so that no process works on alone in the end
LONGEST_FIRST = [
    "calls/test_browser.py",
    "telehealth/test_call_page.py",
    "calls/test_cut.py",
    "app/test_serving.py",
    "telehealth/test_accessible.py",
    "telehealth/test_journey.py",
    "app/test_canary.py",
    "store/test_killed.py",
    "app/test_bad_days.py",
    "calls/test_controls.py",
    "app/test_command.py",
    "calls/test_line.py",
    "records/test_journey.py",
    "journeys/test_main_job.py",
    "journeys/test_accessible.py",
    "documents/test_verify_page.py",
]
#: what takes long and seldom finds anything is run by `make test-all`, and where it is named
LONG_FORM = (
    "api/test_bulk_killed.py::test_an_operators_export_goes_on_where_it_was_cut_off",
    "api/test_cors.py::test_every_process_learns_of_a_change",
    "app/test_command.py::test_a_folder_without_a_list_is_refused[icd10]",
    "app/test_command.py::test_a_list_that_is_none_is_refused_by_name[PK",
    "calls/test_browser.py::test_a_third_person_comes_by_a_link_that_dies_and_all_are_recorded_only_after_agreeing",
    "calls/test_cut.py::test_on_a_line_that_is_made_thin_the_call_gives_up_pictures_before_sound_and_takes_them_back",
    "db/test_embedded.py::test_root_that_may_not_mount_uses_a_user_namespace",
    "db/test_embedded.py::test_root_with_a_closed_parent_runs_the_server_as_another_account",
    "db/test_embedded.py::test_the_server_ends_cleanly_when_its_supervisor_is_killed[15]",
    "app/test_import.py::test_a_folder_of_synthea_is_there_whole_and_once[bulk-10-patients]",
    "imaging/test_browser.py::test_a_cut_network_stops_nothing_for_good",
    "imaging/test_browser.py::test_a_killed_server_and_a_reload_go_on_from_where_it_was",
    "records/test_journey.py::test_pages_of_staff_are_accessible_and_fit[wide]",
    "records/test_journey.py::test_pages_of_a_citizen_are_accessible_and_fit[wide]",
    "imaging/test_browser.py::test_sending_can_be_cancelled",
    "telehealth/test_call_page.py::test_with_the_patients_banner_every_key_lies_inside_the_window[size0]",
    "telehealth/test_call_page.py::test_with_the_patients_banner_every_key_lies_inside_the_window[size2]",
)
_ended_with_the_run = pytest.StashKey[ExitStack]()
_kept = pytest.StashKey[Path]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    if not LONG and not any("::" in argument for argument in config.args):
        later = [item for item in items if item.nodeid.partition("tests/")[2].startswith(LONG_FORM)]
        config.hook.pytest_deselected(items=later)
        items[:] = [item for item in items if item not in set(later)]
    rank = {here / name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Several processes share one PostgreSQL, which the process that began them keeps running."""
    config = session.config
    if config.getoption("numprocesses", 0) and not config.getoption("collectonly"):
        stack = config.stash[_ended_with_the_run] = ExitStack()
        named = os.environ.get("YERSIN_TEST_KEEP")
        kept = Path(named or stack.enter_context(tempfile.TemporaryDirectory(prefix="yersin-tests-")))
        stack.enter_context(_server_in(kept))
        config.stash[_kept] = kept


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell each process where the server is."""
    node.workerinput["kept"] = str(node.config.stash[_kept])


def pytest_unconfigure(config: pytest.Config) -> None:
    if _ended_with_the_run in config.stash:
        config.stash[_ended_with_the_run].close()


@contextmanager
def _server_in(kept: Path) -> Iterator[str]:
    chosen = os.environ.get("YERSIN_PG_BIN")
    server = embedded.start(Settings(data_dir=kept, pg_bin=Path(chosen) if chosen else None))
    try:
        do_not_wait_for_the_disk(kept / "postgres/data")
        yield server.url
    finally:
        embedded.stop(server)


def once(kept: Path, name: str, make: Callable[[], str]) -> str:
    """What is made once for all processes, by the one that comes first; the others wait for it."""
    with (kept / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mark = kept / name
        if not mark.exists():
            mark.write_text(make())
        return mark.read_text()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of third-party test data: YERSIN_SHARED, or `shared` beside the checkout. Tests skip without it."""
    folder = Path(os.environ.get("YERSIN_SHARED") or Path(__file__).parents[2] / "shared")
    if not (folder / "data").is_dir():
        pytest.skip(f"third-party test data are not here: {folder}/data (set YERSIN_SHARED)")
    return folder / "data"


@pytest.fixture
def tally(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Tally:
    """Say how many cases a conformance test ran: docs/conformance.md tells that number or somewhat fewer, or is stale."""

    def told(cases: int) -> None:
        record_property("cases", cases)
        if "YERSIN_TALLY" not in os.environ and "YERSIN_LONG_TESTS" not in os.environ:
            name = request.node.nodeid
            assert is_told(outcomes()["cases"].get(name, 0), cases), f"{name} ran {cases} cases: make conformance"

    return told


@pytest.fixture(scope="session")
def run() -> Iterator[Run[Any]]:
    """Run a coroutine on the event loop of the tests."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(scope="session")
def workerinput(request: pytest.FixtureRequest) -> dict[str, str]:
    """What this process was told by the one that began it; nothing when it runs alone."""
    told: dict[str, str] = getattr(request.config, "workerinput", {})
    return told


@pytest.fixture(scope="session")
def kept(workerinput: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of server and keys. YERSIN_TEST_KEEP names one that outlives the run, with the country in it: one run at a time."""
    named = workerinput.get("kept") or os.environ.get("YERSIN_TEST_KEEP")
    return Path(named) if named else tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="session")
def server_url(kept: Path, workerinput: dict[str, str]) -> Iterator[str]:
    """Address of a server for the whole run; YERSIN_PG_BIN chooses its programs."""
    with ExitStack() as stack:
        url = embedded.address(Settings(data_dir=kept)) if workerinput else stack.enter_context(_server_in(kept))
        assert url is not None
        yield url


@pytest.fixture(scope="session")
def make_database(server_url: str) -> Callable[..., str]:
    """Make a database, from a template when one is named; returns its address."""

    def make(template: str | None = None) -> str:
        name = f"yersin_{uuid4().hex[:12]}"
        copied = f" TEMPLATE {template} STRATEGY FILE_COPY" if template else ""
        on(server_url, f"CREATE DATABASE {name}{copied}")
        return server_url.replace("@/yersin?", f"@/{name}?")

    return make


@pytest.fixture(scope="session")
def master_key(kept: Path) -> Path:
    """Data folder whose master key opens every database of the run."""
    return kept / "keys_of_tests"


@pytest.fixture(scope="session")
def template(
    run: Run[Any], make_database: Callable[..., str], kept: Path, master_key: Path, workerinput: dict[str, str]
) -> str:
    """Name of a database that is migrated and has its keys, for others to be copied from."""

    async def fill(url: str) -> None:
        await prepared(url)
        async with opened(Settings(data_dir=master_key), url):
            """Opening makes the keys."""

    def make() -> str:
        url = make_database()
        run(fill(url))
        return name_of(url)

    return once(kept, f"template-{workerinput.get('testrunuid') or uuid4().hex}", make)


@pytest.fixture(scope="session")
def keys_dir(kept: Path, template: str, master_key: Path, workerinput: dict[str, str]) -> Path:
    """Data folder of this process, with the same master key."""
    del template  # with it came the key
    if not workerinput:
        return master_key
    own = kept / f"keys_of_{workerinput['workerid']}"
    shutil.copytree(master_key, own, dirs_exist_ok=True)
    return own


def name_of(url: str) -> str:
    """Name of the database in an address."""
    return url.partition("@/")[2].partition("?")[0]


@pytest.fixture
def empty_url(server_url: str, make_database: Callable[..., str]) -> Iterator[str]:
    """Address of an empty database, dropped after the test."""
    url = make_database()
    yield url
    drop(server_url, url)


@pytest.fixture
def fresh_url(server_url: str, make_database: Callable[..., str], template: str) -> Iterator[str]:
    """Address of a migrated database of this test alone."""
    url = make_database(template)
    yield url
    drop(server_url, url)


@pytest.fixture(scope="module")
def database_url(server_url: str, make_database: Callable[..., str], template: str) -> Iterator[str]:
    """Address of a migrated database of this module."""
    url = make_database(template)
    yield url
    drop(server_url, url)


@pytest.fixture(scope="module")
def ground(run: Run[Any], database_url: str, keys_dir: Path) -> Iterator[Ground]:
    """The ground on this module's database."""
    manager = opened(Settings(data_dir=keys_dir, port=8000), database_url)
    yield run(manager.__aenter__())
    run(manager.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def system(ground: Ground) -> Access:
    """Access of the system itself."""
    return ground.access(the_system("HSYSADMIN"))


@pytest.fixture(scope="module")
def client(run: Run[Any], ground: Ground, system: Access) -> Iterator[Client]:
    """The FHIR API in this process, asked as the system."""
    made = Client(run, lambda asker: Api(asker, ground.indexer.base), system)
    yield made
    made.close()


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory, keys_dir: Path) -> Iterator[Callable[..., Served]]:
    """Start `yersin serve` on a database; whatever still runs at the end is stopped."""
    with ExitStack() as stack:

        def start(url: str, *, port: int = 0, **environment: str) -> Served:
            log = tmp_path_factory.mktemp("served")
            made = Served(url, keys_dir, port or free_port(), log, environment)
            stack.enter_context(closing(made))
            return answering(made)

        yield start


@pytest.fixture(scope="module")
def served(serve: Callable[..., Served], database_url: str) -> Iterator[Served]:
    """A server of this module on its database."""
    with closing(serve(database_url)) as made:
        yield made


@pytest.fixture(scope="session")
def country(run: Run[Any], kept: Path, make_database: Callable[..., str], template: str, master_key: Path) -> str:
    """Name of a database that holds the small invented country and its accounts, for others to be copied from."""

    async def fill(url: str) -> None:
        async with opened(Settings(data_dir=master_key), url) as ground:
            await demonstration.load(ground, demonstration.SIZE)
            await demonstration.make_accounts(ground)
            await ground.database.execute("VACUUM ANALYZE")

    def make() -> str:
        url = make_database(template)
        run(fill(url))
        return name_of(url)

    return once(kept, "country", make)


@pytest.fixture(scope="session")
def house(
    run: Run[Any], serve: Callable[..., Served], make_database: Callable[..., str], country: str, keys_dir: Path
) -> Iterator[House]:
    """A running house with the small country in it, the same for the whole run: tests add to it and delete nothing."""
    url = make_database(country)
    with closing(House(run, serve(url), url, keys_dir)) as made:
        yield made
