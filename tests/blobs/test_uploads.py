"""Uploads: pieces in order, twice or damaged, killed in the middle, gone on with, refused early."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest
from tests.blobs.sealers import gathered, sealer

from yersin.blobs import BlobLimits, FolderBlobs, Upload, Uploads
from yersin.blobs.uploads import Wish
from yersin.db import connect
from yersin.fhir.problem import Problem

PIECE = 64 << 10


def with_uploads(url: str, blobs: FolderBlobs, work: Callable[[Uploads], Awaitable[None]]) -> None:
    async def run() -> None:
        database = await connect(url, max_size=4)
        try:
            await work(Uploads(database, blobs))
        finally:
            await database.close()

    asyncio.run(run())


def wish(size: int, account: str = "", piece: int = PIECE) -> Wish:
    return Wish(
        account=account or uuid4().hex, name="Ảnh vết thương.jpg", size=size, piece=piece, about={"patient": "p1"}
    )


async def send(uploads: Uploads, upload: Upload, account: str, content: bytes, offset: int) -> Upload:
    piece = content[offset : offset + upload.piece]
    digest = hashlib.sha256(piece).hexdigest()
    return await uploads.append(upload.id, account, offset=offset, digest=digest, content=piece)


@pytest.mark.parametrize("size", [1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE + 77])
def test_an_upload_becomes_a_blob(uploads_url: str, blobs: FolderBlobs, size: int) -> None:
    content = os.urandom(size)

    async def work(uploads: Uploads) -> None:
        asked = wish(size)
        upload = await uploads.start(asked)
        while upload.offset < size:
            upload = await send(uploads, upload, asked.account, content, upload.offset)
        done = await uploads.finish(upload.id, asked.account)
        assert done.blob is not None
        assert await gathered(blobs.read(done.blob.address)) == content
        assert (await uploads.finish(upload.id, asked.account)).blob == done.blob
        assert list(blobs.incoming.iterdir()) == []

    with_uploads(uploads_url, blobs, work)


def test_pieces_in_any_order_and_twice_make_the_same_file(uploads_url: str, blobs: FolderBlobs) -> None:
    content = os.urandom(6 * PIECE + 5)
    chance = random.Random(7)  # noqa: S311 - repeatable test

    async def work(uploads: Uploads) -> None:
        asked = wish(len(content))
        upload = await uploads.start(asked)
        conflicts = 0
        while upload.offset < len(content):
            offset = chance.randrange(7) * PIECE
            if offset > upload.offset:
                conflicts += 1
                with pytest.raises(Problem, match=f"Go on from byte {upload.offset}"):
                    await send(uploads, upload, asked.account, content, offset)
            else:
                upload = await send(uploads, upload, asked.account, content, offset)
        assert conflicts
        done = await uploads.finish(upload.id, asked.account)
        assert done.blob is not None
        assert done.blob.address == hashlib.sha256(content).hexdigest()

    with_uploads(uploads_url, blobs, work)


def test_two_requests_with_the_same_piece_keep_it_once(uploads_url: str, blobs: FolderBlobs) -> None:
    content = os.urandom(3 * PIECE)

    async def work(uploads: Uploads) -> None:
        asked = wish(len(content))
        upload = await uploads.start(asked)
        for offset in range(0, len(content), PIECE):
            both = await asyncio.gather(*(send(uploads, upload, asked.account, content, offset) for _ in range(4)))
            assert {one.offset for one in both} == {offset + PIECE}
        done = await uploads.finish(upload.id, asked.account)
        assert done.blob is not None
        assert done.blob.address == hashlib.sha256(content).hexdigest()

    with_uploads(uploads_url, blobs, work)


def test_a_piece_that_arrives_changed_is_asked_for_again(uploads_url: str, blobs: FolderBlobs) -> None:
    async def work(uploads: Uploads) -> None:
        asked = wish(10)
        upload = await uploads.start(asked)
        with pytest.raises(Problem, match="arrived changed"):
            await uploads.append(upload.id, asked.account, offset=0, digest="0" * 64, content=bytes(10))
        assert (await uploads.find(upload.id, asked.account)).offset == 0

    with_uploads(uploads_url, blobs, work)


def test_a_piece_of_another_length_is_refused(uploads_url: str, blobs: FolderBlobs) -> None:
    async def work(uploads: Uploads) -> None:
        asked = wish(3 * PIECE)
        upload = await uploads.start(asked)
        for offset, length in ((0, PIECE - 1), (0, PIECE + 1), (5, PIECE), (3 * PIECE, PIECE), (-PIECE, PIECE)):
            content = bytes(length)
            digest = hashlib.sha256(content).hexdigest()
            with pytest.raises(Problem, match="multiple of"):
                await uploads.append(upload.id, asked.account, offset=offset, digest=digest, content=content)

    with_uploads(uploads_url, blobs, work)


def test_a_stranger_finds_no_upload_of_mine(uploads_url: str, blobs: FolderBlobs) -> None:
    async def work(uploads: Uploads) -> None:
        mine = await uploads.start(wish(10, account="me"))
        await uploads.cancel(mine.id, "stranger")
        with pytest.raises(Problem) as refused:
            await uploads.find(mine.id, "stranger")
        assert refused.value.status == 404
        with pytest.raises(Problem):
            await uploads.append(mine.id, "stranger", offset=0, digest="", content=bytes(10))
        with pytest.raises(Problem):
            await uploads.finish(mine.id, "stranger")
        assert (await uploads.find(mine.id, "me")).offset == 0
        await uploads.cancel(mine.id, "me")
        assert list(blobs.incoming.iterdir()) == []

    with_uploads(uploads_url, blobs, work)


def test_two_gigabytes_are_refused_before_a_byte_is_sent(uploads_url: str, blobs: FolderBlobs) -> None:
    async def work(uploads: Uploads) -> None:
        with pytest.raises(Problem, match="at most 512 MB") as refused:
            await uploads.start(wish(2 << 30))
        assert refused.value.status == 413
        assert list(blobs.incoming.iterdir()) == []

    with_uploads(uploads_url, blobs, work)


def test_what_the_disk_cannot_hold_is_refused_before_a_byte_is_sent(uploads_url: str, tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path, sealer(), BlobLimits(reserve=1 << 60))

    async def work(uploads: Uploads) -> None:
        with pytest.raises(Problem, match="no room left"):
            await uploads.start(wish(10))

    with_uploads(uploads_url, blobs, work)


def fill(path: Path) -> None:
    """Take all the room that is left on a disk."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_a_disk_that_fills_during_a_piece_keeps_the_pieces_before(uploads_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    ).returncode:
        pytest.skip("a disk of 1 MB needs the right to mount one")
    blobs = FolderBlobs(folder, sealer(), BlobLimits(reserve=0))
    content = os.urandom(8 * PIECE)

    async def work(uploads: Uploads) -> None:
        asked = wish(len(content))
        upload = await uploads.start(asked)
        upload = await send(uploads, upload, asked.account, content, 0)
        filler = folder / "filler"
        fill(filler)
        with pytest.raises(Problem, match="no room left"):
            await send(uploads, upload, asked.account, content, PIECE)
        filler.unlink()
        upload = await uploads.find(upload.id, asked.account)
        assert upload.offset == PIECE
        while upload.offset < len(content):
            upload = await send(uploads, upload, asked.account, content, upload.offset)
        done = await uploads.finish(upload.id, asked.account)
        assert done.blob is not None
        assert done.blob.address == hashlib.sha256(content).hexdigest()

    try:
        with_uploads(uploads_url, blobs, work)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_torn_or_spoilt_piece_is_sent_again(uploads_url: str, blobs: FolderBlobs) -> None:
    content = os.urandom(4 * PIECE)

    async def work(uploads: Uploads) -> None:
        asked = wish(len(content))
        upload = await uploads.start(asked)
        for number in range(3):
            upload = await send(uploads, upload, asked.account, content, number * PIECE)
        (part,) = blobs.incoming.iterdir()
        os.truncate(part, part.stat().st_size - 7)
        assert (await uploads.find(upload.id, asked.account)).offset == 2 * PIECE
        for number in (2, 3):
            upload = await send(uploads, upload, asked.account, content, number * PIECE)
        with part.open("r+b") as file:  # a power cut left zeros in piece 2
            file.seek(512 + PIECE + 100)
            file.write(bytes(50))
        with pytest.raises(Problem, match=f"Go on from byte {PIECE}"):
            await uploads.finish(upload.id, asked.account)
        for number in (1, 2, 3):
            upload = await send(uploads, upload, asked.account, content, number * PIECE)
        done = await uploads.finish(upload.id, asked.account)
        assert done.blob is not None
        assert done.blob.address == hashlib.sha256(content).hexdigest()

    with_uploads(uploads_url, blobs, work)


