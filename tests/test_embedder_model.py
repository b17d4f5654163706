"""The model: one backbone for words and soft tokens, and what must be true of its vectors whatever its weights are."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from data.errors import ModelMismatchError
from data.records import Kind
from embedder.device import Device
from embedder.mini import CHECKPOINT, GOLDENS_FILE, OmniaMini, load_mini
from embedder.model import checkpoint, omni
from embedder.model.features import Features, collate
from embedder.model.omni import WIDTHS, OmniModel, Tower
from embedder.model.projector import FRAMES, TOP
from embedder.rows import MODELS, model_row
from embedder.segment import Modality, Role, words
from embedder.selftest import golden_segments
from embedder.towers import sounds, vision
from embedder.towers.words import MAX_TOKENS, WordsTower, padded, read_tokenizer


@pytest.fixture(scope="module")
def model() -> OmniModel:
    return checkpoint.base_model().eval()


def features(tower: Tower, count: int, *, frames: int = 1, seed: int = 0) -> list[Features]:
    random = np.random.default_rng(seed)
    classes, width, places, detail = (
        (vision.CLASSES, vision.FEATURES, vision.PLACES, vision.DETAIL)
        if tower is Tower.VISION
        else (sounds.CLASSES, sounds.FEATURES, 1, 0)
    )
    made = []
    for _ in range(count):
        prior = random.standard_normal(384).astype(np.float32)
        made.append(
            Features(
                odds=random.random(classes).astype(np.float16),
                frames=random.random((frames, width)).astype(np.float16),
                places=random.random((places, width)).astype(np.float16),
                detail=random.random(detail).astype(np.float16),
                prior=prior / np.linalg.norm(prior),
            )
        )
    return made


@pytest.mark.parametrize("tower", list(Tower))
def test_media_become_unit_vectors_of_finite_numbers(model: OmniModel, tower: Tower) -> None:
    with torch.inference_mode():
        vectors = model.media(tower, collate(features(tower, 5, frames=3)))
    assert vectors.shape == (5, 384)
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(5), atol=1e-5, rtol=0)


@pytest.mark.parametrize("tower", list(Tower))
def test_a_batch_gives_what_one_by_one_gives_whatever_the_padding(model: OmniModel, tower: Tower) -> None:
    mixed = [*features(tower, 2, frames=1), *features(tower, 2, frames=FRAMES, seed=1)]
    with torch.inference_mode():
        together = model.media(tower, collate(mixed))
        alone = torch.cat([model.media(tower, collate([each])) for each in mixed])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_words_of_the_base_model_are_minilm_s(model: OmniModel) -> None:
    texts = ["a dog on the beach", "rain"]
    ids, mask = padded([encoded.ids for encoded in read_tokenizer().encode_batch(texts)])
    with torch.inference_mode():
        np.testing.assert_allclose(model.words(ids, mask).numpy(), WordsTower("cpu").encode(texts), atol=1e-5)


def test_a_page_is_its_picture_and_its_words(model: OmniModel) -> None:
    reading = collate(features(Tower.VISION, 2))
    said = padded([encoded.ids for encoded in read_tokenizer().encode_batch(["an invoice for a new clutch", ""])])
    with torch.inference_mode():
        page, wordless = model.media(Tower.VISION, reading, words=said)
        _, plain = model.media(Tower.VISION, reading)
        (own,) = model.words(*padded([read_tokenizer().encode("an invoice for a new clutch").ids]))
    assert page @ own > plain @ own
    torch.testing.assert_close(wordless, plain, atol=1e-5, rtol=0)


def test_on_which_side_the_padding_is_does_not_matter(model: OmniModel) -> None:
    reading = collate(features(Tower.VISION, 3))
    texts = ["an invoice for a new clutch", "rain", ""]
    ids, mask = padded([encoded.ids for encoded in read_tokenizer().encode_batch(texts)])
    gaps = [int(row.sum()) - len(row) for row in mask]
    left = tuple(torch.stack([row.roll(-gap) for row, gap in zip(each, gaps, strict=True)]) for each in (ids, mask))
    assert left[1][:, -1].all()
    assert not left[1][1:, 0].any()
    with torch.inference_mode():
        torch.testing.assert_close(model.words(*left), model.words(ids, mask), atol=1e-5, rtol=0)
        pages = [model.media(Tower.VISION, reading, words=words) for words in ((ids, mask), left)]
    torch.testing.assert_close(*pages, atol=1e-5, rtol=0)


def test_a_shot_played_backwards_is_another() -> None:
    shipped = checkpoint.load(CHECKPOINT)
    reading = collate(features(Tower.VISION, 3, frames=FRAMES))
    backwards = replace(reading, frames=reading.frames.flip(1))
    with torch.inference_mode():
        there, back = (shipped.media(Tower.VISION, each) for each in (reading, backwards))
    assert (there * back).sum(-1).max() < 0.999


@pytest.mark.parametrize("tower", list(Tower))
def test_the_networks_of_a_shortcut_are_averaged_and_read_detail_where_there_is_any(
    model: OmniModel, tower: Tower
) -> None:
    shortcut = copy.deepcopy(model.projector(tower).shortcut)
    reading = collate(features(tower, 3))
    with torch.inference_mode():
        assert not shortcut(reading).any()  # it begins with nothing to say
        torch.manual_seed(0)
        shortcut.out.normal_()
        each = shortcut.each(reading)
        torch.testing.assert_close(shortcut(reading), each.mean(0))
        other = shortcut(replace(reading, detail=reading.detail.flip(0)))
    assert len({vectors.numpy().tobytes() for vectors in each}) == len(each) > 1
    assert (each.norm(dim=-1) < 1).all()
    assert torch.equal(other[0], shortcut(reading)[0]) == (tower is Tower.SOUND)
    assert torch.equal(other[1], shortcut(reading)[1])


def test_soft_tokens_can_be_left_out(model: OmniModel) -> None:
    reading = collate(features(Tower.VISION, 1))
    tokens = TOP + 1 + 1 + vision.PLACES
    with torch.inference_mode():
        whole = model.media(Tower.VISION, reading, kept=torch.ones(1, tokens, dtype=torch.int64))
        torch.testing.assert_close(whole, model.media(Tower.VISION, reading))
        part = torch.zeros(1, tokens, dtype=torch.int64)
        part[:, :3] = 1
        assert not torch.allclose(whole, model.media(Tower.VISION, reading, kept=part), atol=1e-3)


@pytest.mark.parametrize(("tower", "has_words"), [(Tower.VISION, False), (Tower.VISION, True), (Tower.SOUND, False)])
def test_what_is_left_out_costs_nothing_and_changes_nothing(
    model: OmniModel, monkeypatch: pytest.MonkeyPatch, tower: Tower, has_words: bool
) -> None:
    reading = collate(features(tower, 3))
    tokens, there = model.projector(tower)(reading)
    kept = torch.zeros(tokens.shape[:2], dtype=torch.int64)
    kept[0, 1::4] = kept[1, :2] = kept[2, -1] = 1
    page = padded([[101, 102], [101, 7592, 2088, 102], [101, 3899, 102]]) if has_words else None
    widths: list[int] = []
    pooled = model.backbone.pooled
    monkeypatch.setattr(model.backbone, "pooled", lambda x, mask: widths.append(x.shape[1]) or pooled(x, mask))
    with torch.inference_mode():
        packed = model.media(tower, reading, kept=kept, words=page)
        monkeypatch.setattr(omni, "_packed", lambda x, mask: (x, mask))
        masked = model.media(tower, reading, kept=kept, words=page)
    torch.testing.assert_close(packed, masked, atol=1e-5, rtol=1e-4)
    lead = page[1].sum(1) if page else torch.ones(3, dtype=torch.int64)  # what comes before the soft tokens
    assert widths == [int(((kept * there).sum(1) + lead).max()) + 1, tokens.shape[1] + int(lead.max()) + 1]


def test_soft_tokens_begin_at_the_size_of_words(model: OmniModel) -> None:
    with torch.inference_mode():
        tokens, _ = model.vision(collate(features(Tower.VISION, 4)))
    table = model.backbone.tokens.weight.std()
    assert 0.3 < float(tokens.std() / table) < 3


def test_a_checkpoint_comes_back_as_it_was_in_half_precision(model: OmniModel, tmp_path: Path) -> None:
    checkpoint.save(tmp_path, model, name="trial", recipe={"seed": 1}, numbers={"recall": 0.5})
    again = checkpoint.load(tmp_path)
    for name, tensor in checkpoint.state_of(again).items():
        torch.testing.assert_close(tensor, checkpoint.state_of(model)[name].half().float(), msg=name)
    manifest = checkpoint.read_manifest(tmp_path)
    assert (manifest.name, manifest.recipe, manifest.numbers) == ("trial", {"seed": 1}, {"recall": 0.5})
    assert manifest.fingerprint == f"trial-{manifest.sha256[:12]}"
    assert (tmp_path / checkpoint.WEIGHTS_FILE).stat().st_size < 45_000_000


def test_a_damaged_checkpoint_is_refused(model: OmniModel, tmp_path: Path) -> None:
    checkpoint.save(tmp_path, model, name="trial", recipe={}, numbers={})
    path = tmp_path / checkpoint.WEIGHTS_FILE
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ModelMismatchError, match="weights changed"):
        checkpoint.load(tmp_path)
    with pytest.raises(ModelMismatchError, match="no checkpoint in"):
        checkpoint.load(tmp_path / "nothing")


def test_a_checkpoint_of_other_towers_is_refused(model: OmniModel, tmp_path: Path) -> None:
    checkpoint.save(tmp_path, model, name="trial", recipe={}, numbers={})
    path = tmp_path / checkpoint.MANIFEST_FILE
    path.write_text(path.read_text().replace(vision.SHA256, "0" * 64))
    with pytest.raises(ModelMismatchError, match="stands on other towers"):
        checkpoint.load(tmp_path)
    path.write_text(path.read_text().replace(f'"format": {checkpoint.FORMAT}', '"format": 1'))
    with pytest.raises(ModelMismatchError, match="is of another version"):
        checkpoint.load(tmp_path)


@pytest.mark.parametrize("broken", ["missing", "truncated", "without sounds"])
def test_goldens_that_cannot_be_compared_with_are_no_silence(model: OmniModel, tmp_path: Path, broken: str) -> None:
    path = tmp_path / GOLDENS_FILE
    if broken == "truncated":
        path.write_bytes((CHECKPOINT / GOLDENS_FILE).read_bytes()[:-100])
    elif broken == "without sounds":
        save_file({"words": np.zeros((3, 384), np.float16), "pixels": np.zeros((3, 384), np.float16)}, path)
    with pytest.raises(ModelMismatchError, match=r"golden vectors unreadable: .*goldens.safetensors.*git checkout"):
        OmniaMini(model, Device("cpu", bf16=False), goldens=path)


def test_the_face_embeds_every_modality(model: OmniModel) -> None:
    mini = OmniaMini(model, Device("cpu", bf16=False))
    for modality in Modality:
        vectors = mini.encode(golden_segments(modality), Role.DOCUMENT)
        assert vectors.shape == (3, 384)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_page_is_the_same_alone_and_among_others(model: OmniModel) -> None:
    mini = OmniaMini(model, Device("cpu", bf16=False))
    shown = golden_segments(Modality.PIXELS)
    texts = ("an invoice for a new clutch", "the tides at the harbour, hour by hour " * 100, " \n")
    pages = [replace(picture, kind=Kind.DOCUMENT, text=text) for picture, text in zip(shown, texts, strict=True)]
    mixed = [segment for pair in zip(pages, shown, strict=True) for segment in pair]
    together = mini.encode(mixed, Role.DOCUMENT)
    alone = np.concatenate([mini.encode([each], Role.DOCUMENT) for each in mixed])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    pictures = mini.encode(shown, Role.DOCUMENT)
    np.testing.assert_allclose(together[1::2], pictures, atol=1e-5)
    np.testing.assert_allclose(together[4], pictures[2], atol=1e-5, err_msg="white space is no words")
    assert (together[[0, 2]] * pictures[:2]).sum(axis=1).max() < 0.99
    (invoice,) = mini.encode([words(texts[0])], Role.QUERY)
    assert together[0] @ invoice > pictures[0] @ invoice


def test_a_page_is_read_as_far_as_in_evaluation(model: OmniModel) -> None:
    mini = OmniaMini(model, Device("cpu", bf16=False))
    page = replace(golden_segments(Modality.PIXELS)[0], text="harbour " * (MAX_TOKENS - 2))
    longer = replace(page, text=f"{page.text} and an invoice for a new clutch")
    np.testing.assert_array_equal(mini.encode([longer], Role.DOCUMENT), mini.encode([page], Role.DOCUMENT))


def test_a_prefix_of_a_vector_still_tells_texts_apart(model: OmniModel) -> None:
    mini = OmniaMini(model, Device("cpu", bf16=False))
    dog, puppy, invoice = mini.encode([words(t) for t in ("a dog", "a puppy", "an unpaid invoice")], Role.QUERY)
    for width in WIDTHS:
        assert dog[:width] @ puppy[:width] > dog[:width] @ invoice[:width]


def test_the_table_names_the_checkpoint_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    row = model_row("omnia-mini")
    assert row.fingerprint == checkpoint.read_manifest(CHECKPOINT).fingerprint
    monkeypatch.setitem(MODELS, "omnia-mini", replace(row, fingerprint="omnia-mini-000000000000"))
    with pytest.raises(ModelMismatchError, match=rf"is {row.fingerprint}, and embedder/rows\.py names omnia-mini-0000"):
        load_mini(Device("cpu", bf16=False))


def test_numbers_that_are_not_finite_in_half_precision_are_not_kept(tmp_path: Path) -> None:
    model = checkpoint.base_model()
    model.requires_grad_(False)
    checkpoint.save(tmp_path, model, name="tiny", recipe={}, numbers={})
    before = (tmp_path / checkpoint.MANIFEST_FILE).read_bytes()
    for wrong in (float("nan"), 1e6):
        model.sound.time[0, 0] = wrong
        with pytest.raises(ModelMismatchError, match=r"'sound\.time' holds numbers that are not finite"):
            checkpoint.save(tmp_path, model, name="tiny", recipe={}, numbers={})
    assert (tmp_path / checkpoint.MANIFEST_FILE).read_bytes() == before
    assert checkpoint.load(tmp_path).sound.time[0, 0] == 0


@pytest.mark.parametrize("said", ["[]", "null", '"x"', "7", '{"name": []}'])
def test_a_manifest_that_is_no_table_is_refused(tmp_path: Path, said: str) -> None:
    (tmp_path / checkpoint.MANIFEST_FILE).write_text(said)
    with pytest.raises(ModelMismatchError, match="no checkpoint in"):
        checkpoint.read_manifest(tmp_path)
