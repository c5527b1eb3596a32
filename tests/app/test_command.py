"""The command line: every command says what it is for, and what goes wrong is told in one line with its cure, never as a trace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from yersin.app.command import command

PROGRAM = [sys.executable, "-c", "from yersin.app.command import main; main()"]
Run = Callable[..., subprocess.CompletedProcess[str]]


def commands(group: click.Group, *names: str) -> list[tuple[str, ...]]:
    """Every command that does something, by its words."""
    found: list[tuple[str, ...]] = []
    for name, one in sorted(group.commands.items()):
        found += commands(one, *names, name) if isinstance(one, click.Group) else [(*names, name)]
    return found


ALL = commands(command)


def ran(environment: Mapping[str, str], *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run `yersin` as a person does. Only what the test sets reaches it."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("YERSIN_")}
    return subprocess.run(
        [*PROGRAM, *words],
        env={**plain, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
        **options,
    )


@pytest.fixture
def yersin(database_url: str, keys_dir: Path) -> Run:
    """Run commands on a migrated database."""
    return lambda *words, **more: ran(
        {"YERSIN_DATABASE_URL": database_url, "YERSIN_DATA_DIR": str(keys_dir), **more}, *words
    )


def told(done: subprocess.CompletedProcess[str], *words: str, code: int = 1) -> str:
    """What a command said on failing: no trace, and these words."""
    said = done.stderr
    assert done.returncode == code, (done.returncode, done.stdout, said)
    assert "Traceback" not in said, said
    assert "warning" not in said.lower(), said
    assert not [word for word in words if word not in said], said
    return said


def test_every_command_is_listed_with_what_it_does() -> None:
    names = {" ".join(words) for words in ALL}
    assert names >= {"serve", "demo", "import", "token", "migrate", "worker", "load units", "load icd10"}
    listed = CliRunner().invoke(command, ["--help"])
    assert listed.exit_code == 0
    for words in ALL:
        assert f"  {words[0]} " in listed.output


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_explains_itself_with_an_example(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(command, [*words, "--help"])
    assert done.exit_code == 0
    assert f"Example: yersin {' '.join(words)}" in " ".join(done.output.split())


@pytest.mark.parametrize("words", [*ALL, ()], ids=lambda words: " ".join(words) or "yersin")
def test_what_a_command_does_not_know_is_refused(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(command, [*words, "--no-such-option"])
    assert done.exit_code == 2
    assert "No such option" in done.output
    assert CliRunner().invoke(command, ["no-such-command"]).exit_code == 2


def test_the_version_is_told() -> None:
    done = CliRunner().invoke(command, ["--version"])
    assert done.exit_code == 0
    assert "version" in done.output


# --- settings that cannot be used ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "http"), ("PORT", "70000"), ("WORKERS", "-1"), ("WORKERS", "many"), ("ZONE", "Mars/Olympus")],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    told(ran({f"YERSIN_{name}": value}, "migrate"), f"YERSIN_{name}", value)


@pytest.mark.parametrize(
    ("words_of_command", "url", "words"),
    [
        ("migrate", "postgresql://yersin@127.0.0.1:1/yersin", "not available"),
        ("serve --port 8449", "postgresql://yersin@/yersin?host=/nowhere/at/all", "not available"),
        ("worker", "mysql://yersin:secret@127.0.0.1/yersin", "YERSIN_DATABASE_URL"),
        ("migrate", "not an address", "YERSIN_DATABASE_URL"),
    ],
)
def test_a_database_that_cannot_be_reached_is_told(tmp_path: Path, words_of_command: str, url: str, words: str) -> None:
    said = told(ran({"YERSIN_DATABASE_URL": url, "YERSIN_DATA_DIR": str(tmp_path)}, *words_of_command.split()), words)
    assert "secret" not in said


def test_a_name_or_database_that_is_refused_is_told_without_the_password(server_url: str, tmp_path: Path) -> None:
    place = {"YERSIN_DATA_DIR": str(tmp_path)}
    wrong = server_url.replace("@/yersin?", "@/no_such_database?")
    told(ran({"YERSIN_DATABASE_URL": wrong, **place}, "migrate"), "no_such_database", "YERSIN_DATABASE_URL")
    secret = server_url.partition("&passfile")[0].replace("yersin@", "yersin:a-secret-guess@")
    said = told(ran({"YERSIN_DATABASE_URL": secret, **place}, "migrate"), "YERSIN_DATABASE_URL")
    assert "a-secret-guess" not in said


def test_what_is_wrong_with_the_database_is_told_in_vietnamese_too(tmp_path: Path) -> None:
    url = "postgresql://yersin@127.0.0.1:1/yersin"
    told(
        ran({"YERSIN_DATABASE_URL": url, "YERSIN_DATA_DIR": str(tmp_path)}, "migrate"), "Cơ sở dữ liệu", "The database"
    )


def test_a_data_folder_that_cannot_be_used_is_told_with_the_cure(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "data", Path("/proc/no-such-folder")):
        told(ran({"YERSIN_DATA_DIR": str(folder)}, "migrate"), "YERSIN_DATA_DIR")
    beside = {"YERSIN_DATA_DIR": str(folder), "YERSIN_DATABASE_URL": database_url}
    told(ran(beside, "token", "--scope", "system/*.rs"), "YERSIN_DATA_DIR")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody without rights")
def test_a_data_folder_without_rights_is_told_with_the_cure(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    nobody: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []}
    try:
        subprocess.run([*PROGRAM, "--version"], capture_output=True, check=True, **nobody)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("other accounts may not read this checkout or its packages")
    told(ran({"YERSIN_DATA_DIR": str(folder / "data")}, "migrate", **nobody), "YERSIN_DATA_DIR", "Permission denied")


def test_a_master_key_of_another_database_is_refused(yersin: Run, tmp_path: Path) -> None:
    told(yersin("migrate", YERSIN_DATA_DIR=str(tmp_path)), "master key", "master.key")
    (tmp_path / "keys" / "master.key").write_bytes(b"short")
    told(yersin("migrate", YERSIN_DATA_DIR=str(tmp_path)), "exactly 32 bytes")


# --- commands ------------------------------------------------------------------------------------------------------------


def test_migrating_twice_changes_nothing(empty_url: str, tmp_path: Path) -> None:
    environment = {"YERSIN_DATABASE_URL": empty_url, "YERSIN_DATA_DIR": str(tmp_path)}
    for _ in range(2):
        done = ran(environment, "migrate")
        assert (done.returncode, done.stderr) == (0, "")
        assert "up to date" in done.stdout


def test_a_token_is_printed_alone_on_its_line(yersin: Run) -> None:
    done = yersin("token", "--scope", "system/Patient.rs system/*.s", "--ttl", "90s")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(".") == 2
    assert len(done.stdout.split()) == 1


@pytest.mark.parametrize("scope", ["patient/*.rs", "system/*.x", "system/*", "everything"])
def test_a_scope_that_is_none_is_refused(yersin: Run, scope: str) -> None:
    told(yersin("token", "--scope", scope), "is no scope", "system/*.cruds")


@pytest.mark.parametrize("ttl", ["soon", "1w", "", "-1h", "1.5h"])
def test_a_time_to_live_that_is_none_is_refused(ttl: str) -> None:
    told(ran({}, "token", "--scope", "system/*.rs", "--ttl", ttl), "--ttl", "90s, 30m, 1h or 7d", code=2)


def test_an_import_says_what_it_did_and_what_was_wrong_where(yersin: Run, tmp_path: Path) -> None:
    good = tmp_path / "good.json"
    good.write_text(json.dumps({"resourceType": "Patient", "id": "a", "active": True}))
    done = yersin("import", str(good))
    assert done.returncode == 0
    assert "1 resources from 1 files" in done.stdout
    assert "0 findings" in done.stdout
    again = yersin("import", str(good))
    assert "0 resources from 1 files" in again.stdout
    assert "1 were here already" in again.stdout
    (tmp_path / "bad.ndjson").write_text('{"resourceType":"Patient","id":"b","gender":"neither"}\n{\n')
    (tmp_path / "picture.json").write_bytes(b"\x89PNG\r\n\x1a\n")
    mixed = yersin("import", str(tmp_path))
    told(mixed, "bad.ndjson, entry 1", "Patient.gender", "bad.ndjson, entry 2", "picture.json", code=2)
    assert "3 findings" in mixed.stdout


def test_an_import_of_nothing_is_refused(yersin: Run, tmp_path: Path) -> None:
    told(yersin("import", str(tmp_path / "nowhere")), "no file or folder", "nowhere")
    told(ran({}, "import"), "PATHS", code=2)
    done = yersin("import", str(tmp_path))
    assert done.returncode == 0
    assert "0 resources from 0 files" in done.stdout


@pytest.mark.parametrize("kind", ["units", "icd10"])
@pytest.mark.parametrize("content", [b"", b'{"name": 1}', b"PK\x03\x04 torn"])
def test_a_list_that_is_none_is_refused_by_name(yersin: Run, tmp_path: Path, kind: str, content: bytes) -> None:
    name = "list.xlsx" if content.startswith(b"PK") else "list.json"
    (tmp_path / name).write_bytes(content)
    told(yersin("load", kind, str(tmp_path / name)), name)


@pytest.mark.parametrize("kind", ["units", "icd10"])
def test_a_folder_without_a_list_is_refused(yersin: Run, tmp_path: Path, kind: str) -> None:
    told(yersin("load", kind, str(tmp_path)), str(tmp_path))
    told(ran({}, "load", kind, str(tmp_path / "nowhere")), "does not exist", code=2)
