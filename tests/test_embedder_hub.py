"""Models of the hub and of folders: the real classes of EmbeddingGemma-2 and LCO, tiny and with random weights."""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import numpy as np
import pytest
from numpy.typing import NDArray

from data.errors import BadSettingsError, ModelMismatchError, OmniaError
from data.records import Evidence, Kind
from data.settings import Settings
from embedder.cli import main
from embedder.device import Device
from embedder.embed import Embedder, load_embedder
from embedder.hub import HubModel, fetch, fitting, load_hub, plain, refuse_gaps, spread
from embedder.hub_folder import folder_row
from embedder.hub_rows import HUB, HUB_DEFAULT, hub_row, refuse_without_consent
from embedder.rows import model_row
from embedder.segment import Modality, Role, Segment, words
from embedder.selftest import golden_segments
from tests.make_folder import mixed_folder

ROOT = Path(__file__).parent.parent
DIM = 48
JINA = "jinaai/jina-embeddings-v5-omni-small"
BIDIR = "BidirLM/BidirLM-Omni-2.5B-Embedding"
COMMIT = "0123456789" * 4
CLOSED = ("apple-amlr", "proprietary", "personal-use-only", "none", "tbd", "see license file", "bsl-1.1", "openrail")
OPEN = ("The MIT License", "Apache License 2.0", "bsd-3-clause", "AGPL-3.0-or-later", "gpl", "cc-by-sa-4.0", "gemma")
RANDOM = np.random.default_rng(0)


def byte_tokenizer(special: Sequence[str]) -> Any:
    """A tokenizer of single bytes, for vocabularies below 512."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={token: number for number, token in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def make_gemma(folder: Path) -> Path:
    """EmbeddingGemma-2 with 2 layers of width 32 and an output of 48, as sentence-transformers saves it."""
    import torch
    import transformers as hf
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Normalize, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    media = {
        "image_token": "<|image|>",
        "boi_token": "<|image>",
        "eoi_token": "<image|>",
        "audio_token": "<|audio|>",
        "boa_token": "<|audio>",
        "eoa_token": "<audio|>",
    }
    tokenizer = hf.PreTrainedTokenizerFast(
        tokenizer_object=byte_tokenizer(["<pad>", "<eos>", "<bos>", "<unk>", *media.values(), "<|video|>"]),
        pad_token="<pad>",
        eos_token="<eos>",
        bos_token="<bos>",
        unk_token="<unk>",
        extra_special_tokens=media,
    )
    processor = hf.EmbeddingGemma2Processor(
        feature_extractor=hf.Gemma4AudioFeatureExtractor(),
        image_processor=hf.Gemma4ImageProcessor(max_soft_tokens=70),
        video_processor=hf.EmbeddingGemma2VideoProcessor(max_soft_tokens=70),
        tokenizer=tokenizer,
        chat_template=(
            "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}"
            "{{ m.content if m.content is string else m.content[0].text }}"
            "{% else %}{% for p in m.content %}{{ p.text if p.type == 'text' else '<|' + p.type + '|>' }}"
            "{% endfor %}{% endif %}{% endfor %}{{ eos_token }}"
        ),
    )
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16}
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    ids = tokenizer.convert_tokens_to_ids
    torch.manual_seed(0)
    net = hf.EmbeddingGemma2Model(
        hf.EmbeddingGemma2Config(
            text_config=hf.EmbeddingGemma2TextConfig(
                vocab_size=512,
                global_head_dim=16,
                hidden_size_per_layer_input=8,
                embedding_dim=DIM,
                sliding_window_pattern=2,
                **heads,
                **sizes,
            ),
            vision_config=hf.Gemma4VisionConfig(
                position_embedding_size=256, **sizes, **heads | {"num_key_value_heads": 2}
            ),
            audio_config=hf.Gemma4AudioConfig(
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                subsampling_conv_channels=[128, 32],
                output_proj_dims=32,
            ),
            image_token_id=ids("<|image|>"),
            video_token_id=ids("<|video|>"),
            audio_token_id=ids("<|audio|>"),
            boi_token_id=ids("<|image>"),
            eoi_token_id=ids("<image|>"),
            boa_token_id=ids("<|audio>"),
            eoa_token_index=ids("<audio|>"),
        )
    )
    raw = folder.with_name("raw")
    net.save_pretrained(raw)
    processor.save_pretrained(raw)
    prompts = {role.value: prompt for role, prompt in HUB[HUB_DEFAULT].prompts.items()}
    pooling = Pooling(32, "mean")  # 32 is what the library believes the width to be
    whole = SentenceTransformer(modules=[Transformer(str(raw)), pooling, Normalize()], prompts=prompts, device="cpu")
    whole.save_pretrained(str(folder))
    return folder


def make_lco(folder: Path) -> Path:
    """Qwen2.5-Omni's thinker with 2 layers of width 32."""
    import torch
    import transformers as hf

    media = {f"{thing}_token": f"<|{thing.upper()}|>" for thing in ("image", "audio", "video")}
    ends = {f"{thing}_{end}_token": f"<|{thing}_{end}|>" for thing in ("vision", "audio") for end in ("bos", "eos")}
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *media.values(), *ends.values()]
    tokenizer = hf.Qwen2TokenizerFast(
        tokenizer_object=byte_tokenizer(special),
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        unk_token="<|endoftext|>",
        extra_special_tokens=media | ends,
    )
    pixels = {"min_pixels": 56 * 56, "max_pixels": 112 * 112}
    hf.Qwen2_5OmniProcessor(
        image_processor=hf.Qwen2VLImageProcessor(**pixels),
        video_processor=hf.Qwen2VLVideoProcessor(**pixels),
        feature_extractor=hf.WhisperFeatureExtractor(feature_size=128, chunk_length=300),
        tokenizer=tokenizer,
        chat_template=(
            "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for p in m.content %}"
            "{% if p.type == 'text' %}{{ p.text }}"
            "{% elif p.type == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>"
            "{% else %}<|vision_bos|>{{ '<|' + p.type.upper() + '|>' }}<|vision_eos|>{% endif %}{% endfor %}"
            "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
        ),
    ).save_pretrained(folder)
    ids = tokenizer.convert_tokens_to_ids
    torch.manual_seed(0)
    config = hf.Qwen2_5OmniThinkerConfig(
        audio_config={
            "d_model": 32,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 64,
            "output_dim": 32,
        },
        vision_config={
            "depth": 1,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [0],
        },
        text_config={
            "vocab_size": 512,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "initializer_range": 0.3,  # with the usual 0.02 the shared question drowns what it is asked about
            "rope_scaling": {"mrope_section": [2, 3, 3], "rope_type": "default", "type": "default"},
            "pad_token_id": 0,
        },
        audio_token_index=ids("<|AUDIO|>"),
        image_token_index=ids("<|IMAGE|>"),
        video_token_index=ids("<|VIDEO|>"),
        vision_start_token_id=ids("<|vision_bos|>"),
        audio_start_token_id=ids("<|audio_bos|>"),
        pad_token_id=0,
    )
    net = hf.Qwen2_5OmniThinkerForConditionalGeneration(config)
    with torch.no_grad():
        for parameter in net.model.audio_tower.parameters():
            parameter.mul_(8)  # for the same reason
    net.save_pretrained(folder)
    return folder


