"""All stages of training on tiny data: real towers, real losses, a few steps each."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import resource
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from data.errors import BadSettingsError, ModelMismatchError, StoreUnavailableError
from data.records import Evidence, Kind
from embedder import evaluate
from embedder.cli import main
from embedder.device import Device
from embedder.mini import CHECKPOINT, GOLDENS_FILE, OmniaMini
from embedder.model import checkpoint
from embedder.model.omni import WIDTHS
from embedder.model.projector import TOP
from embedder.segment import Modality, Role, Segment
from embedder.selftest import golden_segments
from embedder.towers import vision
from embedder.training import cache, loop, stages, views
from embedder.training import ship as shipping
from embedder.training import sources as training_sources
from embedder.training.cache import Entry, Shelf
from embedder.training.card import card
from embedder.training.lineage import (
    BASE,
    FUSED,
    INTERPOLATED,
    JOINT,
    LONGER,
    RECOVERED,
    REHEARSED,
    ancestors,
    difference,
    specialist,
)
from embedder.training.lineage import stages as lineage
from embedder.training.loss import contrastive, strayed
from embedder.training.mixture import Captions, Mixture, _dropped, texts
from embedder.training.pairs import Medium, Package, Pair, Registry, Source, is_held_out
from embedder.training.recipe import RECIPE, read_recipe
from embedder.training.ship import ship
from embedder.training.sources import SOURCES as TRAINED_ON
from embedder.training.stages import Training
from embedder.training.workshop import Workshop
from tests import make_media
from tests.make_folder import words_of

THINGS = ("red ball", "green tree", "blue car", "old boat", "small house", "tall tower", "black cat", "white bird")
SHIPPED = read_recipe(RECIPE)
CLIPART = f"clipart = {SHIPPED.weights[Medium.IMAGE]['clipart']}"
STEPS = f"steps = {SHIPPED.specialise[Medium.IMAGE].steps}"
COLOURS = ("red", "green", "blue", "brown", "gray", "purple", "black", "white")


def _drawing(colour: str, side: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">'
        f'<circle cx="50" cy="50" r="{side}" fill="{colour}" stroke="orange" stroke-width="4"/></svg>'
    )


def _group(name: str, number: int) -> str:
    """A group that is held out for each fourth number, and trained on otherwise."""
    names = (f"{name} {number} {suffix}" for suffix in range(1_000))
    return next(group for group in names if _pair(group).held_out == (number % 4 == 0))


def _pair(group: str) -> Pair:
    return Pair(source="a", key=group, group=group, captions=(group,))


def _drawn(source: str) -> Iterator[Pair]:
    for number in range(24):
        thing, colour = THINGS[number % 8], COLOURS[number % 8]
        yield Pair(
            source=source,
            key=str(number),
            group=_group(thing, number),
            captions=(f"a {thing}", f"a drawing of a {thing}"),
            svg=_drawing(colour, 20 + number),
        )


def _heard(folder: Path) -> Iterator[Pair]:
    for number in range(16):
        seconds = 9.0 if number == 1 else 1.0  # one that has all windows
        path = make_media.wav(folder / f"{number}.wav", make_media.tone(seconds, hz=200.0 + 150 * number))
        yield Pair(
            source="tones",
            key=str(number),
            group=_group("tone", number),
            captions=(f"a tone, {number} high",),
            path=path,
        )


def _sentence(page: str) -> str:
    """The longest sentence of a page; captions of real pages are some of theirs."""
    return max(re.split(r"(?<=[.])\s+", page), key=len)


def _read(folder: Path) -> Iterator[Pair]:
    texts = tuple(words_of(number) for number in range(12))
    path = make_media.pdf(folder / "book.pdf", texts)
    for number in range(12):
        yield Pair(
            source="book",
            key=str(number),
            group=_group("page", number),
            captions=(f"page {number} of the story", *([_sentence(texts[number])] if number == 0 else [])),
            path=path,
            page=number + 1,
        )


SOURCES = (
    Source(name="drawings", medium=Medium.IMAGE, packages=(), licence="own", read=lambda folder: _drawn("drawings")),
    Source(name="moves", medium=Medium.VIDEO, packages=(), licence="own", read=lambda folder: _drawn("moves")),
    Source(name="tones", medium=Medium.AUDIO, packages=(), licence="own", read=_heard),
    Source(name="book", medium=Medium.DOCUMENT, packages=(), licence="own", read=_read),
    Source(
        name="others",
        medium=Medium.IMAGE,
        packages=(),
        licence="own",
        read=lambda folder: _drawn("others"),
        whole=True,
    ),
    Source(
        name="other tones",
        medium=Medium.AUDIO,
        packages=(),
        licence="own",
        read=lambda folder: (
            replace(each, source="other tones", group=_group(THINGS[number % 8], number), captions=(f"like {number}",))
            for number, each in enumerate(_heard(folder))
        ),
        whole=True,
    ),
)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("workshop")
    (folder / "packages").mkdir()
    return Workshop(folder, read_recipe(steps=2), SOURCES)


@pytest.fixture(scope="module")
def shelves(workshop: Workshop) -> list[Shelf]:
    return workshop.gather()


@pytest.fixture(scope="module")
def trained(workshop: Workshop, shelves: list[Shelf]) -> Training:
    training = Training(workshop, shelves, device="auto")
    for medium in Medium:
        training.specialise(medium)
    training.fuse()
    training.recover()
    training.rehearse()
    training.interpolate()
    return training


def test_every_medium_is_on_its_shelf_and_a_second_look_reads_it_there(
    workshop: Workshop, shelves: list[Shelf]
) -> None:
    assert [len(shelf.entries) for shelf in shelves] == [24, 24, 16, 12, 24, 16]
    assert all(entry.words for entry in shelves[3].entries)
    again = replace(workshop, sources=[replace(source, read=_must_not_be_read) for source in SOURCES]).gather()
    np.testing.assert_array_equal(again[0].odds, shelves[0].odds)


def test_a_source_is_looked_at_in_as_many_views_as_it_says(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pairs = list(_drawn("drawings"))[:3]
    source = replace(SOURCES[0], read=lambda folder: iter(pairs))
    two, four = (cache.shelve(replace(source, views=views), tmp_path, tmp_path / "f") for views in (2, 4))
    assert two.places.shape[:2] == (3, 2)
    assert {array.shape[:2] for array in (four.odds, four.frames, four.places, four.detail, four.prior)} == {(3, 4)}
    np.testing.assert_allclose(four.detail[:, :2].astype(np.float32), two.detail.astype(np.float32), atol=0.02)
    assert len({view.tobytes() for view in four.places[0]}) == 4
    assert "drawings is looked at anew: other views" in caplog.text


def test_a_shelf_is_made_anew_by_other_rules_and_one_that_tells_nothing_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    drawn = list(_drawn("drawings"))[:2]

    def source(word: str, rules: int) -> Source:
        pairs = [replace(pair, group=f"{word} {pair.key}") for pair in drawn]
        return replace(SOURCES[0], read=lambda folder: iter(pairs), rules=rules)

    def groups(word: str, rules: int) -> list[str]:
        return [entry.group for entry in cache.shelve(source(word, rules), tmp_path, tmp_path / "f").entries]

    assert groups("leaking", 1) == ["leaking 0", "leaking 1"]
    assert groups("unread", 1) == ["leaking 0", "leaking 1"]
    assert groups("mended", 2) == ["mended 0", "mended 1"]
    assert "drawings is looked at anew: other rules" in caplog.text
    note = tmp_path / "f" / "drawings.json"
    other = Package(Registry.DEBIAN, "other", "2")
    assert json.loads(note.read_text())["made_of"] != cache._made_of(replace(source("", 2), packages=(other,)))
    old = [
        [key, group, said, not out, words] for key, group, said, out, words in json.loads(note.read_text())["entries"]
    ]
    note.write_text(json.dumps(old))  # as earlier versions wrote it, when others were held out
    caplog.clear()
    shelf = cache.shelve(source("unread", 3), tmp_path, tmp_path / "f")
    assert [entry.held_out for entry in shelf.entries] == [is_held_out(entry.group) for entry in shelf.entries]
    assert [entry.group for entry in shelf.entries] == ["mended 0", "mended 1"]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_source_of_which_nothing_can_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"no picture")
    silent = make_media.wav(tmp_path / "silent.wav", make_media.tone(0, hz=440))
    for source, path in ((SOURCES[0], tmp_path / "torn.png"), (SOURCES[2], silent)):
        pair = Pair(source=source.name, key="0", group="nothing", captions=("nothing",), path=path)
        broken = replace(source, read=lambda folder, pair=pair: iter([pair]))
        with pytest.raises(StoreUnavailableError, match=f"^{source.name}: none of its 1 media can be read"):
            cache.shelve(broken, tmp_path, tmp_path / "f")


@pytest.mark.parametrize("damage", ["cut", "gone", "other rows", "empty note", "odd note"])
def test_a_damaged_shelf_is_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str) -> None:
    pairs = list(_drawn("drawings"))[:3]
    source = replace(SOURCES[0], read=lambda folder: iter(pairs))
    whole = cache.shelve(source, tmp_path, tmp_path / "f")
    arrays, note = tmp_path / "f" / "drawings.safetensors", tmp_path / "f" / "drawings.json"
    if damage == "cut":
        arrays.write_bytes(arrays.read_bytes()[:-100])
    elif damage == "gone":
        arrays.unlink()
    elif damage == "other rows":
        cache.shelve(replace(source, read=lambda folder: iter(pairs[:2]), name="two"), tmp_path, tmp_path / "f")
        arrays.write_bytes((tmp_path / "f" / "two.safetensors").read_bytes())
    else:
        note.write_text("" if damage == "empty note" else '{"made_of": {}, "entries": [["a"]]}')
    again = cache.shelve(source, tmp_path, tmp_path / "f")
    assert "drawings is looked at anew" in caplog.text
    assert again.entries == whole.entries
    np.testing.assert_array_equal(again.odds, whole.odds)


def test_every_stage_leaves_weights_recipe_numbers_and_loss(workshop: Workshop, trained: Training) -> None:
    for name in (*(specialist(medium) for medium in Medium), RECOVERED, REHEARSED):
        manifest = checkpoint.read_manifest(workshop.stage(name))
        assert manifest.recipe["steps"] == 2
        assert {"matrix", "sources", "text_kept", "pages_by_pixels"} <= manifest.numbers.keys()
        others = manifest.numbers["sources"]["others"]  # of which three in four are drawn as those trained on
        assert (others["left_out"], others["from_text"]["candidates"]) == (18, 6)
        across = manifest.numbers["across"]  # of pictures and sounds that nobody trained on
        assert across["audio_to_image"]["candidates"] == 6
        assert across["image_to_audio"]["queries"] > 0
        losses = [json.loads(line) for line in (workshop.stage(name) / "log.jsonl").read_text().splitlines()]
        assert all(np.isfinite(line["loss"]) for line in losses)
        assert all(np.isfinite(line["wide"]) for line in losses if manifest.recipe["wide_batch"])
        assert manifest.recipe["made_on"]["torch"] == torch.__version__
        assert not (workshop.stage(name) / "resume.pt").exists()


def test_a_source_of_which_most_are_held_out_is_filled_up_with_what_it_is_trained_on(
    workshop: Workshop, trained: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "drawings"
    held_out = len(trained.tested[name])
    monkeypatch.setattr(stages, "_MOST_CANDIDATES", held_out + 2)
    monkeypatch.setattr(stages, "_DRAWS", 3)
    numbers = trained.numbers(trained.model(REHEARSED))
    filled = numbers["sources"][name]["filled_up"]
    assert filled["fillings"] == 3
    assert [filled[how]["candidates"] for how in ("from_text", "from_description")] == [held_out + 2] * 2
    assert [filled[how]["queries"] for how in ("from_text", "from_description")] == [held_out] * 2
    assert "filled_up" not in numbers["sources"]["others"], "a whole source is not trained on"


def test_recovery_changes_every_tensor_of_the_sound_projector_and_no_other_bit(
    workshop: Workshop, trained: Training
) -> None:
    of_sound = {name for name in checkpoint.state_of(workshop.model(FUSED)) if name.startswith("sound.")}
    assert _changed(workshop, FUSED, RECOVERED) == of_sound - {"sound.gate"}, "that is no parameter"


def test_a_specialist_leaves_the_other_projector_alone(workshop: Workshop, trained: Training) -> None:
    base, image = (checkpoint.state_of(workshop.model(name)) for name in (BASE, specialist(Medium.IMAGE)))
    assert all(torch.equal(base[name], image[name]) for name in base if name.startswith("sound."))
    assert any(not torch.equal(base[name], image[name]) for name in base if name.startswith("backbone."))


def test_the_sound_projector_is_copied_by_fusion(workshop: Workshop, trained: Training) -> None:
    audio, fused = (checkpoint.state_of(workshop.model(name)) for name in (specialist(Medium.AUDIO), FUSED))
    assert all(torch.equal(audio[name], fused[name]) for name in audio if name.startswith("sound."))


def test_half_of_what_the_rehearsal_changed_is_kept(workshop: Workshop, trained: Training) -> None:
    before, after, kept = (checkpoint.state_of(workshop.model(name)) for name in (RECOVERED, REHEARSED, INTERPOLATED))
    assert any(not torch.equal(before[name], after[name]) for name in before)
    for name in before:
        torch.testing.assert_close(kept[name], (before[name] + after[name]) / 2, atol=1e-6, rtol=1e-3, msg=name)


def test_a_stage_is_shipped_with_its_goldens_its_losses_and_its_card(
    workshop: Workshop, trained: Training, tmp_path: Path
) -> None:
    fingerprint = ship(workshop, INTERPOLATED, tmp_path)
    mini = OmniaMini(checkpoint.load(tmp_path), Device("cpu", bf16=False), goldens=tmp_path / GOLDENS_FILE)
    for modality in Modality:
        made, golden = mini.encode(golden_segments(modality), Role.DOCUMENT), mini.golden(modality)
        assert golden is not None
        np.testing.assert_allclose(made, golden, atol=2e-3)
    losses = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {line["stage"] for line in losses} >= {specialist(Medium.AUDIO), RECOVERED, REHEARSED}
    recipe = checkpoint.read_manifest(tmp_path).recipe
    specialists = [specialist(medium) for medium in Medium]
    assert list(recipe["stages"]) == [BASE, *specialists, FUSED, RECOVERED, REHEARSED, INTERPOLATED]
    assert recipe["stages"][RECOVERED] == checkpoint.read_manifest(workshop.stage(RECOVERED)).recipe
    assert recipe["stages"][RECOVERED]["steps"] == 2
    card = (tmp_path / "README.md").read_text()
    assert fingerprint in card
    assert "others (only tested on)" in card
    assert "| audio | " in card


def test_a_stage_that_fails_the_self_test_is_not_shipped(
    workshop: Workshop, trained: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = workshop.model(REHEARSED)
    broken.rotation.zero_()
    monkeypatch.setattr(Workshop, "model", lambda *_: broken)
    with pytest.raises(
        ModelMismatchError, match="self-test of stage rehearsed on words: vectors are not finite, or zero"
    ):
        ship(workshop, REHEARSED, tmp_path / "shipped")
    assert list(tmp_path.iterdir()) == []


def test_a_shipping_that_is_cut_off_leaves_the_old_model_whole(
    workshop: Workshop, trained: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "shipped"
    ship(workshop, RECOVERED, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shipping, "save_file", full)
    with pytest.raises(StoreUnavailableError, match=r"shipped' cannot be written: .* free some room"):
        ship(workshop, REHEARSED, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["shipped"]


def test_what_a_stage_left_that_was_killed_at_its_very_end_goes_with_the_next_run(
    workshop: Workshop, trained: Training
) -> None:
    left = workshop.stage(RECOVERED) / "resume.pt"
    left.write_bytes(b"of the last steps")
    trained.recover()
    assert not left.exists()


def test_what_is_done_is_not_done_again(workshop: Workshop, trained: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "save", _must_not_be_called)
    for medium in Medium:
        trained.specialise(medium)
    trained.fuse()
    trained.recover()
    trained.rehearse()
    trained.interpolate()


def test_a_trial_is_not_taken_for_the_recipe(
    workshop: Workshop, trained: Training, shelves: list[Shelf], tmp_path: Path
) -> None:
    other = replace(workshop, recipe=read_recipe())
    training = Training(other, shelves)
    with pytest.raises(BadSettingsError, match=r"'specialist-audio' .*: steps was 2, is 500; remove the folder '/"):
        training.specialise(Medium.AUDIO)
    with pytest.raises(BadSettingsError, match=r"'recovered' .*: steps was 2, is 150; .* --work ANOTHER"):
        training.recover()
    with pytest.raises(BadSettingsError, match="'rehearsed'"):
        training.model(REHEARSED)
    with pytest.raises(BadSettingsError, match="'rehearsed'"):
        ship(other, REHEARSED, tmp_path / "shipped")
    assert not (tmp_path / "shipped").exists()


def test_a_stage_fused_by_other_coefficients_is_refused(
    workshop: Workshop, trained: Training, shelves: list[Shelf]
) -> None:
    fusion = replace(workshop.recipe.fusion, coefficients={**workshop.recipe.fusion.coefficients, "audio": 0.7})
    other = replace(workshop, recipe=replace(workshop.recipe, fusion=fusion))
    with pytest.raises(BadSettingsError, match=r"'fused' .*: fusion.coefficients.audio was 0.5, is 0.7; "):
        Training(other, shelves).fuse()


def _claim(workshop: Workshop, name: str, recipe: dict[str, Any], *, sha256: str = "a" * 64) -> None:
    """A manifest without weights."""
    note = {"format": checkpoint.FORMAT, "name": name, "sha256": sha256, "towers": checkpoint.towers()}
    note |= {"recipe": recipe, "numbers": {}}
    workshop.stage(name).mkdir(parents=True, exist_ok=True)
    (workshop.stage(name) / checkpoint.MANIFEST_FILE).write_text(json.dumps(note))


@pytest.fixture
def claims(tmp_path: Path) -> Workshop:
    """A workshop where all stages say that they are done, by the recipe."""
    made = Workshop(tmp_path / "work", read_recipe(), SOURCES)
    for name in (*ancestors(made.recipe, INTERPOLATED), LONGER):
        _claim(made, name, made.made_by(name))
    return made


def test_stages_of_earlier_versions_are_done_though_they_say_less(claims: Workshop) -> None:
    recipe = claims.recipe
    _claim(claims, BASE, {})
    _claim(claims, specialist(Medium.IMAGE), asdict(recipe.specialise[Medium.IMAGE]))
    _claim(claims, FUSED, {"fusion": recipe.fusion.as_table()})
    _claim(claims, RECOVERED, asdict(recipe.recover))
    assert list(claims.lineage(INTERPOLATED)) == ancestors(recipe, INTERPOLATED)


def test_a_stage_of_an_earlier_version_s_network_is_refused_with_a_way_out(claims: Workshop) -> None:
    path = claims.stage(BASE) / checkpoint.MANIFEST_FILE
    path.write_text(path.read_text().replace(f'"format": {checkpoint.FORMAT}', '"format": 1'))
    with pytest.raises(ModelMismatchError, match=r"stages/base' is of another version: remove it, and train it anew"):
        claims.is_done(specialist(Medium.IMAGE))


def test_a_stage_of_weights_that_were_made_anew_is_refused(claims: Workshop) -> None:
    _claim(claims, specialist(Medium.AUDIO), claims.made_by(specialist(Medium.AUDIO)), sha256="b" * 64)
    with pytest.raises(BadSettingsError, match=r"'fused' .*: from specialist-audio was aaaaaaaaaaaa, is bbbbbbbbbbbb;"):
        claims.is_done(FUSED)
    assert claims.is_done(RECOVERED)


def test_a_stage_of_other_weights_of_sources_is_refused(claims: Workshop) -> None:
    weights = {**claims.recipe.weights, Medium.IMAGE: {**claims.recipe.weights[Medium.IMAGE], "clipart": 2.0}}
    other = replace(claims, recipe=replace(claims.recipe, weights=weights))
    with pytest.raises(BadSettingsError, match=f"sources.image.{CLIPART.replace('=', 'was')}, is 2.0"):
        other.is_done(specialist(Medium.IMAGE))
    assert other.is_done(specialist(Medium.VIDEO))


def test_what_one_stage_below_says_otherwise_is_not_shipped(claims: Workshop, tmp_path: Path) -> None:
    name = specialist(Medium.DOCUMENT)
    _claim(claims, name, {**claims.made_by(name), "steps": 2})
    assert claims.is_done(INTERPOLATED)
    with pytest.raises(BadSettingsError, match=r"'specialist-document' .*: steps was 2, is \d+"):
        ship(claims, REHEARSED, tmp_path / "shipped")


def test_only_what_both_say_is_compared_and_a_table_as_a_whole() -> None:
    assert difference({}, {"steps": 2}) is None
    assert difference({"steps": 2, "gone": 1}, {"steps": 2, "widths": {384: 1.0}}) is None
    assert difference({"widths": {"384": 1.0}, "trained": ["a"]}, {"widths": {384: 1.0}, "trained": ("a",)}) is None
    assert difference({"media": {"image": 1.0}}, {"media": {}}) == "media.image was 1.0, is not given"
    assert difference({"media": {}}, {"media": {"image": 1.0}}) == "media.image was not given, is 1.0"


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        (CLIPART, "clip-art = 4.0", r"\[sources.image\]: unknown 'clip-art'; did you mean 'clipart'"),
        (CLIPART, "stamps = 4.0", "unknown 'stamps'"),  # it is only tested on
        (CLIPART, "clipart = -4.0", "clipart = -4.0 is no weight"),
        ("[sources.image]", "[sources.images]", "unknown 'images'; did you mean 'image'"),
        ("[recover]", "[recovery]\n[recover]", "unknown 'recovery'; did you mean 'recover'"),
        ("[recover]", "[specialise.sound]\n[recover]", "unknown 'sound'; known are: image, video, audio, document"),
        ("{ audio = 1.0 }", "{ sound = 1.0 }", r"media of \[recover\]: unknown 'sound'"),
        ("image = 0.45", "pictures = 0.45", r"media of \[rehearse\]: unknown 'pictures'"),
        ("image = 0.6", "imagery = 0.6", r"coefficients: unknown 'imagery'; did you mean 'image'"),
        (STEPS, "step = 900", "step"),
        (STEPS, "steps = 0", r"\[specialise.image\]: steps: 0 is no whole number of 1 or more"),
        (STEPS, "steps = 2.5", "steps: 2.5"),
        ("batch_size = 160", "batch_size = 0", "batch_size: 0"),
        ("batch_size = 160", 'batch_size = "many"', "batch_size: 'many'"),
        ("batch_size = 160", "keep_texts = -1", "keep_texts: -1"),
        ("batch_size = 160", 'weight_decay = "x"', "weight_decay: 'x'"),
        ("batch_size = 160", "temperature = 0", "temperature: 0 cannot be divided by"),
        ("batch_size = 160", "warmup = 7", "warmup: 7 is no share"),
        ("batch_size = 160", "widths = {}", "widths: {} are no weights"),
        ("batch_size = 160", "widths = { 500 = 1.0 }", "widths: 500 is no width"),
        ("wide_batch = 0", "wide_batch = -1", "wide_batch: -1"),
        ("projector_rate = 3e-4", "projector_rate = -1.0", r"\[recover\]: projector_rate: -1.0"),
        ("projector_rate = 3e-4", "projector_rate = nan", "projector_rate: nan"),
        ("share = 0.5", "share = 1.5", r"\[interpolate\]: share = 1.5 is no share"),
        ("share = 0.5", "share = nan", "share = nan is no share"),
        ("share = 0.5", "share = true", "share = True is no share"),
        (CLIPART, "clipart = true", "clipart = True is no weight"),
        ("seed = 20261124", "seed = 1.7", "seed = 1.7 is no whole number"),
        ("share = 0.5", "half = true", r"\[interpolate\]: unknown 'half'; known are: share"),
        ("{ audio = 1.0 }", "{}", r"\[recover\]: media: {} are no weights"),
        ("{ audio = 1.0 }", "{ audio = 0.0 }", "media: .* are no weights"),
        ('["vision.shortcut"]', '["vision.shortcuts"]', r"copied.image: 'vision.shortcuts' is no part"),
        ('["sound"]', '["sound.shortcut.read.2"]', r"copied.audio: 'sound.shortcut.read.2' is no part"),  # its detail
    ],
)
def test_a_recipe_that_cannot_be_used_is_refused(tmp_path: Path, line: str, instead: str, said: str) -> None:
    text = RECIPE.read_text(encoding="utf-8")
    assert line in text
    path = tmp_path / "recipe.toml"
    path.write_text(text.replace(line, instead, 1), encoding="utf-8")
    with pytest.raises(BadSettingsError, match=said):
        read_recipe(path)


def test_a_recipe_may_say_how_much_each_width_counts(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    text = RECIPE.read_text(encoding="utf-8")
    path.write_text(text.replace("batch_size = 160", "widths = { 384 = 1, 64 = 0.5 }", 1), encoding="utf-8")
    assert read_recipe(path).specialise[Medium.IMAGE].widths == {384: 1, 64: 0.5}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["train", "--device", "gpu"], "device 'gpu' is unknown"),
        (
            ["train", "--steps", "2"],
            f"'specialist-image' was made otherwise than the recipe says now: {STEPS.replace('=', 'was')}, is 2",
        ),
        (["specialise", "audio", "--steps", "2"], "'specialist-audio' was made otherwise"),
        (["fuse"], "stage 'specialist-video' has not been run"),
        (["evaluate", "--stage", "rehersed"], "no stage is named 'rehersed'"),
        (["evaluate", "--stage", "joint"], "stage 'joint' has not been run"),
        (["evaluate", "--mteb", "held-out", "--stage", "joint"], "stage 'joint' has not been run"),
        (["evaluate", "--mteb", "SciFact", "--stage", "nonsense"], "--stage nonsense: benchmarks of mteb are run with"),
        (["evaluate", "--mteb", "MAEB", "--results", "/etc/passwd"], "'/etc/passwd' is no folder"),
        (["evaluate", "--model", "omnia-zero"], "--model is for benchmarks of mteb"),
        (["evaluate", "--mteb", "MAEB", "--results", "x" * 300], "cannot be used: File name too long"),
        (["train", "--steps", "0"], "steps: 0 is no whole number of 1 or more"),
    ],
)
def test_what_cannot_go_well_is_refused_before_anything_is_fetched(
    claims: Workshop,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    said: str,
) -> None:
    monkeypatch.setattr(Workshop, "gather", _must_not_be_called)
    for name in (FUSED, specialist(Medium.VIDEO)):
        (claims.stage(name) / checkpoint.MANIFEST_FILE).unlink()
    assert main([*command, "--work", str(claims.folder)]) == 2
    assert said in capsys.readouterr().err


def test_the_commands_do_what_the_stages_do(
    workshop: Workshop,
    trained: Training,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(training_sources, "SOURCES", SOURCES)
    shutil.copytree(workshop.folder, tmp_path / "copy")
    copy = replace(workshop, folder=tmp_path / "copy")

    def run(*command: str) -> Any:
        assert main([*command, "--work", str(copy.folder), "--steps", "2"]) == 0
        return capsys.readouterr().out

    drift = json.loads(run("train"))  # all is done: nothing but the drift is left
    assert list(drift["whole"]) == [specialist(Medium.AUDIO), FUSED, RECOVERED, REHEARSED, INTERPOLATED]
    assert run("specialise", "image") == run("fuse") == run("recover") == run("rehearse") == run("interpolate") == ""
    assert not copy.is_done(JOINT)
    run("compare")
    assert copy.is_done(JOINT)
    assert copy.is_done(LONGER)
    assert set(checkpoint.read_manifest(copy.stage(JOINT)).recipe["media"]) == set(Medium)
    changed = _changed(copy, FUSED, LONGER)
    assert any(name.startswith("backbone.") for name in changed)
    assert any(name.startswith("sound.") for name in changed)
    assert LONGER in json.loads(run("drift"))["whole"]
    kept = checkpoint.read_manifest(copy.stage(REHEARSED)).numbers["text_kept"]
    told, shipped = (json.loads(run("evaluate", "--stage", name))["text_kept"] for name in (REHEARSED, "shipped"))
    assert told["mean"] == pytest.approx(kept["mean"], abs=1e-4), "as it is stored, in half precision"
    assert shipped["mean"] != pytest.approx(kept["mean"], abs=1e-4)


def _changed(workshop: Workshop, one: str, other: str) -> set[str]:
    before, after = (checkpoint.state_of(workshop.model(name)) for name in (one, other))
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_a_device_of_the_environment_counts_and_a_stop_is_told_by_its_own_code(
    claims: Workshop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Workshop, "gather", stop)
    assert main(["gather", "--work", str(claims.folder)]) == 130
    monkeypatch.setenv("OMNIA_DEVICE", "cuda:99")
    assert main(["drift", "--work", str(claims.folder)]) == 2
    assert "device 'cuda:99' is not on this machine" in capsys.readouterr().err


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_file_is_no_workshop(tmp_path: Path, capsys: pytest.CaptureFixture[str], below: str) -> None:
    (tmp_path / "notes.txt").write_text("no folder")
    assert main(["gather", "--work", str(tmp_path / "notes.txt" / below)]) == 2
    said = capsys.readouterr().err
    assert "is no folder; name another" in said
    assert "fault of Omnia" not in said


def _shown(medium: Medium, pair: Pair) -> Segment:
    """A medium of training as the product's readers hand it to a model."""
    random = cache._random(pair)
    if medium is Medium.AUDIO:
        return Segment(kind=Kind.AUDIO, evidence=Evidence.HEARD, sound=views.sounds(pair, random, views=1)[0])
    if medium is Medium.DOCUMENT:
        assert pair.path is not None
        ((_, pixels, text),) = views.pages(pair.path, [pair])
        return Segment(kind=Kind.DOCUMENT, evidence=Evidence.SEEN, pixels=pixels[None], text=text)
    if medium is Medium.VIDEO:
        return Segment(kind=Kind.VIDEO, evidence=Evidence.SEEN, pixels=views.moving(pair, random))
    return Segment(kind=Kind.IMAGE, evidence=Evidence.SEEN, pixels=views.pictures(pair, random, views=1)[0][None])


