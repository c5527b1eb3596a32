"""Folding and order of Vietnamese text."""

from __future__ import annotations

import random
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yersin.fhir.folding import fold, words
from yersin.search.folding import normal, sort_key

ORDERED = (
    "a à ả ã á ạ ai an àn án ang anh ăn ăng ân ba|ba ba|bà|bà ba|bá|bạ|ca|da|dạ|đa|đá|đạt|e|ê|hoa|hòa|hòa bình|hoá|ma|mà|mả|mã|má|mạ|"
    "na|o|ô|ơ|quy|quỳ|ta|u|ư|y"
)


def test_dictionary_order_is_byte_order():
    wanted = [w for part in ORDERED.split("|") for w in (part.split() if part.startswith("a ") else [part])]
    shuffled = random.Random(1).sample(wanted, len(wanted))  # noqa: S311 - a repeatable shuffle
    assert sorted(shuffled, key=lambda w: sort_key(w).encode()) == wanted


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("  NGUYỄN  Văn Đức ", "nguyen van duc"),
        ("đường", "duong"),
        ("Straße", "strasse"),
        ("Ångström", "angstrom"),
        ("", ""),
    ],
)
def test_folding_strips_marks_case_and_blanks(text, folded):
    assert fold(text) == folded


def test_old_and_new_tone_placement_are_one_word_but_other_tones_are_not():
    assert normal("hoà") == normal("hòa")
    assert sort_key("thuý") == sort_key("thúy")
    assert normal("hoà") != normal("hoá")
    assert normal("ma") != normal("mă")


def test_words_are_parted_by_punctuation():
    assert words("Lê-Văn, Tám") == ["le", "van", "tam"]


@given(st.text(max_size=40))
def test_folding_is_the_same_for_both_unicode_forms_and_done_once(text):
    once = fold(text)
    assert once == fold(normalize("NFD", text)) == fold(normalize("NFC", text))
    assert fold(once) == once


@given(st.text(alphabet="aăâbcdđeêghiklmnoôơpqrstuưvxyàảãáạấầếồừ ĐÀ", max_size=20))
def test_upper_and_lower_case_fold_and_sort_alike(text):
    assert fold(text.upper()) == fold(text)
    assert sort_key(text.upper()) == sort_key(text)
    assert normal(normalize("NFD", text)) == normal(text)