def make_bidirect(folder: Path) -> Path:
    """Two layers of width 32 that attend to both sides the way Nemotron's own code tells them to."""
    import torch
    import transformers as hf
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    class TinyConfig(hf.Qwen2Config):
        model_type = "bidirect_tiny"

    class BidirectQwen2_5OmniThinkerTextModel(hf.Qwen2Model):  # noqa: N801  (a row tells it by its name)
        config_class = TinyConfig

        def __init__(self, config: TinyConfig) -> None:
            super().__init__(config)
            for layer in self.layers:
                layer.self_attn.is_causal = False

    hf.AutoConfig.register("bidirect_tiny", TinyConfig, exist_ok=True)
    hf.AutoModel.register(TinyConfig, BidirectQwen2_5OmniThinkerTextModel, exist_ok=True)
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    sizes = {"vocab_size": 512, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    torch.manual_seed(0)
    raw = folder.with_name("raw")
    BidirectQwen2_5OmniThinkerTextModel(TinyConfig(**sizes, **heads, initializer_range=0.3)).save_pretrained(raw)
    tokens = byte_tokenizer(["<pad>", "<eos>"])
    hf.PreTrainedTokenizerFast(tokenizer_object=tokens, pad_token="<pad>", eos_token="<eos>").save_pretrained(raw)
    SentenceTransformer(modules=[Transformer(str(raw)), Pooling(32, "mean")], device="cpu").save_pretrained(str(folder))
    return folder


def shown(frames: int, height: int = 40, width: int = 60) -> Segment:
    pixels = RANDOM.integers(0, 255, (frames, height, width, 3), dtype=np.uint8)
    return Segment(kind=Kind.VIDEO, evidence=Evidence.SEEN, pixels=pixels)


def heard(samples: int) -> Segment:
    sound = (0.1 * RANDOM.normal(size=samples)).astype(np.float32)
    return Segment(kind=Kind.AUDIO, evidence=Evidence.HEARD, sound=sound)


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_gemma(tmp_path_factory.mktemp("gemma") / "tiny")


@pytest.fixture(scope="module")
def model(gemma: Path) -> HubModel:
    return load_hub(Device("cpu", bf16=False), folder_row(str(gemma)))


@pytest.fixture(scope="module")
def embedder(gemma: Path, model: HubModel) -> Embedder:
    return Embedder(model_row(str(gemma)), model, device="cpu")


@pytest.fixture
def copy(gemma: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(gemma, tmp_path / "copy"))


def test_every_row_is_pinned_to_a_commit_and_says_what_it_may() -> None:
    assert next(iter(HUB)) == HUB_DEFAULT
    for row in HUB.values():
        assert re.fullmatch("[0-9a-f]{40}", row.revision)
        assert row.parameters_m > 0
        assert row.commercial == ("NC" not in row.licence and "non-commercial" not in row.licence)
        assert Modality.WORDS in row.modalities


def test_another_commit_is_another_fingerprint_under_a_name_that_loads_it_again() -> None:
    row = model_row(f"{HUB_DEFAULT}@{COMMIT}")
    assert row.name == f"{HUB_DEFAULT}@{COMMIT}"
    assert row.fingerprint != model_row(HUB_DEFAULT).fingerprint
    assert row.hub is not None
    assert row.hub.revision == COMMIT


@pytest.mark.parametrize("revision", ["main", "v1", "", COMMIT[:12]])
def test_a_branch_is_refused_because_it_moves(revision: str) -> None:
    with pytest.raises(BadSettingsError, match="is no commit"):
        hub_row(f"{HUB_DEFAULT}@{revision}")


def test_code_and_licences_need_consent() -> None:
    row = HUB[JINA]
    with pytest.raises(BadSettingsError, match="--trust-remote-code"):
        refuse_without_consent(row, trust_remote_code=False, accept_licence=True)
    with pytest.raises(BadSettingsError, match=r"CC-BY-NC.*--accept-licence"):
        load_embedder(JINA, trust_remote_code=True)
    refuse_without_consent(row, trust_remote_code=True, accept_licence=True)
    refuse_without_consent(HUB[HUB_DEFAULT], trust_remote_code=False, accept_licence=False)


def test_consent_is_read_from_flags_and_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Settings.load().trust_remote_code
    assert Settings.load(accept_licence=True).accept_licence
    monkeypatch.setenv("OMNIA_TRUST_REMOTE_CODE", "1")
    assert Settings.load().trust_remote_code
    monkeypatch.setenv("OMNIA_TRUST_REMOTE_CODE", "perhaps")
    with pytest.raises(BadSettingsError, match="OMNIA_TRUST_REMOTE_CODE must be 1 or 0"):
        Settings.load()


def test_info_says_which_consent_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json", "--model", JINA, "--trust-remote-code"]) == 2
    assert "--accept-licence" in json.loads(capsys.readouterr().out)["self_test"]


def test_reading_the_row_of_a_folder_loads_no_heavy_library(gemma: Path) -> None:
    check = (
        f"import sys; from embedder.rows import model_row; model_row({str(gemma)!r});"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'huggingface_hub', 'PIL'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    found = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_a_folder_without_a_model_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadSettingsError, match="there is no folder"):
        model_row(str(tmp_path / "absent"))
    with pytest.raises(BadSettingsError, match=r"holds no modules\.json"):
        model_row(str(tmp_path))


def test_the_width_is_that_of_the_output_not_of_the_pooling(gemma: Path) -> None:
    assert json.loads((gemma / "1_Pooling" / "config.json").read_text())["embedding_dimension"] == 32
    assert model_row(str(gemma)).dim == DIM


def test_a_folder_keeps_its_fingerprint_when_it_moves_but_not_when_a_weight_changes(gemma: Path, copy: Path) -> None:
    before = folder_row(str(copy)).fingerprint
    assert before == folder_row(str(gemma)).fingerprint
    weights = copy / "model.safetensors"
    damaged = bytearray(weights.read_bytes())
    damaged[-1] ^= 1
    weights.write_bytes(damaged)
    assert folder_row(str(copy)).fingerprint != before


def test_large_weights_are_sampled_from_end_to_end(copy: Path) -> None:
    weights = copy / "model.safetensors"
    with weights.open("ab") as file:
        file.truncate(100 << 20)
    before = folder_row(str(copy)).fingerprint
    with weights.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\1")
    assert folder_row(str(copy)).fingerprint != before


def test_pickled_weights_are_refused(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ModelMismatchError, match="pickle"):
        folder_row(str(copy))


def test_a_pickle_that_would_be_loaded_is_refused_whatever_lies_beside_it(copy: Path) -> None:
    dense = copy / "3_Dense"
    dense.mkdir()
    (dense / "pytorch_model.bin").write_bytes(b"a pickle")
    shutil.copy(copy / "model.safetensors", dense / "other.safetensors")
    with pytest.raises(ModelMismatchError, match=r"3_Dense/pytorch_model\.bin.* pickle"):
        folder_row(str(copy))
    (dense / "other.safetensors").rename(dense / "model.safetensors")
    assert folder_row(str(copy)).folder


def test_an_export_for_openvino_is_no_pickle(copy: Path) -> None:
    export = copy / "openvino"
    export.mkdir()
    (export / "openvino_model.bin").write_bytes(b"numbers")
    with pytest.raises(ModelMismatchError, match="pickle"):
        folder_row(str(copy))
    (export / "openvino_model.xml").write_text("<net/>")
    assert folder_row(str(copy)).folder
    for name in ("pytorch_model.bin", "pytorch_model.xml"):  # by this name it would be loaded as a pickle
        (export / name).write_bytes(b"numbers")
    with pytest.raises(ModelMismatchError, match=r"pytorch_model\.bin.*pickle"):
        folder_row(str(copy))


@pytest.mark.parametrize("place", ["modules.json", "tokenizer_config.json"])
def test_a_folder_that_brings_code_needs_consent(copy: Path, place: str) -> None:
    path = copy / place
    said = json.loads(path.read_text())
    if place == "modules.json":
        said[0]["type"] = "my_code.Transformer"
    else:
        said["auto_map"] = {"AutoTokenizer": "my_code.Tokenizer"}
    path.write_text(json.dumps(said))
    with pytest.raises(BadSettingsError, match="--trust-remote-code"):
        load_embedder(str(copy))


@pytest.mark.parametrize(
    ("card", "name"),
    [
        ("license: cc-by-nc-4.0", "cc-by-nc-4.0"),
        ("license: 'CC-BY-NC-SA-4.0'  # as its data", "CC-BY-NC-SA-4.0"),
        ("license:\n- mit\n- cc-by-nc-4.0", "mit cc-by-nc-4.0"),
        ("license: >-\n  cc-by-nc-4.0", "cc-by-nc-4.0"),
        ("licence: noncommercial", "noncommercial"),
        ("license: other\nlicense_name: qwen-research\nlicense_link: LICENSE", "other: qwen-research"),
        ("license: other\nlicense_name: own-non-commercial-license", "other: own-non-commercial-license"),
        ("license: other\nlicense_name: nvidia-open", "other: nvidia-open"),
        ("license: other\nlicense_link: https://example.org/LICENSE", "other: https://example.org/LICENSE"),
        ("license_name: house-nc-2", "other: house-nc-2"),
        ("license: other", "other"),
        *((f"license: {name}", name) for name in CLOSED),
        ("license: mit\nlicense_name: house-licence", "mit: house-licence"),
        (f"model-index:\n{'- name: x' * 2_000}\nlicense: cc-by-nc-4.0", "cc-by-nc-4.0"),
    ],
)
def test_a_folder_whose_licence_is_not_known_to_be_commercial_needs_consent(copy: Path, card: str, name: str) -> None:
    (copy / "README.md").write_text(f"---\n{card}\ntags:\n- sentence-transformers\n---\n\n# A model\n")
    with pytest.raises(BadSettingsError, match=rf"^[^\n]*licence: {re.escape(name)}\)[^\n]*--accept-licence[^\n]*$"):
        load_embedder(str(copy))
    row = model_row(str(copy))
    assert row.hub is not None
    refuse_without_consent(row.hub, trust_remote_code=False, accept_licence=True)


@pytest.mark.parametrize(
    ("card", "name"),
    [
        ("---\nlicense: apache-2.0\ntags: [research]\n---\n", "apache-2.0"),
        ("---\nlicense: other\nlicense_name: MIT\n---\n", "other: MIT"),
        *((f"---\nlicense: {name}\n---\n", name) for name in OPEN),
        ("---\nlicense:\n- mit\n- apache-2.0\n---\n", "mit apache-2.0"),
        ("---\nlicense: ncsa\nlicense_link: https://example.org/research\n---\n", "ncsa"),
        ("---\ntags: []\n---\nlicense: cc-by-nc-4.0 would be another one\n", "not stated in the folder's README.md"),
        ("---\nlicense:\ntags:\n- mit\n---\n", "not stated in the folder's README.md"),
        ("", "not stated in the folder's README.md"),
    ],
)
def test_a_folder_with_a_commercial_licence_or_none_needs_no_consent(copy: Path, card: str, name: str) -> None:
    (copy / "README.md").write_text(card)
    row = folder_row(str(copy))
    assert (row.licence, row.commercial) == (name, True)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("README.md", '---\n"license": cc-by-nc-4.0\n---\n'),
        ("README.md", "---\nLicense: cc-by-nc-4.0\n---\n"),
        ("README.md", "---\nlicense: cc-by-nc-4.0\nlicense: mit\n---\n"),
        ("README.md", "---\nlicense: mit\nlicense: cc-by-nc-4.0\n---\n"),
        ("readme.md", "---\nlicense: cc-by-nc-4.0\n---\n"),
        ("README.MD", "\ufeff---\nlicense: cc-by-nc-4.0\n---\n"),
    ],
)
def test_a_licence_is_seen_however_its_card_is_written(copy: Path, file: str, text: str) -> None:
    (copy / "README.md").unlink()
    (copy / file).write_text(text, encoding="utf-16-le" if text.startswith("\ufeff") else "utf-8")
    row = folder_row(str(copy))
    assert "cc-by-nc-4.0" in row.licence
    assert not row.commercial


