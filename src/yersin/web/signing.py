"""The sign-in page. What is sent from it is decided in guard and app; this only shows it, again with what was typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from litestar import Response
from msgspec import Meta

from yersin.web import forms
from yersin.web.language import mark as N_  # noqa: N812 - gettext's customary name
from yersin.web.shell import AnyRequest, local_path, page


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """What the form sends to POST /sign-in, beside `next`."""

    account: Annotated[str, Meta(title=N_("Account name"), max_length=100)]
    password: Annotated[str, Meta(title=N_("Password"), max_length=1000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An outside provider of identities, such as VNeID."""

    label: str
    href: str


def sign_in_page(  # noqa: PLR0913 - what may stand on the page
    request: AnyRequest,
    *,
    form: forms.Bound[SignIn] | None = None,
    failure: str = "",
    notice: str = "",
    next_path: str = "/",
    providers: Sequence[Provider] = (),
    demo: Sequence[tuple[str, str]] = (),
) -> Response[bytes]:
    """Render the page. `failure` is a translated sentence; `demo` are pairs of label and value."""
    known = form or forms.blank(SignIn)
    safe = forms.Bound(
        shape=SignIn, typed={k: v for k, v in known.typed.items() if k != "password"}, errors=known.errors
    )
    status = 422 if known.errors else 403 if failure else 200
    return page(
        request,
        "web/sign_in.html",
        status=status,
        form=safe,
        failure=failure,
        notice=notice,
        next=local_path(next_path),
        providers=providers,
        demo=demo,
    )
