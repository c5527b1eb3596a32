"""What a Subscription may say and keeps to itself: who asked for it, and secrets in the headers of its channel.

Both are sealed in the resource before it is stored, by whichever door it comes, so that no read, search, history or
export ever shows them. A sealed header opens for the endpoint it was given for, and for no other.
Source: https://hl7.org/fhir/R4/subscription.html#safety
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag

from yersin.fhir import r4
from yersin.fhir.problem import problem

from .keys import Keys
from .who import Who

if TYPE_CHECKING:
    from .access import Access

#: extension that holds, sealed, who asked; set by the server
ASKER = "urn:yersin:structure-definition:subscription-asker"
_SEALED = "sealed:"
_PURPOSE = "subscriptions"
T = TypeVar("T")


class _Secret(msgspec.Struct, array_like=True):
    """A header's value, and the endpoint it is for."""

    value: str
    endpoint: str


class _Asker(msgspec.Struct, array_like=True):
    """Who asked for which Subscription."""

    id: str
    who: Who


def prepare(access: Access, resource: r4.Subscription) -> None:
    """Make a Subscription ready to be stored. Raises Problem: forbidden (403) for people, invalid for a copied secret."""
    if access.who.role != "system":
        text = "Subscriptions are made by programs: ask with an access token that covers system/Subscription.cu."
        raise problem("forbidden", text, status=403)
    _seal_headers(access.ground.keys, resource.channel)
    if access.who.scopes is None:
        return  # the server itself, and what the operator brings in
    resource.status = "off" if resource.status == "off" else "requested"
    resource.error = None
    sealed = _seal(access.ground.keys, _Asker(resource.id or "", access.who))
    kept = [each for each in resource.extension or () if each.url != ASKER]
    resource.extension = [*kept, r4.Extension(url=ASKER, valueString=sealed)]


def asker(keys: Keys, resource: r4.Subscription) -> Who | None:
    """Say who asked for a Subscription; None where nobody did by this server, or for another one."""
    for each in resource.extension or ():
        if each.url == ASKER and each.valueString:
            found = _open(keys, each.valueString, _Asker)
            return found.who if found and found.id == resource.id else None
    return None


def headers(keys: Keys, channel: r4.SubscriptionChannel) -> list[tuple[str, str]]:
    """Open the headers of a channel; those that were not sealed for its endpoint are left out."""
    opened = []
    for name, value in map(_parted, channel.header or ()):
        found = _open(keys, value, _Secret)
        if found and found.endpoint == channel.endpoint:
            opened.append((name, found.value))
    return opened


def _seal_headers(keys: Keys, channel: r4.SubscriptionChannel) -> None:
    sealed = []
    for n, (name, value) in enumerate(map(_parted, channel.header or ())):
        found = _open(keys, value, _Secret) if value.startswith(_SEALED) else None
        if value.startswith(_SEALED) and (found is None or found.endpoint != channel.endpoint):
            text = f"The value of {name} was sealed for another endpoint. Send the value itself."
            raise problem("invalid", text, expression=f"Subscription.channel.header[{n}]")
        kept = value if found else _seal(keys, _Secret(value, channel.endpoint or ""))
        sealed.append(f"{name}: {kept}")
    if sealed:
        channel.header = list(sealed)


def _parted(header: str | None) -> tuple[str, str]:
    name, _, value = (header or "").partition(":")
    return name.strip(), value.strip()


def _seal(keys: Keys, what: _Secret | _Asker) -> str:
    return _SEALED + base64.urlsafe_b64encode(keys.seal(_PURPOSE, msgspec.json.encode(what))).decode()


def _open(keys: Keys, sealed: str, kind: type[T]) -> T | None:
    try:
        raw = base64.urlsafe_b64decode(sealed.removeprefix(_SEALED))
        return msgspec.json.decode(keys.open(_PURPOSE, raw), type=kind)
    except (ValueError, InvalidTag, msgspec.MsgspecError):
        return None
