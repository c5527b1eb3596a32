"""From an upload to the chart: recognised, made safe, compared with the patient, written down as FHIR."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pydicom
import pytest
from tests.blobs.sealers import gathered, sealer, stream
from tests.imaging.makers import dicom_file, grey_dicom, pdf, picture, png_of_size, turned

from yersin.blobs import FolderBlobs
from yersin.fhir import encode, parse, r4
from yersin.fhir.problem import Problem
from yersin.imaging.kinds import Kind
from yersin.imaging.matching import words
from yersin.imaging.resources import Circumstances, blob_of, imaging_study, joined, resources
from yersin.imaging.results import Window
from yersin.imaging.taking_in import Intake, Taken
from yersin.imaging.workshop import Workshop

AT = Circumstances(
    patient="Patient/p1", author="Practitioner/n1", now="2026-03-12T08:30:00+07:00", encounter="Encounter/e1"
)


def hoa(name: str = "Lê Thị Hoa", born: str = "1962-08-14", gender: str = "female") -> r4.Patient:
    family, *given = name.split()
    return r4.Patient(name=[r4.HumanName(family=family, given=[*given])], birthDate=born, gender=gender)


def with_intake(folder: Path, work: Callable[[Intake], Awaitable[None]], seconds: float = 30.0) -> None:
    async def run() -> None:
        workshop = Workshop(seconds=seconds)
        try:
            await work(Intake(FolderBlobs(folder, sealer()), workshop, ZoneInfo("Asia/Ho_Chi_Minh")))
        finally:
            await workshop.close()

    asyncio.run(run())


async def take(intake: Intake, content: bytes, name: str = "tệp", patient: r4.Patient | None = None) -> Taken:
    return await intake.take(await intake.blobs.write(stream(content)), name, patient or hoa())


@pytest.fixture
def ids() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"id-{next(numbers)}"


def served_back(made: list[r4.Resource]) -> list[r4.Resource]:
    """As they come out of the store: every one passes validation."""
    return [parse(encode(one)) for one in made]


def test_a_photo_becomes_media(tmp_path: Path, ids: Callable[[], str]) -> None:
    async def work(intake: Intake) -> None:
        taken = await take(intake, turned(6), "vết thương.jpg")
        binary, thumbnail, media = served_back(resources(taken, AT, ids))
        assert isinstance(binary, r4.Binary)
        assert isinstance(thumbnail, r4.Binary)
        assert isinstance(media, r4.Media)
        assert media.content.url == f"/fhir/Binary/{binary.id}"
        assert (media.width, media.height, media.content.title) == (60, 80, "vết thương.jpg")
        assert blob_of(binary) == taken.blob
        content = await gathered(intake.blobs.read(taken.blob.address))
        assert content.startswith(b"\xff\xd8")
        assert b"Le Thi Hoa" not in content
        assert blob_of(thumbnail) is None
        assert base64.b64decode(thumbnail.data or "").startswith(b"\xff\xd8")

    with_intake(tmp_path, work)


def test_a_pdf_becomes_a_document(tmp_path: Path, ids: Callable[[], str]) -> None:
    async def work(intake: Intake) -> None:
        taken = await take(intake, pdf(pages=3))
        binary, document = served_back(resources(taken, AT, ids))
        assert isinstance(document, r4.DocumentReference)
        assert isinstance(binary, r4.Binary)
        assert (taken.pages, binary.contentType) == (3, "application/pdf")
        assert document.content[0].attachment.url == f"/fhir/Binary/{binary.id}"
        assert await gathered(intake.blobs.read(taken.blob.address)) == pdf(pages=3)

    with_intake(tmp_path, work)


def test_a_dicom_file_becomes_a_study(tmp_path: Path, ids: Callable[[], str]) -> None:
    async def work(intake: Intake) -> None:
        taken = await take(intake, grey_dicom(np.arange(64).reshape(8, 8), StudyDescription="X quang ngực thẳng"))
        assert taken.kind is Kind.DICOM
        assert taken.differences == ()
        *_, document, study = served_back(resources(taken, AT, ids))
        assert isinstance(study, r4.ImagingStudy)
        assert isinstance(document, r4.DocumentReference)
        assert study.started == "2026-03-12T08:15:30+07:00"
        assert study.description == "X quang ngực thẳng"
        assert document.masterIdentifier is not None
        assert document.masterIdentifier.value == "urn:oid:1.2.3.4.5"

    with_intake(tmp_path, work)


def test_another_image_joins_its_study_once(tmp_path: Path) -> None:
    async def work(intake: Intake) -> None:
        first = await take(intake, grey_dicom([[1, 2]]))
        assert first.dicom is not None
        study = imaging_study(first.dicom, AT, "s1")
        assert not joined(study, first.dicom)
        for number, (series, modality) in enumerate([("1.2.3.4", "CT"), ("1.2.3.9", "SR")]):
            elements = {"SOPInstanceUID": f"1.9.{number}", "SeriesInstanceUID": series, "Modality": modality}
            other = await take(intake, grey_dicom([[1, 2]], **elements))
            assert other.dicom is not None
            assert joined(study, other.dicom)
        assert (study.numberOfSeries, study.numberOfInstances) == (2, 3)
        assert [coding.code for coding in study.modality or []] == ["CT", "SR"]
        parse(encode(study))

    with_intake(tmp_path, work)


def test_a_preamble_is_made_harmless_and_everything_else_is_kept(tmp_path: Path) -> None:
    raw = bytearray(grey_dicom([[1, 2], [3, 4]]))
    raw[:128] = b"MZ" + b"x" * 126
    private = pydicom.dcmread(io.BytesIO(bytes(raw)))
    private.private_block(0x0009, "MAKER", create=True).add_new(1, "LO", "private value")
    target = io.BytesIO()
    pydicom.dcmwrite(target, private)
    content = b"MZ" + b"x" * 126 + target.getvalue()[128:]

    async def work(intake: Intake) -> None:
        taken = await take(intake, content)
        kept = await gathered(intake.blobs.read(taken.blob.address))
        assert kept == bytes(128) + content[128:]
        assert b"private value" in kept

    with_intake(tmp_path, work)


def test_what_cannot_be_shown_is_kept_and_said_so(tmp_path: Path) -> None:
    raw = dicom_file("JPEG-lossy.dcm").read_bytes()

    async def work(intake: Intake) -> None:
        taken = await take(intake, raw)
        assert not taken.thumbnail
        assert any("can be downloaded" in finding for finding in taken.findings)
        assert await intake.blobs.find(taken.blob.address)

    with_intake(tmp_path, work)


@pytest.mark.parametrize(
    ("name", "born", "gender", "codes"),
    [
        ("Lê Thị Hoa", "1962-08-14", "female", []),
        ("LE THI HOA", "1962-08-14", "female", []),
        ("Hoa Lê Thị", "1962-08-14", "unknown", []),
        ("Lê Thị Hoà Bình", "1962-08-14", "female", ["name"]),
        ("Lê Thị Hoa", "1962-08-15", "female", ["birth-date"]),
        ("Lê Thị Hoa", "1962", "female", []),
        ("Trần Văn Ba", "1980-01-02", "male", ["name", "birth-date", "sex"]),
    ],
)
def test_another_persons_image_is_asked_about(
    tmp_path: Path, name: str, born: str, gender: str, codes: list[str]
) -> None:
    async def work(intake: Intake) -> None:
        taken = await take(intake, grey_dicom([[1]]), patient=hoa(name, born, gender))
        assert [one.code for one in taken.differences] == codes

    with_intake(tmp_path, work)


def test_a_file_of_nobody_is_asked_about(tmp_path: Path) -> None:
    async def work(intake: Intake) -> None:
        taken = await take(intake, grey_dicom([[1]], PatientName=None, PatientBirthDate=None))
        assert [one.code for one in taken.differences] == ["unknown"]

    with_intake(tmp_path, work)


def test_names_are_compared_without_marks_order_and_case() -> None:
    assert words("NGUYEN^VAN DUC") == words("Nguyễn Văn Đức") == words("Đức Nguyễn-Văn")
    assert words("Nguyễn Văn Đức") != words("Nguyễn Văn Đực Anh")


def test_frames_are_drawn_again_without_the_file(tmp_path: Path) -> None:
    async def work(intake: Intake) -> None:
        taken = await take(intake, grey_dicom(np.arange(3 * 64).reshape(3, 8, 8)))
        first = await intake.frame(taken.blob.address, 2, None, None)
        await intake.blobs.remove(taken.blob.address)
        again = await intake.frame(taken.blob.address, 2, Window(center=10, width=20), None)
        assert first.png != again.png
        assert again.window == Window(center=10, width=20)
        with pytest.raises(Problem):
            await intake.frame(taken.blob.address, 1, None, None)

    with_intake(tmp_path, work)


@pytest.mark.parametrize(
    "content", [png_of_size(30_000, 30_000), b"\xff\xd8\xff none", pdf("/OpenAction << /S /JavaScript /JS (x) >>")]
)
def test_a_refusal_reaches_the_caller_with_its_cure(tmp_path: Path, content: bytes) -> None:
    async def work(intake: Intake) -> None:
        with pytest.raises(Problem, match=r"send|Take or export"):
            await take(intake, content)
        assert (await take(intake, picture())).kind is Kind.JPEG

    with_intake(tmp_path, work)


def test_a_worker_that_dies_or_takes_too_long_is_replaced(tmp_path: Path) -> None:
    async def work(intake: Intake) -> None:
        await take(intake, picture())
        process = intake.workshop._workers[0].process
        assert process is not None
        process.kill()
        with pytest.raises(Problem, match="made the reader stop"):
            await take(intake, picture((81, 60)))
        assert (await take(intake, picture((82, 60)))).width == 82
        intake.workshop._seconds = 0.001
        with pytest.raises(Problem, match="takes too long"):
            await take(intake, picture((3000, 3000)))
        intake.workshop._seconds = 30
        assert (await take(intake, picture((83, 60)))).width == 83

    with_intake(tmp_path, work)


def test_a_worker_is_limited_and_knows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YERSIN_DATABASE_URL", "postgresql://secret")

    async def work(intake: Intake) -> None:
        await take(intake, picture())
        process = intake.workshop._workers[0].process
        assert process is not None
        proc = Path(f"/proc/{process.pid}")
        if not proc.exists():
            pytest.skip("limits are looked up in /proc, which Linux has")
        limits = (proc / "limits").read_text(encoding="ascii")
        assert "Max address space         3221225472" in limits
        assert "Max file size             0" in limits
        assert b"secret" not in (proc / "environ").read_bytes()

    with_intake(tmp_path, work)