def test_one_licence_said_twice_is_one(copy: Path) -> None:
    (copy / "README.md").write_text("---\nlicense: mit\nLicence: mit\n---\n")
    assert (folder_row(str(copy)).licence, folder_row(str(copy)).commercial) == ("mit", True)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "README.md"])
def test_a_file_that_may_not_be_read_is_one_line(copy: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    opened = io.open

    def guarded(file: Any, *arguments: Any, **named: Any) -> Any:
        if str(file) == str(copy / name):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
        return opened(file, *arguments, **named)

    monkeypatch.setattr(io, "open", guarded)
    with pytest.raises(
        BadSettingsError, match=rf"^[^\n]*{name}' cannot be read \(permission denied\); allow reading it"
    ):
        model_row(str(copy))


def test_a_folder_that_may_not_be_looked_into_does_not_pass_for_empty(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = os.scandir

    def guarded(folder: Any) -> Any:
        if str(folder) == str(copy / "1_Pooling"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        return listed(folder)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(BadSettingsError, match=r"1_Pooling' cannot be read \(permission denied\)"):
        model_row(str(copy))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x" * 5_000, "no model is named"),
        ("/" + "x" * 5_000, r"'/x{199}…' cannot be read \(file name too long\)"),
        ("~nobody-is-called-so/x", "it lies with a user who is not known; give its whole path"),
    ],
)
def test_a_name_that_no_folder_can_have_is_one_line(name: str, said: str) -> None:
    with pytest.raises(BadSettingsError, match=said):
        model_row(name)


def test_a_pipe_in_a_folder_holds_up_nobody(copy: Path) -> None:
    os.mkfifo(copy / "more_config.json")
    assert folder_row(str(copy)).dim == DIM
    (copy / "modules.json").unlink()
    os.mkfifo(copy / "modules.json")
    with pytest.raises(BadSettingsError, match=r"holds no modules\.json"):
        folder_row(str(copy))


def test_a_model_that_reads_texts_of_any_length_is_loaded(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    static = SentenceTransformer(modules=[StaticEmbedding(byte_tokenizer([]), embedding_dim=32)], device="cpu")
    static.save_pretrained(str(tmp_path / "static"))
    _edited(tmp_path / "static" / "config_sentence_transformers.json", lambda said: said.update(truncate_dim=32))
    loaded = load_hub(Device("cpu", bf16=False), folder_row(str(tmp_path / "static")))
    assert loaded.encode([words("a dog"), words("two dogs")], Role.DOCUMENT).shape == (2, 32)


def test_tables_of_tensors_are_shown_to_nobody(copy: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    more = weights | {"extra.weight": np.zeros((2, 2), np.float32)}
    save_file(more, copy / "model.safetensors", metadata={"format": "pt"})
    load_hub(Device("cpu", bf16=False), folder_row(str(copy)))
    bent = weights | {min(weights): np.zeros((3, 5, 7), np.float32)}
    save_file(bent, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelMismatchError, match=r"do not fit its configuration: '[^']*'; get"):
        load_hub(Device("cpu", bf16=False), folder_row(str(copy)))
    kept = {name: weights[name] for name in weights if "mlp" not in name}
    save_file(kept, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelMismatchError, match="incomplete"):
        load_hub(Device("cpu", bf16=False), folder_row(str(copy)))
    assert "REPORT" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("what", ["some", "all"])
def test_weights_that_lack_tensors_are_refused(copy: Path, what: str) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    for name in [name for name in weights if "mlp" in name] if what == "some" else list(weights):
        weights[f"other.{name}"] = weights.pop(name)
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        ModelMismatchError, match=r"^weights of model .* are incomplete: '.*' is missing with \d+ other"
    ):
        load_hub(Device("cpu", bf16=False), folder_row(str(copy)))


def test_of_models_that_load_at_once_only_the_incomplete_one_is_refused(gemma: Path, copy: Path) -> None:
    from safetensors.numpy import load_file, save_file
    from transformers import modeling_utils

    report = modeling_utils.log_state_dict_report
    weights = load_file(copy / "model.safetensors")
    save_file(
        {name: weights[name] for name in weights if "mlp" not in name}, copy / "model.safetensors", {"format": "pt"}
    )
    cpu = Device("cpu", bf16=False)
    with ThreadPoolExecutor(4) as threads:
        loads = [threads.submit(load_hub, cpu, folder_row(str(folder))) for folder in (gemma, copy) * 3]
    for whole, torn in zip(loads[::2], loads[1::2], strict=True):
        assert isinstance(whole.result(), HubModel)
        with pytest.raises(ModelMismatchError, match="incomplete"):
            torn.result()
    assert modeling_utils.log_state_dict_report is report


def test_heads_that_no_vector_comes_from_may_be_missing() -> None:
    refuse_gaps(HUB[BIDIR], {"pooler.dense.weight", "lm_head.weight"})
    with pytest.raises(ModelMismatchError, match=r"incomplete: 'layers\.0\.weight' is missing; get"):
        refuse_gaps(HUB[BIDIR], {"pooler.dense.weight", "layers.0.weight"})


def _edited(path: Path, change: Callable[[Any], object]) -> None:
    said = json.loads(path.read_text())
    change(said)
    path.write_text(json.dumps(said))


ODD: dict[str, Callable[[Path], object]] = {
    "text_config": lambda copy: _edited(copy / "config.json", lambda said: said.update(text_config="x")),
    "modality_config": lambda copy: _edited(
        copy / "sentence_bert_config.json", lambda said: said.update(modality_config=7)
    ),
    "path": lambda copy: _edited(copy / "modules.json", lambda said: said[0].update(path="x" * 300)),
    "deep": lambda copy: (copy / "config.json").write_text("[" * 100_000),
    "heads": lambda copy: _edited(copy / "config.json", lambda said: said["text_config"].update(num_attention_heads=0)),
    "words for numbers": lambda copy: _edited(
        copy / "config.json", lambda said: said["text_config"].update(hidden_size="x")
    ),
    "class": lambda copy: _edited(
        copy / "modules.json", lambda said: said[0].update(type="sentence_transformers.models.Nope")
    ),
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_configurations_raise_nothing_foreign(copy: Path, odd: str) -> None:
    ODD[odd](copy)
    with suppress(OmniaError):
        load_embedder(str(copy), device="cpu", modalities=())


def test_a_width_is_a_number(copy: Path) -> None:
    _edited(copy / "config_sentence_transformers.json", lambda said: said.update(truncate_dim=True))
    assert folder_row(str(copy)).dim == DIM


def test_a_model_of_pictures_alone_is_opened_for_questions_and_one_of_nothing_is_refused(
    copy: Path, tmp_path: Path
) -> None:
    from app.wiring import Library

    def leave_out(*things: str) -> None:
        for thing in things:
            _edited(copy / "sentence_bert_config.json", lambda said, thing=thing: said["modality_config"].pop(thing))

    leave_out("text", "audio", "video")
    library = Library(Settings(home=tmp_path / "home", catalogue_url="sqlite://", device="cpu"))
    opened = library.load(str(copy))
    assert opened.row.modalities == {Modality.PIXELS}
    assert opened.embed([shown(1)]).shape == (1, DIM)
    leave_out("image")
    with pytest.raises(BadSettingsError, match="names no text, image or audio"):
        folder_row(str(copy))


def test_damaged_weights_are_one_line(copy: Path) -> None:
    (copy / "model.safetensors").write_bytes(b"not weights at all")
    with pytest.raises(ModelMismatchError, match=r"^[^\n]*(damaged|cannot be loaded)[^\n]*$"):
        load_hub(Device("cpu", bf16=False), folder_row(str(copy)))


def test_all_media_lie_in_one_space_with_unit_norm(embedder: Embedder) -> None:
    segments = [words("a dog"), shown(1), heard(16_000), shown(3), words("a cat"), shown(1, 100, 20), heard(60_000)]
    vectors = embedder.embed(segments)
    assert vectors.shape == (7, DIM)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_mixed_batch_keeps_its_order_and_gives_what_one_by_one_gives(embedder: Embedder) -> None:
    segments = [
        *(words("a dog" * count) for count in (1, 40, 3)),
        *(shown(frames) for frames in (1, 4, 1, 2)),
        *(heard(samples) for samples in (160_000, 8_000, 48_000)),
    ]
    segments = segments[::2] + segments[1::2]
    alone = np.concatenate([embedder.embed([segment]) for segment in segments])
    np.testing.assert_allclose(embedder.embed(segments), alone, atol=1e-5)
    assert np.unique(alone.round(4), axis=0).shape == alone.shape


def test_a_page_is_its_picture_whatever_its_words(embedder: Embedder) -> None:
    picture = shown(1)
    page = replace(picture, kind=Kind.DOCUMENT, text="an invoice for a new clutch")
    np.testing.assert_allclose(embedder.embed([page]), embedder.embed([picture]), atol=1e-6)


def test_the_self_test_passes(embedder: Embedder) -> None:
    for modality in Modality:
        embedder.check(modality)


def test_questions_and_documents_are_prompted_differently(embedder: Embedder) -> None:
    for segment in (words("a dog"), shown(1), heard(16_000)):
        question, document = embedder.embed([segment], Role.QUERY)[0], embedder.embed([segment], Role.DOCUMENT)[0]
        assert question @ document < 0.9999


def test_the_prompts_of_the_table_beat_those_of_the_checkpoint(gemma: Path, model: HubModel) -> None:
    row = replace(folder_row(str(gemma)), prompts={Role.QUERY: HUB[HUB_DEFAULT].prompts[Role.DOCUMENT]})
    told = HubModel(row, model._net)
    np.testing.assert_allclose(
        told.encode([words("dog")], Role.QUERY), model.encode([words("dog")], Role.DOCUMENT), atol=1e-6
    )


def test_a_passage_that_names_a_file_or_an_address_stays_a_passage(embedder: Embedder, tmp_path: Path) -> None:
    from PIL import Image

    picture = tmp_path / "secret.png"
    Image.new("RGB", (64, 64), "red").save(picture)
    path, address, seen = embedder.embed([words(str(picture)), words("https://example.org/cat.jpg"), shown(1)])
    spaced = embedder.embed([words(f"{picture} ")])[0]
    assert path @ spaced > 0.98 > path @ seen
    assert np.isfinite(address).all()


def test_a_passage_that_holds_a_model_word_is_embedded(embedder: Embedder) -> None:
    assert embedder.embed([words("write <|image|> and <|audio|> where <eos> <|video|> stand")]).shape == (1, DIM)
    assert plain("a <|image|> b", ("<|image|>",)) == "a < |image|> b"


def test_the_shortest_and_the_longest_sounds_have_vectors(embedder: Embedder) -> None:
    assert embedder.embed([heard(1), heard(16_000 * 45)]).shape == (2, DIM)
    assert len(fitting(np.zeros(16_000 * 45, np.float32), longest_s=30.0)) == 480_000
    assert len(fitting(np.zeros(1, np.float32), longest_s=30.0)) == 4_000


def test_long_clips_are_thinned_out_evenly() -> None:
    frames = np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1).repeat(3, axis=3)
    kept = spread(frames, 4)[:, 0, 0, 0]
    assert kept.tolist() == [0, 33, 66, 99]
    assert len(spread(frames[:3], 4)) == 3


def test_a_model_that_attends_to_both_sides_does_so_beside_longer_texts_too(tmp_path: Path) -> None:
    nemotron = HUB["nvidia/omni-embed-nemotron-3b"].bidirectional
    row = folder_row(str(make_bidirect(tmp_path / "tiny")))
    texts = [words("a dog"), words("a much longer text that says nothing in particular")]

    def least_cosine(bidirectional: str) -> float:
        told = load_hub(Device("cpu", bf16=False), replace(row, bidirectional=bidirectional))
        together = told.encode(texts, Role.DOCUMENT)
        alone = np.concatenate([told.encode([text], Role.DOCUMENT) for text in texts])
        lengths = np.linalg.norm(together, axis=1) * np.linalg.norm(alone, axis=1)
        return float(((together * alone).sum(axis=1) / lengths).min())

    assert least_cosine(nemotron) > 0.9999
    assert least_cosine("") < 0.9, "the trap is gone: the row need not name the class any more"


def test_a_model_without_video_averages_the_frames(gemma: Path, model: HubModel) -> None:
    still = HubModel(replace(folder_row(str(gemma)), video=False), model._net)
    clip = shown(3)
    assert clip.pixels is not None
    frames = [replace(clip, pixels=frame[None]) for frame in clip.pixels]
    mean = model.encode(frames, Role.DOCUMENT).mean(axis=0)
    np.testing.assert_allclose(still.encode([clip], Role.DOCUMENT)[0], mean, atol=1e-5)


def test_bf16_agrees_with_fp32(gemma: Path, model: HubModel) -> None:
    half = load_hub(Device("cpu", bf16=True), folder_row(str(gemma)))
    assert next(half._net.parameters()).dtype.itemsize == 2
    for modality in Modality:
        segments = golden_segments(modality)
        one, other = half.encode(segments, Role.DOCUMENT), model.encode(segments, Role.DOCUMENT)
        assert one.dtype == np.float32
        assert (one * other).sum(axis=1).min() > 0.99


def test_a_width_that_is_not_the_promised_one_is_named(gemma: Path, model: HubModel) -> None:
    with pytest.raises(ModelMismatchError, match="width 48, not the 64"):
        HubModel(replace(folder_row(str(gemma)), dim=64), model._net).encode([words("dog")], Role.DOCUMENT)


class RecordingNet:
    """Stands for a model that runs its own code: keeps what it is given."""

    processor = SimpleNamespace()
    prompts: dict[str, str] = {"document": "passage: "}  # noqa: RUF012

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.calls: list[tuple[list[Any], dict[str, Any]]] = []

    def encode(self, items: list[Any], **options: Any) -> Any:
        import torch

        self.calls.append((items, options))
        return torch.ones(len(items), self.dim)


def test_a_model_that_sorts_media_itself_gets_bare_items_and_its_task() -> None:
    net = RecordingNet(1_024)
    jina = HubModel(HUB[JINA], net)  # type: ignore[arg-type]
    jina.encode([words("https://example.org/cat.jpg")], Role.QUERY)
    jina.encode([shown(4)], Role.DOCUMENT)
    (texts, told), (clips, told_clip) = net.calls
    assert texts == ["Query: https://example.org/cat.jpg"]
    assert (told["prompt"], told["task"]) == ("", "retrieval")
    assert clips[0].shape == (4, 40, 60, 3)
    assert told_clip["prompt"] == "Document: "


def test_sounds_that_change_beside_others_are_embedded_alone_and_prompted_as_the_checkpoint_says() -> None:
    net = RecordingNet(2_048)
    HubModel(HUB[BIDIR], net).encode([heard(9_000), heard(16_000)], Role.DOCUMENT)  # type: ignore[arg-type]
    (items, told) = net.calls[0]
    assert (len(items), told["batch_size"], told["prompt"]) == (2, 1, "passage: ")


def test_the_download_leaves_pickles_out_and_takes_code_only_with_consent(
    gemma: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, list[str]]] = []

    def download(name: str, *, revision: str, allow_patterns: list[str]) -> str:
        asked.append((name, revision, allow_patterns))
        return str(gemma)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert fetch(HUB[JINA]) == gemma
    fetch(HUB[JINA], with_code=True)
    (name, revision, plainly), (_, _, trusted) = asked
    assert (name, revision) == (JINA, HUB[JINA].revision)
    assert "*.safetensors" in plainly
    assert not {"*.bin", "*.py"} & set(plainly)
    assert set(trusted) - set(plainly) == {"*.py"}
    told = logging.getLogger("huggingface_hub.utils._http")
    assert not told.isEnabledFor(logging.WARNING), "it would tell of each of its retries"


def test_offline_a_model_of_the_hub_is_one_clear_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "embedder", "info", "--model", HUB_DEFAULT, "--device", "cpu"]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    found = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert "is not on this machine and the hub cannot be reached" in found.stdout
    assert "Traceback" not in found.stderr


