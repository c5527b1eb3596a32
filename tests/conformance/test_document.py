"""docs/conformance.md says what runs: the same tests, as many cases, and exclusions that have title, kind and reason."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conformance.outcomes import HERE, exclusions, is_told, outcomes
from tools import conformance

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def collected() -> list[str]:
    """Every test of the suites, as pytest finds them now."""
    tests = [test for suite in conformance.SUITES for test in suite.tests]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        *tests,
    ]
    plain = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    found = subprocess.run(command, cwd=ROOT, env=plain, capture_output=True, text=True, check=False)
    assert found.returncode == 0, (found.stdout + found.stderr)[-3000:]
    return [line for line in found.stdout.splitlines() if "::" in line]


def test_the_page_is_what_was_seen_and_what_is_excluded() -> None:
    assert conformance.DOCUMENT.read_text() == conformance.document(), "stale: make conformance"


def test_the_numbers_are_those_of_the_tests_there_are(collected: list[str], shared: Path) -> None:
    del shared  # without it there are no cases to count
    seen = outcomes()
    assert set(seen["suites"]) == {suite.title for suite in conformance.SUITES}
    for suite in conformance.SUITES:
        nodes = conformance.of_suite(suite, collected)
        now = sum(seen["cases"].get(node, 1) for node in nodes)
        assert is_told(seen["suites"][suite.title], now), (suite.title, now)
    assert set(seen["cases"]) <= set(collected)


def test_the_clients_are_those_of_the_lock_files() -> None:
    now = conformance.versions()
    seen = outcomes()["versions"]
    clients = ("fhirpy", "fhirclient", "fhir-kit-client", "smart-fetch")
    assert {name: seen[name] for name in clients} == {name: now[name] for name in clients}


def test_every_exclusion_has_title_kind_and_reason_and_belongs_to_a_suite() -> None:
    files = {path.stem for path in HERE.glob("*.toml")}
    assert files == {suite.exclusions for suite in conformance.SUITES if suite.exclusions}
    for name in files:
        exclusions(name)


def test_what_failed_or_did_not_run_is_not_written() -> None:
    for outcome in ("failed", "skipped"):
        with pytest.raises(SystemExit, match="x::y"):
            conformance.ran({"x::y": {"outcome": outcome, "cases": 1}})
    with pytest.raises(SystemExit, match="ran no test"):
        conformance.ran({"tests/x.py::y": {"outcome": "passed", "cases": 1}})


def test_a_case_that_is_met_by_now_may_not_stay_excluded(tmp_path: Path) -> None:
    test = tmp_path / "test_met.py"
    test.write_text(
        "from tests.conformance.outcomes import excluded\n"
        "EXCLUSION = {'title': 'x', 'kind': 'bug', 'reason': 'known'}\n"
        "def test_met(request):\n    excluded(request, EXCLUSION)\n"
        "def test_not_met(request):\n    excluded(request, EXCLUSION)\n    assert False\n"
    )
    report = tmp_path / "tally.json"
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT),
               "-p", "tests.conformance.tallying", str(test)]  # fmt: skip
    environment = {"YERSIN_TALLY": str(report), "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "PATH": "/usr/bin:/bin"}
    subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    came = {node.rpartition("::")[2]: each["outcome"] for node, each in json.loads(report.read_text()).items()}
    assert came == {"test_met": "failed", "test_not_met": "excluded"}
