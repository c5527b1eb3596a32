"""Settings: one frozen object, read once from the environment. Every field is documented in docs/settings.md."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_RATES = ("rate_program", "rate_account", "rate_address")


class BadSettingError(ValueError):
    """A setting cannot be used; the message names the variable and the cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator may choose. Names of variables are `YERSIN_` and the field in capitals."""

    #: folder of everything this installation keeps: database, blobs, keys
    data_dir: Path = Path("var")
    #: an outside PostgreSQL 15 or later; without it Yersin starts its own
    database_url: str | None = None
    #: folder with `postgres` and `initdb`, in place of the wheel's
    pg_bin: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    #: web processes; 0 means half the cores, but two where there are two
    workers: int = 0
    #: zone of dates and times that carry none; fixed in the database when it is created
    zone: str = "Asia/Ho_Chi_Minh"
    #: the address people reach this server at; derived from host and port when empty
    public_url: str = ""
    #: addresses of STUN and TURN servers for video calls, and the secret shared with coturn (RFC 7064, RFC 7065)
    stun: tuple[str, ...] = ()
    turn: tuple[str, ...] = ()
    turn_secret: str = ""
    #: hours for which the files of a bulk export are kept
    export_hours: int = 24
    #: networks that subscriptions may call although they are not public
    hook_networks: tuple[str, ...] = ()
    #: whether references to resources of this server must name one that exists: "any" or "known"
    references: str = "any"
    #: requests to the API in a minute: of a program, of an account, and of an address that names nobody; 0 is no limit
    rate_program: int = 0
    rate_account: int = 6000
    rate_address: int = 6000

    @property
    def base_url(self) -> str:
        """Address of the server as its users see it, without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def web_workers(self) -> int:
        """Number of web processes to start, at least one."""
        cores = os.cpu_count() or 1
        return self.workers or max(min(cores, 2), cores // 2)


def read(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings. Raises BadSettingError naming the variable at fault."""
    text = {name: environ.get(f"YERSIN_{name.upper()}", "") for name in Settings.__dataclass_fields__}
    default = Settings()
    return Settings(
        data_dir=Path(text["data_dir"] or default.data_dir).absolute(),
        database_url=text["database_url"] or None,
        pg_bin=Path(text["pg_bin"]) if text["pg_bin"] else None,
        host=text["host"] or default.host,
        port=_whole("port", text["port"], default.port, 65535),
        workers=_whole("workers", text["workers"], default.workers, 256),
        zone=_zone(text["zone"] or default.zone),
        public_url=text["public_url"],
        export_hours=_whole("export_hours", text["export_hours"], default.export_hours, 8760),
        hook_networks=_networks(text["hook_networks"]),
        references=_choice("references", text["references"], ("any", "known")),
        **_rates(text, default),
        **_relays(text),
    )


def _choice(name: str, text: str, choices: tuple[str, ...]) -> str:
    """Give what was chosen; the first where nothing was."""
    if text and text not in choices:
        raise BadSettingError(f"YERSIN_{name.upper()} is {text!r}; it may be {' or '.join(choices)}")
    return text or choices[0]


def _rates(text: Mapping[str, str], default: Settings) -> dict[str, Any]:
    return {name: _whole(name, text[name], getattr(default, name), 10**9) for name in _RATES}


def _relays(text: Mapping[str, str]) -> dict[str, Any]:
    stun, turn = (_addresses(name, text[name]) for name in ("stun", "turn"))
    if turn and not text["turn_secret"]:
        raise BadSettingError("YERSIN_TURN is set without YERSIN_TURN_SECRET; give the static-auth-secret of coturn")
    return {"stun": stun, "turn": turn, "turn_secret": text["turn_secret"]}


def _networks(text: str) -> tuple[str, ...]:
    found = tuple(text.replace(",", " ").split())
    for each in found:
        try:
            ip_network(each)
        except ValueError as error:
            raise BadSettingError(
                f"YERSIN_HOOK_NETWORKS holds {each!r}; use networks such as 10.1.0.0/16 or fd00::/8"
            ) from error
    return found


def _addresses(name: str, text: str) -> tuple[str, ...]:
    found = tuple(text.replace(",", " ").split())
    wrong = next((each for each in found if not each.startswith((f"{name}:", f"{name}s:"))), None)
    if wrong is not None:
        raise BadSettingError(
            f"YERSIN_{name.upper()} holds {wrong!r}; use addresses such as {name}:relay.example.vn:3478"
        )
    return found


def _whole(name: str, text: str, default: int, limit: int) -> int:
    if not text:
        return default
    if not text.isdecimal() or int(text) > limit:
        raise BadSettingError(f"YERSIN_{name.upper()} is {text!r}; it must be a whole number from 0 to {limit}")
    return int(text)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadSettingError(f"YERSIN_ZONE is {name!r}; use a name such as Asia/Ho_Chi_Minh") from error
    return name
