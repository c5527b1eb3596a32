"""A connection to the web server that waits for nobody: heads and bodies must come, and come at some pace.

Slow senders hold a connection and its memory for nothing (slow loris); heads without end fill the memory. A client that
sends nothing of what it has begun is cut off with 408, one whose head is too long with 431. Proxies in front may be stricter.
Sources: https://www.rfc-editor.org/rfc/rfc6585#section-5, https://hl7.org/fhir/R4/http.html#Status-Codes
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from yersin.fhir import encode, outcome
from yersin.fhir.problem import Issue

#: seconds in which a head must be complete, from the opening of the line or its own beginning
HEAD_SECONDS = 20.0
#: seconds between two looks at a body under way, in which at least so many bytes must have come
BODY_SECONDS, BODY_LEAST = 20.0, 4096
#: bytes and lines of a head
HEAD_LARGEST, HEAD_LINES = 64 * 1024, 100
_TOO_LONG = f"The head is longer than {HEAD_LARGEST >> 10} KiB, or has more than {HEAD_LINES} lines."


class Line(HttpToolsProtocol):
    """What uvicorn speaks HTTP with."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._in_head = True
        self._head_size = self._came = 0
        self._timer: asyncio.TimerHandle | None = self.loop.call_later(HEAD_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._came += len(data)
        if self._in_head:
            self._head_size += len(data)
        super().data_received(data)
        if self._in_head and not self._head_size:
            self._head_size = len(data)  # the next request has begun
        if self._in_head and self._is_too_long() and not self.transport.is_closing():
            self._cut(431, _TOO_LONG)
        if self._timer is not None or self.transport.is_closing():
            return
        if self._in_head:
            self._timer = self.loop.call_later(HEAD_SECONDS, self._look)
        elif self._is_in_body():
            self._came = 0
            self._timer = self.loop.call_later(BODY_SECONDS, self._look)

    # --- what the parser tells ---------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        # the body may have come with it: what was sent says only whether the head wants counting
        if self._has_many_lines() or (self._head_size > HEAD_LARGEST and self._head_told() > HEAD_LARGEST):
            raise ValueError("The head is too long.")
        self._in_head, self._head_size = False, 0
        super().on_headers_complete()

    # --- who is slow -------------------------------------------------------------------------------------------

    def _is_too_long(self) -> bool:
        return self._head_size > HEAD_LARGEST or self._has_many_lines()

    def _has_many_lines(self) -> bool:
        return bool(self.headers) and len(self.headers) > HEAD_LINES

    def _head_told(self) -> int:
        return sum(len(name) + len(value) for name, value in self.headers)

    def _is_in_body(self) -> bool:
        cycle: Any = self.cycle
        return cycle is not None and cycle.more_body and not cycle.response_complete

    def _look(self) -> None:
        """See whether what was begun goes on. Asked only of lines that have something outstanding."""
        self._timer = None
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return
        if self._in_head and (self._head_size or self.cycle is None):
            self._cut(408, "The head of the request did not come in time.")
        elif self._is_in_body():
            # where this server does not read on, the client is not slow
            if self._came < BODY_LEAST and not self.flow.read_paused:
                self._cut(408, "The body of the request did not come in time.")
                return
            self._came = 0
            self._timer = self.loop.call_later(BODY_SECONDS, self._look)

    def _cut(self, status: int, words: str) -> None:
        """Say why, unless an answer has begun, and hang up."""
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(_answer(status, words))
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or has a head without end."""
        if self._is_too_long():
            self._cut(431, _TOO_LONG)
        else:
            self._cut(400, msg)


def _answer(status: int, words: str) -> bytes:
    code = {408: "timeout", 431: "too-long"}.get(status, "structure")
    body = encode(outcome([Issue(code=code, diagnostics=words)]))
    head = b"content-type: application/fhir+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
    return STATUS_LINE[status] + head + body
