"""The command line: `yersin --help`."""

from __future__ import annotations

import logging.config
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from yersin import settings as settings_
from yersin.api import reindexing
from yersin.api.bulk import commanding
from yersin.api.bulk.jobs import Job
from yersin.api.importing import Finding, Importer, Report
from yersin.db import embedded
from yersin.guard import origins, proving, sealing
from yersin.guard.access import Access, Ground
from yersin.guard.tokens import Tokens
from yersin.guard.who import system
from yersin.registry import units_loading
from yersin.settings import BadSettingError, Settings
from yersin.terminology import icd9cm, icd10, loinc, ucum_essence
from yersin.terminology.loaded import Reader
from yersin.terminology.loaded import load as load_file
from yersin.views import exporting as views_exporting

from . import demonstration, importing, logs, serving, telling, upkeep, working
from .ground import opened, prepared

#: what a message quotes, and what a conditional reference asks for
_VALUES = re.compile(r"'[^']*'|«[^»]*»|(?<=\?)\S+")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def main() -> None:
    """Run the command line; what people can mend is told in one line, without a stack trace."""
    logging.config.dictConfig(logs.CONFIG)
    try:
        command()
    except importing.StoppedError as stopped:
        _fail(stopped.words)
    except Exception as error:  # noqa: BLE001 - whatever it is is told in words
        _fail(telling.words(error))


def _fail(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(f"yersin: {line}", err=True)
    sys.exit(1)


def _settings() -> Settings:
    """Settings of this run. Raises BadSettingError; never repeats an address, which may hold a password."""
    settings = settings_.read()
    if settings.database_url and not settings.database_url.startswith(("postgresql://", "postgres://")):
        raise BadSettingError(
            "YERSIN_DATABASE_URL is no address of a PostgreSQL; write postgresql://name:password@host/database"
        )
    return settings


@click.group()
@click.version_option(package_name="yersin")
def command() -> None:
    """Yersin: an open national digital health system on FHIR R4 and PostgreSQL."""


@command.command()
@click.option("--host", default=None, help="Address to listen on (YERSIN_HOST).")
@click.option("--port", type=int, default=None, help="Port to listen on (YERSIN_PORT).")
@click.option(
    "--workers", type=int, default=None, help="Web processes; 0: half the cores, but two on two cores (YERSIN_WORKERS)."
)
def serve(host: str | None, port: int | None, workers: int | None) -> None:
    """Serve pages and API. Example: yersin serve --port 8080"""
    given = {name: value for name, value in (("host", host), ("port", port), ("workers", workers)) if value is not None}
    _until_stopped(serving.serve(replace(_settings(), **given)))  # type: ignore[arg-type] # each option has its field's type


@command.command()
def demo() -> None:
    """Load a small invented country and serve it. Example: yersin demo"""
    _until_stopped(demonstration.demonstrate(_settings()))


@command.command(name="import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--validate",
    type=click.Choice(["structure", "full"]),
    default="structure",
    help="full: rules, codes and profiles too",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Processes side by side; as many as there are cores by itself."
)
def import_(paths: tuple[Path, ...], validate: str, jobs: int | None) -> None:
    """Import FHIR bundles, resources and NDJSON, JSON or XML (.gz and .bz2 too). Example: yersin import synthea/fhir

    Run again after an interruption, it goes on where it was cut off.
    """
    begun = time.monotonic()

    def tell(report: Report) -> None:
        click.echo(f"\r{report.files} files, {report.resources} resources", nl=False, err=True)

    wanted = importing.Import(settings=_settings(), paths=paths, full=validate == "full", jobs=jobs or 0)
    try:
        report = importing.run(wanted, tell)
    except FileNotFoundError as error:
        raise click.ClickException(f"There is no file or folder {error}.") from error
    seconds = time.monotonic() - begun
    click.echo(err=True)
    for finding in report.findings:
        click.echo(_without_values(finding), err=True)
    click.echo(
        f"{report.resources} resources from {report.files} files in {seconds:.1f} s ({report.resources / seconds:.0f}/s); "
        f"{report.skipped} were here already; {len(report.findings)} findings"
    )
    if report.findings:
        sys.exit(2)


def _without_values(finding: Finding) -> str:
    """Say what is wrong and where, without the values met there: what is printed may be kept as a log."""
    words = _VALUES.sub("'…'", finding.issue.diagnostics)
    return str(replace(finding, issue=replace(finding.issue, diagnostics=words)))


@command.command("reindex")
@click.option("--type", "types", multiple=True, help="Only this type of resource; may be given several times.")
@click.option("--all", "every", is_flag=True, help="Also what this release has indexed itself.")
def reindex(types: tuple[str, ...], every: bool) -> None:  # noqa: FBT001 - as click calls it
    """Make anew what resources are found by, while others work. Example: yersin reindex --type Patient

    Run again after an interruption, it goes on where it was cut off; with --all it begins anew.
    """
    _run(_reindex(_settings(), types, every=every))


async def _reindex(settings: Settings, types: tuple[str, ...], *, every: bool) -> None:
    def tell(type_name: str, made: int) -> None:
        click.echo(f"\r{made:,} {type_name}".ljust(60), nl=False, err=True)

    async with _ground(settings) as ground:
        made = await reindexing.everything(ground, types, tell, every=every)
    click.echo(f"\n{made} resources")


@command.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--type", "types", multiple=True, help="Type of resource; may stand several times. Without it: all types."
)
@click.option("--since", default="", help="Only what changed after this date or moment, and what was deleted since.")
def export(folder: Path, types: tuple[str, ...], since: str) -> None:
    """Export resources as NDJSON, readable by whoever reads the folder. Example: yersin export out --type Patient --since 2026-11-01

    Run again after an interruption, it goes on where it was cut off.
    """
    _run(_export(_settings(), folder.absolute(), types, since))


