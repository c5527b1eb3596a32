"""Content at rest: every way of packing is readable for ever, and a database is written as the release before can read it."""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yersin.db import connect
from yersin.store import content

DICTIONARIES = (content.ZSTD_DICTIONARY_1, content.ZSTD_DICTIONARY_2)
#: what is stored needs the very bytes that it was written with
SHIPPED = {
    "dictionary-1.zdict": "d5280721665f7f8886b23851527e0898c51a85e623752b66da392edb4bcaa473",
    "dictionary-2.zdict": "cad4116bc5c6a294ff7807a363586eb92a78caa2cfc9c7357bcc08efb2fcd81b",
}


@given(tail=st.binary(max_size=2000), enc=st.sampled_from(DICTIONARIES))
def test_what_is_packed_comes_back(tail: bytes, enc: int) -> None:
    assert content.unpack(enc, content.pack(tail, enc)) == tail


@pytest.mark.parametrize("name", SHIPPED)
def test_a_dictionary_that_shipped_never_changes(name: str) -> None:
    data = resources.files("yersin.store").joinpath(name).read_bytes()
    assert hashlib.sha256(data).hexdigest() == SHIPPED[name]


def test_records_from_abroad_take_less_by_the_second_dictionary() -> None:
    tail = (
        b'},"status":"active","type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/claim-type","code":"pharmacy"}]},'
        b'"use":"claim","priority":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/processpriority","code":"normal"}]},'
        b'"insurance":[{"sequence":1,"focal":true,"coverage":{"display":"private"}}],"total":{"value":7.5,"currency":"USD"}}'
    )
    first, second = (len(content.pack(tail, enc)) for enc in DICTIONARIES)
    assert second < first / 2


def test_content_of_a_later_release_is_refused() -> None:
    with pytest.raises(ValueError, match="enc 99"):
        content.unpack(99, b"")


def test_a_database_is_written_as_the_release_before_reads_it(run: Any, fresh_url: str) -> None:
    assert run(_packings(fresh_url)) == [content.ZSTD_DICTIONARY_2, content.ZSTD_DICTIONARY_1]


async def _packings(url: str) -> list[int]:
    """Packing of a new database, and of one that was full when it learnt of packings."""
    database = await connect(url, max_size=1)
    try:
        new = await database.fetchval("SELECT enc FROM packing")
        await database.execute("INSERT INTO id_map VALUES (1, gen_random_uuid(), gen_random_uuid(), 1)")
        await database.execute("DROP TABLE packing")
        await database.execute(content.DDL)
        return [new, await database.fetchval("SELECT enc FROM packing")]
    finally:
        await database.close()
