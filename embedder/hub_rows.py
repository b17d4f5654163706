"""Rows of hub models: what each one is, may do and wants to be told, known without loading it.

Pinned commits, sizes and widths are those of mteb 2.26.24's table of models; prompts and limits are those of the model
cards. All compute in bf16 where the device has it and in fp32 elsewhere, never in fp16: its range is too small for
EmbeddingGemma-2, which gives NaN in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from data.errors import BadSettingsError
from embedder.segment import Modality, Role

HUB_DEFAULT = "google/embeddinggemma-2"
_RECIPE = 1  # of how segments become what the models eat; another recipe is another fingerprint
_SENTENCE = "embedder.hub:load_hub"
_LCO = "embedder.hub_lco:load_lco"
_SEEN_AND_READ = frozenset({Modality.WORDS, Modality.PIXELS})


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRow:
    """One model of the hub, or of a folder.

    Args:
        name: OWNER/NAME on the hub, or the folder as it was given.
        revision: commit of 40 hex digits, or the digest of a folder.
        parameters_m: millions of parameters; 0 where nobody counted.
        dim: width of its vectors.
        commercial: whether its licence allows commercial use.
        remote_code: whether it runs Python code that comes with its weights.
        prompts: what stands before the input on each side of a search; a side that is missing is prompted as the
            checkpoint itself says.
        max_tokens: longer texts are cut there.
        sound_s: longer sounds are cut there, in seconds.
        frames: most frames of a clip; `video` is False where frames are embedded one by one and averaged.
        sounds_alone: its sounds come out differently beside longer ones, so that each is embedded alone.
        bare: its own code tells texts, pictures, arrays apart, and wants no names for them.
        task: what its code must be told to embed for, or "".
        bidirectional: class of its layers that attend to both sides; transformers 5 must be told (see `hub`).
        folder: where it lies, or "" for the hub.
    """

    name: str
    revision: str
    parameters_m: int
    dim: int
    licence: str
    commercial: bool = True
    remote_code: bool = False
    modalities: frozenset[Modality] = frozenset(Modality)
    prompts: Mapping[Role, str] = field(default_factory=dict)
    max_tokens: int = 8_192
    sound_s: float = 30.0
    frames: int = 32
    video: bool = True
    sounds_alone: bool = False
    bare: bool = False
    task: str = ""
    bidirectional: str = ""
    batch_size: int = 8
    loader: str = _SENTENCE
    folder: str = ""

    @property
    def fingerprint(self) -> str:
        """A folder may be moved and renamed: its digest alone tells what it is."""
        return f"{'folder' if self.folder else self.name}@{self.revision[:16]}-hub{_RECIPE}"


_LCO_OMNI = HubRow(
    name="LCO-Embedding/LCO-Embedding-Omni-3B",
    revision="eea763cfaf673e955ae86c64968896a3fea70189",
    parameters_m=4_703,
    dim=2_048,
    licence="MIT",
    max_tokens=32_768,
    sound_s=300.0,
    batch_size=4,
    loader=_LCO,
)
_JINA_OMNI = HubRow(
    name="jinaai/jina-embeddings-v5-omni-small",
    revision="dfdcc361ec47c69a5afcd81e4bd148abb9d0568e",
    parameters_m=1_626,
    dim=1_024,
    licence="CC-BY-NC-4.0",
    commercial=False,
    remote_code=True,
    prompts={Role.QUERY: "Query: ", Role.DOCUMENT: "Document: "},
    max_tokens=32_768,
    bare=True,
    task="retrieval",
)
_QWEN_VL = HubRow(
    name="Qwen/Qwen3-VL-Embedding-2B",
    revision="9f2f7e710d6d81056aa5c0a4f04764fec6bb7bda",
    parameters_m=2_128,
    dim=2_048,
    licence="Apache-2.0",
    modalities=_SEEN_AND_READ,
    prompts=dict.fromkeys(Role, "Represent the user's input."),
    batch_size=4,
)

HUB = {
    row.name: row
    for row in (
        HubRow(
            name=HUB_DEFAULT,
            revision="914f7f89142e33e77833254d9c9b90c3cef7303b",
            parameters_m=744,
            dim=768,
            licence="Apache-2.0",
            prompts={Role.QUERY: "task: search result | query: ", Role.DOCUMENT: "title: none | text: "},
        ),
        _LCO_OMNI,
        replace(
            _LCO_OMNI,
            name="LCO-Embedding/LCO-Embedding-Omni-7B",
            revision="3d38f58aae1253a4443b1270b0767f1e533936cf",
            parameters_m=8_932,
            dim=3_584,
            batch_size=2,
        ),
        HubRow(
            name="BidirLM/BidirLM-Omni-2.5B-Embedding",
            revision="4d8a7d34095ef8c4ab760744015825b809756dfe",
            parameters_m=2_445,
            dim=2_048,
            licence="Apache-2.0",
            remote_code=True,
            max_tokens=1_024,
            sounds_alone=True,
            batch_size=4,
        ),
        _JINA_OMNI,
        replace(
            _JINA_OMNI,
            name="jinaai/jina-embeddings-v5-omni-nano",
            revision="2b230c93c996e091a45b95af4e3315dd07605ee3",
            parameters_m=986,
            dim=768,
            max_tokens=8_192,
        ),
        HubRow(
            name="nvidia/omni-embed-nemotron-3b",
            revision="e0e93aaaa65d2422a8a0c1284116e71f7a0fe966",
            parameters_m=4_703,
            dim=2_048,
            licence="NVIDIA's own, non-commercial (LICENSE beside the weights)",
            commercial=False,
            remote_code=True,
            max_tokens=32_768,
            sound_s=128.0,
            bidirectional="BidirectQwen2_5OmniThinkerTextModel",
            batch_size=4,
        ),
        _QWEN_VL,
        replace(
            _QWEN_VL,
            name="Qwen/Qwen3-VL-Embedding-8B",
            revision="2c4565515e0f265c6511776e7193b22c0968ddc7",
            parameters_m=8_145,
            dim=4_096,
            batch_size=2,
        ),
    )
}


def hub_row(name: str) -> HubRow | None:
    """The row of `OWNER/NAME` or `OWNER/NAME@COMMIT`; None where the table has no such model.

    Raises:
        BadSettingsError: what follows the @ is not a commit.
    """
    model, at, revision = name.partition("@")
    row = HUB.get(model)
    if row is None or not at:
        return row
    if not re.fullmatch("[0-9a-f]{40}", revision):
        raise BadSettingsError(
            f"{name!r}: {revision!r} is no commit; give all its 40 hex digits, for a branch or a tag can move while "
            "the library stays"
        )
    return replace(row, revision=revision)


def refuse_without_consent(row: HubRow, *, trust_remote_code: bool, accept_licence: bool) -> None:
    """Let a model run only what a person has agreed to.

    Raises:
        BadSettingsError: it runs code of its own, or its licence is not commercial, and nobody said yes to that.
    """
    if row.remote_code and not trust_remote_code:
        raise BadSettingsError(
            f"model {row.name} runs Python code that comes with its weights; read that code, then add "
            "--trust-remote-code (or OMNIA_TRUST_REMOTE_CODE=1), or choose another model"
        )
    if not row.commercial and not accept_licence:
        raise BadSettingsError(
            f"model {row.name} may not be used commercially, as far as is known (licence: {row.licence}); if that "
            "suits you, add --accept-licence (or OMNIA_ACCEPT_LICENCE=1), or choose another model"
        )