async def _export(settings: Settings, folder: Path, types: tuple[str, ...], since: str) -> None:
    begun = time.monotonic()

    def tell(job: Job) -> None:
        click.echo(f"\r{job.resources} resources", nl=False, err=True)

    async with _ground(settings) as ground:
        try:
            job, files = await commanding.export(ground.access(system("HSYSADMIN")), folder, types, since, tell)
        except FileExistsError as error:
            raise click.ClickException(
                f"{folder} is not empty, and holds no such export to go on with. Choose an empty folder."
            ) from error
    seconds = time.monotonic() - begun
    click.echo(err=True)
    click.echo(
        f"{job.resources} resources in {len(files)} files in {seconds:.1f} s ({job.resources / seconds:.0f}/s), as of "
        f"{job.moment.at.isoformat()}"
    )


@command.group()
def views() -> None:
    """Flat tables for counting, without names: kept up by a running server or worker."""


@views.command(name="export")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--view", "names", multiple=True, help="Name of a view; may stand several times. Without it: all views.")
def export_views(folder: Path, names: tuple[str, ...]) -> None:
    """Export views as Parquet, all as of one moment. Example: yersin views export figures --view person --view consultation

    FOLDER/latest turns to what was exported when it is whole; the export before stays for those still reading it.
    """
    _run(_export_views(_settings(), folder.absolute(), names))


async def _export_views(settings: Settings, folder: Path, names: tuple[str, ...]) -> None:
    def tell(view: str, rows: int) -> None:
        click.echo(f"\r{view}: {rows:,} rows".ljust(60), nl=False, err=True)

    async with _ground(settings) as ground:
        try:
            made = await views_exporting.export(ground.access(system("HSYSADMIN")), folder, names, tell)
        except FileExistsError as error:
            raise click.ClickException(
                f"{folder} is no folder, or holds something else than exports of views. Choose an empty folder."
            ) from error
        except OSError as error:
            raise click.ClickException(
                f"{folder} cannot be written ({error.strerror}). Choose another folder."
            ) from error
    click.echo(err=True)
    rows = sum(view.rows for view in made.views)
    click.echo(
        f"{rows} rows of {len(made.views)} views in {folder / views_exporting.LATEST}, as of {made.as_of.isoformat()}"
    )


