"""Every cell of the tables of search behaviour, asked over the API of a real database, and of the oracle where it knows the kind."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.properties import oracle
from tests.running import Client
from tests.spec.tables import FILES, Case, Table, cases, tables, written_out
from tests.spec.values import put, resource

ROOT = Path(__file__).parents[2]
ALL = [table for path in FILES for table in tables(path)]
MATCHING = [(t, c) for t in ALL for c in cases(t)]
Pairs = list[tuple[str, str]]


def pairs_of(asked: str, base: str) -> Pairs:
    """Parameters of a query as the tables write it."""
    text = written_out(asked).replace("(base)", base)
    return [(name, value) for name, _, value in (part.partition("=") for part in text.split("&"))]


def tagged(mark: str) -> dict[str, Any]:
    return {"meta": {"tag": [{"system": "urn:spec", "code": mark}]}}


def search(client: Client, type_name: str, pairs: Pairs) -> tuple[int, Any]:
    """Ask by GET and by POST: both say the same."""
    got = client.get(f"/{type_name}", params=pairs)
    posted = client.post(f"/{type_name}/_search", data=dict(pairs)) if len(dict(pairs)) == len(pairs) else got
    assert posted.status_code == got.status_code
    if got.status_code == 200:
        assert posted.json().get("entry") == got.json().get("entry")
    return got.status_code, got.json()


def found_by(client: Client, case: Case, asked: str, mark: str) -> set[str] | None:
    """Ids of what a query finds among the resources of a case; None when it is refused."""
    pairs = [*pairs_of(asked, client.base), ("_tag", f"urn:spec|{mark}"), ("_count", "1000")]
    if asked.startswith("_count"):
        pairs.pop()
    status, page = search(client, case.type, pairs)
    if status != 200:
        assert (status, page["resourceType"]) == (400, "OperationOutcome"), page
        return None
    return {e["resource"]["id"] for e in page.get("entry", ())}


@pytest.mark.parametrize(("table", "case"), MATCHING, ids=[f"{t.file}:{t.line}:{c.type}" for t, c in MATCHING])
def test_the_search_answers_as_the_table_says(client: Client, table: Table, case: Case) -> None:
    mark, made = str(uuid4()), {}
    for text in case.stored:
        answer = client.post(f"/{case.type}", resource(case.type, case.path, text, **tagged(mark)))
        assert answer.status_code == 201, (text, answer.text)
        made[text] = answer.json()["id"]
    wrong = []
    for asked in case.asked:
        found = found_by(client, case, asked, mark)
        for text, key in made.items():
            got = "refused" if found is None else "yes" if key in found else "no"
            # a gap is what the specification would find and this search does not: mending one must mend the table
            if got != case.answers[text, asked].replace("gap", "no"):
                wrong.append((asked, text, got))
    assert not wrong, f"{table.file}, table before line {table.line}"


def _known(case: Case) -> Iterator[tuple[str, str]]:
    """Single criteria that the oracle can judge."""
    rules = oracle.RULES.get(case.type, {})
    for asked in case.asked:
        name, _, value = asked.partition("=")
        code, _, modifier = name.partition(":")
        plain = modifier in ("", "missing", "not", "exact", "contains", "Patient", "Group")
        if code in rules and plain and not {"&", "\\"} & set(value) and "refused" not in case.answers.values():
            yield asked, name


JUDGED = [(t, c) for t, c in MATCHING if list(_known(c))]


@pytest.mark.parametrize(("table", "case"), JUDGED, ids=[f"{t.file}:{t.line}:{c.type}" for t, c in JUDGED])
def test_the_oracle_answers_as_the_table_says(table: Table, case: Case) -> None:
    wrong = []
    for asked, name in _known(case):
        value = written_out(asked).partition("=")[2].replace("(base)/", "")
        if oracle.is_approximate(value):
            continue
        for text in case.stored:
            got = oracle.matches(resource(case.type, case.path, text), name, value)
            if got is not (case.answers[text, asked] == "yes"):
                wrong.append((asked, text, got))
    assert not wrong, f"{table.file}, table before line {table.line}"


# --- order, pages, includes -----------------------------------------------------------------------------------------


def answered() -> Iterator[tuple[Table, Table, str, str]]:
    """Each query of the tables `asked | found`, with the resources that its table speaks of."""
    made = None
    for table in ALL:
        if table.head[0] == "":
            made = table
        elif table.head == ("asked", "found"):
            assert made is not None
            for asked, found in table.rows:
                yield made, table, asked, found


ANSWERED = list(answered())


@pytest.fixture(scope="module")
def stocked(client: Client) -> dict[int, tuple[str, dict[str, str]]]:
    """The resources of each table, by the line where it ends: their mark, and the name of each id."""
    found = {}
    for table in {t.line: t for t, _, _, _ in ANSWERED}.values():
        mark = str(uuid4())
        ids = {name: f"{mark[:24]}{n:012d}" for n, name in enumerate(table.head[1:])}
        for place, name in reversed(list(enumerate(table.head[1:], 1))):
            values = {row[0]: row[place] for row in table.rows}
            body = resource(values.pop("type"), "", "(none)", id=ids[name], **tagged(mark))
            for path, text in values.items():
                if text:
                    kind, _, other = text.partition("/")
                    put(body, path.split("."), f"{kind}/{ids[other]}" if other in ids else text)
            if body["resourceType"] == "Organization":
                body["identifier"] = [{"value": ids[name]}]  # a name or a number it must have (org-1)
            assert client.put(f"/{body['resourceType']}/{ids[name]}", body).status_code == 201
        found[table.line] = (mark, {key: name for name, key in ids.items()})
    return found


@pytest.mark.parametrize(("made", "table", "asked", "expected"), ANSWERED, ids=[a[2] for a in ANSWERED])
def test_what_is_found_comes_in_the_order_of_the_table(
    client: Client, stocked: dict[int, tuple[str, dict[str, str]]], made: Table, table: Table, asked: str, expected: str
) -> None:
    mark, names = stocked[made.line]
    type_name, query = asked.split("?") if "?" in asked else ("Patient", asked)
    ids = {name: key for key, name in names.items()}
    listed = re.sub(r"(?<=_list=)[A-Z,]+$", lambda m: ",".join(ids[n] for n in m[0].split(",")), query)
    listed = re.sub(r"(?<=[a-z]/)[A-Z]\b|(?<=:(?:above|below)=)[A-Z]\b", lambda m: ids.get(m[0], m[0]), listed)
    pairs = [*pairs_of(listed, client.base), ("_tag", f"urn:spec|{mark}")]
    answer = client.get(f"/{type_name}", params=pairs)
    if expected == "refused":
        assert answer.status_code == 400
        return
    assert answer.status_code == 200, answer.text
    first = answer.json()
    said = f"{first['total']}:" if "_total" in asked or "summary" in asked or "_count=0" in asked else ""
    assert " ".join([said, *_pages(client, first, names)]).strip() == expected


def _pages(client: Client, page: Any, names: dict[str, str]) -> Iterator[str]:
    """Names on each page, a stroke between pages."""
    while True:
        entries = [(e["search"]["mode"], names[e["resource"]["id"]]) for e in page.get("entry", ())]
        yield from [name for mode, name in entries if mode == "match"]
        included = sorted(name for mode, name in entries if mode == "include")
        yield from ["+", *included] if included else []
        link = next((x["url"] for x in page["link"] if x["relation"] == "next"), None)
        if link is None:
            return
        yield "/"
        page = client.get(link).json()


def test_the_tables_are_published_as_they_are() -> None:
    program = [sys.executable, "tools/search_docs.py", "--check"]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_kind_of_parameter_has_a_table() -> None:
    assert [path.stem.partition("-")[2] for path in FILES] == [
        "string", "token", "reference", "date", "number", "quantity", "uri", "refused", "answers"]  # fmt: skip
    assert sum(len(case.answers) for _, case in MATCHING) > 500
    assert {word for _, case in MATCHING for word in case.answers.values()} == {"yes", "no", "gap", "refused"}
