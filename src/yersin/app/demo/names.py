"""Vietnamese names by sex and year of birth: family name, middle names, given name, in written order.

Family names: shares of the Kinh after Lê Trung Hoa, "Họ và tên người Việt Nam" (2005). Middle and given names: own
estimate of their rise and fall by cohort; Thị and Văn fade, two-word given names of girls and boys rise.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from yersin.app.demo.chance import Weighted, weighted


class Name(NamedTuple):
    """A name as FHIR wants it."""

    text: str
    family: str
    given: tuple[str, ...]


def compose(family: str, *given: str) -> Name:
    """Put a name together in its written order."""
    words = tuple(word for part in given for word in part.split())
    return Name(" ".join((family, *words)), family, words)


_REST = (
    "Đặng 2.1, Bùi 2, Đỗ 1.4, Hồ 1.3, Ngô 1.3, Dương 1, Lý 0.5, Đinh 0.9, Đào 0.8, Trương 1.2, Lương 0.7, Mai 0.6, "
    "Tô 0.4, Tạ 0.5, Hà 0.6, Phùng 0.6, Chu 0.4, Trịnh 0.7, Đoàn 0.6, Cao 0.7, Tống 0.3, Lâm 0.5, Vương 0.2, Thái 0.3, "
    "La 0.2, Quách 0.2, Kiều 0.2, Doãn 0.1, Nghiêm 0.2, Tăng 0.2, Châu 0.2, Từ 0.1, Văn 0.2, Thân 0.2, Lưu 0.4"
)
NORTH = weighted(f"Nguyễn 38.4, Trần 11, Lê 9.5, Phạm 7.1, Hoàng 4.6, Huỳnh 0.5, Phan 4.5, Vũ 3.4, Võ 0.5, {_REST}")
SOUTH = weighted(f"Nguyễn 38.4, Trần 11, Lê 9.5, Phạm 7.1, Hoàng 0.8, Huỳnh 4.3, Phan 4.5, Vũ 0.5, Võ 3.4, {_REST}")

MALE_MIDDLE = (
    weighted("Văn 58, Đình 6, Hữu 6, Xuân 5, Đức 5, Ngọc 4, Quang 4, Công 4, Bá 3, Trọng 3, Thanh 2"),
    weighted("Văn 44, Đức 8, Minh 5, Quang 6, Hữu 5, Đình 5, Xuân 4, Ngọc 5, Thanh 5, Anh 4, Quốc 4, Công 5"),
    weighted(
        "Văn 20, Đức 10, Minh 11, Quang 9, Tuấn 6, Anh 5, Hoàng 7, Quốc 6, Thanh 5, Ngọc 5, Xuân 3, Thế 4, Duy 5, "
        "Trung 4"
    ),
    weighted(
        "Văn 6, Minh 17, Gia 14, Đức 9, Bảo 8, Hoàng 8, Quang 6, Anh 6, Tuấn 5, Nhật 5, Đăng 6, Hải 4, Thiên 4, Khánh 2"
    ),
)
MALE_GIVEN = (
    weighted(
        "Hùng 6, Sơn 5, Bình 6, Thành 6, Minh 5, Tâm 3, Hải 5, Long 3, Thắng 4, Tuấn 3, Dũng 5, Hòa 4, Phúc 3, "
        "Lợi 3, Cường 3, Quý 3, Tư 3, Ba 2, Chiến 3, Đức 3, Khoa 1, Năm 2, Sáu 1, Hợi 2, Thìn 2, Tý 2, Lộc 2, Thọ "
        "3"
    ),
    weighted(
        "Hùng 7, Dũng 6, Tuấn 7, Cường 6, Sơn 5, Hải 5, Thắng 5, Long 4, Nam 4, Thành 5, Bình 4, Minh 4, Hưng 3, "
        "Đức 3, Tùng 2, Toàn 3, Quân 2, Trung 3, Hiếu 2, Phong 2, Kiên 2, Vinh 2, Tân 2, Khánh 2, Chung 1, Thủy 1"
    ),
    weighted(
        "Anh 8, Hiếu 5, Nam 5, Huy 5, Đạt 5, Tùng 3, Dương 4, Đức 5, Minh 5, Long 5, Hoàng 4, Quân 4, Khánh 3, "
        "Sơn 3, Thành 4, Trung 3, Linh 1, Phúc 3, Kiên 3, Tuấn 4, Hải 3, Nghĩa 2, Việt 2, Phong 3, Vũ 3, Thịnh 2"
    ),
    weighted(
        "Khang 7, Minh 7, Bảo 7, Khôi 6, Phúc 6, An 5, Nam 4, Quân 4, Anh 5, Huy 4, Long 4, Phong 4, Khoa 4, "
        "Nguyên 4, Đạt 3, Kiệt 4, Hưng 3, Duy 2, Tuệ 2, Lâm 3, Bách 2, Thịnh 3, Dũng 1, Hải 2"
    ),
)
FEMALE_MIDDLE = (
    weighted("Thị 84, Thu 2, Kim 3, Ngọc 3, Thanh 2, Bích 2, Minh 1, Hồng 3"),
    weighted("Thị 70, Thu 5, Kim 4, Ngọc 4, Thanh 5, Bích 3, Minh 2, Hồng 4, Thúy 3"),
    weighted(
        "Thị 42, Thu 8, Ngọc 8, Thanh 6, Phương 7, Thùy 6, Minh 4, Hồng 4, Kim 3, Mai 3, Khánh 3, Quỳnh 3, Bích 3"
    ),
    weighted(
        "Thị 8, Ngọc 13, Bảo 11, Khánh 9, Gia 6, Minh 7, Phương 8, Quỳnh 6, Thảo 4, Tường 4, Hà 5, An 4, Diệu 3, "
        "Tuệ 3, Thanh 3, Thùy 3, Mai 3"
    ),
)
FEMALE_GIVEN = (
    weighted(
        "Hoa 6, Lan 6, Hồng 4, Mai 4, Nga 3, Tuyết 3, Sáu 2, Tư 2, Bé 1, Hương 4, Liên 4, Thanh 3, Bình 3, Hạnh "
        "3, Nhung 2, Loan 3, Xuân 3, Thu 4, Minh 2, Cúc 3, Yến 2, Vân 3, Đào 3, Lý 2, Thơm 2, Mận 2, Tâm 3"
    ),
    weighted(
        "Hương 6, Hà 6, Lan 5, Hoa 5, Hạnh 5, Thủy 5, Nga 4, Hằng 5, Mai 4, Loan 3, Thu 4, Hiền 4, Vân 4, Oanh 2, "
        "Yến 3, Dung 4, Huyền 3, Phương 4, Nhung 3, Liên 3, Thảo 2, Tuyết 2, Ngọc 2, Hồng 4, Thúy 3, Xuân 2"
    ),
    weighted(
        "Linh 8, Trang 7, Anh 7, Huyền 5, Hương 4, Thảo 5, Phương 5, Ngọc 4, Hà 4, Hằng 4, Ly 3, Mai 4, Nhung 3, "
        "Thủy 3, Yến 3, Vy 3, My 3, Trâm 3, Quỳnh 4, Chi 3, Nga 2, Giang 2, Hiền 3, Vân 3, Như 2"
    ),
    weighted(
        "Anh 9, Nhi 6, Vy 6, Ngọc 6, Linh 6, Chi 5, An 6, Hân 6, Thư 5, Trang 4, My 4, Ngân 4, Châu 4, Phương 4, "
        "Mai 3, Khuê 2, Trâm 3, Như 4, Diệp 3, Quỳnh 3, Giang 2, Thảo 2, Yến 3"
    ),
)  # fmt: skip
SECOND_FEMALE = weighted(
    "Thu 6, Ngọc 6, Thanh 5, Hồng 4, Minh 3, Kim 3, Phương 5, Thùy 4, Bích 3, Mai 3, Quỳnh 2, Khánh 2"
)
SECOND_MALE = weighted("Minh 5, Quang 4, Bảo 5, Gia 5, Đức 4, Hoàng 4, Anh 4, Nhật 3, Thiên 2, Đăng 3")


def cohort(year: int) -> int:
    """Which of four generations of names a year of birth belongs to."""
    return 0 if year < 1965 else 1 if year < 1988 else 2 if year < 2008 else 3


def kinh_family(rng: Random, *, south: bool) -> str:
    """Draw a family name of the Kinh."""
    return (SOUTH if south else NORTH).pick(rng)


def kinh(rng: Random, family: str, sex: str, year: int) -> Name:
    """Draw middle and given names of the Kinh, and of peoples who name their children the same way."""
    age = cohort(year)
    middles, givens = (FEMALE_MIDDLE, FEMALE_GIVEN) if sex == "female" else (MALE_MIDDLE, MALE_GIVEN)
    middle, given = middles[age].pick(rng), givens[age].pick(rng)
    second = _second(rng, sex, age, middle)
    if given in {middle, second}:
        given = "Hòa"
    return compose(family, middle, second, given)


def _second(rng: Random, sex: str, age: int, middle: str) -> str:
    chance = ((0.02, 0.05, 0.1, 0.3), (0.08, 0.22, 0.35, 0.35))[sex == "female"][age]
    if rng.random() >= chance:
        return ""
    pool: Weighted[str] = SECOND_FEMALE if sex == "female" else SECOND_MALE
    second = pool.pick(rng)
    return "" if second == middle else second
