"""The bundle made by tools/bundle.py: its manifest, and an ASGI application that serves it precompressed and for ever."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litestar.types import Receive, Scope, Send

from yersin.web import language

BUNDLE = Path(__file__).parent / "bundle"
PREFIX = "/assets/"
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".png": "image/png",
    ".map": "application/json",
}
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """One reading of the manifest."""

    files: Mapping[str, str]
    imports: Mapping[str, Sequence[str]]
    #: for each language the name and the text of the script that brings the translated words
    words: Mapping[str, tuple[str, bytes]]
    present: frozenset[str]


class NotBundledError(RuntimeError):
    """The front end has not been bundled; the message says how."""


class Assets:
    """Addresses of the bundled files by their plain names, and the words of the browser modules.

    A bundle made anew while the server runs is noticed by its manifest's time.
    """

    def __init__(self, folder: Path = BUNDLE) -> None:
        self.folder = folder
        self._read_at = 0
        self._bundle = self._read()

    @property
    def bundle(self) -> Bundle:
        """What the manifest says now."""
        try:
            changed_at = (self.folder / "manifest.json").stat().st_mtime_ns
        except FileNotFoundError:  # between the old bundle and the new one
            return self._bundle
        if changed_at != self._read_at:
            self._bundle = self._read()
        return self._bundle

    def _read(self) -> Bundle:
        path = self.folder / "manifest.json"
        try:
            self._read_at = path.stat().st_mtime_ns
            manifest = json.loads(path.read_bytes())
        except FileNotFoundError as error:
            raise NotBundledError(
                "The front end is not bundled; run `make setup` (or python tools/bundle.py)"
            ) from error
        messages = tuple(manifest["messages"])
        return Bundle(
            files=manifest["files"],
            imports=manifest["imports"],
            words={name: _words(name, messages) for name in language.LANGUAGES},
            present=frozenset(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file()),
        )

    def url(self, name: str) -> str:
        """Return the address of `main.css`, `web/main.js`, `sprite.svg` or `<room>/<module>.js`."""
        files = self.bundle.files
        if name not in files:
            raise KeyError(f"{name} is not in the bundle; known: {', '.join(sorted(files))}")
        return PREFIX + files[name]

    def chunks(self, name: str) -> list[str]:
        """Return the addresses of the chunks a module imports, to be preloaded."""
        return [PREFIX + path for path in self.bundle.imports.get(name, ())]

    def words_url(self) -> str:
        return PREFIX + self.bundle.words[language.current()][0]

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a GET or HEAD below /assets/. The name holds the hash of the content, so it may be kept for ever."""
        del receive  # these requests have no body
        name = scope["path"].removeprefix(PREFIX).strip("/")  # a mount hands on the rest of the path, slashes around it
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        body, extra = self._find(name, headers.get("accept-encoding", ""))
        status = 200 if body is not None else 404
        fields = {"content-type": _TYPES.get(Path(name).suffix, "text/plain; charset=utf-8"), **extra}
        await send(_start(status, fields, len(body or b"")))
        await send({"type": "http.response.body", "body": body or b"", "more_body": False})

    def _find(self, name: str, accept: str) -> tuple[bytes | None, dict[str, str]]:
        kept = {"cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}
        bundle = self.bundle
        for words_name, text in bundle.words.values():
            if name == words_name:
                return text, kept
        if name not in bundle.present or name.startswith((".", "manifest.")) or name.endswith((".br", ".gz")):
            return None, {"content-type": "text/plain; charset=utf-8", "cache-control": "no-store"}
        for encoding, suffix in _ENCODINGS:
            if encoding in accept and (name + suffix) in bundle.present:
                return (self.folder / (name + suffix)).read_bytes(), {**kept, "content-encoding": encoding}
        return (self.folder / name).read_bytes(), kept


def _words(name: str, messages: Sequence[str]) -> tuple[str, bytes]:
    known = json.dumps(language.words_for(name, messages), ensure_ascii=False, sort_keys=True)
    text = f"globalThis.yersinWords={known};".encode()
    return f"words-{name}-{hashlib.sha256(text).hexdigest()[:10]}.js", text


def _start(status: int, fields: Mapping[str, str], length: int) -> Any:
    headers = [(name.encode(), value.encode()) for name, value in fields.items()]
    headers += [(b"content-length", str(length).encode()), (b"x-content-type-options", b"nosniff")]
    return {"type": "http.response.start", "status": status, "headers": headers}