def test_the_product_embeds_media_as_they_are_evaluated(
    workshop: Workshop, trained: Training, shelves: list[Shelf]
) -> None:
    model = workshop.model(REHEARSED)
    mini = OmniaMini(model, Device("cpu", bf16=False))  # as the towers look at what is trained on
    for source, shelf in zip(SOURCES, shelves, strict=True):
        pairs = {pair.key: pair for pair in source.read(workshop.folder / "packages")}
        segments = [_shown(source.medium, pairs[entry.key]) for entry in shelf.entries]
        evaluated = evaluate.embed_shelf(model, shelf, range(len(segments)))
        assert (mini.encode(segments, Role.DOCUMENT) * evaluated).sum(axis=1).min() > 0.999, source.name


def test_what_is_looked_at_once_tells_as_much_as_what_is_looked_at_together(
    trained: Training, shelves: list[Shelf]
) -> None:
    model, captions = trained.model(REHEARSED), trained.captions
    shown = [(shelf, [3, 1, 2]) for shelf in (shelves[3], shelves[0])]  # pages among them, of several lengths
    together = evaluate.exhibit("both", model, shown, captions)
    joined = evaluate.joined("both", [evaluate.exhibit("one", model, [each], captions) for each in shown])
    for table in (asdict(joined), asdict(evaluate.picked(joined, range(4)))):
        for field, values in asdict(together).items():
            if field in ("vectors", "texts"):
                assert np.allclose(table[field], values[: len(table[field])], atol=1e-5), field
            else:
                assert table[field] == values[: len(table[field])], field
    assert len(evaluate.picked(joined, range(4)).vectors) == 4
    assert joined.captions[0] == shelves[3].entries[3].captions[0]
    alone = evaluate.embed_shelf(model, shelves[3], [1])
    assert np.allclose(joined.vectors[1], alone[0], atol=1e-5), "each is where it was asked for"


