"""Omnia inside mteb: an embedder as its model, its numbers the same as ours, no hub needed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import wave
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from data.errors import BadSettingsError, UnsupportedMediaError
from embedder.cli import main
from embedder.segment import Modality, Role
from tests.fakes import AXES, FakeEmbedder
from tests.make_media import film

os.environ["HF_HUB_OFFLINE"] = "1"  # before huggingface_hub is imported
mteb = pytest.importorskip("mteb", reason="mteb is not installed: pip install -e '.[mteb]'")

from datasets import Audio, Dataset, Video, config  # noqa: E402
from mteb._create_dataloaders import create_dataloader  # noqa: E402
from mteb.types import PromptType  # noqa: E402

from embedder import evaluate, mteb_tasks  # noqa: E402
from embedder.evaluate import Exhibit  # noqa: E402
from embedder.mteb_held_out import HeldOut, KnownVectors, questions  # noqa: E402
from embedder.mteb_model import EmbedderModel  # noqa: E402

DIM = 16


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch):
    monkeypatch.setattr(config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


class Omnivore(FakeEmbedder):
    """The fake model of mixed batches, which remembers what it was given."""

    def __init__(self, modalities=frozenset(Modality)):
        super().__init__()
        self.row = replace(self.row, modalities=modalities)
        self.given, self.roles = [], []

    def embed(self, segments, role=Role.DOCUMENT):
        self.given += segments
        self.roles.append(role)
        return np.concatenate([super(Omnivore, self).embed([segment], role) for segment in segments])


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def exhibit(name, count, *, groups, seed):
    random = np.random.default_rng(seed)
    topics = unit(np.random.default_rng(0).standard_normal((groups, DIM)))
    of = random.integers(0, groups, count)
    noise = random.standard_normal((2, count, DIM)) * 0.35
    return Exhibit(
        name,
        unit(topics[of] + noise[0]),
        tuple(f"group {n}" for n in of),
        tuple(f"{name} {number % (count - 3)}" for number in range(count)),  # three share their words with another
        unit(topics[of] + noise[1]),
        origins=tuple(f"{'image' if name == 'video' and number < 9 else name}/{number}" for number in range(count)),
    )


def written(folder, task):
    (path,) = folder.rglob(f"{task}.json")
    return json.loads(path.read_text())["scores"]["test"][0]


@pytest.fixture(scope="module")
def held():
    kinds = {"image": 40, "audio": 31, "video": 24, "document": 28}
    return {name: exhibit(name, count, groups=9, seed=count) for name, count in kinds.items()}


def test_mteb_measures_held_out_media_as_we_do(held, tmp_path):
    ours = evaluate.matrix(held)
    scores = mteb_tasks.run_held_out(held, tmp_path, name="rehearsed")
    cells = [(a, b) for a in ("text", *held) for b in ("text", *held) if (a, b) != ("text", "text")]
    assert len(scores) == len(cells) == 24
    for asked, shown in cells:
        found = written(tmp_path, f"Omnia{asked.title()}To{shown.title()}Retrieval")
        cell = ours[asked][shown]
        for depth in evaluate.DEPTHS:
            assert found[f"hit_rate_at_{depth}"] == pytest.approx(cell["recall"][depth], abs=6e-5)
        assert found["ndcg_at_10"] == pytest.approx(cell["ndcg"], abs=6e-5)
        assert 0.1 < found["ndcg_at_10"] < 1, "a set that tells nothing would agree with anything"
    assert {score.task: score.value for score in scores}["OmniaTextToImageRetrieval"] == ours["text"]["image"]["ndcg"]


def test_a_clip_does_not_find_the_picture_it_was_made_from():
    own, unlike, other = unit(np.array([[1, 0.0], [1, 0.5], [0, 1]], np.float32))
    pictures = Exhibit(
        "image",
        np.stack([own, unlike, other]),
        ("a", "b", "a"),
        ("1", "2", "3"),
        np.eye(3),
        origins=("p/1", "p/2", "p/3"),
    )
    clip = Exhibit("video", own[None], ("a",), ("4",), np.eye(1), origins=("p/1",))
    assert evaluate.itself(clip, pictures).tolist() == [[True, False, False]]
    (question,) = [
        each for each in questions({"image": pictures, "video": clip}) if each.name == "OmniaVideoToImageRetrieval"
    ]
    assert question.right.tolist() == [[False, False, True]]
    found = evaluate.measure(question.queries, question.candidates, question.right, itself=question.itself)
    assert found.recall == {1: 0.0, 5: 1.0, 10: 1.0}
    alone = Exhibit("video", own[None], ("a",), ("4",), np.eye(1), origins=("q/1",))
    assert not evaluate.itself(alone, pictures).any()


def test_a_query_with_several_right_answers_counts_once_and_one_without_not_at_all(tmp_path):
    vectors = unit(np.array([[1, 0.1], [1, 0.4], [1, -0.5], [0.1, 1]], np.float32))
    shown = Exhibit("image", vectors, ("a", "a", "a", "b"), ("one", "two", "three", "four"), vectors)
    (question,) = [each for each in questions({"image": shown}) if each.name == "OmniaImageToImageRetrieval"]
    lone = Exhibit("image", vectors[:1], ("a",), ("one",), vectors[:1])
    alone = mteb_tasks.run_held_out({"image": lone}, tmp_path / "alone", name="x")[-1]
    assert (alone.value, alone.left_out) == (None, "no query has a right answer")
    assert question.asked_ids == question.shown_ids
    model = KnownVectors(question, name="omnia/tiny", revision="1")
    mteb.evaluate(model, HeldOut(question), cache=mteb.ResultCache(tmp_path), co2_tracker=False)
    found = written(tmp_path, question.name)
    ours = evaluate.measure(question.queries, question.candidates, question.right, itself=question.itself)
    assert ours.queries == 3
    assert found["hit_rate_at_1"] == ours.recall[1] == 1.0
    assert found["recall_at_1"] == 0.5, "mteb's recall is of the right answers, not of the queries"
    assert found["ndcg_at_10"] == pytest.approx(ours.ndcg, abs=6e-5)


def wav(frequency_hz, *, seconds, rate_hz=44_100):
    file = io.BytesIO()
    samples = np.sin(2 * np.pi * frequency_hz * np.arange(int(seconds * rate_hz)) / rate_hz)
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate_hz)
        sound.writeframes((samples * 20_000).astype("<i2").tobytes())
    return file.getvalue()


def encoded(model, data, category, *, type="Any2AnyRetrieval", asked=False):
    kind = PromptType.query if asked else PromptType.document
    names = {"t": "text", "i": "image", "a": "audio", "v": "video"}
    wanted = [names[letter] for letter in category]
    metadata = SimpleNamespace(name="Tiny", type=type, modalities=wanted, get_modalities=lambda _: wanted)
    dataset = Dataset.from_dict({"id": [str(n) for n in range(len(next(iter(data.values()))))], **data})
    for column, feature in {"audio": Audio(), "video": Video()}.items():
        if column in data:
            dataset = dataset.cast_column(column, feature)
    loader = create_dataloader(dataset, task_metadata=metadata, prompt_type=kind, batch_size=2)
    return model.encode(loader, task_metadata=metadata, hf_split="test", hf_subset="default", prompt_type=kind)


def test_texts_are_embedded_in_order_with_the_role_of_their_side():
    model = EmbedderModel(omnivore := Omnivore())
    vectors = encoded(model, {"text": ["dog", "night rain", "beach"]}, "t", asked=True)
    assert vectors.argmax(axis=1).tolist() == [AXES.index("dog"), AXES.index("night"), AXES.index("beach")]
    assert set(omnivore.roles) == {Role.QUERY}
    encoded(model, {"text": ["", "city"]}, "t")
    assert omnivore.roles[-1] is Role.DOCUMENT


def test_pictures_are_over_white_and_no_larger_than_a_reader_makes_them():
    model = EmbedderModel(omnivore := Omnivore())
    clear = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    vectors = encoded(model, {"image": [Image.new("RGB", (2_000, 100), "red"), clear]}, "i")
    assert vectors.shape == (2, len(AXES))
    assert vectors[0].argmax() == AXES.index("dog")
    assert [part.pixels.shape for part in omnivore.given] == [(1, 38, 768, 3), (1, 30, 40, 3)]
    assert omnivore.given[1].pixels.min() == 255


def test_a_caption_with_its_picture_is_the_mean_of_both():
    vectors = encoded(EmbedderModel(Omnivore()), {"text": ["music"], "image": [Image.new("RGB", (8, 8), "red")]}, "ti")
    assert vectors[0, [AXES.index("music"), AXES.index("dog")]] == pytest.approx([0.5**0.5] * 2)


def test_sounds_are_decoded_by_our_reader_and_cut_into_windows():
    model = EmbedderModel(omnivore := Omnivore())
    sounds = [{"bytes": wav(440, seconds=2), "path": None}, {"bytes": wav(220, seconds=24), "path": None}]
    vectors = encoded(model, {"audio": sounds}, "a")
    assert vectors.argmax(axis=1).tolist() == [AXES.index("music")] * 2
    seconds = [part.sound.size / 16_000 for part in omnivore.given]
    assert seconds == pytest.approx([2, 12, 12], abs=0.05)


def test_a_sound_with_a_text_is_the_mean_of_both():
    sounds = [{"bytes": wav(440, seconds=1), "path": None}]
    vectors = encoded(EmbedderModel(Omnivore()), {"text": ["dog"], "audio": sounds}, "at")
    assert vectors[0, [AXES.index("music"), AXES.index("dog")]] == pytest.approx([0.5**0.5] * 2)


def test_an_item_of_which_a_model_takes_nothing_in_costs_its_task_alone():
    blind = Omnivore(frozenset({Modality.WORDS}))
    pictures = {"text": ["dog", ""], "image": [Image.new("RGB", (8, 8), "red")] * 2}
    with pytest.raises(UnsupportedMediaError, match="nothing in it to embed"):
        encoded(EmbedderModel(blind), pictures, "ti")
    silence = {"bytes": wav(440, seconds=0), "path": None}
    with pytest.raises(UnsupportedMediaError, match="no sample in it"):
        encoded(EmbedderModel(Omnivore()), {"audio": [silence]}, "a")


def test_a_film_is_its_shots(tmp_path):
    model = EmbedderModel(omnivore := Omnivore())
    path = tmp_path / "film.mp4"
    film(path)
    vectors = encoded(model, {"video": [{"bytes": path.read_bytes(), "path": None}]}, "v")
    assert np.linalg.norm(vectors) == pytest.approx(1)
    assert {part.modality for part in omnivore.given} == {Modality.PIXELS}


def test_pages_are_read_only_where_that_is_asked_for(monkeypatch):
    monkeypatch.setattr("embedder.media.ocr.words", lambda page: "music music")
    page = {"image": [Image.new("RGB", (60, 80), "white")]}
    for reads, parts in ((False, 1), (True, 2)):
        model = EmbedderModel(omnivore := Omnivore(), read_pages=reads)
        encoded(model, page, "i", type="DocumentUnderstanding")
        assert len(omnivore.given) == parts
    assert model.mteb_model_meta.revision == "fake-1-pages-read"
    assert [part.kind.value for part in omnivore.given] == ["document", "document"]


def test_cosine_is_what_vectors_are_compared_by():
    model = EmbedderModel(Omnivore())
    assert model.similarity([[2.0, 0.0]], np.array([[1.0, 1.0], [0.0, 3.0]])).tolist() == [
        [pytest.approx(0.5**0.5), 0.0]
    ]
    assert model.similarity_pairwise([[2.0, 0.0]], [[3.0, 0.0]]).tolist() == [1.0]


def test_a_task_runs_through_mteb_and_is_not_run_twice(tmp_path, monkeypatch):
    axes, texts = np.eye(3, dtype=np.float32), ("dog", "beach", "night")
    (question,) = [
        each
        for each in questions({"image": Exhibit("image", axes, texts, texts, axes)})
        if each.name == "OmniaTextToImageRetrieval"
    ]
    task = HeldOut(question)
    pictures = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    split = task.dataset["default"]["test"]
    split["corpus"] = Dataset.from_dict({"id": split["corpus"]["id"], "image": pictures})
    monkeypatch.setattr(mteb_tasks, "named_tasks", lambda _: [task])
    for calls in (True, False):
        (score,) = mteb_tasks.run(["any"], omnivore := Omnivore(), tmp_path)
        assert score.value == 1.0
        assert bool(omnivore.given) == calls
    (score,) = mteb_tasks.run(["any"], Omnivore(frozenset({Modality.SOUND})), tmp_path / "other")
    assert score.value is None
    assert "audio" in score.left_out
    assert "0 tasks; 1 left out" in mteb_tasks.table([score])


@pytest.mark.parametrize(("name", "least"), [("MAEB", 20), ("MIEB", 100), ("MVEB", 15), ("ViDoRe", 8), ("cifar10", 0)])
def test_benchmarks_are_known_by_their_short_names(name, least):
    if least:
        assert len(mteb_tasks.named_tasks([name, name])) >= least
    else:
        with pytest.raises(BadSettingsError, match="near to it: CIFAR10"):
            mteb_tasks.named_tasks([name])


def test_a_hub_out_of_reach_is_one_line(tmp_path):
    with pytest.raises(BadSettingsError) as told:
        mteb_tasks.run(["CIFAR10"], Omnivore(), tmp_path)
    said = str(told.value)
    assert "CIFAR10" in said
    assert "cannot be reached" in said
    assert "go online" in said
    assert "\n" not in said


def test_consent_is_read_from_variables_too(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mteb_tasks, "named_tasks", lambda _: [])
    model = "jinaai/jina-embeddings-v5-omni-small"
    command = ["evaluate", "--mteb", "CIFAR10", "--model", model, "--work", str(tmp_path), "--device", "cpu"]
    assert main(command) == 2
    assert "--trust-remote-code (or OMNIA_TRUST_REMOTE_CODE=1)" in capsys.readouterr().err
    monkeypatch.setenv("OMNIA_TRUST_REMOTE_CODE", "1")
    monkeypatch.setenv("OMNIA_ACCEPT_LICENCE", "1")
    assert main(command) == 2
    assert "the hub cannot be reached" in capsys.readouterr().err


def test_options_are_read_without_anything_heavy():
    code = (
        "import sys\n"
        "from embedder import mteb_tasks\n"
        "assert not {'mteb', 'datasets', 'torch', 'numpy'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent, capture_output=True)
    assert done.returncode == 0, done.stderr
    parser = ArgumentParser()
    mteb_tasks.add_options(parser)
    assert parser.parse_args([]).mteb == []
    assert parser.parse_args(["--mteb", "MAEB", "--mteb", "held-out"]).mteb == ["MAEB", "held-out"]
