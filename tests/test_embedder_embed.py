"""The face: order, batches, blame, devices, and a self-test that a broken model does not pass."""

from __future__ import annotations

import platform
import subprocess
import sys
import threading
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from data.errors import BadSettingsError, EmbeddingFailedError, ModelMismatchError
from data.records import Evidence, Kind
from embedder.device import pick_device
from embedder.embed import Embedder, load_embedder
from embedder.rows import MODELS, ModelRow, model_row
from embedder.segment import Modality, Role, Segment, words
from embedder.selftest import golden_segments

DIM = 8
ROW = ModelRow(name="toy", fingerprint="toy-1", dim=DIM, licence="none", loader="", batch_size=8)


class ToyModel:
    """A text's vector counts its letters by their number modulo 8; a test can break it in several ways."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.most = 1000  # larger batches do not fit into memory
        self.poison = "\0"  # a text that fails
        self.is_broken = False
        self.gold: NDArray[np.float32] | None = None

    def encode(self, segments: Sequence[Segment], role: Role) -> NDArray[np.float32]:
        assert len({segment.modality for segment in segments}) == 1
        self.batches.append(len(segments))
        if len(segments) > self.most:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20 MiB")
        if self.is_broken or any(segment.text == self.poison for segment in segments):
            raise ValueError("cannot\n  do that")
        return np.stack([self._one(segment) for segment in segments])

    def reads(self, text: str) -> bool:
        return True

    def golden(self, modality: Modality) -> NDArray[np.float32] | None:
        return self.gold if modality is Modality.WORDS else None

    def _one(self, segment: Segment) -> NDArray[np.float32]:
        if segment.text == "nan":
            return np.full(DIM, np.nan, np.float32)
        vector = np.zeros(DIM, np.float32)
        if segment.text is not None:
            for letter in segment.text:
                vector[ord(letter) % DIM] += 1
        elif segment.pixels is not None:
            vector[:3] = 1 + segment.pixels.mean(axis=(0, 1, 2))
        else:
            assert segment.sound is not None
            vector[3:5] = 1, np.abs(segment.sound).mean()
        return vector


@pytest.fixture
def model() -> ToyModel:
    return ToyModel()


@pytest.fixture
def embedder(model: ToyModel) -> Embedder:
    return Embedder(ROW, model, device="cpu")


def texts(count: int) -> list[Segment]:
    return [words("ab" * (number + 1) + "c") for number in range(count)]


def picture(shade: int) -> Segment:
    return Segment(kind=Kind.IMAGE, evidence=Evidence.SEEN, pixels=np.full((1, 4, 4, 3), shade, np.uint8))


def test_vectors_are_float32_of_unit_norm_and_one_row_for_each_segment(embedder: Embedder) -> None:
    vectors = embedder.embed(texts(5))
    assert vectors.shape == (5, DIM)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_nothing_to_embed_gives_no_rows_and_calls_no_model(embedder: Embedder, model: ToyModel) -> None:
    assert embedder.embed([]).shape == (0, DIM)
    assert model.batches == []


def test_mixed_modalities_keep_their_order(embedder: Embedder) -> None:
    sound = Segment(kind=Kind.AUDIO, evidence=Evidence.HEARD, sound=np.ones(16_000, np.float32))
    mixed = [picture(10), words("dog"), sound, words("cat"), picture(200)]
    together = embedder.embed(mixed)
    alone = np.concatenate([embedder.embed([segment]) for segment in mixed])
    np.testing.assert_array_equal(together, alone)


def test_calls_count_batches_and_leave_the_self_test_out(embedder: Embedder) -> None:
    embedder.embed(texts(20))  # 8 + 8 + 4
    assert embedder.calls == 3


def test_a_batch_too_big_for_memory_is_halved_and_stays_small(embedder: Embedder, model: ToyModel) -> None:
    expected = embedder.embed(texts(16))
    model.most = 3
    model.batches.clear()
    np.testing.assert_array_equal(embedder.embed(texts(16)), expected)
    assert model.batches[:3] == [8, 4, 2]
    model.batches.clear()
    embedder.embed(texts(4))
    assert model.batches == [2, 2]


def test_a_segment_too_big_for_memory_is_blamed(embedder: Embedder, model: ToyModel) -> None:
    embedder.embed(texts(1))
    model.most = 0
    with pytest.raises(EmbeddingFailedError, match="out of memory"):
        embedder.embed(texts(4))


def test_only_the_culprit_of_a_failed_batch_is_blamed(embedder: Embedder, model: ToyModel) -> None:
    model.poison = "bad"
    with pytest.raises(EmbeddingFailedError) as caught:
        embedder.embed([picture(3), *texts(4), words("bad"), *texts(3)])
    assert caught.value.index == 5
    assert caught.value.reason == "ValueError: cannot do that"


def test_a_vector_that_is_not_finite_is_blamed_on_its_segment(embedder: Embedder) -> None:
    with pytest.raises(EmbeddingFailedError) as caught:
        embedder.embed([*texts(2), words("nan"), *texts(2)])
    assert caught.value.index == 2


def test_when_the_model_itself_breaks_no_segment_is_blamed(embedder: Embedder, model: ToyModel) -> None:
    embedder.embed(texts(3))
    model.is_broken = True
    with pytest.raises(ModelMismatchError, match="fails its self-test on words"):
        embedder.embed(texts(3))


def test_threads_take_turns(embedder: Embedder, model: ToyModel) -> None:
    segments = texts(40)
    expected = embedder.embed(segments)
    found: list[NDArray[np.float32]] = []
    threads = [threading.Thread(target=lambda: found.append(embedder.embed(segments))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(np.array_equal(vectors, expected) for vectors in found)


def test_the_self_test_catches_a_collapsed_model(
    embedder: Embedder, model: ToyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "encode", lambda segments, role: np.ones((len(segments), DIM), np.float32))
    with pytest.raises(ModelMismatchError, match="different inputs get the same vector"):
        embedder.embed(texts(1))


def test_the_self_test_catches_vectors_that_are_not_finite(
    embedder: Embedder, model: ToyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "encode", lambda segments, role: np.full((len(segments), DIM), np.nan, np.float32))
    with pytest.raises(ModelMismatchError, match="not finite"):
        embedder.embed(texts(1))


def test_the_self_test_catches_vectors_far_from_the_golden_ones(embedder: Embedder, model: ToyModel) -> None:
    good = model.encode(golden_segments(Modality.WORDS), Role.DOCUMENT)
    model.gold = good[:, ::-1].copy()
    with pytest.raises(ModelMismatchError, match="cosine to the golden vectors"):
        embedder.embed(texts(1))
    model.gold = good * 3
    assert embedder.embed(texts(1)).shape == (1, DIM)


def test_a_modality_the_model_lacks_is_a_bad_setting(model: ToyModel) -> None:
    row = ModelRow(
        name="reader", fingerprint="r", dim=DIM, licence="", loader="", modalities=frozenset({Modality.WORDS})
    )
    with pytest.raises(BadSettingsError, match="does not take in pixels"):
        Embedder(row, model, device="cpu").embed([picture(1)])


def test_an_unknown_model_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(BadSettingsError, match=r"'gpt'.*omnia-zero"):
        model_row("gpt")
    with pytest.raises(BadSettingsError):
        load_embedder("gpt")


@pytest.mark.parametrize("device", ["tpu", "cpu:0", "cuda:", "cuda:-1", "cuda:x", "", "auto:1", "mps:1"])
def test_an_unknown_device_is_refused(device: str) -> None:
    with pytest.raises(BadSettingsError, match="is unknown"):
        pick_device(device)


def test_a_device_that_is_absent_is_refused() -> None:
    with pytest.raises(BadSettingsError, match=r"'cuda:99' is not on this machine"):
        pick_device("cuda:99")


def test_a_device_is_found_without_being_named() -> None:
    assert pick_device("auto").name.split(":")[0] in {"cpu", "cuda", "mps"}
    assert pick_device("cpu").name == "cpu"


@pytest.mark.parametrize(
    ("name", "can", "faster"),
    [
        ("Intel(R) Xeon(R)", {"amx_bf16": True, "avx512_bf16": True}, True),
        ("Intel(R) Xeon(R)", {"amx_bf16": False, "avx512_bf16": True}, False),
        ("AMD EPYC 9R14", {"amx_bf16": False, "avx512_bf16": True}, True),
        ("AMD EPYC 7763", {"amx_bf16": False, "avx512_bf16": False}, False),
        ("", {}, False),
    ],
)
def test_a_processor_computes_in_bf16_where_that_is_faster(
    monkeypatch: pytest.MonkeyPatch, name: str, can: dict[str, bool], faster: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": name, **can})
    assert pick_device("cpu").bf16 is faster


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="bf16 goes by the names of such processors")
def test_the_name_of_the_processor_is_told() -> None:
    assert torch.cpu.get_capabilities()["cpu_name"]


def test_reading_a_row_and_help_load_no_heavy_library() -> None:
    check = (
        "import sys; from embedder.rows import model_row; model_row('omnia-zero');"
        "assert 'numpy' not in sys.modules, 'the first page waits for it';"
        "import embedder.cli; heavy = {'torch', 'transformers', 'onnxruntime', 'torchaudio', 'PIL'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    found = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_every_row_says_what_it_is() -> None:
    for name, row in MODELS.items():
        assert row.name == name
        assert row.fingerprint.startswith(name)
        assert row.dim > 0
        assert row.licence
