"""The authority's public addresses, asked by a stranger: OpenSSL follows what the certificates name."""

from __future__ import annotations

import base64
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from itertools import count
from urllib.parse import quote, urlsplit

import httpx
import pytest
from asn1crypto import core, tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from yersin.documents.authority import TestAuthority
from yersin.documents.authority_store import FolderStore
from yersin.documents.public_routes import LARGEST
from yersin.documents.signing import Wording, sign
from yersin.documents.verifying import verify
from yersin.guard.audit import Wanted

DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM


@pytest.fixture(scope="module")
def data(keys_dir, template, tmp_path_factory):
    """A data folder that opens the databases of the tests and holds an authority of its own."""
    folder = tmp_path_factory.mktemp("data")
    shutil.copytree(keys_dir / "keys", folder / "keys")
    return folder


@pytest.fixture(scope="module")
def server(serve, database_url, data):
    made = serve(database_url, YERSIN_DATA_DIR=str(data))
    yield made
    made.close()


@pytest.fixture(scope="module")
def trust(server, ground, data):
    """The same authority, opened beside the server."""
    httpx.get(f"{server.base_url}/pki/root.cer").raise_for_status()
    return TestAuthority(
        FolderStore(data / "authority"),
        wrap=lambda plain: ground.keys.seal("signers", plain),
        unwrap=lambda sealed: ground.keys.open("signers", sealed),
        address=server.base_url,
    )


@pytest.fixture
def person(trust):
    return trust.issue(name="BS. Hà Thị Nhung", title="Bác sĩ", organisation="Bệnh viện", identifier="990009/BYT-CCHN")


@pytest.fixture
def papers(trust, person, server, tmp_path):
    """What a stranger has: a person's certificate, and what its addresses lead to."""
    certificate = x509.load_der_x509_certificate(person.certificate)
    (tmp_path / "person.pem").write_bytes(certificate.public_bytes(PEM))
    found = {"issuing.pem": named(certificate)["ca"], "root.pem": f"{server.base_url}/pki/root.cer"}
    for name, address in found.items():
        got = x509.load_der_x509_certificate(httpx.get(address).content)
        (tmp_path / name).write_bytes(got.public_bytes(PEM))
    return tmp_path


def named(certificate):
    """The addresses that a certificate names."""
    access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    at = {one.access_method: one.access_location.value for one in access}
    return {
        "ocsp": at.get(AuthorityInformationAccessOID.OCSP),
        "ca": at[AuthorityInformationAccessOID.CA_ISSUERS],
        "crl": points[0].full_name[0].value,
    }


def openssl(*words, cwd):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    done = subprocess.run(["openssl", *words], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def asked_of(server, papers):
    address = named(x509.load_pem_x509_certificate((papers / "person.pem").read_bytes()))["ocsp"]
    return openssl(
        *("ocsp", "-issuer", "issuing.pem", "-cert", "person.pem", "-url", address, "-CAfile", "root.pem"),
        *("-verify_other", "issuing.pem"),
        cwd=papers,
    )  # fmt: skip


def test_openssl_learns_from_the_named_address_that_a_certificate_is_good_and_then_revoked(
    trust, person, papers, server
):
    code, told = asked_of(server, papers)
    assert code == 0, told
    assert "Response verify OK" in told
    assert "person.pem: good" in told
    trust.revoke(person.serial, "keyCompromise", datetime.now(UTC) - timedelta(seconds=2))
    code, told = asked_of(server, papers)
    assert "Response verify OK" in told
    assert "person.pem: revoked" in told
    assert "keyCompromise" in told


def test_ocsp_by_address_gives_the_same_answer_even_where_base64_holds_slashes(trust, person, server):
    issuer = x509.load_der_x509_certificate(trust.chain()[0])
    certificate = x509.load_der_x509_certificate(person.certificate)
    encoded = next(text for text in _written(certificate, issuer) if "//" in text)
    for written in (quote(encoded, safe=""), quote(encoded, safe="/")):
        answer = ocsp.load_der_ocsp_response(httpx.get(f"{server.base_url}/pki/ocsp/{written}").content)
        assert answer.certificate_status is ocsp.OCSPCertStatus.GOOD
        assert answer.serial_number == person.serial


def _written(certificate, issuer):
    """The same question again and again, each with another nonce."""
    for n in count():
        builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA256())
        request = builder.add_extension(x509.OCSPNonce(n.to_bytes(16, "big")), critical=False).build()
        yield base64.b64encode(request.public_bytes(DER)).decode()