def test_pages_of_about_as_many_words_go_through_the_model_together(trained: Training) -> None:
    model, widths = trained.model(REHEARSED), []
    batch = trained.mixtures["document"].batch(np.random.default_rng(0), 40)
    assert batch.words is not None
    wordless = int((batch.words[1].sum(1) == 2).sum())
    at_once = model.media(batch.tower, batch.reading, kept=batch.kept, around=batch.around, words=batch.words)
    watch = model.backbone.register_forward_pre_hook(lambda _, given: widths.append(given[0].shape[:2]))
    in_parts = loop._vectors(model, batch)
    watch.remove()
    assert torch.allclose(in_parts, at_once, atol=1e-5)
    assert [rows for rows, _ in widths] == [10] * 4
    assert wordless >= 10, "the first part is of pages whose words are hidden"
    assert widths[0][1] < widths[-1][1] / 2


def test_texts_kept_are_sentences_that_no_stage_saw(trained: Training, shelves: list[Shelf]) -> None:
    kept = trained.numbers(trained.model(BASE))["text_kept"]
    pages = [entry for entry in shelves[3].entries if entry.held_out]
    assert _sentence(pages[0].words) in pages[0].captions, "one is a caption, and captions are held in place"
    assert kept["texts"] == len(trained._sentences[0]) == len(pages) - 1
    assert kept["least"] == pytest.approx(1, abs=1e-3), "the base has not strayed, but by fp16"
    seen = {tuple(ids) for ids in trained.captions.ids}
    assert not seen & {tuple(ids) for ids in trained._sentences[0]}


