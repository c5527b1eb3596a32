"""Invented minutes for the tests of typesetting and signing."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from yersin.telehealth.documents.minutes import (
    Conclusion,
    ConsultationMinutes,
    Diagnosis,
    Opinion,
    Participant,
    PatientOfMinutes,
    Point,
    SignaturePlace,
    TestResult,
)

AT = datetime(2026, 10, 14, 3, 42, tzinfo=UTC)
HUB = "Bệnh viện Trung ương Hòa Khánh"
STATION = "Trạm Y tế xã Suối Bạc"


def _session() -> dict[str, Any]:
    """The session and its sides."""
    return {
        "number": "0042/BB-HCTX",
        "session_number": "TX-2026-000317",
        "activity": "Hội chẩn tư vấn khám bệnh, chữa bệnh từ xa",
        "remote_mode": "Hỗ trợ giữa hai cơ sở (NĐ 96/2023, điều 88)",
        "started_at": datetime(2026, 10, 14, 2, 5, tzinfo=UTC),
        "ended_at": datetime(2026, 10, 14, 2, 38, tzinfo=UTC),
        "issued_at": AT,
        "place": "Hà Nội",
        "issuer": Point(name=HUB, parent="Bộ Y tế"),
        "requesting": Point(name=STATION, point="Phòng khám số 1"),
        "consulted": (Point(name=HUB, point="Trung tâm Y tế từ xa"),),
        "reason": "Đau ngực trái từng cơn hai ngày nay, tăng khi gắng sức, kèm khó thở nhẹ.\n\n"
        "Trạm đã đo điện tim hai lần và gửi kèm.",
    }


def _case() -> dict[str, Any]:
    """The patient and what was known."""
    return {
        "patient": PatientOfMinutes(
            name="Giàng Thị Mỷ",
            gender="Nữ",
            record_number="HS-25-001904",
            born=date(1971, 3, 9),
            age="55 tuổi",
            personal_number="999171000042",
            insurance_number="DT 2 99 9900000042",
            ward="Lưu theo dõi, giường 2",
            admitted_at=datetime(2026, 10, 14, 0, 20, tzinfo=UTC),
            address="Bản Suối Bạc, xã Suối Bạc",
            allergies="Penicillin (nổi mề đay)",
        ),
        "history": "Tăng huyết áp 8 năm, uống amlodipin 5 mg không đều. Đái tháo đường típ 2 phát hiện năm 2023, HbA1c gần "
        "nhất 8,1 %. Cơn đau đầu tiên lúc 21 giờ hôm trước, kéo dài khoảng 15 phút, lan lên vai trái.",
        "findings": "Tỉnh, tiếp xúc tốt. Mạch 92 lần/phút, huyết áp 158/94 mmHg, SpO₂ 96 %. Tim đều, không tiếng thổi. "
        "Phổi trong. Bụng mềm.",
        "tests": (
            TestResult(
                name="Troponin I hs", value="38 ng/L ↑", reference="≤ 16", at=datetime(2026, 10, 14, 1, 10, tzinfo=UTC)
            ),
            TestResult(name="Glucose máu", value="11,4 mmol/L ↑", reference="3,9 – 6,4"),
            TestResult(name="Điện tim 12 chuyển đạo", value="ST chênh xuống 1 mm V4–V6", reference=""),
        ),
        "attachments": ("Điện tim 12 chuyển đạo (2 tờ)", "Ảnh chụp X-quang ngực thẳng (DICOM)"),
        "working_diagnoses": (Diagnosis(text="Cơn đau thắt ngực không ổn định", icd10="I20.0"),),
    }


def _answers() -> dict[str, Any]:
    """What was said and concluded."""
    return {
        "conclusions": (
            Conclusion(
                question="Người bệnh có cần chuyển ngay trong đêm không?",
                answer="Có. Nhồi máu cơ tim không ST chênh lên, nguy cơ cao; chuyển bệnh viện tỉnh trong vòng 2 giờ bằng xe "
                "cứu thương có monitor và nhân viên y tế đi cùng.",
            ),
            Conclusion(
                question="Dùng thuốc gì trong lúc chờ xe?",
                answer="Aspirin 300 mg nhai ngay; nitroglycerin ngậm dưới lưỡi nếu huyết áp tâm thu > 100 mmHg.\n"
                "Không dùng penicillin vì tiền sử dị ứng.",
            ),
        ),
        "opinions": (
            Opinion(
                name="TS.BS. Lò Văn Thịnh",
                role="Chuyên gia tim mạch",
                words="Động học troponin và biến đổi ST phù hợp hội chứng vành cấp. Điểm GRACE khoảng 132.",
            ),
            Opinion(name="BS. Vàng A Páo", role="Bác sĩ trạm", words="Gia đình đồng ý chuyển. Xe đến sau 35 phút."),
        ),
        "concluded_diagnoses": (
            Diagnosis(text="Nhồi máu cơ tim cấp không ST chênh lên", icd10="I21.4"),
            Diagnosis(text="Tăng huyết áp vô căn", icd10="I10"),
            Diagnosis(text="Đái tháo đường típ 2", icd10="E11"),
        ),
        "treatment_plan": "Aspirin 300 mg nhai, sau đó 81 mg mỗi ngày. Thở oxy nếu SpO₂ < 90 %. Đặt đường truyền tĩnh mạch.",
        "care": "Theo dõi mạch, huyết áp, SpO₂ mỗi 15 phút; đo lại điện tim khi đau.",
        "transfer": "Chuyển khoa Tim mạch can thiệp, bệnh viện đa khoa tỉnh; đã báo trực nhận.",
        "follow_up": "Trạm báo lại kết quả trong 7 ngày.",
        "advice": "Nằm nghỉ tại chỗ, không tự đi lại; báo ngay khi đau tăng.",
    }


def _people() -> dict[str, Any]:
    """Who took part, agreed and signs."""
    return {
        "consent": "Người bệnh đã được giải thích và đồng ý hội chẩn từ xa lúc 08:50 ngày 14/10/2026",
        "recording": "Có ghi hình; mã bản ghi REC-000317, lưu 10 năm",
        "technical_quality": "Hình và tiếng rõ; gián đoạn một lần 12 giây",
        "chair": "TS.BS. Lò Văn Thịnh",
        "secretary": "BS. Nguyễn Hồng Ánh",
        "participants": (
            Participant(
                name="TS.BS. Lò Văn Thịnh",
                title="Trưởng khoa Tim mạch",
                licence="990001/BYT-CCHN",
                facility=HUB,
                role="Chủ tọa",
            ),
            Participant(
                name="BS. Nguyễn Hồng Ánh", title="Bác sĩ", licence="990002/BYT-CCHN", facility=HUB, role="Thư ký"
            ),
            Participant(
                name="BS. Vàng A Páo", title="Trưởng trạm", licence="990003/SL-CCHN", facility=STATION, role="Đề nghị"
            ),
        ),
        "signatures": (
            SignaturePlace(
                field="consulted",
                heading="Đại diện bên tư vấn",
                name="TS.BS. Lò Văn Thịnh",
                title="Chủ tọa",
                facility=HUB,
            ),
            SignaturePlace(
                field="requesting",
                heading="Đại diện bên đề nghị",
                name="BS. Vàng A Páo",
                title="Trưởng trạm",
                facility=STATION,
            ),
        ),
        "verification_address": "https://yersin.example/verify/7HQ2-M9KD-41TX-0WBN",
        "verification_code": "7HQ2-M9KD-41TX-0WBN",
    }


def minutes(**changes):
    return ConsultationMinutes(**(_session() | _case() | _answers() | _people() | changes))
