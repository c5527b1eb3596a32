"""Blobs in a folder: what comes out is what went in, any change is noticed, a full disk leaves nothing behind."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.blobs.sealers import gathered, sealer, stream

from yersin.blobs import BlobLimits, FolderBlobs, Sealer
from yersin.blobs.sealed_file import SealedFile
from yersin.blobs.sealing import CHUNK, HEADER, TAG
from yersin.blobs.sweeping import Named, sweep, sweep_parts
from yersin.blobs.verifying import check_whole
from yersin.blobs.writer import SealedWriter
from yersin.fhir.problem import Problem


def files(blobs: FolderBlobs) -> list[Path]:
    return [path for path in blobs.folder.rglob("*") if path.is_file() and path.name != "sweep.lock"]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_what_was_written_is_read_back(blobs: FolderBlobs, size: int) -> None:
    content = os.urandom(size)

    async def run() -> None:
        blob = await blobs.write(stream(content))
        assert blob.address == hashlib.sha256(content).hexdigest()
        assert blob.size == size
        assert await blobs.find(blob.address) == blob
        assert await gathered(blobs.read(blob.address)) == content
        await blobs.verify(blob.address)

    asyncio.run(run())


def test_nothing_of_the_content_or_its_key_is_on_the_disk(blobs: FolderBlobs) -> None:
    content = b"Patient: Le Thi Hoa " * 10_000
    blob = asyncio.run(blobs.write(stream(content)))
    raw = blobs.path(blob.address).read_bytes()
    assert b"Le Thi Hoa" not in raw
    with SealedFile(blobs.path(blob.address), blobs.sealer) as file:
        assert file.seal.key not in raw


def test_the_same_content_is_kept_once(blobs: FolderBlobs) -> None:
    content = os.urandom(70_000)
    first = asyncio.run(blobs.write(stream(content)))
    assert asyncio.run(blobs.write(stream(content))) == first
    assert len(files(blobs)) == 1


def test_a_damaged_file_is_mended_by_writing_it_again(blobs: FolderBlobs) -> None:
    content = os.urandom(70_000)
    blob = asyncio.run(blobs.write(stream(content)))
    os.truncate(blobs.path(blob.address), 5000)
    asyncio.run(blobs.write(stream(content)))
    asyncio.run(blobs.verify(blob.address))


def sealed_bytes(folder: Path, content: bytes, chunk: int) -> tuple[Path, Sealer]:
    seals = sealer()
    writer = SealedWriter(folder, seals, chunk_size=chunk)
    writer.write(content)
    writer.finish()
    return writer.path, seals


def reads(path: Path, seals: Sealer) -> bytes:
    with SealedFile(path, seals) as file:
        check_whole(file)
        file.seek(0)
        return file.read()


@settings(max_examples=150, deadline=None)
@given(size=st.integers(0, 400), at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_change_of_any_byte_is_noticed(size: int, at: int, bit: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        path, seals = sealed_bytes(Path(name), os.urandom(size), 64)
        raw = bytearray(path.read_bytes())
        raw[at % len(raw)] ^= 1 << bit
        path.write_bytes(raw)
        with pytest.raises(Problem):
            reads(path, seals)


@settings(max_examples=100, deadline=None)
@given(size=st.integers(0, 400), cut=st.integers(1, 500))
def test_a_file_cut_anywhere_is_noticed(size: int, cut: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        path, seals = sealed_bytes(Path(name), os.urandom(size), 64)
        raw = path.read_bytes()
        path.write_bytes(raw[: max(0, len(raw) - cut)])
        with pytest.raises(Problem):
            reads(path, seals)


@settings(max_examples=60, deadline=None)
@given(order=st.lists(st.integers(0, 4), min_size=5, max_size=5) | st.permutations(range(5)))
def test_chunks_in_another_order_are_noticed(order: list[int]) -> None:
    with tempfile.TemporaryDirectory() as name:
        content = os.urandom(5 * 64)
        path, seals = sealed_bytes(Path(name), content, 64)
        raw = path.read_bytes()
        parts = [raw[HEADER + i * (64 + TAG) : HEADER + (i + 1) * (64 + TAG)] for i in range(5)]
        path.write_bytes(raw[:HEADER] + b"".join(parts[i] for i in order))
        if order == list(range(5)):
            assert reads(path, seals) == content
        else:
            with pytest.raises(Problem):
                reads(path, seals)


@settings(max_examples=60, deadline=None)
@given(size=st.integers(0, 3000), start=st.integers(0, 3500), length=st.integers(0, 3500))
def test_ranges_equal_slices(size: int, start: int, length: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        blobs = FolderBlobs(Path(name), sealer())
        content = os.urandom(size)
        writer = SealedWriter(blobs.incoming, blobs.sealer, chunk_size=256)
        writer.write(content)
        blob = writer.finish().blob

        async def run() -> None:
            await blobs.adopt(writer.path, blob)
            assert await gathered(blobs.read(blob.address, start, start + length)) == content[start : start + length]

        asyncio.run(run())


def test_one_files_content_is_not_taken_for_anothers(blobs: FolderBlobs) -> None:
    one = asyncio.run(blobs.write(stream(b"one")))
    two = asyncio.run(blobs.write(stream(b"two")))
    blobs.path(one.address).write_bytes(blobs.path(two.address).read_bytes())
    with pytest.raises(Problem, match="another file"):
        asyncio.run(blobs.verify(one.address))


def test_another_installations_key_opens_nothing(blobs: FolderBlobs) -> None:
    blob = asyncio.run(blobs.write(stream(b"secret")))
    with pytest.raises(Problem, match="another key"):
        asyncio.run(FolderBlobs(blobs.folder, sealer()).find(blob.address))


@pytest.mark.parametrize("address", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_an_address_is_never_another_path(blobs: FolderBlobs, address: str) -> None:
    with pytest.raises(Problem, match="hexadecimal"):
        blobs.path(address)


def test_an_unknown_address_is_not_found(blobs: FolderBlobs) -> None:
    assert asyncio.run(blobs.find("0" * 64)) is None
    with pytest.raises(Problem) as refused:
        asyncio.run(gathered(blobs.read("0" * 64)))
    assert refused.value.status == 404


def test_a_file_over_the_limit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path, sealer(), BlobLimits(largest=100_000))
    with pytest.raises(Problem, match="too large") as refused:
        asyncio.run(blobs.write(stream(bytes(100_001), 1000)))
    assert refused.value.status == 413
    assert files(blobs) == []


def test_a_stream_that_breaks_leaves_nothing(blobs: FolderBlobs) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(2 * CHUNK)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        asyncio.run(blobs.write(broken()))
    assert files(blobs) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a disk of 3 MB needs the right to mount one")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_told_and_leaves_nothing(small_disk: Path) -> None:
    blobs = FolderBlobs(small_disk, sealer())
    kept = asyncio.run(blobs.write(stream(os.urandom(500_000))))
    with pytest.raises(Problem, match="no room left") as refused:
        asyncio.run(blobs.write(stream(os.urandom(4 << 20))))
    assert refused.value.status == 507
    assert files(blobs) == [blobs.path(kept.address)]
    asyncio.run(blobs.verify(kept.address))
    asyncio.run(blobs.write(stream(os.urandom(500_000))))


def test_a_file_size_limit_of_the_system_is_told_like_a_full_disk(blobs: FolderBlobs) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(Problem, match="no room left"):
            asyncio.run(blobs.write(stream(bytes(4 << 20))))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert files(blobs) == []


def aged(path: Path, days: float) -> None:
    then = time.time() - days * 86400
    os.utime(path, (then, then))


def test_the_sweep_takes_only_what_is_old_and_unnamed(blobs: FolderBlobs) -> None:
    named, old, new = (asyncio.run(blobs.write(stream(text))) for text in (b"named", b"old", b"new"))
    aged(blobs.path(named.address), 9)
    aged(blobs.path(old.address), 1.1)
    aged(blobs.path(new.address), 0.9)
    assert asyncio.run(sweep(blobs, naming({named.address}))) == 1
    assert set(blobs.addresses()) == {named.address, new.address}


def naming(known: set[str]) -> Named:
    async def named(addresses: list[str]) -> set[str]:
        return known & set(addresses)

    return named


def test_a_file_written_again_during_the_sweep_stays(blobs: FolderBlobs) -> None:
    blob = asyncio.run(blobs.write(stream(b"again")))
    aged(blobs.path(blob.address), 3)

    async def named(addresses: list[str]) -> set[str]:
        await blobs.write(stream(b"again"))
        return set()

    assert asyncio.run(sweep(blobs, named)) == 0
    asyncio.run(blobs.verify(blob.address))


def test_parts_nobody_knows_are_swept_when_they_are_old(blobs: FolderBlobs) -> None:
    for name, days in (("known", 9.0), ("stray", 9.0), ("fresh", 0.0)):
        path = blobs.incoming / f"{name}.part"
        path.touch()
        aged(path, days)
    assert sweep_parts(blobs, {"known"}) == 1
    assert sorted(path.stem for path in blobs.incoming.iterdir()) == ["fresh", "known"]


STREAMED = """
import asyncio, os, resource, sys
sys.path.insert(0, {here!r})
from pathlib import Path
from tests.blobs.sealers import sealer
from yersin.blobs import FolderBlobs
async def source():
    block = os.urandom(1 << 16)
    for _ in range(1600):
        yield block
async def run():
    blobs = FolderBlobs(Path({folder!r}), sealer())
    await blobs.write(pieces(1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    blob = await blobs.write(source())
    size = 0
    async for piece in blobs.read(blob.address):
        size += len(piece)
    assert size == blob.size == 1600 << 16
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
async def pieces(n):
    for _ in range(n):
        yield b"warm"
asyncio.run(run())
"""


def test_a_hundred_megabytes_pass_in_little_memory(tmp_path: Path) -> None:
    script = STREAMED.format(here=str(Path(__file__).parent), folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 40_000  # kilobytes
