"""OmniModel: words, pictures, shots, sounds and pages to unit vectors in one space, through one backbone."""

from __future__ import annotations

from enum import StrEnum

import torch
from torch import Tensor, nn

from embedder.model.backbone import DIM, FIRST, LAST, Backbone
from embedder.model.projector import Projector, Reading

WIDTHS = (64, 128, 256, DIM)  # Matryoshka: the first so many numbers of a vector, normalised anew, are a vector too


class Tower(StrEnum):
    """The senses that come through a projector."""

    VISION = "vision"
    SOUND = "sound"


class OmniModel(nn.Module):
    """The backbone and a projector for each tower; the towers themselves are outside and frozen."""

    def __init__(self, backbone: Backbone, vision: Projector, sound: Projector) -> None:
        super().__init__()
        self.backbone = backbone
        self.vision = vision
        self.sound = sound
        self.rotation: Tensor
        self.register_buffer("rotation", torch.eye(DIM))  # puts what tells texts apart into the first numbers

    def words(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Token ids and mask (B, T), [CLS] and [SEP] included, to unit vectors (B, 384)."""
        return self.backbone.pooled(self.backbone.tokens(ids), mask) @ self.rotation

    def media(
        self,
        tower: Tower,
        reading: Reading,
        *,
        kept: Tensor | None = None,
        around: Tensor | None = None,
        words: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """What a tower says of B media to unit vectors (B, 384).

        Args:
            kept: (B, T) soft tokens that count, for dropping some in training; all by default. The rest costs nothing.
            around: (B, 1) how much of what goes around the backbone counts, for training without it; all by default.
            words: token ids and mask (B, W) of the words on a page, [CLS] and [SEP] included; they come first. A page
                that has none is read as a picture.
        """
        projector = self.projector(tower)
        tokens, mask = projector(reading)  # (B, T, 384), (B, T)
        if kept is not None:
            mask = mask * kept
        edge = self.backbone.tokens.weight[[FIRST, LAST]].expand(len(tokens), 2, DIM)
        one = mask.new_ones(len(tokens), 1)
        if words is None:
            lead, lead_mask, own = edge[:, :1], one, torch.ones_like(one, dtype=torch.float32)
        else:
            lead, lead_mask = self.backbone.tokens(words[0]), words[1].to(mask.dtype)
            wordless = lead_mask.sum(1, keepdim=True) <= 2
            own = wordless.float()  # nothing goes around where there are words
            lead_mask = lead_mask * ((lead_mask.cumsum(1) == 1) | ~wordless)  # nor is there an end of no words
        x = torch.cat([lead, tokens, edge[:, 1:]], dim=1)
        mask = torch.cat([lead_mask, mask, one], dim=1)
        if around is not None:
            own = own * around
        if kept is not None:
            x, mask = _packed(x, mask)
        seen = self.backbone.pooled(x, mask)
        return nn.functional.normalize(seen + own * projector.around(reading), dim=-1) @ self.rotation

    def shortcut(self, tower: Tower, reading: Reading) -> Tensor:
        """What each network of the projector's shortcut says alone, unit vectors (K, B, 384).

        That is what training teaches on large batches.
        """
        return nn.functional.normalize(self.projector(tower).shortcut.each(reading), dim=-1, eps=0.05) @ self.rotation

    def projector(self, tower: Tower) -> Projector:
        """What reads a tower."""
        return self.vision if tower is Tower.VISION else self.sound


def _packed(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens (B, T, D) and which of them count (B, T), without the rest: in order, as wide as the longest needs."""
    order = mask.argsort(dim=1, descending=True, stable=True)[:, : int(mask.sum(1).max())]
    rows = torch.arange(len(x), device=x.device)[:, None]
    return x[rows, order], mask[rows, order]