def test_lco_gives_what_one_by_one_gives_for_every_medium(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    from embedder.hub_lco import load_lco

    row = replace(HUB["LCO-Embedding/LCO-Embedding-Omni-3B"], folder=str(make_lco(tmp_path / "lco")), dim=32)
    lco = load_lco(Device("cpu", bf16=False), row)
    for segments in (
        [words("a dog"), words("word " * 200), words("a <|IMAGE|> of one")],
        [shown(1), shown(4), shown(1, 200, 30), shown(3)],
        [heard(1), heard(160_000), heard(48_000)],
    ):
        together = lco.encode(segments, Role.QUERY)
        alone: NDArray[np.float32] = np.concatenate([lco.encode([segment], Role.QUERY) for segment in segments])
        np.testing.assert_allclose(together, alone, atol=1e-3)
        assert np.isfinite(alone).all()
        assert np.unique(alone.round(2), axis=0).shape == alone.shape
    embedder = Embedder(replace(model_row(row.name), dim=32), lco, device="cpu")
    for modality in Modality:
        embedder.check(modality)
    weights = load_file(tmp_path / "lco" / "model.safetensors")
    lacking = {name: array for name, array in weights.items() if "mlp" not in name}
    save_file(lacking, tmp_path / "lco" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelMismatchError, match="are incomplete"):
        load_lco(Device("cpu", bf16=False), row)


@pytest.mark.slow
def test_a_folder_is_ingested_and_searched_with_a_model_of_a_folder(gemma: Path, tmp_path: Path) -> None:
    media = tmp_path / "media"
    mixed_folder(media, 8, pictures=2, sounds=2)
    environment = os.environ | {"OMNIA_HOME": str(tmp_path / "home"), "OMNIA_DEVICE": "cpu", "OMNIA_MODEL": str(gemma)}

    def run(*arguments: str) -> dict[str, Any]:
        command = [sys.executable, "-m", *arguments, "--json"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    report = run("indexer", "ingest", str(media))
    assert report["indexed"] == 8
    assert run("app", "search", "a dog")["results"]
