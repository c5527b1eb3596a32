"""The test authority: keys wrapped at rest, statuses, OCSP, time-stamps and lists as the RFCs say."""

from __future__ import annotations

import hashlib
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import core, tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from yersin.documents.authority import TestAuthority
from yersin.documents.authority_store import FolderStore
from yersin.fhir.problem import Problem

DER = serialization.Encoding.DER


def person(authority, **changes):
    plain = {
        "name": "BS. Nguyễn Hồng Ánh",
        "title": "Bác sĩ",
        "organisation": "Bệnh viện",
        "identifier": "990002/BYT-CCHN",
    }
    return authority.issue(**(plain | changes))


def answer_for(authority, certificate, serial=None):
    issued = x509.load_der_x509_certificate(certificate)
    issuer = x509.load_der_x509_certificate(authority.chain()[0])
    builder = ocsp.OCSPRequestBuilder()
    if serial is None:
        builder = builder.add_certificate(issued, issuer, hashes.SHA256())
    else:
        name, key = hashes.Hash(hashes.SHA256()), hashes.Hash(hashes.SHA256())
        name.update(issuer.subject.public_bytes())
        key.update(issuer.public_key().public_bytes(DER, serialization.PublicFormat.PKCS1))
        builder = builder.add_certificate_by_hash(name.finalize(), key.finalize(), serial, hashes.SHA256())
    return ocsp.load_der_ocsp_response(authority.ocsp_response(builder.build().public_bytes(DER)))


def stamp_request(digest=b"", algorithm="sha256", **extra):
    imprint = {"hash_algorithm": {"algorithm": algorithm}, "hashed_message": digest or hashlib.sha256(b"x").digest()}
    return tsp.TimeStampReq({"version": 1, "message_imprint": imprint, "cert_req": True, "nonce": 77, **extra}).dump()


def test_every_certificate_says_that_it_is_a_test(authority):
    issued = x509.load_der_x509_certificate(person(authority).certificate)
    for name in (issued.subject, issued.issuer, x509.load_der_x509_certificate(authority.trust_root()).subject):
        assert "TEST Authority (no legal value)" in name.rfc4514_string()


def test_the_folder_is_private_and_holds_no_bare_key(authority, folder):
    person(authority)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 or path.name == ".lock"
        if "key" in path.name:
            with pytest.raises(ValueError, match=r"(?i)deserialize|parse|data"):
                serialization.load_der_private_key(path.read_bytes(), password=None)


def test_an_authority_opened_again_is_the_same(authority, folder, wrapping):
    again = TestAuthority(FolderStore(folder), wrap=wrapping.wrap, unwrap=wrapping.unwrap)
    assert again.trust_root() == authority.trust_root()


def test_an_authority_opened_with_the_wrong_key_is_refused_in_plain_words(authority, folder):
    with pytest.raises(Problem, match="wrong wrapping key"):
        TestAuthority(FolderStore(folder), wrap=bytes, unwrap=lambda wrapped: wrapped)


def test_two_that_start_at_once_found_one_authority(tmp_path, wrapping):
    def start(_):
        return TestAuthority(FolderStore(tmp_path / "ca"), wrap=wrapping.wrap, unwrap=wrapping.unwrap).trust_root()

    with ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(start, range(2)))) == 1


def test_serials_are_never_given_twice(tmp_path):
    store = FolderStore(tmp_path / "serials")
    with ThreadPoolExecutor(4) as pool:
        serials = list(pool.map(lambda _: store.allocate_serial(), range(40)))
    assert len(set(serials)) == 40


def test_a_name_that_leaves_the_folder_is_refused(tmp_path):
    with pytest.raises(Problem):
        FolderStore(tmp_path / "x").put("../escape", b"")


def test_a_certificate_needs_a_name_and_an_identifier(authority):
    with pytest.raises(Problem, match="needs a name"):
        person(authority, identifier=" ")


def test_names_longer_than_the_standard_allows_are_shortened(authority):
    issued = x509.load_der_x509_certificate(
        person(authority, organisation="Bệnh viện " * 20, name="Nguyễn " * 20).certificate
    )
    assert all(len(part.value) <= 64 for part in issued.subject)


