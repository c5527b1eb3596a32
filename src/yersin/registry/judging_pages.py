"""The page where a resource is pasted and judged as `$validate` judges it; nothing of it is kept or logged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from litestar import Response, get, post

from yersin.fhir import parse, xml
from yersin.fhir.problem import Issue, Problem
from yersin.guard import audit
from yersin.guard.access import Access
from yersin.web.language import N_
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest, page

from .judged_lines import Line, lines_of

PERMISSION: Final = "resources.judge"
PLACE: Final = "/administration/validate"
#: bytes of the form, and findings that are shown
_LARGEST, _SHOWN = 1 << 20, 200
_SEVERITIES: Final = {
    "fatal": N_("Error"),
    "error": N_("Error"),
    "warning": N_("Warning"),
    "information": N_("Hint"),
}
_KINDS: Final = {"fatal": "danger", "error": "danger", "warning": "warn", "information": "info"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A finding as the page shows it."""

    number: int
    severity: str
    kind: str
    place: str
    words: str
    line: int


@get(PLACE, opt={"permission": PERMISSION})
async def show(request: AnyRequest) -> Response[bytes]:
    """The empty form."""
    return await _page(request, text="", profile="")


@post(PLACE, opt={"permission": PERMISSION}, status_code=200, request_max_body_size=_LARGEST)
async def judge(request: AnyRequest) -> Response[bytes]:
    """The form with what was found."""
    form = await request.form()
    text, profile = str(form.get("resource", "")), str(form.get("profile", ""))
    access: Access = request.state.access
    await access.record(audit.Entry(interaction="validate"))
    if not text.strip():
        return await _page(request, text="", profile=profile, is_empty=True)
    issues = await _judged(access, text, profile)
    lines = lines_of(text, issues)
    found = _findings(issues, lines)
    return await _page(request, text=text, profile=profile, lines=lines, found=found)


async def _judged(access: Access, text: str, profile: str) -> list[Issue]:
    """Every finding in a resource, which may be XML."""
    raw = text.encode("utf-8", "replace")
    try:
        raw = xml.read(raw) if raw.lstrip()[:1] == b"<" else raw
        parse(raw)
        issues = await access.ground.profiling.judge(raw, [profile] if profile else [])
    except Problem as refusal:
        issues = list(refusal.issues)
    return issues[:_SHOWN]


def _findings(issues: list[Issue], lines: list[Line]) -> list[Finding]:
    """Findings with their lines, errors first."""
    line_of = {number: line.number for line in lines for number in line.found}
    made = [
        Finding(
            number=number,
            severity=_(_SEVERITIES[issue.severity]),
            kind=_KINDS[issue.severity],
            place=issue.expression,
            words=issue.diagnostics,
            line=line_of.get(number, 1),
        )
        for number, issue in enumerate(issues, 1)
    ]
    order = ("danger", "warn", "info")
    return sorted(made, key=lambda each: (order.index(each.kind), each.line))


async def _page(request: AnyRequest, *, text: str, profile: str, **more: Any) -> Response[bytes]:
    access: Access = request.state.access
    profiles = sorted((await access.ground.profiling.library()).addresses(), key=lambda pair: pair[1].casefold())
    found = more.get("found")
    errors = sum(1 for each in found or () if each.kind == "danger")
    return page(
        request,
        "registry/judging.html",
        title=_("Check a resource"),
        styles=["registry/judging"],
        text=text,
        profile=profile,
        profiles=profiles,
        errors=errors,
        kinds=_KINDS,
        **{"found": None, "lines": (), "is_empty": False, **more},
    )


HANDLERS = (show, judge)
