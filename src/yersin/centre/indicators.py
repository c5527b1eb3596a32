"""The indicators of the national page, as data. Each says on what law it rests and who answers for it.

Sources: Circular 49/2017/TT-BYT; Law 15/2023/QH15 art. 80; Decision 2628/QD-BYT (2020); Decree 102/2025/ND-CP.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from yersin.views.indicators import Indicator, Words

_CARE = Words("Cục Quản lý Khám, chữa bệnh, Bộ Y tế", "Medical Services Administration, Ministry of Health")
_DATA = Words("Trung tâm Thông tin y tế quốc gia, Bộ Y tế", "National Health Information Centre, Ministry of Health")
_LAW = Words(
    "Luật 15/2023/QH15, điều 80; Thông tư 49/2017/TT-BYT; Quyết định 2628/QĐ-BYT (2020)",
    "Law 15/2023/QH15, article 80; Circular 49/2017/TT-BYT; Decision 2628/QD-BYT (2020)",
)
_DECREE = Words("Nghị định 102/2025/NĐ-CP, điều 5 và 14", "Decree 102/2025/ND-CP, articles 5 and 14")
_FROM = date(2024, 1, 1)
_REQUESTS = Words("yêu cầu", "requests")
_ASKED = Words(
    "Yêu cầu tư vấn từ xa (ServiceRequest) gửi trong kỳ, tính theo ngày gửi giờ Việt Nam và theo nơi đặt cơ sở hỏi; "
    "không tính bản nháp và bản ghi nhầm.",
    "Requests for remote consultation (ServiceRequest) sent in the period, by the day of sending in Vietnam and by the "
    "place of the asking facility; drafts and entries in error are not counted.",
)
_ANSWERED = Words(
    "Các yêu cầu đó mà nhiệm vụ (Task) đã hoàn thành: kết luận đã ký, tính đến thời điểm cập nhật.",
    "Those of the requests whose task (Task) is completed: the conclusion is signed, as of the moment shown.",
)
_CONSULTED = ("consultation", "answering", "post", "service", "visit", "person", "facility")

_LIST = (
    Indicator(
        id="asked", name=Words("Yêu cầu tư vấn từ xa", "Consultations asked for"), numerator=_ASKED, unit=_REQUESTS,
        basis=_LAW, owner=_CARE, valid_from=_FROM, views=_CONSULTED,
    ),
    Indicator(
        id="answered", name=Words("Đã có kết luận", "Answered"), numerator=_ANSWERED, denominator=_ASKED, unit=_REQUESTS,
        basis=_LAW, owner=_CARE, valid_from=_FROM, views=_CONSULTED,
    ),
    Indicator(
        id="median", name=Words("Thời gian trả lời, trung vị", "Time to answer, median"),
        numerator=Words(
            "Thời gian từ lúc gửi yêu cầu đến lúc ký kết luận (Task.executionPeriod.end): một nửa số yêu cầu đã trả lời "
            "nhanh hơn mức này. Yêu cầu chưa trả lời không được tính.",
            "Time from sending the request to signing the conclusion (Task.executionPeriod.end): half of the answered "
            "requests were faster. Requests not yet answered are not counted.",
        ),
        denominator=_ANSWERED, unit=Words("thời gian", "time"), basis=_LAW, owner=_CARE, valid_from=_FROM, views=_CONSULTED,
    ),
    Indicator(
        id="slow", name=Words("Thời gian trả lời, phân vị 90", "Time to answer, 90th percentile"),
        numerator=Words(
            "Như trung vị, nhưng là mức mà 9 trên 10 yêu cầu đã trả lời không vượt quá.",
            "As the median, but the time that nine out of ten answered requests stayed within.",
        ),
        denominator=_ANSWERED, unit=Words("thời gian", "time"), basis=_LAW, owner=_CARE, valid_from=_FROM, views=_CONSULTED,
    ),
    Indicator(
        id="facilities", name=Words("Cơ sở có hỏi", "Facilities that asked"),
        numerator=Words(
            "Cơ sở đã gửi ít nhất một yêu cầu trong kỳ. Có kết nối chưa phải là có sử dụng: hai con số đứng cạnh nhau.",
            "Facilities that sent at least one request in the period. Connected is not yet used: both stand side by side.",
        ),
        denominator=Words(
            "Trạm y tế, trung tâm y tế khu vực và bệnh viện tuyến tỉnh đang hoạt động và đã kết nối.",
            "Active, connected commune stations, regional health centres and provincial hospitals.",
        ),
        unit=Words("cơ sở", "facilities"), basis=_LAW, owner=_CARE, valid_from=_FROM, views=_CONSULTED,
    ),
    Indicator(
        id="records", name=Words("Hồ sơ sức khỏe đang giữ", "Health records held"),
        numerator=Words(
            "Người đang sống đã đăng ký (Patient) có ít nhất một lượt khám hoặc một chỉ số trong hồ sơ.",
            "Living registered people (Patient) with at least one encounter or observation in the record.",
        ),
        denominator=Words(
            "Dân số của tỉnh theo nguồn ghi bên cạnh. Trong dữ liệu mẫu còn có số người kê khai trong các hộ (hư cấu).",
            "Population of the province by the source named beside it. In invented data also the people counted in "
            "households (invented).",
        ),
        unit=Words("người", "people"), basis=_DECREE, owner=_DATA, valid_from=date(2025, 7, 1),
        views=("person", "visit", "measurement", "household"), suppressed=True,
    ),
    Indicator(
        id="people", name=Words("Người được hỏi ý kiến, theo tuổi và giới", "Patients asked about, by age and sex"),
        numerator=Words(
            "Yêu cầu trong kỳ theo nhóm tuổi (năm gửi trừ năm sinh) và giới của người bệnh. Số dưới 5 không hiển thị.",
            "Requests in the period by age group (year of sending less year of birth) and sex of the patient. Counts "
            "under 5 are not shown.",
        ),
        unit=_REQUESTS, basis=_LAW, owner=_CARE, valid_from=_FROM, views=_CONSULTED, suppressed=True,
    ),
)  # fmt: skip

INDICATORS: Mapping[str, Indicator] = {indicator.id: indicator for indicator in _LIST}
