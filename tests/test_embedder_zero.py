"""omnia-zero as a whole: real towers, real pictures and sounds."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from data.errors import ModelMismatchError
from data.records import Evidence, Kind
from data.settings import DEFAULT_MODEL
from embedder.cli import main
from embedder.embed import Embedder, load_embedder
from embedder.glosses import audioset_vectors, read_imagenet, read_tables
from embedder.prior import keep_top
from embedder.segment import Modality, Segment, words
from embedder.selftest import golden_segments
from embedder.towers.words import WordsTower

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
DOG = SAMPLES / "animals" / "Rex in the field.jpg"
VIOLIN = SAMPLES / "music" / "grandfather's violin.jpg"
BARKING = SAMPLES / "animals" / "Rex barking.mp3"
BELLS = SAMPLES / "town" / "church bells, Sunday.mp3"


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder("omnia-zero", device="cpu")


def shown(*paths: Path) -> Segment:
    frames = [np.asarray(Image.open(path).convert("RGB").resize((320, 240))) for path in paths]
    return Segment(kind=Kind.IMAGE, evidence=Evidence.SEEN, pixels=np.stack(frames))


def heard(sound: NDArray[np.float32]) -> Segment:
    return Segment(kind=Kind.AUDIO, evidence=Evidence.HEARD, sound=sound)


def played(path: Path) -> Segment:
    import av

    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=16_000)
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    return heard(np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])[:160_000])


def test_every_modality_lies_in_one_space_with_unit_norm(embedder: Embedder) -> None:
    mixed = [segment for modality in Modality for segment in golden_segments(modality)]
    vectors = embedder.embed(mixed)
    assert vectors.shape == (9, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_mixed_batch_gives_what_one_by_one_gives(embedder: Embedder) -> None:
    mixed = [segment for trio in zip(*map(golden_segments, Modality), strict=True) for segment in trio]
    alone = np.concatenate([embedder.embed([segment]) for segment in mixed])
    np.testing.assert_allclose(embedder.embed(mixed), alone, atol=1e-3)


def test_a_page_is_its_picture_whatever_its_words(embedder: Embedder) -> None:
    picture = shown(DOG)
    page = replace(picture, kind=Kind.DOCUMENT, text="an invoice for a new clutch")
    np.testing.assert_array_equal(embedder.embed([page]), embedder.embed([picture]))


def test_a_photo_of_a_dog_is_nearer_to_a_dog_than_to_a_violin(embedder: Embedder) -> None:
    dog, violin, dog_photo, violin_photo = embedder.embed(
        [words("a dog"), words("a violin"), shown(DOG), shown(VIOLIN)]
    )
    assert dog_photo @ dog > 0.3 > dog_photo @ violin
    assert violin_photo @ violin > 0.3 > violin_photo @ dog


def test_a_barking_dog_is_nearer_to_a_dog_than_bells_are(embedder: Embedder) -> None:
    dog, bells, barking, ringing, dog_photo = embedder.embed(
        [words("a dog barks"), words("church bells ring"), played(BARKING), played(BELLS), shown(DOG)]
    )
    assert barking @ dog > barking @ bells
    assert ringing @ bells > ringing @ dog
    assert dog_photo @ barking > dog_photo @ ringing


def test_a_made_up_siren_is_nearer_to_a_siren_than_to_speech(embedder: Embedder) -> None:
    t = np.arange(48_000) / 16_000
    siren = (0.5 * np.sin(2 * np.pi * 900 * t - 200 * np.cos(2 * np.pi * t * 0.7))).astype(np.float32)
    vector, alarm, speech = embedder.embed([heard(siren), words("a siren, an alarm"), words("somebody is speaking")])
    assert vector @ alarm > vector @ speech


def test_the_frames_of_a_shot_are_averaged(embedder: Embedder) -> None:
    dog, violin, both = embedder.embed([shown(DOG), shown(VIOLIN), shown(DOG, VIOLIN)])
    assert both @ dog > dog @ violin
    assert both @ violin > dog @ violin


def test_silence_and_the_shortest_sound_have_vectors(embedder: Embedder) -> None:
    assert embedder.embed([heard(np.zeros(16_000, np.float32)), heard(np.zeros(1, np.float32))]).shape == (2, 384)


def test_the_stored_table_is_what_its_words_give() -> None:
    tower, tables = WordsTower("cpu"), read_tables()
    np.testing.assert_allclose(tables.audioset, audioset_vectors(tower), atol=2e-3)
    classes = read_imagenet()
    assert len(classes) == len(tables.imagenet) == 1000
    names = tower.encode([classes[number].names for number in (0, 207, 999)])
    assert ((tables.imagenet[[0, 207, 999]] * names).sum(1) > 0.75).all()


def test_a_damaged_table_is_refused(tmp_path: Path) -> None:
    damaged = tmp_path / "omnia-zero.safetensors"
    damaged.write_bytes(b"not a table")
    with pytest.raises(ModelMismatchError, match="restore the file"):
        read_tables(damaged)


def test_the_largest_weights_are_kept_and_sum_to_one() -> None:
    kept = keep_top(np.array([[0.1, 0.4, 0.2, 0.3]], np.float32), 2)
    np.testing.assert_allclose(kept, [[0, 4 / 7, 0, 3 / 7]], atol=1e-6)


def test_the_self_test_is_cheap(embedder: Embedder) -> None:
    embedder._checked.clear()
    started = time.process_time()
    for modality in Modality:
        embedder.check(modality)
    assert time.process_time() - started < 2.0  # 0.4 s on two quiet cores


def test_info_says_what_the_model_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json", "--device", "cpu"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["model"] == DEFAULT_MODEL
    assert facts["dim"] == 384
    assert facts["device"] == "cpu"
    assert facts["self_test"] == "passed"
    assert "Apache-2.0" in facts["licence"]


def test_info_of_an_absent_device_could_not_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--device", "cuda:99"]) == 2
    assert "cuda:99" in capsys.readouterr().out


def test_help_answers_at_once() -> None:
    code = (
        "import atexit, runpy, sys, time; atexit.register(lambda: print(time.process_time()));"
        "sys.argv = ['embedder', '--help']; runpy.run_module('embedder', run_name='__main__')"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(found.stdout.split()[-1]) < 0.3
