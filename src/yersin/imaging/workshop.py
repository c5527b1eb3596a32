"""The workshop: worker processes with limits of time and memory, where foreign pictures and documents are opened.

A worker that dies or takes too long is ended and replaced; the caller gets a Problem. Answers come as MessagePack, so
a worker that was taken over cannot make this process run anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import Any, Final, cast

import msgspec

from yersin.fhir.problem import Issue, Problem, problem
from yersin.imaging.kinds import Kind
from yersin.imaging.results import Document, Photo, Rendered, Window

#: address space of a worker
MEGABYTES: Final = 3072
SECONDS: Final = 30.0
_PASSED_ON: Final = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "LD_LIBRARY_PATH", "TZ")


class Job(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a worker is asked: `photo`, `pdf` or `frame`. A frame it knows by `key` needs no content."""

    task: str
    content: bytes = b""
    media_type: str = ""
    key: str = ""
    window: Window | None = None
    side: int | None = None


class Refusal(msgspec.Struct, kw_only=True):
    """A Problem on its way between processes."""

    status: int
    issues: list[tuple[str, str]]


class Answer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a worker answers."""

    value: msgspec.Raw = msgspec.Raw(b"\xc0")
    refusal: Refusal | None = None


class _Worker:
    def __init__(self) -> None:
        self.process: asyncio.subprocess.Process | None = None
        self.turn = asyncio.Lock()

    async def ask(self, job: Job, seconds: float) -> Answer:
        async with self.turn:
            try:
                async with asyncio.timeout(seconds):
                    return await self._ask(job)
            except TimeoutError as error:
                await self.end()
                raise _failed("mất quá nhiều thời gian", "takes too long to open") from error
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                await self.end()
                raise _failed("làm chương trình đọc dừng đột ngột", "made the reader stop") from error
            except asyncio.CancelledError:
                # its answer would be taken for the next one's
                await self.end()
                raise

    async def _ask(self, job: Job) -> Answer:
        process = self.process = self.process or await _started()
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a worker of the workshop has no pipes")
        content = msgspec.msgpack.encode(job)
        process.stdin.write(len(content).to_bytes(4, "big") + content)
        await process.stdin.drain()
        length = int.from_bytes(await process.stdout.readexactly(4), "big")
        return msgspec.msgpack.decode(await process.stdout.readexactly(length), type=Answer)

    async def end(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


async def _started() -> asyncio.subprocess.Process:
    environ = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    pipe = asyncio.subprocess.PIPE
    # numpy's own threads would each reserve address space
    environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "yersin.imaging.worker", stdin=pipe, stdout=pipe, env=environ, limit=1 << 20
    )


class Workshop:
    """A few workers. Make one in each web process; `close` it at the end."""

    def __init__(self, workers: int = 1, seconds: float = SECONDS) -> None:
        self._workers = [_Worker() for _ in range(workers)]
        self._seconds = seconds

    async def photo(self, content: bytes, kind: Kind) -> Photo:
        """Make a photograph safe. Raises Problem with the cure."""
        return cast("Photo", await self._ask(Job(task="photo", content=content, media_type=kind.value), Photo))

    async def pdf(self, content: bytes) -> Document:
        """Look through a PDF. Raises Problem with the cure."""
        return cast("Document", await self._ask(Job(task="pdf", content=content), Document))

    async def frame(self, key: str, content: bytes, window: Window | None = None, side: int | None = None) -> Rendered:
        """Draw a one-frame DICOM file (`dicom_frames.frame_file`). `key` is hexadecimal. Raises Problem."""
        found = await self._ask(Job(task="frame", content=content, key=key, window=window, side=side), Rendered | None)
        if found is None:
            raise _failed("không có nội dung", "is empty")
        return cast("Rendered", found)

    async def known_frame(self, key: str, window: Window | None = None, side: int | None = None) -> Rendered | None:
        """Draw a frame that a worker still holds under `key`; None when it does not."""
        return cast(
            "Rendered | None", await self._ask(Job(task="frame", key=key, window=window, side=side), Rendered | None)
        )

    async def _ask(self, job: Job, kind: Any) -> Any:
        worker = self._worker(job.key)
        answer = await worker.ask(job, self._seconds)
        if answer.refusal is not None:
            issues = [Issue(code=code, diagnostics=text) for code, text in answer.refusal.issues]
            raise Problem(issues, status=answer.refusal.status)
        return msgspec.msgpack.decode(answer.value, type=kind)

    def _worker(self, key: str) -> _Worker:
        if key:
            return self._workers[int(key[:8], 16) % len(self._workers)]
        return min(self._workers, key=lambda worker: worker.turn.locked())

    async def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            await worker.end()


def _failed(how: str, how_en: str) -> Problem:
    text = f"Không mở được tệp: tệp {how}. Hãy xuất hoặc chụp lại. / The file cannot be opened: it {how_en}. Export or take it again."
    return problem("too-costly", text, status=422)
