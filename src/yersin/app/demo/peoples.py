"""Ethnic groups: which live where, and how they name people. Codes: Decision 121-TCTK/PPCĐ (1979), as in VN Core.

Shares by province are rounded from the 2019 census for rural communes; wards are taken as nine tenths Kinh.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from yersin.app.demo.chance import Weighted, weighted
from yersin.app.demo.names import Name, compose, kinh


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """An ethnic group with its family names; `male` and `female` are its own given names, else those of the Kinh."""

    code: str
    name: str
    families: Weighted[str] | None = None
    male_middle: Weighted[str] | None = None
    female_middle: Weighted[str] | None = None
    male: Weighted[str] | None = None
    female: Weighted[str] | None = None
    family_last: bool = False


KINH = People(code="01", name="Kinh")
PEOPLES: dict[str, People] = {
    "01": KINH,
    "02": People(
        code="02", name="Tày",
        families=weighted(
            "Nông 16, Hoàng 18, Lương 10, Ma 10, Hà 6, Triệu 5, Nguyễn 12, Bế 4, Đinh 3, Lý 5, La 4, Lục 4, Chu "
            "4, Hứa 4"
        ),
    ),
    "03": People(
        code="03", name="Thái",
        families=weighted("Lò 34, Quàng 14, Lường 12, Cầm 8, Vi 9, Hà 6, Cà 5, Tòng 5, Lù 4, Điêu 3, Bạc 3"),
        male=weighted(
            "Ánh, Biên 2, Chiến 2, Dương, Hặc, Inh 2, Khặm, Mạnh 2, Phương, Pâng 2, Quân 2, Thoan, Tiến 2, Vui, "
            "Xiên, Ọi"
        ),
        female=weighted(
            "Ánh, Bánh, Cương, Diên 2, Hặc, Hoa 2, Lả 2, Loan 2, Nọi 2, Phượng 2, Pâng, Thơm 2, Xuân 2, Ương, Yêu"
        ),
    ),
    "05": People(
        code="05", name="Khơ-me",
        families=weighted("Thạch 22, Sơn 16, Kim 14, Lâm 14, Danh 16, Châu 8, Kiên 5, Trần 3, Thị 2"),
        male_middle=weighted("Sa 2, Sóc 2, Minh, Văn 3, Thanh 2, Hoàng"),
        female_middle=weighted("Thị 5, Sa 2, Ngọc, Sô, Kim"),
        male=weighted("Rây 2, Kha 2, Rinh, Khone, Phol, Rane, Thol, Ươl, Vuthy 2, Thành"),
        female=weighted("Ry 2, Phia 2, Rương, Sinh, Thia, Hương, Phương, Đa, Ni"),
    ),
    "06": People(code="06", name="Mường", families=weighted("Bùi 42, Quách 12, Đinh 14, Hà 8, Phạm 8, Bạch 5, Nguyễn 11")),
    "07": People(
        code="07", name="Nùng",
        families=weighted(
            "Nông 22, Hoàng 16, Lý 6, Lương 9, Lù 8, Vi 6, Hứa 5, Mông 5, Lục 5, Nguyễn 8, Chu 5, Sầm 3, Thền 2"
        ),
    ),
    "08": People(
        code="08", name="HMông",
        families=weighted("Giàng 20, Vàng 18, Sùng 14, Thào 12, Lý 8, Lầu 6, Ly 4, Mùa 5, Má 4, Cứ 3, Hạng 4, Vừ 4"),
        male_middle=weighted("A 62, Seo 20, Văn 8, Mí 10"),
        female_middle=weighted("Thị 84, Seo 6, Thị Mai 3"),
        male=weighted(
            "Páo 3, Chứ 3, Dơ 2, Lử 2, Pao 2, Sình 2, Tủa 2, Say, Chớ 2, Sáng 2, Dình 2, Phử, Của 2, Lềnh, Sử 2, "
            "Vảng, Già, Thắng, Nhà, Giống"
        ),
        female=weighted(
            "Mỷ 3, Dợ 3, Sua 2, Máy 2, Xua, Dua 2, Pà 2, Mai 2, Sông, Dở 2, Ca, Chở 2, Súa 2, Và, Chú 2, Lan, "
            "Blía"
        ),
    ),
    "09": People(
        code="09", name="Dao",
        families=weighted("Triệu 20, Đặng 18, Bàn 16, Phùng 8, Lý 12, Chảo 8, Tẩn 8, Phàn 8"),
        male_middle=weighted("Văn 44, Tài 12, Láo 12, Phụ 10, Kim 10, Tiến 12"),
        female_middle=weighted("Thị 52, Mùi 34, Lở 14"),
        male=weighted("Phúc 2, Lụ, Vảng 2, Tả 2, Quang, Hòa, San, Tá 2, Sếnh, Lở, Kinh, Thành 2, Minh"),
        female=weighted("Mẩy 4, Mùi 3, Nái 2, Pham 2, Ghến, Chiêm, Coi, Liều, Hương, Phẩy 2, Nhậy"),
    ),
    "10": People(
        code="10", name="Gia-rai",
        families=weighted("Siu 22, Ksor 20, Rơ Châm 18, Kpă 12, Nay 12, Rah Lan 10, Rơ Mah 8"),
        male=weighted("Hùng, Thuin, Bler, Djơi, Khôi, Tuynh, Hyui, Phin, Lâm, Suan"),
        female=weighted("H'Bia 2, H'Lan, H'Nhung, H'Ngọc, H'Un, H'Phương, H'Đoan, H'Lưm"),
    ),
    "12": People(
        code="12", name="Ê-đê", family_last=True,
        families=weighted("Niê 36, Mlô 18, Êban 12, Kbuôr 10, Ayŭn 8, Byă 10, Ktla 6"),
        male=weighted("Y Bhăm 2, Y Thuyên, Y Blô, Y Wan, Y Djuang, Y Khoa, Y Nguyên, Y Tuyên, Y Lâm, Y Suôn"),
        female=weighted("H'Hen 2, H'Bia, H'Nuôn, H'Djuôn, H'Linh 2, H'Rô, H'Lan, H'Wen, H'Yuê"),
    ),
    "13": People(
        code="13", name="Ba na",
        families=weighted("Đinh 60, Bá 8, A 12, Y 8"),
        male=weighted("Hmưnh, Thuyn, Byưm, Khưh, Văn, Grih, Plưng, Nênh, Alíp"),
        female=weighted("Thị Bơi, Hnhir, Thị Lah, Bleng, Thị Jơi, Phyin, Thị Bích"),
    ),
}  # fmt: skip

_MIX = {
    "04": "01 9, 02 40, 07 30, 08 11, 09 10", "08": "01 36, 02 25, 08 20, 09 13, 07 6", "11": "03 40, 08 38, 01 18, 09 4",
    "12": "03 36, 08 25, 01 22, 09 17", "14": "03 54, 01 18, 08 18, 06 10", "15": "01 30, 02 18, 08 26, 09 16, 07 6, 03 4",
    "19": "01 62, 02 24, 07 8, 09 6", "20": "07 42, 02 36, 01 17, 09 5", "22": "01 88, 09 7, 02 5", "24": "01 90, 07 6, 02 4",
    "25": "01 75, 06 23, 09 2", "38": "01 81, 06 12, 03 7", "40": "01 87, 03 11, 08 2", "51": "01 84, 13 16",
    "52": "01 73, 10 18, 13 9", "66": "01 76, 12 16, 07 5, 02 3", "68": "01 90, 07 5, 02 5", "86": "01 90, 05 10",
    "91": "01 91, 05 9", "92": "01 83, 05 17", "96": "01 95, 05 5",
}  # fmt: skip
_RURAL = {province: weighted(mix) for province, mix in _MIX.items()}


def draw(rng: Random, province: str, *, rural: bool) -> People:
    """Draw the people a household belongs to."""
    mix = _RURAL.get(province)
    if mix is None or (not rural and rng.random() < 0.9):
        return KINH
    return PEOPLES[mix.pick(rng)]


def name(rng: Random, people: People, family: str, sex: str, year: int) -> Name:
    """Name somebody the way her people do."""
    own = people.female if sex == "female" else people.male
    if own is None:
        return kinh(rng, family, sex, year)
    middle = people.female_middle if sex == "female" else people.male_middle
    if people.family_last:
        given = tuple(own.pick(rng).split())
        return Name(" ".join((*given, family)), family, given)
    plain = "" if middle is None and "'" in own.pick(rng) else _plain_middle(rng, middle, sex, people)
    return compose(family, plain, own.pick(rng))


def _plain_middle(rng: Random, middle: Weighted[str] | None, sex: str, people: People) -> str:
    if middle is not None:
        return middle.pick(rng)
    if people.code != "03":
        return ""
    return "Thị" if sex == "female" else "Văn"
