"""Limits of requests as clients see them: RateLimit and RateLimit-Policy in every answer that counts, 429 and Retry-After.

Sources: https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-10, RFC 6585 section 4
"""

from __future__ import annotations

from collections.abc import Sequence

from yersin.fhir.problem import Problem, problem
from yersin.guard.rates import WINDOW, Spent


def headers(spent: Spent) -> Sequence[tuple[bytes, bytes]]:
    """Say what is left, and when to come again where nothing is."""
    left = max(spent.left, 0)
    told = [
        (b"ratelimit-policy", f'"{spent.name}";q={spent.quota};w={WINDOW}'.encode()),
        (b"ratelimit", f'"{spent.name}";r={left};t={spent.seconds}'.encode()),
    ]
    return [*told, (b"retry-after", str(spent.seconds).encode())] if spent.is_over else told


def refusal(spent: Spent) -> Problem:
    """Say that this was one request too many."""
    text = f"More than {spent.quota} requests in a minute. Come again in {spent.seconds} seconds."
    return problem("throttled", text, status=429)