def test_openssl_checks_a_certificate_against_the_named_lists(trust, person, papers, server):
    certificate = x509.load_der_x509_certificate(person.certificate)
    issuing = x509.load_pem_x509_certificate((papers / "issuing.pem").read_bytes())

    def checked():
        lists = [httpx.get(named(one)["crl"]).content for one in (certificate, issuing)]
        text = b"".join(x509.load_der_x509_crl(one).public_bytes(PEM) for one in lists)
        (papers / "lists.pem").write_bytes(text)
        return openssl(
            *("verify", "-crl_check_all", "-CAfile", "root.pem", "-untrusted", "issuing.pem", "-CRLfile", "lists.pem"),
            "person.pem",
            cwd=papers,
        )  # fmt: skip

    assert checked() == (0, "person.pem: OK\n")
    trust.revoke(person.serial, "cessationOfOperation", datetime.now(UTC) - timedelta(seconds=2))
    code, told = checked()
    assert code != 0
    assert "certificate revoked" in told


def test_openssl_gets_a_time_stamp_and_verifies_it(papers, server):
    (papers / "letter.txt").write_text("Kết luận hội chẩn", encoding="utf-8")
    code, told = openssl(
        *("ts", "-query", "-data", "letter.txt", "-sha256", "-cert", "-out", "query.tsq"), cwd=papers
    )  # fmt: skip
    assert code == 0, told
    answer = httpx.post(
        f"{server.base_url}/pki/tsa",
        content=(papers / "query.tsq").read_bytes(),
        headers={"content-type": "application/timestamp-query"},
    )
    assert answer.headers["content-type"] == "application/timestamp-reply"
    (papers / "reply.tsr").write_bytes(answer.content)
    verify_it = ("ts", "-verify", "-in", "reply.tsr", "-CAfile", "root.pem", "-untrusted", "issuing.pem", "-data")
    code, told = openssl(*verify_it, "letter.txt", cwd=papers)
    assert (code, "Verification: OK" in told) == (0, True), told
    (papers / "letter.txt").write_text("Kết luận khác", encoding="utf-8")
    code, told = openssl(*verify_it, "letter.txt", cwd=papers)
    assert code != 0


def test_an_empty_time_stamp_request_is_answered_with_a_rejection(server):
    answer = httpx.post(f"{server.base_url}/pki/tsa", content=b"")
    assert answer.status_code == 200
    status = tsp.PKIStatusInfo.load(core.Sequence.load(answer.content).contents)
    assert status["status"].native == "rejection"


@pytest.mark.parametrize("path", ["/pki/ocsp", "/pki/tsa"])
def test_requests_larger_than_any_honest_one_are_refused(server, path):
    assert httpx.post(server.base_url + path, content=bytes(LARGEST + 1)).status_code == 413


def test_nonsense_in_the_address_is_answered_in_the_responders_own_words(server):
    answer = ocsp.load_der_ocsp_response(httpx.get(f"{server.base_url}/pki/ocsp/no-base64!").content)
    assert answer.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_who_asked_the_authority_is_recorded_without_a_patient(server, run, system):
    httpx.get(f"{server.base_url}/pki/issuing.crl").raise_for_status()
    row = next(row for row in run(system.recorded(Wanted(limit=20))) if row.interaction == "crl")
    assert (row.role, row.address, list(row.patients)) == ("nobody", "127.0.0.1", [])


def test_certificates_and_signatures_from_before_the_addresses_stay_valid(tmp_path, wrapping, unsigned):
    def opened(address):
        return TestAuthority(FolderStore(tmp_path), wrap=wrapping.wrap, unwrap=wrapping.unwrap, address=address)

    old = opened("")
    issued = old.issue(name="BS. Cũ", title="Bác sĩ", organisation="Trạm", identifier="990010/BYT-CCHN")
    signed = sign(
        unsigned, old.signer(issued.serial), field="consulted", wording=Wording(reason="Ký"), at=datetime.now(UTC)
    )
    new = opened("https://yersin.example")
    fresh = new.issue(name="BS. Mới", title="Bác sĩ", organisation="Trạm", identifier="990011/BYT-CCHN")
    names = named(x509.load_der_x509_certificate(fresh.certificate))
    assert set(names.values()) == {
        f"https://yersin.example/pki/{one}" for one in ("ocsp", "issuing.cer", "issuing.crl")
    }
    signed = sign(
        signed, new.signer(fresh.serial), field="requesting", wording=Wording(reason="Ký"), at=datetime.now(UTC)
    )
    assert [report.valid for report in verify(signed, [new.trust_root()])] == [True, True]


def test_addresses_stand_under_the_public_address_of_the_server(server, person):
    names = named(x509.load_der_x509_certificate(person.certificate))
    assert {urlsplit(one).netloc for one in names.values()} == {urlsplit(server.base_url).netloc}
