"""The one timeline of migrations, in the order in which the floors' tables came to be."""

from __future__ import annotations

from yersin.api import bulk, importing, subscriptions
from yersin.db.migrate import Step
from yersin.guard import accounts, audit, care, extending, keys, origins, sealing, sessions
from yersin.store import content, indexes, schema
from yersin.terminology import schema as terminology
from yersin.views import tables as views

from . import drafts
from .rooms import ROOMS

_GROUND = (
    Step(number=1, name="store_tables", sql=schema.ddl()),
    Step(number=2, name="guard_tables", sql=keys.DDL + care.DDL + audit.DDL + accounts.DDL + sessions.DDL),
    Step(number=3, name="api_import_progress", sql=importing.DDL),
    Step(number=4, name="app_drafts", sql=drafts.DDL),
)

#: rooms' own tables come after the ground's, under the numbers they were given when they were new
STEPS = (
    *_GROUND,
    *sorted(
        (
            *views.STEPS,
            *bulk.STEPS,
            *subscriptions.STEPS,
            *origins.STEPS,
            *sealing.STEPS,
            *terminology.STEPS,
            Step(number=75, name="store_long_spans", sql=indexes.ddl()),
            Step(number=76, name="guard_search_parameters", sql=extending.DDL),
            Step(number=77, name="store_log_by_type", sql=indexes.log_ddl()),
            Step(number=91, name="store_packing", sql=content.DDL),
            Step(number=92, name="store_full_pages", sql=indexes.full_pages()),
            Step(number=93, name="guard_composites", sql=extending.PARTS_DDL),
            Step(number=86, name="guard_audit_requests", sql=audit.REQUESTS),
            *(step for room in ROOMS for step in room.tables),
        ),
        key=lambda step: step.number,
    ),
)
