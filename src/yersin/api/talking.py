"""A request and its answer as they travel: headers, form, who asks, and what stands beside every answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from yersin.guard.access import Access
from yersin.guard.rates import Spent

from . import formats, throttling

_MARK = re.compile(rb"[A-Za-z0-9._:+/=\-]{1,128}").fullmatch


def gathered(pairs: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by name; those of several lines are one list (RFC 9110, 5.3)."""
    headers = dict(pairs)
    if len(headers) < len(pairs):
        lines: dict[bytes, list[bytes]] = {}
        for name, value in pairs:
            lines.setdefault(name, []).append(value)
        headers = {name: (b"; " if name == b"cookie" else b", ").join(each) for name, each in lines.items()}
    return headers


class Talk:
    """One request: the form of its answer, and who asks once that is known; `beside`: headers of every answer to it."""

    __slots__ = ("_mark", "access", "address", "beside", "form", "headers")

    def __init__(self, headers: dict[bytes, bytes], address: str) -> None:
        self.headers = headers
        self.address = address
        self.form = formats.PLAIN
        self.access: Access | None = None
        self.beside: list[tuple[bytes, bytes]] = []
        self._mark = b""

    @property
    def mark(self) -> bytes:
        """Name of the request: the one that the client gave, else the one in the audit."""
        if not self._mark:
            self._mark = _given(self.headers) or str(self.access.who.request if self.access else uuid4()).encode()
        return self._mark

    def of(self, access: Access) -> Access:
        """Put down who asks; the audit knows the request by the name that the client gave."""
        given = _given(self.headers)
        if given:
            access = access.ground.access(replace(access.who, request=name_of(given.decode())))
        self.access = access
        return access

    def spend(self, spent: Spent | None) -> None:
        """Say in the answer what is left. Raises Problem (throttled, 429) where nothing is."""
        if spent is not None:
            self.beside += throttling.headers(spent)
            if spent.is_over:
                raise throttling.refusal(spent)


def _given(headers: Mapping[bytes, bytes]) -> bytes:
    given = headers.get(b"x-request-id", b"")
    return given if given and _MARK(given) else b""


def name_of(mark: str) -> UUID:
    """UUID by which the audit knows a request: the client's own where it is one, else one made of its name (RFC 9562, 5.5)."""
    try:
        return UUID(mark)
    except ValueError:
        return uuid5(NAMESPACE_URL, f"urn:yersin:request:{mark}")
