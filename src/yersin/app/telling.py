"""What a command says when it cannot go on: a line or two that people can act on, without a stack trace or a patient's data."""

from __future__ import annotations

from yersin.db import DatabaseFailure
from yersin.fhir.problem import Problem
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