@command.command()
@click.option("--scope", required=True, help="SMART system scopes, such as 'system/*.cruds'.")
@click.option("--ttl", default="1h", show_default=True, help="How long the token lives: 90s, 30m, 1h, 7d.")
@click.option(
    "--name", default="local administrator", show_default=True, help="Program that it is for; exports are its own."
)
def token(scope: str, ttl: str, name: str) -> None:
    """Print an access token for scripts on this machine. Example: yersin token --scope 'system/*.rs' --ttl 30m"""
    match = re.fullmatch(r"(\d+)([smhd])", ttl)
    if match is None:
        raise click.BadParameter(f"{ttl!r}; write a number and a unit, such as 90s, 30m, 1h or 7d", param_hint="--ttl")
    _run(_token(_settings(), scope, int(match[1]) * _UNITS[match[2]], name))


async def _token(settings: Settings, scope: str, seconds: int, name: str) -> None:
    async with _ground(settings) as ground:
        click.echo(Tokens(ground.keys).make(scope, seconds, name))


@command.command(name="verify-audit")
@click.option(
    "--heads",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of heads; that of the data folder by itself.",
)
def verify_audit(heads: Path | None) -> None:
    """Prove that no row of the audit was changed, removed or put in. Example: yersin verify-audit --heads /mnt/safe/audit-heads

    Ends with 1 where one was, and names the first.
    """
    settings = _settings()
    folder = heads or settings.data_dir / upkeep.HEADS
    if heads is not None and not heads.is_dir():
        raise click.BadParameter(f"there is no folder {heads}", param_hint="--heads")
    _run(_verify_audit(settings, folder))


async def _verify_audit(settings: Settings, folder: Path) -> None:
    def tell(rows: int) -> None:
        click.echo(f"\r{rows:,} rows", nl=False, err=True)

    heads = sealing.copied(folder)
    async with _ground(settings) as ground, ground.database.acquire() as connection:
        proof = await proving.prove(connection, sealing.private_key(ground.keys).public_key(), heads, tell)
    click.echo(err=True)
    for line in telling.of_proof(proof, len(heads)):
        click.echo(line)
    if proof.first_break is not None:
        sys.exit(1)


@command.group(name="origins")
def origins_() -> None:
    """Apps of other origins that may call the API from a browser."""


@origins_.command(name="add")
@click.argument("origin")
@click.option("--name", default="", help="What the app is called.")
def add_origin(origin: str, name: str) -> None:
    """Register an app. Example: yersin origins add https://app.example.org --name 'Growth charts'"""
    _run(_with_access(lambda access: _added(access, origin, name)))


@origins_.command(name="remove")
@click.argument("origin")
def remove_origin(origin: str) -> None:
    """Let an app call no longer. Example: yersin origins remove https://app.example.org"""
    _run(_with_access(lambda access: _removed(access, origin)))


@origins_.command(name="list")
def list_origins() -> None:
    """Print the apps that are registered. Example: yersin origins list"""
    _run(_with_access(_listed))


async def _with_access(work: Callable[[Access], Awaitable[None]]) -> None:
    async with _ground(_settings()) as ground:
        await work(ground.access(system("HSYSADMIN")))


async def _added(access: Access, origin: str, name: str) -> None:
    click.echo(f"{await origins.register(access, origin, name)} may call the API from a browser.")


async def _removed(access: Access, origin: str) -> None:
    if not await origins.remove(access, origin):
        raise click.ClickException(f"{origin} was not registered.")
    click.echo(f"{origin} may not call the API from a browser any more.")


async def _listed(access: Access) -> None:
    for app in await origins.listed(access.ground.database):
        click.echo(f"{app.origin}\t{app.name}")


@command.command()
def migrate() -> None:
    """Bring the database to this release's schema. Example: yersin migrate"""
    _run(_migrate(_settings()))


async def _migrate(settings: Settings) -> None:
    async with _ground(settings):
        click.echo("The database is up to date.")


@command.command()
def worker() -> None:
    """Do the work behind the pages beside running servers. Example: yersin worker"""
    _until_stopped(working.work(_settings()))


@command.group()
def load() -> None:
    """Load official lists and guides: administrative units, VN Core, ICD-10, ICD-9-CM procedures, LOINC, UCUM."""


