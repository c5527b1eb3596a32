"""The telehealth room: ask, answer, meet, conclude."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from yersin import calls
from yersin.db.migrate import Step
from yersin.room import Room, Slot
from yersin.terminology import icd10
from yersin.web.language import N_
from yersin.web.menu import MenuItem, PaletteEntry
from yersin.web.shell import AnyRequest

from . import ask_pages, calling, citizen, falling, home, minutes_pages, pens, queue_pages, request_pages
from .documents import addenda_pages, signers_pages, verify_pages
from .lawful.laws import LAWS
from .living import living

ONCE = """
CREATE TABLE telehealth_once (
  account uuid NOT NULL, key text NOT NULL, answer text NOT NULL, made timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (account, key));
COMMENT ON TABLE telehealth_once IS 'Forms that were sent, so that sending one twice makes one request.';
"""


def _patient(_request: AnyRequest, chart: Any) -> dict[str, str]:
    """What the button in a chart needs."""
    return {"patient": chart.id}


ROOM = Room(
    name="telehealth",
    folder=Path(__file__).parent,
    pages=(*ask_pages.HANDLERS, *queue_pages.HANDLERS, *request_pages.HANDLERS, *minutes_pages.HANDLERS, *calling.HANDLERS,
           *verify_pages.HANDLERS, *addenda_pages.HANDLERS, *signers_pages.HANDLERS),
    menu=(
        MenuItem(label=N_("Requests for consultation"), href="/telehealth/queue", icon="inbox", permission="telehealth.answer",
                 group=N_("Telehealth"), go="q"),
        MenuItem(label=N_("Requests sent"), href="/telehealth/sent", icon="send", permission="telehealth.ask",
                 group=N_("Telehealth"), go="s"),
        MenuItem(label=N_("Signing certificates"), href="/telehealth/signers", icon="signature", permission="certificate.revoke",
                 group=N_("Telehealth")),
    ),
    palette=(
        PaletteEntry(label=N_("Requests for consultation"), href="/telehealth/queue", icon="inbox",
                     permission="telehealth.answer", words="hoi chan tu xa yeu cau telehealth queue"),
    ),
    slots=(
        Slot(place="chart.actions", template="telehealth/ask_action.html", permission="telehealth.ask", gather=_patient, order=20),
        Slot(place="home.cards", template="telehealth/home_answer.html", permission="telehealth.answer", gather=home.to_answer, order=10),
        Slot(place="home.cards", template="telehealth/home_asked.html", permission="telehealth.ask", gather=home.asked, order=20),
        Slot(place="my-record.panels", template="telehealth/my_conclusions.html", gather=citizen.conclusions, order=30),
    ),
    tasks=(falling.task,),
    living=living,
    laws=LAWS,
    tables=(
        Step(number=30, name="telehealth_once", sql=ONCE),
        Step(number=31, name="terminology_icd10", sql=icd10.DDL),
        Step(number=32, name="telehealth_signer", sql=pens.DDL),
        Step(number=33, name="calls_tables", sql=calls.DDL),
    ),
)  # fmt: skip
