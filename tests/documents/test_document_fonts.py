"""Fonts are found and what they cannot show is written out."""

from __future__ import annotations

import pytest
from tests.documents.invented_minutes import AT

from yersin.documents import fonts
from yersin.documents.typeset import typeset
from yersin.fhir.problem import Problem

LETTERS = "aáàảãạăắằẳẵặâấầẩẫậeéèẻẽẹêếềểễệiíìỉĩịoóòỏõọôốồổỗộơớờởỡợuúùủũụưứừửữựyýỳỷỹỵđ"


def test_every_vietnamese_letter_is_in_the_fonts():
    assert fonts.showable(LETTERS + LETTERS.upper()) == LETTERS + LETTERS.upper()


def test_letters_written_in_two_parts_are_joined():
    assert fonts.showable("Ho\u0300a") == "Hòa"


def test_what_no_font_can_show_is_written_as_its_code_point():
    assert fonts.showable("đau 😀 م") == "đau [U+1F600] [U+0645]"


def test_marks_that_turn_the_direction_of_text_are_taken_out():
    assert fonts.showable("a\u202eb\u0000c") == "abc"


def test_every_sign_said_to_be_shown_is_shown(tmp_path):
    text = fonts.SIGNS + "αβγΔ≥≤±µ₂½€№Ж" + LETTERS
    data = {
        "width": 500,
        "height": 400,
        "name": text,
        "title": "",
        "organisation": "",
        "time": "",
        "extras": [],
        "notice": "",
    }
    assert typeset("documents/templates/signature.typ", data, at=AT).startswith(b"%PDF-1.7")


def test_a_missing_font_package_is_named_and_refused(monkeypatch):
    monkeypatch.setattr(fonts, "_PACKAGES", {fonts.FAMILY: "fontpkg_that_is_not_there"})
    fonts.font_folders.cache_clear()
    with pytest.raises(Problem, match="fontpkg-that-is-not-there"):
        fonts.font_folders()
    monkeypatch.undo()
    fonts.font_folders.cache_clear()


def test_a_font_the_compiler_does_not_find_is_refused(monkeypatch):
    monkeypatch.setattr(fonts, "FAMILIES", ("No Such Family",))
    data = {
        "width": 90,
        "height": 90,
        "name": "x",
        "title": "",
        "organisation": "",
        "time": "",
        "extras": [],
        "notice": "",
    }
    with pytest.raises(Problem, match="No Such Family"):
        typeset("documents/templates/signature.typ", data, at=AT)
