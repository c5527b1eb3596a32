"""Access tokens for programs: signed JWTs with SMART system scopes.

Sources: RFC 9068 (JWT access tokens), https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from __future__ import annotations

import re
import time
from typing import Any
from uuid import uuid4

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from yersin.fhir.problem import problem

from .keys import Keys
from .who import Grant, Who

ISSUER = "yersin"
_SCOPE = re.compile(r"system/(\*|[A-Z][A-Za-z]+)\.([cruds]+)").fullmatch
_REMEMBERED = 1000


def grants(scope: str) -> tuple[Grant, ...]:
    """Parse scopes such as `system/*.cruds system/Patient.rs`. Raises Problem naming the part that is none."""
    found = []
    for part in scope.split():
        match = _SCOPE(part)
        if match is None:
            raise problem(
                "invalid",
                f"{part!r} is no scope; write system/<type or *>.<verbs out of cruds>, such as system/*.cruds.",
            )
        found.append(Grant(match[1], match[2]))
    return tuple(found)


class Tokens:
    """Makes and checks access tokens. A token that passed is remembered until it ends."""

    def __init__(self, keys: Keys) -> None:
        self._key = OctKey.import_key(keys.get("access-tokens"))
        self._known: dict[str, tuple[float, str, tuple[Grant, ...]]] = {}

    def make(self, scope: str, seconds: int, name: str = "local administrator") -> str:
        """Return a token that lives so many seconds."""
        grants(scope)
        now = int(time.time())
        claims = {"iss": ISSUER, "sub": name, "scope": scope, "iat": now, "exp": now + seconds, "jti": str(uuid4())}
        return jwt.encode({"alg": "HS256", "typ": "at+jwt"}, claims, self._key)

    def who(self, token: str, address: str = "") -> Who:
        """Who a token speaks for, in one request. Raises Problem (401) when it is not ours, was altered or has ended."""
        known = self._known.get(token)
        if known is None or known[0] <= time.time():
            claims = self._checked(token)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = (float(claims["exp"]), str(claims["sub"]), grants(str(claims["scope"])))
            self._known[token] = known
        return Who(role="system", purpose="TREAT", display=known[1], scopes=known[2], address=address)

    def _checked(self, token: str) -> dict[str, Any]:
        refusal = problem("login", "The access token is not valid or has ended. Get a new one.", status=401)
        try:
            claims = jwt.decode(token, self._key, algorithms=["HS256"]).claims
        except (JoseError, ValueError) as error:
            raise refusal from error
        if claims.get("iss") != ISSUER or not isinstance(claims.get("exp"), int) or claims["exp"] <= time.time():
            raise refusal
        return claims
