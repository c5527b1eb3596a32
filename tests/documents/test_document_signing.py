"""PAdES signatures: both sides sign, what must be refused is refused, what was changed is found out."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_der_x509_certificate
from pyhanko.pdf_utils.generic import NumberObject, pdf_string
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from tests.documents.invented_minutes import minutes

from yersin.documents.authority import TestAuthority
from yersin.documents.authority_store import FolderStore
from yersin.documents.reports import Covers
from yersin.documents.signer import TrustService
from yersin.documents.signing import Wording, sign
from yersin.documents.verifying import verify
from yersin.fhir.problem import Problem
from yersin.telehealth.documents.minutes import minutes_pdf

WORDING = Wording(reason="Ký biên bản")


def now():
    return datetime.now(UTC)


def signer_of(authority, **changes):
    plain = {
        "name": "BS. Hà Thị Nhung",
        "title": "Bác sĩ",
        "organisation": "Bệnh viện",
        "identifier": "990009/BYT-CCHN",
    }
    return authority.signer(authority.issue(**(plain | changes)).serial)


def x509_serial(signer):
    return load_der_x509_certificate(signer.certificate).serial_number


def place_of(refused):
    return refused.value.issues[0].expression


def test_one_signature_is_valid_and_keeps_its_proofs(once_signed, authority):
    (report,) = verify(once_signed, [authority.trust_root()])
    assert report.valid
    assert (report.signer, report.identifier) == ("TS.BS. Lò Văn Thịnh", "990001/BYT-CCHN")
    assert report.covers is Covers.WHOLE
    assert (report.level, report.status_at_signing) == ("B-LT", "good")
    assert timedelta(0) <= now() - report.signed_at < timedelta(hours=2), "signed in this run, whenever its turn was"
    assert report.findings == ()


def test_the_second_signature_leaves_the_first_one_valid(twice_signed, once_signed, authority):
    first, second = verify(twice_signed, [authority.trust_root()])
    assert first.valid
    assert second.valid
    assert first.covers is Covers.LATER_SIGNATURES
    assert second.covers is Covers.WHOLE
    assert {first.level, second.level} == {"B-LTA"}
    assert twice_signed.startswith(once_signed)


def test_poppler_verifies_both_signatures(twice_signed, authority, poppler, tmp_path):
    if shutil.which("certutil") is None:
        pytest.skip("certutil is not installed (Debian: libnss3-tools)")
    database = f"sql:{tmp_path / 'nss'}"
    (tmp_path / "nss").mkdir()
    (tmp_path / "root.der").write_bytes(authority.trust_root())
    subprocess.run(["certutil", "-N", "-d", database, "--empty-password"], check=True)
    subprocess.run(
        ["certutil", "-A", "-d", database, "-n", "root", "-t", "C,C,C", "-i", tmp_path / "root.der"], check=True
    )
    told = poppler("pdfsig", twice_signed, "-nssdir", database)
    assert told.count("Signature is Valid.") == 2
    assert told.count("Certificate is Trusted.") == 2


def test_the_visible_block_is_vietnamese(twice_signed, poppler):
    text = poppler("pdftotext", twice_signed)
    assert "ĐÃ KÝ SỐ" in text
    assert "Ký kết luận hội chẩn" in text
    assert "CHỨNG THƯ THỬ NGHIỆM" in text


def test_a_stranger_authority_is_not_trusted(once_signed, tmp_path, wrapping):
    other = TestAuthority(FolderStore(tmp_path / "other"), wrap=wrapping.wrap, unwrap=wrapping.unwrap)
    (report,) = verify(once_signed, [other.trust_root()])
    assert report.intact
    assert not report.trusted
    assert not report.valid
    assert report.findings


def test_an_altered_byte_of_the_content_is_found_out(twice_signed, authority):
    at = twice_signed.index(b"/MediaBox")
    changed = twice_signed[: at + 12] + bytes([twice_signed[at + 12] ^ 1]) + twice_signed[at + 13 :]
    reports = verify(changed, [authority.trust_root()])
    assert len(reports) == 2
    assert not any(report.intact or report.valid for report in reports)
    assert all(report.covers is Covers.ALTERED for report in reports)


@pytest.mark.parametrize("share", range(150, 10_000, 1637))
def test_no_altered_byte_of_the_signed_revision_passes(once_signed, unsigned, authority, share):
    at = len(unsigned) * share // 10_000
    changed = once_signed[:at] + bytes([once_signed[at] ^ 0x15]) + once_signed[at + 1 :]
    try:
        reports = verify(changed, [authority.trust_root()])
    except Problem:
        return
    assert not any(report.valid for report in reports)


def test_nobody_can_sign_what_was_changed_after_the_first_signature(once_signed, station_doctor):
    at = once_signed.index(b"/MediaBox") + 12
    changed = once_signed[:at] + bytes([once_signed[at] ^ 1]) + once_signed[at + 1 :]
    with pytest.raises(Problem) as refused:
        sign(changed, station_doctor, field="requesting", wording=WORDING, at=now())
    assert place_of(refused) == "altered"


def test_a_change_appended_after_the_last_signature_is_found_out(twice_signed, authority):
    writer = IncrementalPdfFileWriter(BytesIO(twice_signed))
    page = writer.root["/Pages"]["/Kids"][0]
    page["/Rotate"] = NumberObject(90)
    writer.mark_update(page.container_ref)
    out = BytesIO()
    writer.write(out)
    reports = verify(out.getvalue(), [authority.trust_root()])
    assert not any(report.valid for report in reports)
    assert all(report.covers is Covers.ALTERED for report in reports)


def test_a_changed_title_after_signing_is_found_out(once_signed, authority):
    writer = IncrementalPdfFileWriter(BytesIO(once_signed))
    writer.root["/Lang"] = pdf_string("en")
    writer.update_root()
    out = BytesIO()
    writer.write(out)
    (report,) = verify(out.getvalue(), [authority.trust_root()])
    assert not report.valid


def test_bytes_that_are_no_pdf_are_refused(authority):
    with pytest.raises(Problem, match="damaged"):
        verify(b"nonsense", [authority.trust_root()])


def test_a_document_without_signatures_has_no_reports(unsigned, authority):
    assert verify(unsigned, [authority.trust_root()]) == []


def test_the_same_person_cannot_sign_twice_even_with_a_new_certificate(once_signed, authority, specialist):
    renewed = signer_of(authority, name="Lò Văn Thịnh", identifier="990001/BYT-CCHN")
    for signer in (specialist, renewed):
        with pytest.raises(Problem) as refused:
            sign(once_signed, signer, field="requesting", wording=WORDING, at=now())
        assert place_of(refused) == "signed-twice"


def test_a_filled_or_unknown_field_is_refused(once_signed, authority):
    for field in ("consulted", "nobody"):
        with pytest.raises(Problem) as refused:
            sign(once_signed, signer_of(authority), field=field, wording=WORDING, at=now())
        assert place_of(refused) == "field"


def test_the_side_that_locks_signs_last(unsigned, station_doctor):
    with pytest.raises(Problem) as refused:
        sign(unsigned, station_doctor, field="requesting", wording=WORDING, at=now())
    assert place_of(refused) == "order"


def test_a_revoked_certificate_is_refused_before_signing(unsigned, authority):
    signer = signer_of(authority)
    authority.revoke(x509_serial(signer), "keyCompromise", now() - timedelta(seconds=1))
    with pytest.raises(Problem, match="thu hồi") as refused:
        sign(unsigned, signer, field="consulted", wording=WORDING, at=now())
    assert place_of(refused) == "certificate-revoked"


def test_a_signature_made_before_the_revocation_stays_valid(unsigned, authority):
    signer = signer_of(authority)
    signed = sign(unsigned, signer, field="consulted", wording=WORDING, at=now())
    authority.revoke(x509_serial(signer), "affiliationChanged", now())
    (report,) = verify(signed, [authority.trust_root()])
    assert report.valid
    assert report.status_at_signing == "good"


@pytest.mark.parametrize(
    ("start", "end", "place"),
    [(-20, -10, "certificate-expired"), (10, 20, "certificate-not-yet-valid")],
)
def test_a_certificate_outside_its_time_is_refused(unsigned, authority, start, end, place):
    validity = (now() + timedelta(days=start), now() + timedelta(days=end))
    with pytest.raises(Problem) as refused:
        sign(unsigned, signer_of(authority, validity=validity), field="consulted", wording=WORDING, at=now())
    assert place_of(refused) == place


@dataclass(frozen=True, kw_only=True)
class OtherSigner:
    """A signer from outside: a certificate of one authority, the key or the services of another."""

    certificate: bytes
    chain: tuple[bytes, ...]
    trust: TrustService
    key: rsa.RSAPrivateKey

    def sign_digest(self, digest, algorithm):
        return self.key.sign(digest, padding.PKCS1v15(), utils.Prehashed(SHA256()))


@pytest.fixture(scope="module")
def stray_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def test_a_key_that_does_not_belong_to_the_certificate_is_refused(unsigned, specialist, stray_key):
    forged = OtherSigner(
        certificate=specialist.certificate, chain=specialist.chain, trust=specialist.trust, key=stray_key
    )
    with pytest.raises(Problem) as refused:
        sign(unsigned, forged, field="consulted", wording=WORDING, at=now())
    assert place_of(refused) == "key"


def test_a_certificate_of_another_authority_is_refused(unsigned, specialist, tmp_path, wrapping, stray_key):
    other = TestAuthority(FolderStore(tmp_path / "other"), wrap=wrapping.wrap, unwrap=wrapping.unwrap)
    foreign = OtherSigner(
        certificate=signer_of(other).certificate, chain=specialist.chain, trust=specialist.trust, key=stray_key
    )
    with pytest.raises(Problem) as refused:
        sign(unsigned, foreign, field="consulted", wording=WORDING, at=now())
    assert place_of(refused) == "certificate-unknown"


@pytest.mark.parametrize("skew", [timedelta(minutes=10), timedelta(minutes=-10)])
def test_a_clock_that_differs_from_the_authoritys_is_refused(unsigned, specialist, clock, skew):
    clock.fixed = now() + skew
    try:
        with pytest.raises(Problem, match="synchronise") as refused:
            sign(unsigned, specialist, field="consulted", wording=WORDING, at=now())
    finally:
        clock.fixed = None
    assert place_of(refused) == "clock-skew"


@dataclass(frozen=True, kw_only=True)
class WithoutTime:
    """The services of an authority whose time-stamper refuses."""

    whole: TrustService

    def __getattr__(self, name):
        return getattr(self.whole, name)

    def timestamp_response(self, request):
        return self.whole.timestamp_response(b"nonsense")


def test_a_refused_timestamp_is_told_and_nothing_is_signed(unsigned, specialist):
    signer = replace(specialist, trust=WithoutTime(whole=specialist.trust))
    with pytest.raises(Problem, match="try again") as refused:
        sign(unsigned, signer, field="consulted", wording=WORDING, at=now())
    assert place_of(refused) == "timestamp"


def test_a_small_difference_of_clocks_does_no_harm(unsigned, specialist, authority, clock):
    clock.fixed = now() + timedelta(seconds=45)
    try:
        signed = sign(unsigned, specialist, field="consulted", wording=WORDING, at=now())
    finally:
        clock.fixed = None
    assert verify(signed, [authority.trust_root()])[0].valid


def test_signatures_outlive_all_certificates(tmp_path, wrapping, unsigned):
    then = datetime(2001, 5, 4, 3, 2, 1, tzinfo=UTC)
    old = TestAuthority(FolderStore(tmp_path / "old"), wrap=wrapping.wrap, unwrap=wrapping.unwrap, clock=lambda: then)
    signed = sign(unsigned, signer_of(old), field="consulted", wording=WORDING, at=then)
    (report,) = verify(signed, [old.trust_root()])
    assert report.signed_at == then
    assert report.valid


def test_four_sign_at_once(authority, specialist):
    documents = [minutes_pdf(minutes(number=f"{n}/BB")) for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        signed = list(
            pool.map(lambda pdf: sign(pdf, specialist, field="consulted", wording=WORDING, at=now()), documents)
        )
    assert len(set(signed)) == 4
    assert all(verify(pdf, [authority.trust_root()])[0].valid for pdf in signed)


def test_odd_words_in_the_signature_are_shown_and_harm_nothing(unsigned, authority):
    signer = signer_of(authority, name='#panic("x") *a*', title="$x$" * 15, organisation="Rất dài " * 8)
    wording = Wording(reason='#read("/etc/passwd") 😀 ' * 6, lines=(("Ghi chú", "@x <y> " * 10),))
    signed = sign(unsigned, signer, field="consulted", wording=wording, at=now())
    assert verify(signed, [authority.trust_root()])[0].valid
