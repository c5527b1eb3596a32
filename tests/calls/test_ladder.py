"""The ladder from video down to writing: its decisions on series of measurements, by the code itself in Node.

A real line that is made thin is in test_cut.py.
"""

from __future__ import annotations

import json
import runpy
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CALLING = ROOT / "src/yersin/telehealth/browser/calling"
_CLIMB = """
const { start, step } = await import(process.argv[2]);
let now = start();
const seen = [];
for (const sample of JSON.parse(process.argv[3])) { now = step(now, sample); seen.push([now.rung, now.why]); }
console.log(JSON.stringify(seen));
"""
_LISTEN = """
const { Told } = await import(process.argv[2]);
const told = new Told();
console.log(JSON.stringify(JSON.parse(process.argv[3]).map((report) => told.isNew(...report))));
"""
Ask = Callable[[str, str, Any], Any]
Climb = Callable[[list[dict[str, Any]]], list[tuple[str, str]]]
GOOD = {"connected": True, "loss": 0.0, "rtt": 40, "kbps": 1500}


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Run a program on a part of the call's own code, with values it reads, and return what it answers."""
    folder = tmp_path_factory.mktemp("ladder")
    tool = runpy.run_path(str(ROOT / "tools/bundle.py"))["Tool"]()
    esbuild = str(ROOT / "node_modules/esbuild/bin/esbuild")

    def run(part: str, program: str, values: Any) -> Any:
        plain, script = folder / f"{part}.mjs", folder / "program.mjs"
        if not plain.exists():
            tool.run(tool.node, esbuild, str(CALLING / f"{part}.ts"), f"--outfile={plain}", "--log-level=error")
        script.write_text(program)
        words = [tool.node, str(script), plain.as_uri(), json.dumps(values)]
        return json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)

    return run


@pytest.fixture(scope="module")
def climb(ask: Ask) -> Climb:
    """Send a series of samples, one each two seconds, up and down the ladder."""
    return lambda samples: [tuple(pair) for pair in ask("ladder", _CLIMB, samples)]


def test_a_good_line_stays_at_video(climb: Climb) -> None:
    assert {rung for rung, _ in climb([GOOD] * 60)} == {"video"}


def test_one_bad_measurement_alone_changes_nothing(climb: Climb) -> None:
    assert {rung for rung, _ in climb([GOOD, {**GOOD, "loss": 0.1}, GOOD, {**GOOD, "rtt": 900}, GOOD])} == {"video"}


@pytest.mark.parametrize(
    ("bad", "why"),
    [({"loss": 0.12}, "loss"), ({"rtt": 900}, "delay"), ({"kbps": 120}, "rate"), ({"loss": 0.6}, "loss")],
)
def test_a_bad_line_costs_a_rung_within_four_seconds_and_says_why(climb: Climb, bad: dict[str, Any], why: str) -> None:
    assert ("low", why) in climb([GOOD, *[{**GOOD, **bad}] * 2])


def test_a_line_that_carries_nearly_nothing_ends_at_single_pictures_not_at_silence(climb: Climb) -> None:
    seen = climb([{**GOOD, "kbps": 10, "loss": 0.35}] * 12)
    assert [rung for rung, _ in seen][-1] == "stills"
    assert [r for n, (r, _) in enumerate(seen) if n == 0 or seen[n - 1][0] != r][-3:] == ["low", "audio", "stills"]


def test_without_any_connection_writing_is_left_after_twelve_seconds_and_sound_returns_at_once(climb: Climb) -> None:
    gone = {"connected": False, "loss": None, "rtt": None, "kbps": None}
    seen = climb([GOOD, *[gone] * 6, GOOD])
    assert [rung for rung, _ in seen][-3:] == ["video", "text", "audio"]


def test_a_line_that_is_only_just_bad_enough_does_not_go_up_and_down(climb: Climb) -> None:
    seen = climb([{**GOOD, "loss": 0.09}] * 60)
    assert [rung for rung, _ in seen[2:]] == ["low"] * 58


def _wait(seen: list[tuple[str, str]], begin: int) -> int:
    """How many samples it takes from one on until video is back."""
    return [rung for rung, _ in seen[begin:]].index("video") + 1


def test_the_way_up_takes_twelve_seconds_and_twice_that_when_it_was_hasty(climb: Climb) -> None:
    slow = {**GOOD, "rtt": 900}
    assert _wait(climb([slow, slow, *[GOOD] * 20]), 2) == 6
    assert _wait(climb([slow, slow, *[GOOD] * 6, slow, slow, *[GOOD] * 20]), 10) == 12


def test_the_last_word_of_a_stream_that_rests_is_soon_forgotten(ask: Ask) -> None:
    said = [["video", 1, 0], ["video", 1, 9_000], ["video", 1, 10_001], ["sound", 1, 10_001], ["video", 2, 12_000]]
    assert ask("told", _LISTEN, said) == [True, True, False, True, True]