@load.command(name="units")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
def load_units(path: Path) -> None:
    """Load provinces and communes, with boundaries beside them. Example: yersin load units vietnam/admin-units"""
    _run(_load_units(_settings(), path))


async def _load_units(settings: Settings, path: Path) -> None:
    async with _ground(settings) as ground:
        loaded = await units_loading.load(ground.access(system("HSYSADMIN")), path)
    click.echo(f"{loaded.units} administrative units, {loaded.boundaries} provinces with their boundary")


@load.command(name="vn-core")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
def load_guide(path: Path) -> None:
    """Load the VN Core guide: profiles, value sets, code systems. Example: yersin load vn-core vn-core-ig

    What its draft writes out of order is mended; what cannot be read is named, and the rest is loaded.
    """
    _run(_load_guide(_settings(), path))


async def _load_guide(settings: Settings, path: Path) -> None:
    async with _ground(settings) as ground:
        report = await Importer(ground.access(system("HSYSADMIN")), drafts=True).run([path])
    for finding in report.findings:
        click.echo(_without_values(finding), err=True)
    click.echo(f"{report.resources} definitions from {report.files} files; {len(report.findings)} findings")


@load.command(name="icd10")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
def load_icd10(path: Path) -> None:
    """Load the ministry's ICD-10 list (annex 1 of Decision 4469/QĐ-BYT). Example: yersin load icd10 icd10.xlsx"""
    _run(_load_icd10(_settings(), path))


async def _load_icd10(settings: Settings, path: Path) -> None:
    async with _ground(settings) as ground, ground.database.acquire() as connection:
        try:
            codes = await icd10.load(connection, path)
        except ValueError as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"{codes} ICD-10 codes")


@load.command(name="icd9cm")
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def load_icd9cm(path: Path) -> None:
    """Load the ministry's ICD-9-CM procedures (Decision 4440/QĐ-BYT). Example: yersin load icd9cm icd9cm.xlsx"""
    _run(_load_list(_settings(), path, icd9cm.read, "ICD-9-CM procedures"))


@load.command(name="loinc")
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def load_loinc(path: Path) -> None:
    """Load a release of LOINC, whose licence you accept by that. Example: yersin load loinc Loinc_2.78.zip"""
    _run(_load_list(_settings(), path, loinc.read, "LOINC codes"))


@load.command(name="ucum")
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def load_ucum(path: Path) -> None:
    """Load the units of UCUM, to be found by name. Example: yersin load ucum ucum-essence.xml"""
    _run(_load_list(_settings(), path, ucum_essence.read, "UCUM units"))


async def _load_list(settings: Settings, path: Path, read: Reader, what: str) -> None:
    async with _ground(settings) as ground, ground.database.acquire() as connection:
        try:
            codes, version = await load_file(connection, path, read)
        except ValueError as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"{codes} {what}, version {version or 'not told'}")


@command.group()
def cluster() -> None:
    """Look after spreading over several machines by Citus."""


@cluster.command(name="check")
def cluster_check() -> None:
    """Judge, without a cluster, whether Citus can run every table and statement. Example: yersin cluster check

    Ends with 1 where it cannot: each shape is told with its rule, its cure and an example.
    """
    from . import clustering  # noqa: PLC0415 - it loads a parser of SQL that nothing else needs

    if not clustering.check(click.echo):
        sys.exit(1)


@asynccontextmanager
async def _ground(settings: Settings) -> AsyncIterator[Ground]:
    """Open the ground beside a running server, or start the database for as long as the command runs."""
    url = embedded.address(settings)
    if url is not None:
        await prepared(url)
        async with opened(settings, url) as ground:
            yield ground
        return
    async with embedded.run(settings) as started:
        await prepared(started)
        async with opened(settings, started) as ground:
            yield ground


def _run(work: Coroutine[Any, Any, None]) -> None:
    import uvloop  # noqa: PLC0415 - not needed for --help

    uvloop.run(work)


def _until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run what ends by a signal: Ctrl-C is its orderly end."""
    with suppress(KeyboardInterrupt):
        _run(work)
