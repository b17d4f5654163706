"""Clips to train on: emoji that move, figures put together from frames."""

from __future__ import annotations

import json
from pathlib import Path

import make_media as make
import numpy as np
import pytest
from PIL import Image

from embedder.media import read
from embedder.training.clips import CLIPS
from embedder.training.pairs import Medium
from embedder.training.pictures import _emoji_pair

EMOJI, FIGURES = CLIPS
NAMES = [
    {"label": "hot beverage", "hexcode": "2615", "tags": ["coffee", "tea"]},
    {"label": "man judge", "hexcode": "1F468-200D-2696-FE0F", "skins": [{"hexcode": "1F468-1F3FB-200D-2696-FE0F"}]},
    {"label": "yarn", "hexcode": "1F9F6"},
]


def emoji_packages(folder: Path) -> Path:
    """One package with the names, one with animations; returns where those lie."""
    names = folder / "emojibase-data" / "en"
    names.mkdir(parents=True)
    (names / "data.json").write_text(json.dumps(NAMES), "utf-8")
    assets = folder / "@lobehub__fluent-emoji-anim-2" / "assets"
    assets.mkdir(parents=True)
    return assets


def figure_frames(folder: Path, place: str, count: int) -> None:
    for number in range(count):
        png = folder / FIGURES.packages[0].name / "data/core/images/units" / f"{place}{number + 1}.png"
        png.parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("RGBA", (72, 72))
        image.paste((40 * number, 90, 30, 255), (4 * number, 20, 4 * number + 30, 60))
        image.save(png)


def test_an_emoji_that_moves_has_its_name_and_its_tags(tmp_path: Path) -> None:
    make.animation(emoji_packages(tmp_path) / "2615.webp")
    (pair,) = EMOJI.read(tmp_path)
    assert pair.captions == ("hot beverage", "an animated emoji: hot beverage", "coffee, tea")
    assert pair.group == "hot beverage"


def test_still_ones_skin_tones_and_those_without_a_name_are_left_out(tmp_path: Path) -> None:
    assets = emoji_packages(tmp_path)
    make.image_file(assets / "1f9f6.webp")
    for stem in ("1f468-200d-2696", "1f468-1f3fb-200d-2696-fe0f", "e50a"):
        make.animation(assets / f"{stem}.webp")
    assert [(pair.key, pair.group) for pair in EMOJI.read(tmp_path)] == [("1f468-200d-2696", "judge")]


@pytest.mark.parametrize(
    "label", ["Man Judge", "flag: Kenya", "clinking glasses", "family: man, woman, boy", "O button"]
)
def test_an_emoji_that_moves_is_of_one_group_with_its_drawings(tmp_path: Path, label: str) -> None:
    emoji = {"label": label, "hexcode": "2615", "tags": []}
    make.animation(emoji_packages(tmp_path) / "2615.webp")
    (tmp_path / "emojibase-data" / "en" / "data.json").write_text(json.dumps([emoji]), "utf-8")
    (moving,) = EMOJI.read(tmp_path)
    drawn = _emoji_pair(emoji, "noto", svg="<svg/>")
    assert (moving.group, moving.held_out) == (drawn.group, drawn.held_out)


def test_frames_of_a_figure_become_one_animation(tmp_path: Path) -> None:
    figure_frames(tmp_path, "drakes/fighter-fly-", 5)
    figure_frames(tmp_path, "human-loyalists/horseman-se-attack", 4)
    flying, attacking = FIGURES.read(tmp_path)
    assert flying.captions[:2] == ("a drake fighter flying", "a drake flying")
    assert attacking.captions[:2] == ("a horseman attacking", "a soldier attacking")
    assert flying.path is not None
    (segment,) = read(flying.path)
    assert segment.pixels is not None
    assert segment.pixels.shape == (5, 216, 216, 3)
    assert np.ptp(segment.pixels.astype(int), axis=0).max() > 50


def test_of_several_directions_the_longest_is_taken_and_one_picture_is_none(tmp_path: Path) -> None:
    figure_frames(tmp_path, "orcs/grunt-n-sword-", 3)
    figure_frames(tmp_path, "orcs/grunt-se-sword-", 6)
    figure_frames(tmp_path, "orcs/archer-bow-", 1)
    (pair,) = FIGURES.read(tmp_path)
    assert pair.captions[0] == "an orc grunt swinging a sword"
    assert pair.path is not None
    with Image.open(pair.path) as image:
        assert getattr(image, "n_frames", 1) == 6


def test_figures_are_the_same_in_every_run(tmp_path: Path) -> None:
    figure_frames(tmp_path, "monsters/bat-bite-", 3)
    assert list(FIGURES.read(tmp_path)) == list(FIGURES.read(tmp_path))
    assert next(FIGURES.read(tmp_path)).captions[0] == "a bat biting"


def test_one_source_of_clips_is_held_out_whole() -> None:
    assert {source.medium for source in CLIPS} == {Medium.VIDEO}
    assert [source.name for source in CLIPS if source.whole] == ["moving figures"]
