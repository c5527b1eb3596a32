"""A process that decodes what others have made, so that a bomb or a broken decoder ends it and nothing else.

Run by `workshop`, never imported. Reads jobs from standard input and writes answers to standard output, each a length of
four bytes and MessagePack. It can write no file, holds no key and no address of the database.
"""

from __future__ import annotations

import resource
import sys
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from yersin.fhir.problem import Problem, problem
from yersin.imaging.kinds import Kind
from yersin.imaging.results import Rendered
from yersin.imaging.workshop import MEGABYTES, Answer, Job, Refusal

if TYPE_CHECKING:
    from yersin.imaging.rendering import Decoded

#: bytes of decoded frames kept, so that dragging the window decodes once
_KEPT: Final = 256 << 20
_frames: OrderedDict[str, Decoded] = OrderedDict()


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEGABYTES << 20, MEGABYTES << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _frame(job: Job) -> Rendered | None:
    from yersin.imaging import rendering  # noqa: PLC0415 - each worker loads the libraries of its tasks only

    decoded = _frames.get(job.key)
    if decoded is None:
        if not job.content:
            return None
        decoded = _frames[job.key] = rendering.decode(job.content)
        while len(_frames) > 1 and sum(frame.weight for frame in _frames.values()) > _KEPT:
            _frames.popitem(last=False)
    _frames.move_to_end(job.key)
    return rendering.render(decoded, job.window, job.side)


def _done(job: Job) -> Any:
    match job.task:
        case "photo":
            from yersin.imaging import photos  # noqa: PLC0415 - as above

            return photos.prepare(job.content, Kind(job.media_type))
        case "pdf":
            from yersin.imaging import pdfs  # noqa: PLC0415 - as above

            return pdfs.inspect(job.content)
        case _:
            return _frame(job)


def _answer(job: Job) -> Answer:
    try:
        return Answer(value=msgspec.Raw(msgspec.msgpack.encode(_done(job))))
    except MemoryError:
        _frames.clear()
        refused = problem("too-costly", "Tệp quá lớn để mở. / The file takes too much memory to open.", status=422)
    except Problem as error:
        refused = error
    issues = [(issue.code, issue.diagnostics) for issue in refused.issues]
    return Answer(refusal=Refusal(status=refused.status, issues=issues))


def main() -> None:
    _limit()
    source, target = sys.stdin.buffer, sys.stdout.buffer
    while head := source.read(4):
        job = msgspec.msgpack.decode(source.read(int.from_bytes(head, "big")), type=Job)
        answer = msgspec.msgpack.encode(_answer(job))
        target.write(len(answer).to_bytes(4, "big") + answer)
        target.flush()


if __name__ == "__main__":
    main()
