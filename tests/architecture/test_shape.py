"""Sizes, names and docstrings of the house; exceptions stand in debts.toml with a reason, and may only become fewer."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from yersin.settings import Settings

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "yersin"
GENERATED = SOURCE / "fhir" / "r4"
FUNCTION, MODULE = 60, 500
BANNED = {"utils", "helpers", "common", "misc", "manager", "core", "base"}


def modules() -> Iterator[Path]:
    yield from (p for p in sorted(SOURCE.rglob("*.py")) if GENERATED not in p.parents)


def debts(kind: str) -> dict[str, str]:
    path = Path(__file__).with_name("debts.toml")
    table: dict[str, str] = tomllib.loads(path.read_text()).get(kind, {}) if path.exists() else {}
    return table


def named(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def test_modules_are_short() -> None:
    long = {named(p) for p in modules() if len(p.read_text().splitlines()) > MODULE}
    assert long == set(debts("modules")), "a module became too long, or is short again: mend debts.toml"


def test_functions_are_short() -> None:
    long = set()
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > FUNCTION:
                    long.add(f"{named(path)}:{node.name}")
    assert long == set(debts("functions")), "a function became too long, or is short again: mend debts.toml"


def test_every_module_opens_with_a_docstring() -> None:
    silent = [named(p) for p in modules() if not ast.get_docstring(ast.parse(p.read_text()))]
    assert not silent


def test_no_path_has_a_name_that_says_nothing() -> None:
    empty = [named(p) for p in modules() if BANNED & {part.removesuffix(".py") for part in p.relative_to(SOURCE).parts}]
    assert not empty


def test_no_task_is_left_for_later_without_an_issue() -> None:
    word = "TO" + "DO"
    left = [named(p) for p in modules() if word in p.read_text()]
    assert not left


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    missing = [name for name in Settings.__dataclass_fields__ if f"`YERSIN_{name.upper()}`" not in text]
    assert not missing


def test_the_arrows_point_down() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
