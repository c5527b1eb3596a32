"""The restriction that goes into the SQL of every read and search: what this asker may see at all."""

from __future__ import annotations

from dataclasses import dataclass

from yersin.db.sql import Sql
from yersin.fhir import r4
from yersin.fhir.parameters import compartment

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


def in_chart(type_name: str) -> bool:
    """Whether resources of a type belong to a patient's chart."""
    return type_name == "Patient" or type_name in _TELLING or bool(compartment("Patient", type_name))


@dataclass(frozen=True, slots=True)
class WhoScope:
    """Scope of one asker: everything, one's own chart, or the charts of those in one's care."""

    who: Who

    def condition(self, sql: Sql, type_name: str, pat: str) -> str:
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
            return f"{pat} = {sql.arg(who.patient)}"
        if who.organization is None:
            return "false"
        return f"EXISTS (SELECT FROM care WHERE care.pat = {pat} AND {self._cared_for(sql)})"

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
