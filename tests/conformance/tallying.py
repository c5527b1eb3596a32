"""Plugin of pytest: counts cases and outcomes by test into the file that YERSIN_TALLY names (`-p tests.conformance.tallying`)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest


class Tallying:
    """Hears every report, from other processes too."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: dict[str, dict[str, object]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            told = dict(report.user_properties)
            outcome = "excluded" if report.outcome == "skipped" and hasattr(report, "wasxfail") else report.outcome
            self._seen[report.nodeid] = {"outcome": outcome, "cases": told.get("cases", 1)}

    def pytest_sessionfinish(self) -> None:
        self._file.write_text(json.dumps(self._seen, sort_keys=True))


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Tallying(Path(os.environ["YERSIN_TALLY"])), "tallying")