def test_whole_sources_are_measured_in_the_sizes_that_others_have(
    trained: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "_PICTURES", 4)
    monkeypatch.setattr(stages, "_SOUNDS", 3)
    numbers = trained.numbers(trained.model(REHEARSED))
    for drawn in (numbers["drawn"]["model"], numbers["drawn"]["untrained"]):
        sizes = {name: found["candidates"] for name, found in drawn.items()}
        assert sizes == {"text_to_image": 4, "text_to_audio": 3, "audio_to_image": 4}
        assert drawn["text_to_image"]["queries"] == 4
        assert 0 < drawn["text_to_image"]["chance"][1] < 1
    assert numbers["drawn"]["model"] != numbers["drawn"]["untrained"]
    shots = numbers["matrix"]["text"]["video"]["candidates"]
    assert numbers["as_many_as_video"]["text_to_image"]["candidates"] == shots
    said = numbers["matrix"]["text"]["text"]
    assert said["queries"] == said["candidates"] > 0
    assert said["recall"][10] > said["chance"][10], "a second caption is found by the first"


def test_the_first_numbers_of_vectors_are_measured_too(trained: Training) -> None:
    numbers = trained.numbers(trained.model(REHEARSED))
    assert list(numbers["widths"]) == list(WIDTHS)
    for name in Medium:
        assert numbers["widths"][WIDTHS[-1]][name.value] == numbers["matrix"]["text"][name.value]
    shown = trained.exhibit(Medium.IMAGE, trained.model(REHEARSED))
    narrow = evaluate.narrowed(shown, 64)
    assert narrow.vectors.shape == (len(shown.vectors), 64)
    np.testing.assert_allclose(np.linalg.norm(narrow.texts, axis=1), 1, atol=1e-5)


