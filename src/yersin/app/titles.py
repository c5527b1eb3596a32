"""The titles of roles as pages show them: marked here for translation, since the guard knows no languages."""

from __future__ import annotations

from yersin.web.language import mark as N_  # noqa: N812 - gettext's customary name

TITLES = (
    N_("Doctor"),
    N_("Specialist"),
    N_("Nurse"),
    N_("Midwife"),
    N_("Commune health worker"),
    N_("Registrar"),
    N_("Facility administrator"),
    N_("Administrator"),
    N_("Analyst"),
    N_("Auditor"),
    N_("Citizen"),
)
