"""The page for developers does not lie: every example on it is run against a server, and does what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html import unescape

import httpx
import pytest
from tests.running import on

from yersin.app.developers import LANGUAGES
from yersin.app.examples import BEFORE, EXAMPLES
from yersin.guard.tokens import Tokens

PROGRAMS = {
    "curl": ["bash", "-euo", "pipefail", "-c"],
    "python": [sys.executable, "-c"],
    "javascript": ["node", "--input-type=module", "-e"],
}
#: what each language says of its examples, one after the other
SAID = {
    "curl": [
        '"CapabilityStatement"', '"Trần"', "304", '"active":true', "transaction-response", '"total":1',
        "X-Request-Id: my-1|x-request-id: my-1", "02-30", '"resourceType":"Patient"', '"status":"requested"|"status":"active"',
        r"(?i)204[^\n]*\n[^\n]*app\.example\.org", "403",
    ],
    "python": ["4.0.1", "304", "True", "201", "1", "400 .*birthday.* my-1", "error", "Patient 1 1", "requested|active",
        "app.example.org 204 https://app.example.org", "stranger.example.org 403 None"],
    "javascript": ["4.0.1", "304", "true", "201", "1", "400 .*birthday.* my-1", "error", "Patient 1 1", "requested|active", "200"],
}  # fmt: skip


@pytest.fixture(scope="module")
def page(served):
    answer = httpx.get(f"{served.base_url}/developers")
    assert answer.status_code == 200
    return answer.text


def test_the_page_shows_every_example_as_it_is_run(page, served):
    shown = [unescape(each) for each in re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.DOTALL)]
    for language, _ in LANGUAGES:
        for example in EXAMPLES:
            assert getattr(example, language) in shown, (language, example.id)
        assert not BEFORE[language] or BEFORE[language] in shown
    assert f'export BASE="{served.base_url}/fhir" TOKEN="…"' in shown


def test_both_languages_have_it_and_it_is_found_from_the_door(page, served):
    assert "Dành cho nhà phát triển" in page
    english = httpx.get(f"{served.base_url}/developers", headers={"cookie": "language=en"}).text
    assert "Every example is run against a server" in english
    assert 'href="/developers"' in httpx.get(f"{served.base_url}/sign-in").text


@pytest.mark.parametrize("language", [language for language, _ in LANGUAGES])
def test_every_example_does_what_it_says(language, ground, serve, fresh_url, tmp_path):
    program = PROGRAMS[language]
    if shutil.which(program[0]) is None or (language == "curl" and shutil.which("curl") is None):
        pytest.skip(f"{program[0]} is not installed")
    server = serve(fresh_url)
    on(
        fresh_url,
        "INSERT INTO cors_origin (origin, name, added_by) VALUES ('https://app.example.org', 'Charts', 'tests')",
    )
    token = Tokens(ground.keys).make("system/*.cruds", 600)
    script = "\n".join([BEFORE[language], *(getattr(example, language) for example in EXAMPLES)])
    environment = {"BASE": f"{server.base_url}/fhir", "TOKEN": token, "PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(
        [*program, script], check=False, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    server.close()
    said = done.stdout + ("".join(each.read_text() for each in tmp_path.glob("*.json")))
    assert done.returncode == 0, f"{said}\n{done.stderr}"
    for expected in SAID[language]:
        assert re.search(expected, said), f"{expected} is not in\n{said}\n{done.stderr}"
