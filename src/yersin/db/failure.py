"""What the database floor tells its callers when it cannot do its work: one exception, with the cure in its words.

`code` is a FHIR IssueType, `committed` says what is known about a write under way, `retry_after` is in seconds.
Source: https://hl7.org/fhir/R4/valueset-issue-type.html; https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

from typing import Literal

Committed = Literal["no", "unknown"]


class DatabaseFailure(Exception):  # noqa: N818 - reads as the house's other words do; it is raised, never shown raw
    """The database refused or is away. `diagnostics` is English, `vi` the same in Vietnamese."""

    def __init__(
        self,
        code: str,
        diagnostics: str,
        *,
        vi: str,
        status: int = 500,
        retry_after: int | None = None,
        committed: Committed = "no",
    ) -> None:
        super().__init__(diagnostics)
        self.code = code
        self.diagnostics = diagnostics
        self.vi = vi
        self.status = status
        self.retry_after = retry_after
        self.committed: Committed = committed

    @property
    def permanent(self) -> bool:
        """Whether trying again is useless until a person has acted."""
        return self.retry_after is None


def transient(*, committed: Committed = "no", retry_after: int = 2) -> DatabaseFailure:
    """Say that the database is away or restarting; it comes back by itself."""
    known = (
        ("Nothing was stored.", "Chưa có gì được lưu.")
        if committed == "no"
        else (
            "Whether the last change was stored is not known: look before entering it again.",
            "Chưa biết thay đổi vừa rồi đã được lưu hay chưa: hãy xem lại trước khi nhập lại.",
        )
    )
    return DatabaseFailure(
        "transient",
        f"The database is not available for a moment. {known[0]} Try again in {retry_after} seconds.",
        vi=f"Cơ sở dữ liệu tạm thời không sẵn sàng. {known[1]} Hãy thử lại sau {retry_after} giây.",
        status=503,
        retry_after=retry_after,
        committed=committed,
    )


class Clash(DatabaseFailure):
    """A deadlock or a serialization failure: rolled back, and worth another try at once."""


def busy(kind: type[DatabaseFailure] = DatabaseFailure) -> DatabaseFailure:
    """Locks or connections were not to be had in time; nothing is broken."""
    return kind(
        "lock-error",
        "Too many changes meet at the same place. Nothing was stored. Try again in 1 second.",
        vi="Quá nhiều thay đổi cùng lúc vào một chỗ. Chưa có gì được lưu. Hãy thử lại sau 1 giây.",
        status=503,
        retry_after=1,
    )


def too_costly() -> DatabaseFailure:
    """Say that a search ran into its time limit."""
    return DatabaseFailure(
        "too-costly",
        "The search took too long and was stopped. Narrow it: add a patient, a date or a code.",
        vi="Tìm kiếm mất quá nhiều thời gian nên đã bị dừng. Hãy thu hẹp: thêm người bệnh, ngày hoặc mã.",
        status=503,
    )


def disk_full(where: str = "") -> DatabaseFailure:
    """No room is left for data or its log."""
    place = f" ({where})" if where else ""
    return DatabaseFailure(
        "no-store",
        f"The disk of the database is full{place}. Nothing was stored. Free some space; nothing is lost.",
        vi=f"Ổ đĩa của cơ sở dữ liệu đã đầy{place}. Chưa có gì được lưu. Hãy giải phóng dung lượng; không mất dữ liệu.",
        status=507,
    )
