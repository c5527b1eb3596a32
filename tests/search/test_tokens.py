"""The token grammar: what the index keeps and what a query asks for meet, and other values do not."""

from __future__ import annotations

from types import SimpleNamespace as Of

import pytest

from yersin.fhir.parameters import parameters
from yersin.search import tokens

PATIENT, OBSERVATION = parameters("Patient"), parameters("Observation")


def test_hashes_are_siphash_2_4_of_the_published_vector():
    assert tokens.hashes([bytes(range(15)).decode()], bytes(range(16))) == (0xA129CA6149BE45E5 - 2**64,)
    assert tokens.hashes(["a"], bytes(16)) != tokens.hashes(["a"], bytes(range(16)))


def test_hashing_beginnings_together_equals_hashing_them_apart():
    for word in ("", "a", "an", "nguyen", "quỳnh nguyễn văn an bình dương"):
        assert tuple(tokens.prefix_hashes("name", word, bytes(16))) == tokens.hashes(
            tokens.prefixes("name", word), bytes(16)
        )


# query | kept system | kept code | matches
TOKENS = """
http://loinc.org|8480-6 | http://loinc.org | 8480-6 | yes
8480-6                  | http://loinc.org | 8480-6 | yes
http://loinc.org|       | http://loinc.org | 8480-6 | yes
ABC                     | http://loinc.org | abc    | yes
|8480-6                 | http://loinc.org | 8480-6 | no
|8480-6                 |                  | 8480-6 | yes
http://other|8480-6     | http://loinc.org | 8480-6 | no
8480                    | http://loinc.org | 8480-6 | no
http://loinc.org|       |                  | 8480-6 | no
"""


@pytest.mark.parametrize("line", TOKENS.strip().splitlines())
def test_a_token_query_meets_what_it_should_and_nothing_else(line):
    query, system, code, matches = (cell.strip() for cell in line.rsplit("|", 3))
    kept = tokens.coded("code", system or None, code)
    asked = tokens.token_query(OBSERVATION["code"], query)
    assert bool(set(asked) & set(kept)) == (matches == "yes")


def test_identifiers_keep_their_case_and_codes_do_not():
    assert tokens.token_query(PATIENT["identifier"], "sys|Ab") == ["identifier|sys|Ab"]
    assert tokens.token_query(PATIENT["gender"], "MALE") == ["gender|*|male"]


def test_an_identifier_is_asked_by_its_type():
    kept = tokens.of_type("identifier", Of(system="s", code="MR"), "446053")
    assert tokens.of_type_query(PATIENT["identifier"], "s|MR|446053") == [kept]
    assert tokens.of_type_query(PATIENT["identifier"], "s|MR") == []


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("+84 900 000 123", "0900000123"),
        ("0900.000.123", "0900000123"),
        ("84900000123", "0900000123"),
        ("a@e.vn", ""),
        ("12", ""),
    ],
)
def test_a_telephone_number_is_its_digits(text, digits):
    assert tokens.phone(text) == digits


def test_telephone_numbers_meet_however_they_are_written():
    assert tokens.token_query(PATIENT["phone"], "+84 900 000 123") == tokens.token_query(PATIENT["phone"], "0900000123")
    assert tokens.token_query(PATIENT["telecom"], "phone|0900 000 123") == ["telecom|phone|0900000123"]
    assert tokens.token_query(PATIENT["email"], "An@E.vn") == ["email|*|an@e.vn"]


def test_references_lose_version_and_own_base_only():
    assert tokens.reference_text("http://here/fhir/Patient/1/_history/2", "http://here/fhir") == "Patient/1"
    assert tokens.reference_text("http://there/fhir/Patient/1", "http://here/fhir") == "http://there/fhir/Patient/1"


def test_a_bare_id_may_be_any_target_but_a_named_type_only_that():
    asked = tokens.reference_query(OBSERVATION["subject"], "1")
    assert "subject>Patient/1" in asked
    assert "subject>Practitioner/1" not in asked
    assert tokens.reference_query(OBSERVATION["subject"], "1", "Group") == ["subject>Group/1"]
    assert tokens.reference_query(OBSERVATION["subject"], "urn:uuid:5") == ["subject>urn:uuid:5"]


def test_a_canonical_is_found_with_and_without_its_version():
    assert tokens.canonical("instantiates", "http://e/q|1") == ["instantiates>http://e/q|1", "instantiates>http://e/q"]


@pytest.mark.parametrize(("asked", "settled"), [("NGUYỄN", True), ("nguyen van an", False), ("nguyen van a", True)])
def test_a_beginning_is_asked_at_the_longest_length_kept(asked, settled):
    found, exact = tokens.string_query("family", asked)
    assert found in tokens.prefixes("family", "nguyen van anh")
    assert found not in tokens.prefixes("family", "tran nguyen")
    assert exact == settled


def test_one_letter_is_too_short_for_a_token():
    assert tokens.string_query("family", "n") == ("", False)


def test_typing_meets_every_word_begun():
    kept = {t for word in ("nguyen", "van", "an") for t in tokens.word_prefixes(word)}
    assert set(tokens.typed("Ng An")) <= kept
    assert set(tokens.typed("n")) <= kept
    assert not set(tokens.typed("Ang")) <= kept


def test_a_uri_lies_below_its_ancestors_by_whole_segments():
    kept = tokens.uri("url", "http://acme.org/fhir/ValueSet/123")
    assert {"url=http://acme.org/fhir/ValueSet/123", "url<http://acme.org/fhir"} <= set(kept)
    assert "url<http://acme.org/fh" not in kept
    assert tokens.uri("url", "urn:oid:1.2") == ["url=urn:oid:1.2", "url<urn:oid:1.2"]


def test_a_covered_reference_is_asked_as_what_covers_it():
    covered = parameters("Coverage")["patient"]
    assert tokens.reference_query(covered, "Patient/1") == ["beneficiary>Patient/1"]