def test_forgotten_uploads_expire(uploads_url: str, blobs: FolderBlobs) -> None:
    async def work(uploads: Uploads) -> None:
        old, new = wish(10), wish(10)
        forgotten, current = await uploads.start(old), await uploads.start(new)
        await uploads.database.execute(
            "UPDATE upload SET moved = now() - interval '4 days' WHERE id = $1", forgotten.id
        )
        assert await uploads.expire() == 1
        with pytest.raises(Problem):
            await uploads.find(forgotten.id, old.account)
        assert [path.stem for path in blobs.incoming.iterdir()] == [current.id.hex]

    with_uploads(uploads_url, blobs, work)


def test_too_many_open_uploads_are_refused(uploads_url: str, tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path, sealer(), BlobLimits(open_uploads=2))

    async def work(uploads: Uploads) -> None:
        for _ in range(2):
            await uploads.start(wish(10, account="busy"))
        with pytest.raises(Problem, match="Too many") as refused:
            await uploads.start(wish(10, account="busy"))
        assert refused.value.status == 429

    with_uploads(uploads_url, blobs, work)


def test_names_and_keys_are_sealed_in_the_row(uploads_url: str, blobs: FolderBlobs) -> None:
    async def work(uploads: Uploads) -> None:
        upload = await uploads.start(wish(10))
        row = await uploads.database.fetchrow("SELECT upload::text AS whole FROM upload WHERE id = $1", upload.id)
        assert row is not None
        for secret in ("Ảnh", "Ảnh".encode().hex(), b"patient".hex()):
            assert secret not in row["whole"]

    with_uploads(uploads_url, blobs, work)


