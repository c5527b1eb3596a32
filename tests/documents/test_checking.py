"""A stranger's PDF is checked in a process with limits: every kind of file gets its right answer, and a hostile one none."""

from __future__ import annotations

import subprocess
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import copy_into_new_writer
from tests.documents.invented_minutes import minutes

from yersin.documents import checking
from yersin.documents.authority import Status
from yersin.documents.checking import check
from yersin.documents.seats import Seats
from yersin.documents.verifying import verify
from yersin.fhir.problem import Problem
from yersin.telehealth.documents.verification import Kept, Signature, place_among, readable_code, verdict, with_status


@pytest.fixture
def trust(authority):
    return [authority.trust_root()]


def encrypted(pdf):
    writer = copy_into_new_writer(PdfFileReader(BytesIO(pdf)))
    writer.encrypt("owner", "user")
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def bomb(megabytes):
    """A PDF whose cross-reference stream is small in the file and huge in memory."""
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()
    head = b"%PDF-1.7\n%/ByteRange\n"
    dictionary = b"<</Type/XRef/W[1 2 1]/Size 9/Root 2 0 R/Filter/FlateDecode/Length %d>>" % len(packed)
    body = b"1 0 obj\n" + dictionary + b"\nstream\n" + packed + b"\nendstream\nendobj\n"
    return head + body + b"startxref\n%d\n%%%%EOF\n" % len(head)


def test_the_process_reports_what_the_verifier_reports(twice_signed, trust):
    found = check(twice_signed, trust)
    assert found.signatures == tuple(verify(twice_signed, trust))
    assert (found.refused, found.code) == ("", minutes().verification_code)


@pytest.mark.parametrize(
    ("content", "refused"),
    [
        (b"", "no-pdf"),
        (b"\x89PNG\r\n", "no-pdf"),
        (b"%PDF-1.7 /ByteRange nonsense", "damaged"),
        (b"%PDF-1.7\n/ByteRange\nstartxref\n9\n%%EOF", "damaged"),
        (b"%PDF-1.7\n" + b"[" * 60_000 + b"/ByteRange\ntrailer<</Root 1 0 R>>\nstartxref\n9\n%%EOF", "damaged"),
    ],
)
def test_what_cannot_be_checked_is_refused_with_the_reason(content, refused, trust):
    assert check(content, trust).refused == refused


def test_an_encrypted_file_is_named_as_such(unsigned, trust):
    assert check(encrypted(unsigned), trust).refused == "encrypted"


def test_a_file_that_swells_in_memory_is_given_up_at_once(trust):
    assert check(bomb(400), trust).refused in {"damaged", "too-costly"}


def test_the_process_has_the_memory_it_is_given_and_no_more(twice_signed, trust, monkeypatch):
    monkeypatch.setattr(checking, "_MEGABYTES", 64)
    assert check(twice_signed, trust).refused == "too-costly"


def test_a_file_that_takes_too_long_is_given_up(twice_signed, trust):
    assert check(twice_signed, trust, seconds=0).refused == "too-costly"


def test_a_file_without_any_signature_starts_no_process(unsigned, trust, monkeypatch):
    monkeypatch.setattr(subprocess, "run", None)
    assert check(unsigned.replace(b"/ByteRange", b"/Something"), trust) == checking.Checked()


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=40))
def test_no_overwritten_file_passes_or_fails_in_another_way(twice_signed, trust, authority, share, junk):
    at = len(twice_signed) * share // 10_001
    changed = twice_signed[:at] + junk + twice_signed[at + len(junk) :]
    found = check(changed, trust)
    if changed != twice_signed and not found.refused:
        assert verdict(with_status(found, authority)) != "unchanged" or _after_the_last(changed, twice_signed, at)


def _after_the_last(changed, original, at):
    """Bytes after what the last archive time-stamp covers are no part of the document."""
    return at > original.rindex(b"/ByteRange")


@pytest.fixture(scope="module")
def signed(twice_signed, authority):
    return with_status(check(twice_signed, [authority.trust_root()]), authority)


def test_the_worst_signature_decides(signed):
    good, other = signed
    changed = Signature(report=replace(other.report, intact=False), now=other.now)
    foreign = Signature(report=replace(other.report, trusted=False), now=Status(state="unknown"))
    doubtful = Signature(report=replace(other.report, status_at_signing="out-of-validity"), now=other.now)
    assert verdict(signed) == "unchanged"
    assert verdict([good, changed, foreign]) == "changed"
    assert verdict([good, foreign]) == "untrusted"
    assert verdict([good, doubtful]) == "doubtful"
    assert verdict([]) == "unsigned"


@pytest.mark.parametrize(("minutes_away", "expected"), [(-5, "revoked"), (5, "unchanged")])
def test_a_revocation_counts_from_its_moment(signed, minutes_away, expected):
    first, second = signed
    revoked = Status(
        state="revoked", revoked_at=first.report.signed_at + timedelta(minutes=minutes_away), reason="keyCompromise"
    )
    assert verdict([Signature(report=first.report, now=revoked), second]) == expected


def test_a_file_is_found_among_the_revisions_of_its_document():
    document = Kept(code="", addendum=False, revisions=(b"one", b"two"), additions=(datetime.now(UTC),))
    assert [place_among(one, document) for one in (b"one", b"two", b"three")] == ["earlier", "newest", "other"]
    assert place_among(b"one", None) == "unknown"


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("7HQ2-M9KD-41TX-0WBN", "7HQ2-M9KD-41TX-0WBN"),
        (" 7hq2 m9kd 41tx owbn ", "7HQ2-M9KD-41TX-0WBN"),
        ("7HQ2M9KD41TX0WBN", "7HQ2-M9KD-41TX-0WBN"),
        ("7HQ2-M9KD-4iTX-0WBN", "7HQ2-M9KD-41TX-0WBN"),
        ("7HQ2-M9KD-41TX", ""),
        ("7HQ2-M9KD-41TX-0WBU", ""),
        ("' OR 1=1 --", ""),
    ],
)
def test_a_code_is_read_as_people_type_it(typed, code):
    assert readable_code(typed) == code


def test_more_than_may_wait_are_asked_to_come_again(run):
    async def crowd():
        seats = Seats(at_once=2, waiting=0)
        async with seats.one(), seats.one():
            with pytest.raises(Problem, match="too busy") as refused:
                await seats.one().__aenter__()
        async with seats.one():
            return refused.value.status

    assert run(crowd()) == 503
