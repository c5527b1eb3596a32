"""Proof that a form came from our own page: a token bound to the session and signed, beside a Fetch Metadata check.

Source: OWASP Cross-Site Request Forgery Prevention Cheat Sheet (signed double submit).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

COOKIE = "csrf"
HEADER = "x-csrf-token"
FIELD = "csrf_token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def fresh_seed() -> str:
    """Return a seed for a browser that has none yet; it travels in the cookie."""
    return secrets.token_urlsafe(18)


def token(secret: bytes, seed: str, session: str = "") -> str:
    """Return the token for this browser and session; a new session makes the old token worthless."""
    digest = hmac.new(secret, f"{seed}\0{session}".encode(), hashlib.sha256).hexdigest()
    return f"{seed}.{digest[:40]}"


def is_valid(secret: bytes, seed: str, session: str, sent: str) -> bool:
    """Compare what the form or the header sent with what the cookie and the session call for."""
    return bool(seed) and hmac.compare_digest(token(secret, seed, session).encode(), sent.encode())


def is_foreign(fetch_site: str | None) -> bool:
    """Tell whether the browser says that another site started this request (Sec-Fetch-Site)."""
    return fetch_site in {"cross-site", "same-site"}
