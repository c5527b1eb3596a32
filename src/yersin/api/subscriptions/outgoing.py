"""Calls to addresses that others chose: only to public ones, each resolved once and called where it was found.

No redirects, no proxies, little time, and of the answer nothing but the status. Networks inside are opened by the
setting YERSIN_HOOK_NETWORKS. Source: https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpx

#: seconds for a whole call
PATIENCE = 10.0
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}").fullmatch
#: said by the client itself
_OWN = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "content-type", "upgrade", "te", "trailer"}
)
#: IPv6 addresses that carry an IPv4 address to a gateway (RFC 6052)
_CARRYING = ip_network("64:ff9b::/96")
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class CallError(Exception):
    """A call that did not succeed; its text names the kind of failure only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Makes calls. `inside` are networks that may be called although they are not public."""

    inside: Sequence[Network] = ()
    patience: float = PATIENCE
    _client: httpx.AsyncClient = field(
        default_factory=lambda: httpx.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_keepalive_connections=0, max_connections=50),
        )
    )

    async def call(self, method: str, address: str, headers: Mapping[str, str], body: bytes) -> None:
        """Call an address. Raises CallError unless it answers 2xx in time."""
        try:
            async with asyncio.timeout(self.patience):
                status = await self._called(method, httpx.URL(address), headers, body)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise CallError("no answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise CallError(f"no connection ({type(error).__name__})") from error
        if not 200 <= status < 300:
            raise CallError(f"answered {status}")

    async def _called(self, method: str, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> int:
        where = await self._where(url)
        there = {**headers, "host": url.netloc.decode(), "user-agent": "Yersin", "accept-encoding": "identity"}
        request = self._client.build_request(
            method,
            url.copy_with(host=str(where)),
            headers=there,
            content=body,
            timeout=self.patience,
            extensions={"sni_hostname": url.host},
        )
        answer = await self._client.send(request, stream=True)
        await answer.aclose()
        return answer.status_code

    async def _where(self, url: httpx.URL) -> Address:
        """Resolve the host of an address: all that is found must be open to us, and the first of it is called."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
        except OSError as error:
            raise CallError("no such host") from error
        addresses = [ip_address(str(each[4][0]).partition("%")[0]) for each in found]
        if not addresses or not all(self._is_open(each, url.scheme) for each in addresses):
            raise CallError("the address is not public")
        return addresses[0]

    def _is_open(self, address: Address, scheme: str) -> bool:
        plain = address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
        if any(plain in network for network in self.inside if network.version == plain.version):
            return True
        if scheme != "https":
            return False
        return plain.is_global and not plain.is_multicast and not plain.is_reserved and not _carries(plain)

    async def close(self) -> None:
        """Close what is open."""
        await self._client.aclose()


def _carries(address: Address) -> bool:
    if not isinstance(address, IPv6Address):
        return False
    return address in _CARRYING or address.sixtofour is not None or address.teredo is not None


def fault(endpoint: str, headers: Sequence[tuple[str, str]]) -> str:
    """Say what is wrong with an endpoint and its headers by their looks; empty where nothing is."""
    try:
        url = httpx.URL(endpoint)
    except httpx.InvalidURL:
        return "channel.endpoint is no address"
    if url.scheme not in ("https", "http") or not url.host:
        return "channel.endpoint must be an address such as https://example.org/hook"
    if url.userinfo:
        return "channel.endpoint holds a name or a password; send them in channel.header"
    for name, value in headers:
        if not _HEADER(name) or name.lower() in _OWN or not value.isprintable() or not value.isascii():
            return "channel.header holds what is no header, or one that the server sets itself"
    return ""
