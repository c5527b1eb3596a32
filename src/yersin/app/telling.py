"""What a command says when it cannot go on: a line or two that people can act on, without a stack trace or a patient's data."""

from __future__ import annotations

from yersin.db import DatabaseFailure
from yersin.fhir.problem import Problem
from yersin.guard.proving import Break, Proof
from yersin.settings import BadSettingError

from . import logs


def words(error: Exception) -> tuple[str, ...]:
    """Say what is wrong, in Vietnamese first where it is known in both languages."""
    if isinstance(error, DatabaseFailure):
        return error.vi, str(error)
    if isinstance(error, (Problem, BadSettingError)):
        return (str(error),)
    if isinstance(error, OSError):
        place = error.filename or "A file"
        return (
            f"{place} không dùng được. Hãy chọn thư mục khác bằng YERSIN_DATA_DIR, hoặc sửa quyền truy cập.",
            f"{place} cannot be used ({error.strerror}). Choose another folder by YERSIN_DATA_DIR, or mend its rights.",
        )
    # a failure's words may repeat a patient's data: its kind and places are told
    return "Lỗi ngoài dự kiến. | Something went wrong here:", logs.places(error)


def of_proof(proof: Proof, heads: int) -> tuple[str, ...]:
    """Say what `yersin verify-audit` found, in Vietnamese first."""
    if proof.first_break is not None:
        return _broken(proof.first_break)
    vi, en = _compared(heads)
    return (
        f"Nhật ký nguyên vẹn: {proof.rows:,} dòng trong {proof.blocks:,} khối; {vi}. {proof.waiting:,} dòng chưa niêm phong.",
        f"The audit is whole: {proof.rows:,} rows in {proof.blocks:,} blocks; {en}. {proof.waiting:,} rows wait for their seal.",
    )


def _compared(heads: int) -> tuple[str, str]:
    if heads:
        return f"{heads:,} đầu chuỗi đã sao ra đều khớp", f"all of {heads:,} heads that were copied out agree"
    vi = "chưa so với đầu chuỗi nào đã sao ra, nên chưa biết phần cuối có bị cắt hay không"
    return vi, "no head that was copied out was there to compare, so that a cut at the end would not show"


def _broken(found: Break) -> tuple[str, ...]:
    row, block = f"{found.seq:,}", f"{found.number:,}"
    vi, en = {
        "changed": (f"Dòng {row} đã bị sửa", f"Row {row} was changed"),
        "inserted": (f"Dòng {row} đã bị chèn thêm", f"Row {row} was put in"),
        "removed": (f"Một dòng ngay sau dòng {row} đã bị xóa", f"A row right after row {row} was removed"),
        "chain": (
            "Chuỗi bị đứt: khối này bị sửa hoặc mất",
            "The chain is broken: this block was altered or is missing",
        ),
        "signature": ("Chữ ký của khối không đúng", "The signature of this block is not of this house's key"),
        "unsealed": (
            f"Dòng {row} chờ niêm phong đã hơn một giờ: việc niêm phong đứng lại, hoặc các khối cuối bị cắt",
            f"Row {row} has waited for its seal for more than an hour: sealing stands still, or the newest blocks were cut off",
        ),
        "head": (
            "Khối mất, hoặc khác với đầu chuỗi đã sao ra",
            "This block is missing, or differs from the head copied out",
        ),
    }[found.kind]
    return f"NHẬT KÝ KHÔNG NGUYÊN VẸN. {vi} (khối {block}).", f"THE AUDIT IS NOT WHOLE. {en} (block {block})."