def test_ocsp_tells_good_revoked_and_unknown(authority):
    issued = person(authority)
    assert answer_for(authority, issued.certificate).certificate_status is ocsp.OCSPCertStatus.GOOD
    authority.revoke(issued.serial, "keyCompromise", datetime.now(UTC))
    revoked = answer_for(authority, issued.certificate)
    assert revoked.certificate_status is ocsp.OCSPCertStatus.REVOKED
    assert revoked.revocation_reason is x509.ReasonFlags.key_compromise
    assert answer_for(authority, issued.certificate, serial=12345).certificate_status is ocsp.OCSPCertStatus.UNKNOWN


def test_ocsp_answers_are_signed_by_the_responder(authority):
    answer = answer_for(authority, person(authority).certificate)
    responder = answer.certificates[0]
    responder.public_key().verify(answer.signature, answer.tbs_response_bytes, padding.PKCS1v15(), hashes.SHA256())
    responder.verify_directly_issued_by(x509.load_der_x509_certificate(authority.chain()[0]))
    uses = responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.OCSP_SIGNING]


def test_ocsp_repeats_the_nonce(authority):
    issued = x509.load_der_x509_certificate(person(authority).certificate)
    issuer = x509.load_der_x509_certificate(authority.chain()[0])
    builder = ocsp.OCSPRequestBuilder().add_certificate(issued, issuer, hashes.SHA1())  # noqa: S303 - common in OCSP requests
    request = builder.add_extension(x509.OCSPNonce(b"0123456789"), critical=False).build()
    answer = ocsp.load_der_ocsp_response(authority.ocsp_response(request.public_bytes(DER)))
    assert answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"0123456789"


def test_ocsp_refuses_nonsense_and_other_authorities(authority):
    nonsense = ocsp.load_der_ocsp_response(authority.ocsp_response(b"nonsense"))
    assert nonsense.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    stranger = ocsp.OCSPRequestBuilder().add_certificate_by_hash(b"0" * 20, b"1" * 20, 5, hashes.SHA1()).build()  # noqa: S303 - as above
    answer = ocsp.load_der_ocsp_response(authority.ocsp_response(stranger.public_bytes(DER)))
    assert answer.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED


def test_the_first_revocation_counts(authority):
    issued, first = person(authority), datetime(2026, 1, 1, tzinfo=UTC)
    authority.revoke(issued.serial, "superseded", first)
    authority.revoke(issued.serial, "keyCompromise", first + timedelta(days=9))
    assert authority.status(issued.serial).revoked_at == first
    assert authority.status(issued.serial, first - timedelta(seconds=1)).state == "good"


def test_a_revocation_needs_a_known_certificate_and_reason(authority):
    with pytest.raises(Problem, match="No certificate"):
        authority.revoke(99, "superseded", datetime.now(UTC))
    with pytest.raises(Problem, match="keyCompromise"):
        authority.revoke(person(authority).serial, "because", datetime.now(UTC))


def test_the_list_names_the_revoked_and_is_signed(authority):
    issued = person(authority)
    authority.revoke(issued.serial, "cessationOfOperation", datetime.now(UTC) - timedelta(minutes=1))
    found = x509.load_der_x509_crl(authority.crl())
    assert found.get_revoked_certificate_by_serial_number(issued.serial) is not None
    key = x509.load_der_x509_certificate(authority.chain()[0]).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert found.is_signature_valid(key)


def test_a_timestamp_holds_the_digest_the_nonce_and_the_time(authority):
    response = tsp.TimeStampResp.load(authority.timestamp_response(stamp_request()))
    assert response["status"]["status"].native == "granted"
    info = response["time_stamp_token"]["content"]["encap_content_info"]["content"].parsed
    assert info["nonce"].native == 77
    assert info["message_imprint"]["hashed_message"].native == hashlib.sha256(b"x").digest()
    assert abs(info["gen_time"].native - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("request_bytes", "reason"),
    [
        (b"nonsense", "bad_data_format"),
        (stamp_request(hashlib.sha1(b"x").digest(), "sha1"), "bad_alg"),  # noqa: S324 - the point of the test
        (stamp_request(b"short"), "bad_data_format"),
        (stamp_request(req_policy="1.2.3"), "unaccepted_policy"),
    ],
)
def test_a_timestamp_that_cannot_be_given_is_rejected_with_its_reason(authority, request_bytes, reason):
    status = tsp.PKIStatusInfo.load(core.Sequence.load(authority.timestamp_response(request_bytes)).contents)
    assert status["status"].native == "rejection"
    assert status["fail_info"].native == {reason}
