"""The words of a text as they are indexed, and as they are asked for."""

from __future__ import annotations

import unicodedata

import pytest

from data.wording import asked, indexed


def holds(text: str, phrase: str) -> bool:
    """Whether the index holds a phrase as the stores look for one: whole words, one after the other."""
    return f" {' '.join(asked(phrase).split())} " in f" {' '.join(indexed(text).split())} "


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("昨日、名古屋城へ行きました", "名古屋城"),
        ("昨日、名古屋城へ行きました", "行きました"),
        ("猫が好き", "猫"),
        ("長城在北京 cafe", "北京 cafe"),
        ("경복궁에서 보았다", "경복궁"),
        ("ไปเที่ยวเชียงใหม่กัน", "เชียงใหม่"),
        ("QRコード読取", "QRコード"),
        ("Das Café Müller", unicodedata.normalize("NFD", "Café Müller")),
        (unicodedata.normalize("NFD", "Das Café Müller"), "Café Müller"),
        ("ＯＭＥＧＡ７ watch", "OMEGA7"),
        ("the oﬃcial guests", "official guests"),
        ("Donau\u00addampf\u00adschiff", "Donaudampfschiff"),
        ("a tele-\ncommunication line", "telecommunication line"),
        ("a well-\nknown line", "well known"),
        ("a well-\nknown line", "wellknown line"),
    ],
)
def test_what_a_text_says_is_found_in_any_form(text, phrase):
    assert holds(text, phrase)


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("昨日、名古屋城へ", "城名古屋"),
        ("昨日、名古屋城へ", "名城"),
        ("Jean-\nPaul", "JeanPaul"),
        ("a cat", "dog"),
    ],
)
def test_what_a_text_does_not_say_is_not(text, phrase):
    assert not holds(text, phrase)


def test_plain_text_stays_as_it_is():
    text = "The quick brown fox; 3.5 km, e-mail a@b.example\nnext line"
    assert indexed(text) == asked(text) == text
