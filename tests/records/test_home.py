"""The first page shows each role its next work: numbers of today that lead to where the work is done."""

from __future__ import annotations

import re

import pytest
from tests.running import House

#: for each of the cast: words of the cards, and where they lead
CARDS = {
    "tram": (("Lượt khám đang diễn ra", "Vừa khám gần đây", "Yêu cầu đã gửi"), ("/records/", "/telehealth/sent", "/people/new")),
    "bstinh": (("Yêu cầu hội chẩn", "Yêu cầu đã gửi"), ("/telehealth/queue", "/telehealth/sent")),
    "chuyengia": (("Yêu cầu hội chẩn", "đang chờ nhận", "quá hạn"), ("/telehealth/queue",)),
    "benhnhan": (("Hồ sơ của tôi", "Dị ứng: Penicillin", "Ai đã xem", "Lượt khám gần nhất"), ("/my-record", "/my-record/who-looked")),
    "boyte": (("Cả nước, 30 ngày qua", "Tỉnh hỏi nhiều nhất", "Tính đến"), ("/centre/numbers/asked", "/centre?province=")),
    "quantri": (("Tài khoản", "Bị từ chối từ hôm qua", "Cả nước, 30 ngày qua"), ("/centre",)),
    "quantribv": (("Tài khoản", "Yêu cầu của cơ sở tôi"), ("/centre/numbers/asked",)),
}  # fmt: skip


@pytest.mark.parametrize("login", CARDS)
def test_the_first_page_shows_the_next_work_with_numbers_and_ways_on(house: House, login: str) -> None:
    answer = house.signed_in(login).get("/")
    assert answer.status_code == 200
    page = answer.text
    main = page.partition("<main")[2].partition("</main>")[0]
    words, ways = CARDS[login]
    assert [w for w in words if w not in main] == []
    assert [w for w in ways if f'href="{w}' not in main] == []
    numbers = re.findall(r"<b[^>]*>([\d.,]+|[\d.,]+ [^<]+)</b>", main)
    assert len(numbers) >= 3


def test_refused_accesses_are_told_to_who_may_read_the_audit_alone(house: House) -> None:
    doctor = house.signed_in("bstinh")
    assert doctor.get("/centre").status_code == 403
    assert "Bác sĩ" in house.signed_in("quantri").get("/").text.partition("Bị từ chối từ hôm qua")[2]
    assert "Bị từ chối" not in house.signed_in("quantribv").get("/").text
    assert "Bị từ chối" not in doctor.get("/").text


def test_numbers_of_the_first_page_are_those_of_the_page_they_lead_to(house: House) -> None:
    analyst = house.signed_in("boyte")
    home = re.search(
        r'href="/centre/numbers/asked">[^<]*</a>.*?<b class="number">([\d.]+)</b>', analyst.get("/").text, re.DOTALL
    )
    number = re.search(r'class="big-number">\s*([\d.]+)', analyst.get("/centre/numbers/asked").text)
    assert home is not None
    assert number is not None
    assert home[1] == number[1]
