"""The restriction that goes into the SQL of every read and search: what this asker may see at all."""

from __future__ import annotations

from dataclasses import dataclass

from yersin.db.sql import Sql
from yersin.fhir import r4
from yersin.fhir.parameters import compartment
from yersin.store.reading import column
from yersin.store.schema import table

from .roles import may
from .who import Who

#: types outside the patient compartment that may tell of a patient all the same: open to those who wrote them only
_TELLING = frozenset(
    {
        "Binary",
        "BiologicallyDerivedProduct",
        "Bundle",
        "EnrollmentResponse",
        "Linkage",
        "MessageHeader",
        "OperationOutcome",
        "Parameters",
        "PaymentNotice",
        "PaymentReconciliation",
        "Subscription",
        "VerificationResult",
    }
)

#: open to whoever may open anything of a chart: who it is, and what could kill
ALWAYS_SHARED = frozenset({"Patient", "AllergyIntolerance"})


def in_chart(type_name: str) -> bool:
    """Whether resources of a type belong to a patient's chart."""
    return type_name == "Patient" or type_name in _TELLING or bool(compartment("Patient", type_name))


@dataclass(frozen=True, slots=True)
class WhoScope:
    """Scope of one asker: everything, one's own chart, or the charts of those in one's care."""

    who: Who

    def condition(self, sql: Sql, type_name: str, row: str) -> str:
        """Return an SQL condition; see `yersin.store.reading.Scope`."""
        who = self.who
        if not (who.is_granted(type_name, "r") or who.is_granted(type_name, "s")):
            return "false"
        if not in_chart(type_name):
            return "true" if may(who.role, "directory.read") else "false"
        if not may(who.role, "chart.read"):
            return "false"
        if who.role == "system":
            return "true"
        if who.patient is not None:
            return f"{column(row, 'pat')} = {sql.arg(who.patient)}"
        if who.organization is None:
            return "false"
        part = "" if type_name in ALWAYS_SHARED else f" AND {_shared(type_name, row)}"
        return f"EXISTS (SELECT 1 FROM care WHERE care.pat = {column(row, 'pat')} AND {self._cared_for(sql)}{part})"

    def shared(self, sql: Sql, patient: str) -> str:
        """Return a query of how far each relationship opens a patient's chart, empty where none is asked about."""
        if self.who.role == "system" or self.who.patient is not None or self.who.organization is None:
            return ""
        return f"SELECT care.shares FROM care WHERE care.pat = {patient} AND {self._cared_for(sql)}"

    def visiting(self, sql: Sql, key: str) -> str:
        """Return a condition on the key of a Patient: in care for a visit, an episode or a request, kept here or not."""
        visit = f"care.type <> {r4.TYPE_NUMBER['Patient']} AND {self._cared_for(sql)}"
        return f"{key} IN (SELECT care.pat, care.pat FROM care WHERE {visit})"

    def _cared_for(self, sql: Sql) -> str:
        who = self.who
        return (
            f"care.org = {sql.arg(who.organization)} "
            f"AND (care.practitioner IS NULL OR care.practitioner = {sql.arg(who.practitioner)}) "
            "AND care.since <= now() AND care.until > now()"
        )


def _shared(type_name: str, row: str) -> str:
    """Return whether a relationship opens a row: the whole chart, this type of resource, or what was recorded since."""
    fresh = (
        f"EXISTS (SELECT 1 FROM {table(type_name)} AS fresh WHERE fresh.pat = care.pat AND fresh.id = {column(row, 'id')} "
        "AND fresh.upd >= care.fresh)"
    )
    return f"(care.shares IS NULL OR {r4.TYPE_NUMBER[type_name]} = ANY(care.shares) OR {fresh})"