def test_what_comes_with_the_product_was_made_by_the_recipe_that_comes_with_it() -> None:
    made_by = checkpoint.read_manifest(CHECKPOINT).recipe
    recipe = read_recipe()
    assert (made_by["stage"], made_by["seed"]) == (INTERPOLATED, recipe.seed)
    for name in ancestors(recipe, INTERPOLATED):
        assert difference(made_by["stages"][name], lineage(recipe)[name].settings) is None, name


def test_what_comes_with_the_product_reached_what_it_must() -> None:
    manifest = checkpoint.read_manifest(CHECKPOINT)
    numbers = manifest.numbers
    assert sum(path.stat().st_size for path in CHECKPOINT.iterdir()) <= 45e6
    assert (CHECKPOINT / "README.md").read_text(encoding="utf-8") == card(manifest, TRAINED_ON)

    def found(*names: str) -> float:
        at: Any = numbers
        for name in names:
            at = at[name]
        return float(at["recall"]["10"])

    assert found("sources", "clipart", "filled_up", "from_description") >= 0.70
    assert numbers["matrix"]["text"]["audio"]["candidates"] >= 200
    assert found("matrix", "text", "audio") >= 0.60
    for across, least, more in (
        ("text_to_image", 0.55, 0.05),
        ("text_to_audio", 0.50, 0.05),
        ("audio_to_image", 0.35, 0.0),
    ):
        assert found("drawn", "model", across) >= max(least, found("drawn", "untrained", across) + more), across
    heard = numbers["matrix"]["image"]["audio"]
    assert heard["recall"]["1"] >= 10 * heard["chance"]["1"]
    for shots, pictures in (
        (found("matrix", "text", "video"), found("as_many_as_video", "text_to_image")),
        (found("matrix", "video", "text"), found("as_many_as_video", "image_to_text")),
    ):
        assert shots >= pictures - 0.02, "level with as many pictures"
    assert numbers["text_kept"]["mean"] >= 0.98
    assert numbers["text_kept"]["texts"] == 1_000


