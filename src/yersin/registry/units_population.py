"""Population of the 34 provinces as dated data, each figure with its source; never mixed silently.

The 23 merged provinces: Resolution 202/2025/QH15, article 1 ("quy mô dân số"). The 11 others are not in that article:
Statistical Yearbook 2024, mean population of 2024. The two measures differ (registered and estimated residents), so a
page that adds them must show both sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

RESOLUTION = "Nghị quyết 202/2025/QH15, Điều 1 (quy mô dân số)"
YEARBOOK = "Niên giám thống kê 2024, Cục Thống kê (dân số trung bình năm 2024)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """How many people a province had, as of when, who says so, and whether the figure is made up for a demo."""

    code: str
    people: int
    as_of: date
    source: str
    invented: bool = False


_RESOLVED = {
    "08": 1_865_270, "15": 1_778_785, "19": 1_799_489, "24": 3_619_433, "25": 4_022_638, "31": 4_664_124,
    "33": 3_567_943, "37": 4_412_264, "44": 1_870_845, "48": 3_065_628, "51": 2_161_755, "52": 3_583_693,
    "56": 2_243_554, "66": 3_346_853, "68": 3_872_999, "75": 4_491_408, "79": 14_002_598, "80": 3_254_170,
    "82": 4_370_046, "86": 4_257_581, "91": 4_952_238, "92": 4_199_824, "96": 2_606_672,
}  # fmt: skip
_ESTIMATED = {
    "01": 8_717_600, "04": 558_500, "11": 656_700, "12": 495_500, "14": 1_330_600, "20": 814_000,
    "22": 1_396_500, "38": 3_764_200, "40": 3_472_300, "42": 1_329_800, "46": 1_178_600,
}  # fmt: skip

POPULATION: dict[str, Population] = {
    code: Population(code=code, people=people, as_of=as_of, source=source)
    for table, as_of, source in (
        (_RESOLVED, date(2025, 6, 12), RESOLUTION),
        (_ESTIMATED, date(2024, 7, 1), YEARBOOK),
    )
    for code, people in sorted(table.items())
}


def invented(counts: dict[str, int], as_of: date) -> dict[str, Population]:
    """Give the population of an invented country, by province: every figure says that it is invented."""
    return {
        code: Population(code=code, people=people, as_of=as_of, source="Dữ liệu mẫu (hư cấu)", invented=True)
        for code, people in counts.items()
    }