SENDER = """
import asyncio, hashlib, sys
from pathlib import Path
from uuid import UUID
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from yersin.blobs import FolderBlobs, Sealer, Uploads
from yersin.db import connect
url, folder, upload_id, source = sys.argv[1:5]
box = AESGCM(bytes(32))
sealer = Sealer(seal=lambda plain: box.encrypt(bytes(12), plain, None), open=lambda sealed: box.decrypt(bytes(12), sealed, None))
content = Path(source).read_bytes()
async def run():
    uploads = Uploads(await connect(url, max_size=1), FolderBlobs(Path(folder), sealer))
    upload = await uploads.find(UUID(upload_id), "me")
    while upload.offset < len(content):
        piece = content[upload.offset : upload.offset + upload.piece]
        upload = await uploads.append(upload.id, "me", offset=upload.offset, digest=hashlib.sha256(piece).hexdigest(), content=piece)
        print(upload.offset, flush=True)
    print((await uploads.finish(upload.id, "me")).blob.address, flush=True)
asyncio.run(run())
"""


def test_an_upload_goes_on_after_its_server_was_killed(uploads_url: str, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - for this test's fixed key only

    from yersin.blobs import Sealer  # noqa: PLC0415

    box = AESGCM(bytes(32))
    fixed = Sealer(seal=lambda p: box.encrypt(bytes(12), p, None), open=lambda s: box.decrypt(bytes(12), s, None))
    blobs = FolderBlobs(tmp_path / "blobs", fixed)
    source = tmp_path / "source"
    source.write_bytes(os.urandom(60 * PIECE + 1))
    started: list[str] = []

    async def start(uploads: Uploads) -> None:
        started.append(str((await uploads.start(wish(source.stat().st_size, account="me"))).id))

    with_uploads(uploads_url, blobs, start)
    command = [sys.executable, "-c", SENDER, uploads_url, str(blobs.folder), started[0], str(source)]
    reached = 0
    for after in (1, 5, 13):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(after):
                reached = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
    done = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert int(done[0]) >= reached + PIECE, "what was acknowledged before the kill is not asked for again"
    assert done[-1] == hashlib.sha256(source.read_bytes()).hexdigest()
    asyncio.run(blobs.verify(done[-1]))