def test_drift_is_told_for_each_later_stage(trained: Training) -> None:
    table = trained.drift()
    for rows in (table["whole"], table["backbone_alone"]):
        assert list(rows) == [specialist(Medium.AUDIO), FUSED, RECOVERED, REHEARSED, INTERPOLATED]
        assert all(0 <= row["moved"] <= 2 for row in list(rows.values())[1:])
        assert all(row["text_to_audio"]["queries"] for row in rows.values())
        assert rows[specialist(Medium.AUDIO)]["text_to_audio_kept"] == 1
        assert rows[FUSED]["text_to_audio_kept"] == pytest.approx(
            rows[FUSED]["text_to_audio"]["recall"][10] / rows[specialist(Medium.AUDIO)]["text_to_audio"]["recall"][10],
            abs=1e-4,
        )
    assert table["whole"] != table["backbone_alone"]
    assert json.loads((trained.workshop.folder / "drift.json").read_text()) == json.loads(json.dumps(table))


def test_a_log_is_cut_where_a_stage_goes_on(tmp_path: Path) -> None:
    losses = tmp_path / "log.jsonl"
    loop._trim(losses, 2)  # there is none
    losses.write_text('{"step": 0}\n{"step": 1}\n{"step": 2}\n{"ste')
    loop._trim(losses, 2)
    assert losses.read_text() == '{"step": 0}\n{"step": 1}\n'


