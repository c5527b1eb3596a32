"""The ladder from video down to writing: its decisions on series of measurements, and a real line that is made thin.

The first run ladder.ts itself in Node; the last limits a virtual cable with the kernel's token bucket, which delays what is
too much and drops the rest.
"""

from __future__ import annotations

import json
import re
import runpy
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.calls.far_away import SLOW, opened, thin, whole
from tests.calls.small_house import Worker, on
from tests.calls.test_browser import sees

ROOT = Path(__file__).parents[2]
LADDER = ROOT / "src/yersin/telehealth/browser/calling/ladder.ts"
_CLIMB = """
const { start, step } = await import(process.argv[2]);
let now = start();
const seen = [];
for (const sample of JSON.parse(process.argv[3])) { now = step(now, sample); seen.push([now.rung, now.why]); }
console.log(JSON.stringify(seen));
"""
Climb = Callable[[list[dict[str, Any]]], list[tuple[str, str]]]
GOOD = {"connected": True, "loss": 0.0, "rtt": 40, "kbps": 1500}


@pytest.fixture(scope="module")
def climb(tmp_path_factory: pytest.TempPathFactory) -> Climb:
    """Send a series of samples, one each two seconds, up and down the ladder."""
    folder = tmp_path_factory.mktemp("ladder")
    tool = runpy.run_path(str(ROOT / "tools/bundle.py"))["Tool"]()
    plain, script = folder / "ladder.mjs", folder / "climb.mjs"
    tool.run(
        tool.node,
        str(ROOT / "node_modules/esbuild/bin/esbuild"),
        str(LADDER),
        f"--outfile={plain}",
        "--log-level=error",
    )
    script.write_text(_CLIMB)

    def run(samples: list[dict[str, Any]]) -> list[tuple[str, str]]:
        words = [tool.node, str(script), plain.as_uri(), json.dumps(samples)]
        said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        return [tuple(pair) for pair in json.loads(said)]

    return run


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


def _rungs(url: str) -> list[str]:
    rows = on(url, "SELECT detail->>'rung' AS rung FROM call_event WHERE kind = 'rung' ORDER BY id")
    return [row["rung"] for row in rows]


def _says(page: Page, words: str, patience: float = SLOW) -> None:
    expect(page.locator("[data-quality-words]")).to_have_text(re.compile(words), timeout=patience)


@pytest.mark.timeout(600)
def test_on_a_line_that_is_made_thin_the_call_gives_up_pictures_before_sound_and_takes_them_back(
    both: tuple[Worker, Browser, Browser], call: UUID, calls_url: str
) -> None:
    worker, here, there = both
    doctor, station = opened(here, worker, call, "doctor"), opened(there, worker, call, "worker")
    doctor.click(".bell button", timeout=SLOW)
    sees(doctor)
    sees(station)
    if not thin("130kbit"):
        pytest.skip("this kernel limits no line")
    _says(station, "Hình nhỏ|Chỉ tiếng|Từng ảnh")
    thin("40kbit")
    _says(station, "Chỉ tiếng|Từng ảnh")
    expect(doctor.locator(".tile-note")).to_have_text(re.compile("Chỉ tiếng|một ảnh"), timeout=SLOW)
    whole()
    _says(station, "Hình nhỏ|Đường truyền", 3 * SLOW)  # a busy machine goes on losing sound for a while
    sees(doctor)
    assert {"low", "audio"} <= set(_rungs(calls_url))
