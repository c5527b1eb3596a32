"""Addresses a browser may try to reach another: host candidates alone by default, STUN and TURN where they are configured.

Credentials for coturn's `use-auth-secret`: the name is the moment of expiry, the password its HMAC-SHA1.
Source: https://datatracker.ietf.org/doc/html/draft-uberti-behave-turn-rest-00
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict


class IceServer(TypedDict, total=False):
    """An RTCIceServer as browsers take it."""

    urls: list[str]
    username: str
    credential: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IceServers:
    """What an installation offers: `stun:host:3478`, `turn:host:3478?transport=udp`, `turns:host:443?transport=tcp`."""

    stun: tuple[str, ...] = ()
    turn: tuple[str, ...] = ()
    secret: str = ""
    #: how long a credential serves; a call that lasts longer gets a new one when it reconnects
    seconds: int = 12 * 3600

    def for_seat(self, seat: str, now: datetime) -> list[IceServer]:
        """Make the list for one seat; its credential names the seat, never a person."""
        servers: list[IceServer] = []
        if self.stun:
            servers.append(IceServer(urls=list(self.stun)))
        if self.turn:
            name = f"{int(now.timestamp()) + self.seconds}:{seat}"
            # coturn knows this algorithm only; the HMAC is not weakened by collisions of SHA-1
            digest = hmac.new(self.secret.encode(), name.encode(), hashlib.sha1).digest()
            password = base64.b64encode(digest).decode()
            servers.append(IceServer(urls=list(self.turn), username=name, credential=password))
        return servers