def test_a_second_run_ends_with_the_same_bits_also_when_it_was_killed_in_between(
    trained: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_KEEP_EVERY", 1)
    plan = replace(trained.workshop.recipe.rehearse, steps=4)

    def run(folder: Path, parent: str = "a" * 12) -> dict[str, torch.Tensor]:
        model, made_by = trained.model(FUSED), {"steps": 4, "widths": {384: 1.0}, "from fused": parent}
        loop.train(model, trained.mixtures, trained.captions, plan, folder, made_by=made_by, bf16=False)
        return checkpoint.state_of(model)

    whole = run(tmp_path / "whole")

    def fall_over(*arguments: object) -> None:
        keep(*arguments)  # type: ignore[arg-type]
        if arguments[-1] == 2:
            raise KeyboardInterrupt

    keep = loop._keep
    monkeypatch.setattr(loop, "_keep", fall_over)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed")
    shutil.copytree(tmp_path / "killed", tmp_path / "other")
    resumed = run(tmp_path / "killed")
    for name, tensor in whole.items():
        assert torch.equal(resumed[name], tensor), name
    assert _steps(tmp_path / "killed") == [0, 3]
    with pytest.raises(KeyboardInterrupt):  # what another parent left is not gone on with
        run(tmp_path / "other", parent="b" * 12)
    assert _steps(tmp_path / "other") == [0], "what it left is not told twice"


def test_a_loss_that_is_not_finite_ends_the_stage(trained: Training, tmp_path: Path) -> None:
    model = trained.model(FUSED)
    with torch.no_grad():
        model.sound.look[1].weight.fill_(float("nan"))
    plan = replace(trained.workshop.recipe.recover, steps=4)
    with pytest.raises(ModelMismatchError, match=r"recovered: the loss of step 0 \(audio\) or its slope is not finite"):
        loop.train(model, trained.mixtures, trained.captions, plan, tmp_path / "recovered", made_by={}, bf16=False)


def test_a_full_disk_is_one_line_and_leaves_no_half_file(trained: Training, tmp_path: Path) -> None:
    model = trained.model(FUSED)
    plan, optimiser = trained.workshop.recipe.rehearse, torch.optim.AdamW(model.parameters())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))  # a disk of 100 kB
    try:
        with pytest.raises(StoreUnavailableError, match=r"resume\.pt' cannot be written: .* free some room"):
            loop._keep(tmp_path / "resume.pt", model, optimiser, plan, {}, 50)
        with pytest.raises(StoreUnavailableError, match=r"weights\.safetensors' cannot be written"):
            checkpoint.save(tmp_path, model, name="fused", recipe={}, numbers={})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["empty", "garbage", "cut", "list", "other"])
def test_a_stage_begins_anew_where_what_it_left_is_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    path = tmp_path / "resume.pt"
    torch.save([1] if damage == "list" else {"other": torch.zeros(1_000)}, path)
    if damage in ("empty", "garbage", "cut"):
        path.write_bytes({"empty": b"", "garbage": b"\x00garbage" * 99, "cut": path.read_bytes()[:2_000]}[damage])
    model = SimpleNamespace(rotation=torch.zeros(1))
    optimiser = torch.optim.AdamW([torch.zeros(1)])
    assert loop._resume(path, model, optimiser, {"steps": 100}) == 0  # type: ignore[arg-type]
    assert "begins anew" in caplog.text


@pytest.mark.parametrize("kept", [b"", b"\x93NUMPY\x01\x00", b"not numbers"])
def test_damaged_axes_are_not_made_anew_under_stages_that_stand_on_them(
    workshop: Workshop, shelves: list[Shelf], tmp_path: Path, kept: bytes
) -> None:
    (tmp_path / "rotation.npy").write_bytes(kept)
    with pytest.raises(StoreUnavailableError, match=r"rotation\.npy' is damaged"):
        _ = Training(replace(workshop, folder=tmp_path), shelves).rotation


def test_a_stage_does_not_go_on_from_a_file_that_does_not_tell_what_it_was_made_by(tmp_path: Path) -> None:
    torch.save({"step": 50, "plan": "{}"}, tmp_path / "resume.pt")  # as earlier versions wrote it
    model = SimpleNamespace(rotation=torch.zeros(1))
    optimiser = torch.optim.AdamW([torch.zeros(1)])
    assert loop._resume(tmp_path / "resume.pt", model, optimiser, {"steps": 100}) == 0  # type: ignore[arg-type]


def test_a_stage_is_told_to_the_loop_with_its_parents_and_the_weights_of_its_sources(
    claims: Workshop, shelves: list[Shelf], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}
    (claims.stage(RECOVERED) / checkpoint.MANIFEST_FILE).unlink()
    monkeypatch.setattr(Workshop, "model", lambda *_: torch.nn.Identity())
    monkeypatch.setattr(stages, "train", lambda *_, **named: told.update(named))
    monkeypatch.setattr(Training, "_keep", lambda *_: None)
    monkeypatch.setattr(Training, "mixtures", {})
    monkeypatch.setattr(Training, "captions", None)
    Training(claims, shelves).recover()
    assert told["made_by"] == claims.made_by(RECOVERED)
    assert {"from fused", "sources", "steps"} <= told["made_by"].keys()


def _steps(folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines()]


def test_contrast_is_least_when_media_lie_on_their_captions_and_twins_are_no_negatives() -> None:
    captions = torch.eye(4)[:3]
    bank = torch.eye(4)[3:]
    no_twins, no_bank_twins = torch.eye(3, dtype=torch.bool), torch.zeros(3, 1, dtype=torch.bool)

    def loss(vectors: torch.Tensor, twins: torch.Tensor) -> float:
        return float(
            contrastive(
                vectors,
                captions,
                bank,
                twins=twins,
                bank_twins=no_bank_twins,
                temperature=0.1,
                widths={4: 1.0},
            )
        )

    assert loss(captions, no_twins) < 0.001
    swapped = captions[[1, 0, 2]]
    assert loss(swapped, no_twins) > 6
    both = no_twins.clone()
    both[0, 1] = both[1, 0] = True
    assert loss(captions, both) < loss(captions, no_twins) + 1e-6
    half = torch.nn.functional.normalize(captions + captions[[1, 0, 2]], dim=-1)
    assert loss(half, both) < loss(half, no_twins)


