"""A test authority with two signers, and the invented minutes, made once for all tests of documents."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests.documents import invented_minutes

from yersin.documents.authority import TestAuthority
from yersin.documents.authority_store import FolderStore
from yersin.documents.signing import Wording, sign
from yersin.telehealth.documents.minutes import minutes_pdf


@dataclass
class Wrapping:
    """AES-GCM as the guard's keys do it."""

    key: bytes = field(default_factory=lambda: AESGCM.generate_key(256))

    def wrap(self, plain):
        nonce = os.urandom(12)
        return nonce + AESGCM(self.key).encrypt(nonce, plain, b"signer")

    def unwrap(self, wrapped):
        if len(wrapped) < 12:
            raise InvalidTag
        return AESGCM(self.key).decrypt(wrapped[:12], wrapped[12:], b"signer")


@dataclass
class Clock:
    """A clock that tests can move; the real time when not moved."""

    fixed: datetime | None = None

    def __call__(self):
        return self.fixed or datetime.now(UTC)


@pytest.fixture(scope="session")
def clock():
    return Clock()


@pytest.fixture(scope="session")
def wrapping():
    return Wrapping()


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("authority") / "keys"


@pytest.fixture(scope="session")
def authority(folder, wrapping, clock):
    return TestAuthority(FolderStore(folder), wrap=wrapping.wrap, unwrap=wrapping.unwrap, clock=clock)


@pytest.fixture(scope="session")
def specialist(authority):
    return authority.signer(
        authority.issue(
            name="TS.BS. Lò Văn Thịnh",
            title="Trưởng khoa Tim mạch",
            organisation=invented_minutes.HUB,
            identifier="990001/BYT-CCHN",
        ).serial
    )


@pytest.fixture(scope="session")
def station_doctor(authority):
    return authority.signer(
        authority.issue(
            name="BS. Vàng A Páo",
            title="Trưởng trạm",
            organisation=invented_minutes.STATION,
            identifier="990003/SL-CCHN",
        ).serial
    )


@pytest.fixture(scope="session")
def unsigned():
    return minutes_pdf(invented_minutes.minutes())


@pytest.fixture(scope="session")
def once_signed(unsigned, specialist):
    wording = Wording(reason="Ký kết luận hội chẩn", location="Hà Nội")
    return sign(unsigned, specialist, field="consulted", wording=wording, at=datetime.now(UTC))


@pytest.fixture(scope="session")
def twice_signed(once_signed, station_doctor):
    wording = Wording(reason="Xác nhận kết luận hội chẩn")
    return sign(once_signed, station_doctor, field="requesting", wording=wording, at=datetime.now(UTC))


@pytest.fixture
def poppler(tmp_path):
    """Run one of poppler's programs on a PDF and return what it prints."""

    def run(program, pdf, *options):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: poppler-utils)")
        path = tmp_path / "document.pdf"
        path.write_bytes(pdf)
        arguments = [str(path), "-"] if program == "pdftotext" else [str(path)]
        done = subprocess.run([program, *options, *arguments], capture_output=True, text=True, timeout=60, check=False)
        return done.stdout

    return run
