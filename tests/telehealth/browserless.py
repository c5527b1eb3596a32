"""A browser without a window: keeps cookies, fills in the forms it is shown, follows redirects within the site."""

from __future__ import annotations

import http.client
import re
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urlencode, urlsplit

PASSWORD = "yersin-demo-2026"
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
_KEY = re.compile(r'name="idempotency_key" value="([^"]+)"')


@dataclass
class Answer:
    status: int
    body: str
    headers: dict[str, str]
    path: str

    @property
    def words(self) -> str:
        """The visible words, so that a test reads what a person reads."""
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", self.body)).split())


@dataclass
class Browser:
    base: str
    cookies: dict[str, str] = field(default_factory=dict)
    token: str = ""
    key: str = ""

    def call(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        place = urlsplit(self.base)
        assert place.hostname
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
        sent = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()), **(headers or {})}
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
            for name, value in response.getheaders():
                if name.lower() == "set-cookie":
                    cookie, _, _ = value.partition(";")
                    k, _, v = cookie.partition("=")
                    self.cookies[k] = v.strip('"')
            return Answer(response.status, text, {k.lower(): v for k, v in response.getheaders()}, path)
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        answer = self.call("GET", path)
        self._noted(answer)
        return self._followed(answer)

    def post(
        self, path: str, fields: list[tuple[str, str]] | dict[str, str], *, follow: bool = True, key: str = ""
    ) -> Answer:
        pairs = list(fields.items()) if isinstance(fields, dict) else list(fields)
        pairs += [("csrf_token", self.token), ("idempotency_key", key or self.key)]
        body = urlencode(pairs).encode()
        answer = self.call("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
        self._noted(answer)
        return self._followed(answer) if follow else answer

    def _noted(self, answer: Answer) -> None:
        if found := _TOKEN.search(answer.body):
            self.token = unescape(found[1])
        if found := _KEY.search(answer.body):
            self.key = found[1]

    def _followed(self, answer: Answer) -> Answer:
        return self.get(answer.headers["location"]) if answer.status in {302, 303} else answer


def signed_in(base: str, account: str, language: str = "en") -> Browser:
    browser = Browser(base, {"language": language})
    browser.get("/sign-in")
    answer = browser.post("/sign-in", {"account": account, "password": PASSWORD, "next": "/design"})
    assert answer.path == "/design", (answer.status, answer.words[:300])
    return browser