def test_a_caption_of_two_groups_is_no_negative_for_media_of_either() -> None:
    said = {"cat": ("felix", "a house cat"), "comic": ("felix", "drawn cat"), "dog": ("rex",)}
    groups = {word: next(f"{word} {n}" for n in range(99) if not is_held_out(f"{word} {n}")) for word in said}
    entries = tuple(Entry(word, groups[word], captions, held_out=False) for word, captions in said.items())
    shelf = _blank_shelf("pets", Medium.IMAGE, entries)
    captions = Captions([shelf], _OneHot(), np.eye(16, dtype=np.float32))  # type: ignore[arg-type]
    batch = Mixture([shelf], captions, {"pets": 1.0}).batch(np.random.default_rng(0), 64)
    felix, rex = (captions.vectors[captions.number[text]] for text in ("felix", "rex"))
    assert sorted(batch.bank.argmax(dim=1).tolist()) == sorted([int(felix.argmax())] * 2 + [int(rex.argmax())])
    is_dog = batch.targets @ rex > 0.5
    is_felix = batch.bank @ felix > 0.5
    assert (batch.targets @ felix < 0.5)[~is_dog].any(), "not only by its title"
    assert batch.bank_twins[~is_dog][:, is_felix].all()
    assert not batch.bank_twins[~is_dog][:, ~is_felix].any()
    assert not batch.bank_twins[is_dog][:, is_felix].any()


class _OneHot:
    """Each text a direction of its own."""

    def encode(self, texts: list[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
        return np.eye(16, dtype=np.float32)[: len(texts)]


def _blank_shelf(source: str, medium: Medium, entries: tuple[Entry, ...], *, places: int = 9) -> Shelf:
    count, width = len(entries), 1024 if medium is Medium.AUDIO else 1280
    return Shelf(
        source=source,
        medium=medium,
        entries=entries,
        odds=np.zeros((count, 1, 521 if medium is Medium.AUDIO else 1000), np.float16),
        frames=np.zeros((count, 1, 1, width), np.float16),
        counts=np.ones((count, 1), np.int64),
        places=np.zeros((count, 1, places, width), np.float16),
        detail=np.zeros((count, 1, 0 if medium is Medium.AUDIO else vision.DETAIL), np.float16),
        prior=np.zeros((count, 1, 384), np.float16),
    )


def test_texts_that_must_stay_are_put_together_by_length_and_all_have_their_turn(trained: Training) -> None:
    captions, random = trained.captions, np.random.default_rng(0)
    drawn = [texts(random, captions, 32) for _ in range(300)]
    lengths = np.array([len(ids) for ids in captions.ids])
    by_chance = np.array([np.ptp(random.choice(lengths, 32)) for _ in range(300)])
    assert np.mean([np.ptp(mask.sum(1).numpy()) for _, mask, _ in drawn]) < by_chance.mean() / 2
    seen = {tuple(row[mask.bool()].tolist()) for ids, masks, _ in drawn for row, mask in zip(ids, masks, strict=True)}
    assert len(seen) > 0.8 * len({tuple(ids) for ids in captions.ids})


def test_a_quarter_of_the_tokens_is_dropped_or_all_of_one_kind_besides() -> None:
    kept = _dropped(np.random.default_rng(0), 200, 1, 9).bool()
    classes, looks = kept[:, : TOP + 1], kept[:, TOP + 1 :]
    both = classes.any(1) & looks.any(1)
    assert set(kept[both].sum(1).tolist()) == {12}
    assert (kept[~both].sum(1) > 0).all()
    assert 0.15 < 1 - float(both.float().mean()) < 0.45
    assert kept.float().mean(0)[[0, -1]].min() > 0.5, "no token is dropped more than others"


def test_texts_that_stay_have_not_strayed() -> None:
    here = torch.eye(3)
    assert strayed(here, here) == 0
    assert strayed(here, here[[1, 2, 0]]) == 1


def test_recall_by_hand() -> None:
    candidates = np.eye(4, dtype=np.float32)
    queries = np.array([[1, 0, 0, 0], [0.9, 0.4, 0, 0], [0, 0, 0, 1]], np.float32)
    right = np.zeros((3, 4), bool)
    right[0, 0] = right[1, 1] = True  # the third has no answer and is not counted
    found = evaluate.measure(queries, candidates, right)
    assert (found.queries, found.candidates) == (2, 4)
    assert found.recall == {1: 0.5, 5: 1.0, 10: 1.0}
    assert found.ndcg == pytest.approx((1 + 1 / np.log2(3)) / 2, abs=1e-4)
    assert found.chance == {1: 0.25, 5: 1.0, 10: 1.0}


def test_few_are_looked_for_among_more_that_are_filled_up_by_turns() -> None:
    vectors = np.eye(4, dtype=np.float32)
    shown = evaluate.Exhibit("image", vectors[:2], ("a", "b"), ("x", "y"), vectors[[0, 3]])
    others = evaluate.Exhibit("image", vectors[[2, 2, 3, 3, 0]], ("c", "d", "b", "e", "f"), tuple("12345"), vectors[:0])
    found = evaluate.text_finds_among(shown, others, 4)  # two fillings; the fifth that is left over is none
    assert (found.queries, found.candidates) == (2, 4)
    assert found.recall[1] == (0.5 + 1.0) / 2, (
        "the second filling has one for the query that finds nothing in the first"
    )
    assert found.recall[5] == 1
    assert found.chance[1] == pytest.approx(((1 / 4 + 1 / 4) / 2 + (1 / 4 + 2 / 4) / 2) / 2, abs=1e-4)


def test_a_query_is_not_its_own_answer() -> None:
    vectors = np.eye(3, dtype=np.float32)
    right = ~np.eye(3, dtype=bool)
    found = evaluate.measure(vectors, vectors, right, itself=np.eye(3, dtype=bool))
    assert found.recall[1] == 1.0
    assert found.chance[1] == 1.0, "it is no candidate either"


def test_a_caption_fits_what_shows_the_same_as_any_medium_that_has_it() -> None:
    vectors = np.eye(3, dtype=np.float32)[[0, 0, 1]]
    texts = np.eye(3, dtype=np.float32)[[1, 1, 2]]
    shown = evaluate.Exhibit("image", vectors, ("a", "b", "b"), ("x", "x", "y"), texts)
    first, right = evaluate.captions_found(shown)
    assert first.tolist() == [0, 2]
    assert right.tolist() == [[True, False], [True, True], [True, True]]
    assert evaluate.finds_text(shown).recall[1] == 1.0


def test_chance_by_hand() -> None:
    vectors = np.eye(20, dtype=np.float32)
    assert evaluate.measure(vectors, vectors, np.eye(20, dtype=bool)).chance == {1: 0.05, 5: 0.25, 10: 0.5}


def test_pairs_of_one_group_are_held_out_together_and_about_a_tenth_is() -> None:
    groups = [f"thing {number}" for number in range(2_000)]
    out = [_pair(group).held_out for group in groups]
    assert out == [replace(_pair(group), source="b", key="other").held_out for group in groups]
    assert 0.08 < np.mean(out) < 0.12


def _must_not_be_read(folder: Path) -> Iterator[Pair]:
    raise AssertionError("its shelf is there already")


def _must_not_be_called(*arguments: object, **more: object) -> None:
    raise AssertionError("nothing is to be done here")
