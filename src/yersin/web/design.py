"""The living design page: the example of every component folder, rendered as the rooms would. Its people are invented."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Literal

from litestar import Response
from msgspec import Meta

from yersin.web import forms, wording
from yersin.web.language import mark as N_  # noqa: N812 - gettext's customary name
from yersin.web.shell import AnyRequest, page
from yersin.web.templating import component_names


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A form that shows every kind of field."""

    full_name: Annotated[str, Meta(title=N_("Full name"), description=N_("As on the identity card"), max_length=100)]
    birth_date: Annotated[date, Meta(title=N_("Date of birth"), description=N_("Day, month, year"))]
    weight: Annotated[Decimal, Meta(title=N_("Weight"), ge=0, le=400)]
    hamlet: Annotated[str, Meta(title=N_("Hamlet"))]
    seen_at: Annotated[time | None, Meta(title=N_("Seen at"))] = None
    facility: Annotated[
        str, Meta(title=N_("Facility asked"), description=N_("Two letters are enough; marks may be left out"))
    ]
    urgency: Annotated[Literal["routine", "urgent", "stat"], Meta(title=N_("Urgency"))]
    sex: Annotated[str, Meta(title=N_("Sex"))]
    symptoms: Annotated[tuple[str, ...], Meta(title=N_("Symptoms"))] = ()
    consent: Annotated[bool, Meta(title=N_("The patient agrees to the consultation"), extra={"must": True})]
    reason: Annotated[str, Meta(title=N_("Reason"), max_length=2000)]
    images: Annotated[str, Meta(title=N_("Images"))] = ""


FILLED = {
    "full_name": "Nguyễn Thị Hoa",
    "birth_date": date(1962, 8, 14),
    "weight": Decimal("52.4"),
    "hamlet": "2",
    "urgency": "urgent",
    "sex": "female",
    "symptoms": ("fever",),
    "reason": "",
}
WRONG = {"full_name": [""], "birth_date": ["31/02/1962"], "weight": ["1.234"], "sex": ["female"], "urgency": ["stat"]}


FACILITIES = (
    ("a", "Bệnh viện Đa khoa Suối Vàng", "Suối Vàng · 2,1 km"),
    ("b", "Trung tâm Y tế Hòn Ngọc", "Hòn Ngọc · 14 km"),
    ("c", "Bệnh viện Y học cổ truyền Đồi Thông", "Đồi Thông · 21 km"),
)


def _plain(text: str) -> str:
    marks_off = "".join(sign for sign in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(sign))
    return marks_off.replace("đ", "d")


def facilities(request: AnyRequest, wanted: str) -> Response[bytes]:
    """Answer the example combobox, as a room would."""
    found = [facility for facility in FACILITIES if _plain(wanted) in _plain(facility[1])]
    return page(request, "web/options.html", options=found)


def show(request: AnyRequest) -> Response[bytes]:
    """Render /design."""
    now = datetime.now(UTC)
    sample, wrong = forms.filled(Sample, FILLED), forms.bind(Sample, WRONG)
    shown = {name: message for name, message in wrong.errors.items() if name in {"full_name", "birth_date", "weight"}}
    return page(
        request,
        "web/design.html",
        names=component_names(),
        sample=sample,
        wrong=wrong,
        wrong_form=forms.Bound(shape=Sample, errors=shown),
        waiting=lambda minutes: now - timedelta(minutes=minutes),
        age_of_hoa=wording.as_age(date(1962, 8, 14), now.date()),
        age_of_mit=wording.as_age(now.date() - timedelta(days=51), now.date()),
    )
