"""Short illnesses and injuries: what is common at which age and in which month, what is tested and what is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from yersin.app.demo import laboratory as lab
from yersin.app.demo.chart import Chart, Diagnosis, Medicine, Visit
from yersin.app.demo.codes import JSON
from yersin.app.demo.documents import chest_film
from yersin.app.demo.vaccines import RABIES, immunise

PARACETAMOL = Medicine(
    "N02BE01",
    "Paracetamol 500 mg",
    "Uống 1 viên khi sốt trên 38,5 °C hoặc đau, cách nhau ít nhất 6 giờ",
    rate=(3, 1, "viên"),
    days=3,
)
PARACETAMOL_CHILD = Medicine(
    "N02BE01",
    "Paracetamol 150 mg gói bột",
    "Uống 1 gói khi sốt trên 38,5 °C, cách nhau ít nhất 6 giờ",
    rate=(3, 1, "gói"),
    days=3,
)
AMOXICILLIN = Medicine("J01CA04", "Amoxicillin 500 mg", "Uống 1 viên, ngày 3 lần, sau ăn", rate=(3, 1, "viên"), days=7)
AZITHROMYCIN = Medicine("J01FA10", "Azithromycin 250 mg", "Uống 1 viên, ngày 1 lần, trước ăn 1 giờ", days=5)
AMOXICILLIN_CHILD = Medicine(
    "J01CA04", "Amoxicillin 250 mg gói bột", "Uống 1 gói, ngày 2 lần", rate=(2, 1, "gói"), days=7
)
CEFTRIAXONE = Medicine(
    "J01DD04", "Ceftriaxon 1 g lọ tiêm", "Tiêm tĩnh mạch chậm 1 lọ, ngày 2 lần", rate=(2, 1, "lọ"), days=7
)
ORS = Medicine("A07CA", "Oresol gói 4,1 g", "Pha 1 gói với 200 ml nước, uống thay nước", rate=(3, 1, "gói"), days=3)
ZINC = Medicine("A12CB01", "Kẽm 20 mg", "Uống 1 viên, ngày 1 lần", days=10)
OMEPRAZOLE = Medicine("A02BC01", "Omeprazol 20 mg", "Uống 1 viên trước ăn sáng 30 phút", days=28)
LORATADINE = Medicine("R06AX13", "Loratadin 10 mg", "Uống 1 viên, ngày 1 lần, buổi tối", days=7)
IBUPROFEN = Medicine("M01AE01", "Ibuprofen 400 mg", "Uống 1 viên, ngày 2 lần, sau ăn no", rate=(2, 1, "viên"), days=5)
NITROFURANTOIN = Medicine(
    "J01XE01", "Nitrofurantoin 100 mg", "Uống 1 viên, ngày 2 lần, sau ăn", rate=(2, 1, "viên"), days=5
)
CHLORAMPHENICOL = Medicine(
    "S01AA01", "Cloramphenicol 0,4 % nhỏ mắt", "Nhỏ mỗi mắt 1 giọt, ngày 4 lần", rate=(4, 1, "giọt"), days=5
)
SALBUTAMOL = Medicine("R03AC02", "Salbutamol 100 mcg/liều xịt", "Xịt 2 liều khi khó thở", rate=(3, 2, "liều"), days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Illness:
    """A short illness. `ages` weighs it for under 5, 5 to 14, 15 to 59, 60 and over; `season` are its usual months."""

    diagnosis: Diagnosis
    ages: tuple[float, float, float, float]
    season: tuple[int, ...] = ()
    fever: float = 0
    breathless: float = 0
    medicines: tuple[Medicine, ...] = ()
    for_children: tuple[Medicine, ...] = ()
    days: int = 6
    stay: float = 0  # chance of a stay in hospital
    work_up: Callable[[Chart, Visit], list[JSON]] | None = None
    sex: str = ""
    specialty: str = "internal"
    after: Callable[[Chart, Visit], None] | None = None


def _dengue(chart: Chart, visit: Visit) -> list[JSON]:
    results = lab.count(chart, visit, white=3.6, platelets=chart.rng.triangular(25, 150, 95))
    chart.finding(visit, lab.NS1, "Dương tính", "POS")
    return results


def _infection(chart: Chart, visit: Visit) -> list[JSON]:
    results = lab.count(chart, visit, white=chart.rng.uniform(11, 19))
    chart.test(visit, lab.CRP, chart.rng.uniform(24, 140))
    return results


def _pneumonia(chart: Chart, visit: Visit) -> list[JSON]:
    chest_film(chart, visit, "Đám mờ phế nang thùy dưới phổi phải, phù hợp viêm phổi.")
    return _infection(chart, visit)


def _rabies(chart: Chart, visit: Visit) -> None:
    """Give the doses that follow a bite; those still to come are not yet recorded."""
    for number, days in enumerate((0, 3, 7, 28), 1):
        day = visit.day + timedelta(days=days)
        if chart.alive(day):
            immunise(chart, day, RABIES, number, targets="Bệnh dại", visit=visit if not days else None)


def _count(chart: Chart, visit: Visit) -> list[JSON]:
    return lab.count(chart, visit)


WET, COLD, WARM = (6, 7, 8, 9, 10, 11), (10, 11, 12, 1, 2, 3), (4, 5, 6, 7, 8)
ILLNESSES: tuple[Illness, ...] = (
    Illness(
        diagnosis=Diagnosis("J06.9", "Nhiễm trùng hô hấp trên cấp, không đặc hiệu"),
        ages=(30, 26, 17, 12),
        season=COLD,
        fever=1.4,
        medicines=(PARACETAMOL,),
        for_children=(PARACETAMOL_CHILD,),
    ),
    Illness(
        diagnosis=Diagnosis("J02.9", "Viêm họng cấp, không đặc hiệu"),
        ages=(11, 14, 9, 6),
        season=COLD,
        fever=1.3,
        medicines=(PARACETAMOL, AMOXICILLIN),
        for_children=(PARACETAMOL_CHILD, AMOXICILLIN_CHILD),
        days=7,
    ),
    Illness(
        diagnosis=Diagnosis("J20.9", "Viêm phế quản cấp, không đặc hiệu"),
        ages=(11, 6, 6, 11),
        season=COLD,
        fever=1.1,
        breathless=4,
        medicines=(AMOXICILLIN, PARACETAMOL),
        for_children=(AMOXICILLIN_CHILD, PARACETAMOL_CHILD),
        days=9,
    ),
    Illness(
        diagnosis=Diagnosis("J18.9", "Viêm phổi, không đặc hiệu"),
        ages=(5, 1.6, 1.5, 5),
        season=COLD,
        fever=2.1,
        breathless=11,
        medicines=(CEFTRIAXONE, PARACETAMOL),
        days=14,
        stay=0.85,
        work_up=_pneumonia,
        specialty="respiratory",
    ),
    Illness(
        diagnosis=Diagnosis("A09", "Tiêu chảy và viêm dạ dày ruột nghi do nhiễm trùng"),
        ages=(15, 8, 6, 6),
        season=WARM,
        fever=0.7,
        medicines=(ORS,),
        for_children=(ORS, ZINC),
        days=4,
    ),
    Illness(
        diagnosis=Diagnosis("B08.4", "Viêm miệng mụn nước do virus đường ruột có phát ban (tay chân miệng)"),
        ages=(8, 1.2, 0, 0),
        season=(3, 4, 5, 9, 10, 11),
        fever=1.2,
        for_children=(PARACETAMOL_CHILD,),
        days=8,
    ),
    Illness(
        diagnosis=Diagnosis("B01.9", "Thủy đậu không biến chứng"),
        ages=(2.5, 4, 0.6, 0.1),
        season=(2, 3, 4, 5, 6),
        fever=1.1,
        medicines=(PARACETAMOL, LORATADINE),
        for_children=(PARACETAMOL_CHILD,),
        days=9,
    ),
    Illness(
        diagnosis=Diagnosis("A97.0", "Sốt xuất huyết Dengue không có dấu hiệu cảnh báo"),
        ages=(2, 5, 4.5, 2),
        season=WET,
        fever=2.5,
        medicines=(PARACETAMOL, ORS),
        for_children=(PARACETAMOL_CHILD, ORS),
        days=8,
        stay=0.5,
        work_up=_dengue,
        specialty="infectious",
    ),
    Illness(
        diagnosis=Diagnosis("H66.9", "Viêm tai giữa, không đặc hiệu"),
        ages=(6, 4, 1, 0.5),
        season=COLD,
        fever=1.2,
        medicines=(AMOXICILLIN,),
        for_children=(AMOXICILLIN_CHILD, PARACETAMOL_CHILD),
        days=8,
    ),
    Illness(
        diagnosis=Diagnosis("K29.7", "Viêm dạ dày, không đặc hiệu"),
        ages=(0, 1, 12, 11),
        medicines=(OMEPRAZOLE,),
        days=25,
    ),
    Illness(
        diagnosis=Diagnosis("K21.9", "Bệnh trào ngược dạ dày - thực quản không viêm thực quản"),
        ages=(0, 0.2, 6, 6),
        medicines=(OMEPRAZOLE,),
        days=30,
    ),
    Illness(diagnosis=Diagnosis("M54.5", "Đau vùng thắt lưng"), ages=(0, 0, 12, 16), medicines=(IBUPROFEN,), days=14),
    Illness(
        diagnosis=Diagnosis("L23.9", "Viêm da tiếp xúc dị ứng, không đặc hiệu"),
        ages=(4, 4, 5, 4),
        season=WARM,
        medicines=(LORATADINE,),
        days=8,
    ),
    Illness(
        diagnosis=Diagnosis("H10.9", "Viêm kết mạc, không đặc hiệu"),
        ages=(3, 5, 4, 4),
        season=(8, 9, 10),
        medicines=(CHLORAMPHENICOL,),
        for_children=(CHLORAMPHENICOL,),
        days=7,
    ),
    Illness(
        diagnosis=Diagnosis("N39.0", "Nhiễm trùng đường tiết niệu, vị trí không xác định"),
        ages=(0, 0.6, 6, 7),
        fever=0.6,
        sex="female",
        medicines=(NITROFURANTOIN,),
        days=8,
        work_up=_infection,
    ),
    Illness(
        diagnosis=Diagnosis("S61.9", "Vết thương cổ tay và bàn tay, phần không xác định"),
        ages=(1, 4, 5, 2),
        medicines=(PARACETAMOL, AMOXICILLIN),
        for_children=(PARACETAMOL_CHILD,),
        days=10,
    ),
    Illness(
        diagnosis=Diagnosis("S82.9", "Gãy xương cẳng chân, phần không xác định"),
        ages=(0, 0.4, 1, 1.2),
        medicines=(IBUPROFEN, PARACETAMOL),
        days=80,
        stay=0.7,
        work_up=_count,
        specialty="surgery",
    ),
    Illness(
        diagnosis=Diagnosis("K35.8", "Viêm ruột thừa cấp, khác"),
        ages=(0, 0.8, 0.8, 0.3),
        fever=1.2,
        medicines=(CEFTRIAXONE, PARACETAMOL),
        days=12,
        stay=1,
        work_up=_infection,
        specialty="surgery",
    ),
    Illness(
        diagnosis=Diagnosis("Z20.3", "Tiếp xúc với bệnh dại (bị chó cắn)"),
        ages=(0.6, 1.6, 0.8, 0.6),
        season=WARM,
        days=28,
        after=_rabies,
    ),
    Illness(diagnosis=Diagnosis("G44.2", "Đau đầu do căng thẳng"), ages=(0, 1, 6, 4), medicines=(PARACETAMOL,), days=5),
    Illness(
        diagnosis=Diagnosis("T63.0", "Ngộ độc do rắn độc cắn"),
        ages=(0, 0.2, 0.3, 0.2),
        season=WET,
        days=10,
        stay=1,
        work_up=_count,
        specialty="surgery",
    ),
)
