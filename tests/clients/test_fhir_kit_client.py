"""fhir-kit-client (https://github.com/Vermonster/fhir-kit-client) of npm, in Node, does its whole job here (`kit.mjs`)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tools import bundle

HERE = Path(__file__).parent
STEPS = {
    "metadata": ["CapabilityStatement", "4.0.1"],
    "circle": ["other", "female", "Lý", ["3", "2", "1"], 204, 410],
    "matching": 412,
    "pages": [5, [2, 2, 1], 3, 1, 1, True],
    "criteria": [True, 201, 200],
    "bundles": [["201", "201"], ["200", "404"]],
    "operations": [1, ["female"], "error"],
    "histories": ["history", "history"],
    "refusals": [401, 400, 400],
}


@pytest.fixture(scope="module")
def done(seat):
    """What each step came to."""
    node = bundle.Tool().node
    ran = subprocess.run(
        [node, str(HERE / "kit.mjs"), seat.base, seat.token, seat.mark],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    return dict(json.loads(line) for line in ran.stdout.splitlines())


@pytest.mark.parametrize("step", sorted(STEPS))
def test_the_step_comes_to_what_it_should(done, step):
    assert done[step] == STEPS[step]


def test_no_step_is_passed_over(done):
    assert set(done) == {*STEPS, "smart"}
