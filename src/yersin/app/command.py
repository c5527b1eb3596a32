"""The command line: `yersin --help`."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from yersin import settings as settings_
from yersin.api.importing import Importer, Report
from yersin.db import DatabaseFailure, embedded
from yersin.fhir.problem import Problem
from yersin.guard.access import Ground
from yersin.guard.tokens import Tokens
from yersin.guard.who import system
from yersin.registry import units_loading
from yersin.settings import BadSettingError, Settings
from yersin.terminology import icd10

from . import demonstration, serving, working
from .ground import opened, prepared

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def main() -> None:
    """Run the command line; what people can mend is told in one line, without a stack trace."""
    try:
        command()
    except (Problem, DatabaseFailure, BadSettingError) as error:
        click.echo(f"yersin: {error}", err=True)
        sys.exit(1)


@click.group()
@click.version_option(package_name="yersin")
def command() -> None:
    """Yersin: an open national digital health system on FHIR R4 and PostgreSQL."""


@command.command()
@click.option("--host", default=None, help="Address to listen on (YERSIN_HOST).")
@click.option("--port", type=int, default=None, help="Port to listen on (YERSIN_PORT).")
@click.option("--workers", type=int, default=None, help="Web processes; 0 means half the cores (YERSIN_WORKERS).")
def serve(host: str | None, port: int | None, workers: int | None) -> None:
    """Serve pages and API. Example: yersin serve --port 8080"""
    given = {name: value for name, value in (("host", host), ("port", port), ("workers", workers)) if value is not None}
    _run(serving.serve(replace(settings_.read(), **given)))  # type: ignore[arg-type] # each option has its field's type


@command.command()
def demo() -> None:
    """Load a small invented country and serve it. Example: yersin demo"""
    _run(demonstration.demonstrate(settings_.read()))


@command.command(name="import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def import_(paths: tuple[Path, ...]) -> None:
    """Import FHIR bundles, resources and NDJSON (.gz and .bz2 too). Example: yersin import synthea/fhir

    Run again after an interruption, it goes on where it was cut off.
    """
    _run(_import(settings_.read(), paths))


async def _import(settings: Settings, paths: tuple[Path, ...]) -> None:
    begun = time.monotonic()

    def tell(report: Report) -> None:
        click.echo(f"\r{report.files} files, {report.resources} resources", nl=False, err=True)

    async with _ground(settings) as ground:
        try:
            report = await Importer(ground.access(system("HSYSADMIN")), tell).run(paths)
        except FileNotFoundError as error:
            raise click.ClickException(f"There is no file or folder {error}.") from error
    seconds = time.monotonic() - begun
    click.echo(err=True)
    for finding in report.findings:
        click.echo(str(finding), err=True)
    click.echo(
        f"{report.resources} resources from {report.files} files in {seconds:.1f} s ({report.resources / seconds:.0f}/s); "
        f"{report.skipped} were here already; {len(report.findings)} findings"
    )
    if report.findings:
        sys.exit(2)


@command.command()
@click.option("--scope", required=True, help="SMART system scopes, such as 'system/*.cruds'.")
@click.option("--ttl", default="1h", show_default=True, help="How long the token lives: 90s, 30m, 1h, 7d.")
def token(scope: str, ttl: str) -> None:
    """Print an access token for scripts on this machine. Example: yersin token --scope 'system/*.rs' --ttl 30m"""
    match = re.fullmatch(r"(\d+)([smhd])", ttl)
    if match is None:
        raise click.BadParameter(f"{ttl!r}; write a number and a unit, such as 90s, 30m, 1h or 7d", param_hint="--ttl")
    _run(_token(settings_.read(), scope, int(match[1]) * _UNITS[match[2]]))


async def _token(settings: Settings, scope: str, seconds: int) -> None:
    async with _ground(settings) as ground:
        click.echo(Tokens(ground.keys).make(scope, seconds))


@command.command()
def migrate() -> None:
    """Bring the database to this release's schema. Example: yersin migrate"""
    _run(_migrate(settings_.read()))


async def _migrate(settings: Settings) -> None:
    async with _ground(settings):
        click.echo("The database is up to date.")


@command.command()
def worker() -> None:
    """Do the work behind the pages beside running servers. Example: yersin worker"""
    _run(working.work(settings_.read()))


@command.group()
def load() -> None:
    """Load official lists: administrative units, ICD-10."""


@load.command(name="units")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
def load_units(path: Path) -> None:
    """Load provinces and communes, with boundaries beside them. Example: yersin load units vietnam/admin-units"""
    _run(_load_units(settings_.read(), path))


async def _load_units(settings: Settings, path: Path) -> None:
    async with _ground(settings) as ground:
        loaded = await units_loading.load(ground.access(system("HSYSADMIN")), path)
    click.echo(f"{loaded.units} administrative units, {loaded.boundaries} provinces with their boundary")


@load.command(name="icd10")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
def load_icd10(path: Path) -> None:
    """Load the ministry's ICD-10 list (annex 1 of Decision 4469/QĐ-BYT). Example: yersin load icd10 icd10.xlsx"""
    _run(_load_icd10(settings_.read(), path))


async def _load_icd10(settings: Settings, path: Path) -> None:
    async with _ground(settings) as ground, ground.database.acquire() as connection:
        try:
            codes = await icd10.load(connection, path)
        except ValueError as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"{codes} ICD-10 codes")


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
