"""Projector: what a frozen tower says of a medium, as soft tokens that the backbone reads like words."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from embedder.model.backbone import DIM

FRAMES = 8  # most frames of a shot, most windows of a sound; further ones are averaged into these
TOP = 5  # classes that get a token of their own
_WIDTH = 512
_HEADS, _HEAD_WIDTH = 4, 384  # networks of a shortcut
_LOOK_DROPOUT, _SHORTCUT_DROPOUT = 0.1, 0.4
_GATE = 1.25  # LOG.md has the grid


@dataclass(frozen=True, slots=True)
class Reading:
    """What a tower says of B media.

    Args:
        odds: (B, C) weight of each class, from 0 to 1.
        frames: (B, F, E) features of each frame or window in time, F at most FRAMES.
        frame_mask: (B, F) which of them are there.
        places: (B, P, E) features of parts of the picture, or the loudest of each feature of a sound (P = 1).
        detail: (B, D) what the tower saw before the classes; D = 0 for sounds.
        prior: (B, 384) the training-free vector, of unit norm.
    """

    odds: Tensor
    frames: Tensor
    frame_mask: Tensor
    places: Tensor
    detail: Tensor
    prior: Tensor

    def to(self, device: torch.device) -> Reading:
        """The same batch on a device."""
        return Reading(*(getattr(self, part.name).to(device) for part in fields(self)))

    def rows(self, rows: Tensor) -> Reading:
        """Some of the media, in another order."""
        return Reading(*(getattr(self, part.name)[rows] for part in fields(self)))


class Projector(nn.Module):
    """From C classes and E features to tokens of width 384.

    The best TOP classes and the expectation over all of them become one token each, made of the classes' words; frames
    and places become tokens through one small network. Two residuals go around the backbone: the training-free vector,
    as much of it as `gate` says (no parameter: what drawings teach it is wrong for photographs), and a shortcut.

    Args:
        class_words: (C, 384) where the classes begin: the mean of the word embeddings of their names.
        scale: standard deviation of the table of word embeddings; tokens begin at that size.
    """

    def __init__(self, class_words: Tensor, *, features: int, places: int, detail: int, scale: float) -> None:
        super().__init__()
        self.classes = nn.Parameter(class_words.clone())  # (C, 384)
        self.rank = nn.Parameter(torch.zeros(TOP + 1, DIM))
        self.sureness = nn.Parameter(torch.zeros(DIM))
        self.look = nn.Sequential(
            nn.LayerNorm(features),
            nn.Linear(features, _WIDTH),
            nn.GELU(),
            nn.Dropout(_LOOK_DROPOUT),
            nn.Linear(_WIDTH, DIM),
            nn.LayerNorm(DIM),
        )
        last = self.look[-1]
        assert isinstance(last, nn.LayerNorm)
        nn.init.constant_(last.weight, scale)
        self.time = nn.Parameter(torch.zeros(FRAMES, DIM))
        self.place = nn.Parameter(torch.zeros(places, DIM))
        self.shortcut = Shortcut(len(class_words), features, detail)
        self.gate: Tensor
        self.register_buffer("gate", torch.tensor(_GATE))

    def forward(self, reading: Reading) -> tuple[Tensor, Tensor]:
        """Tokens (B, T, 384) and their mask (B, T); T = TOP + 1 + F + P."""
        odds, best = reading.odds.topk(TOP, dim=-1)  # (B, TOP)
        share = reading.odds / reading.odds.sum(-1, keepdim=True)  # (B, C)
        expected = (share @ self.classes)[:, None]  # (B, 1, 384)
        named = torch.cat([self.classes[best], expected], dim=1)  # (B, TOP + 1, 384)
        sure = torch.cat([odds, odds[:, :1]], dim=1).clamp(min=1e-4).log()[..., None]  # (B, TOP + 1, 1)
        named = named + self.rank + sure * self.sureness
        frames = self.look(reading.frames) + self.time[: reading.frames.shape[1]]  # (B, F, 384)
        places = self.look(reading.places) + self.place  # (B, P, 384)
        tokens = torch.cat([named, frames, places], dim=1)
        there = reading.frame_mask.new_ones
        batch = len(tokens)
        mask = torch.cat([there(batch, TOP + 1), reading.frame_mask, there(batch, places.shape[1])], dim=1)
        return tokens, mask

    def around(self, reading: Reading) -> Tensor:
        """What goes around the backbone, (B, 384)."""
        total: Tensor = self.gate * reading.prior + self.shortcut(reading)
        return total


class Shortcut(nn.Module):
    """From what a tower says of a medium as a whole straight to the space: a few networks side by side, quick to learn.

    Each has one hidden layer and learns by itself from what they read together; their mean is surer than one network
    as wide as all.

    Args:
        classes, features, detail: C, E and D.
    """

    def __init__(self, classes: int, features: int, detail: int) -> None:
        super().__init__()
        self.read = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Dropout(_SHORTCUT_DROPOUT), nn.Linear(width, _HEADS * _HEAD_WIDTH))
            for width in (features, classes, detail)
            if width
        )
        self.hidden = nn.Sequential(nn.LayerNorm(_HEAD_WIDTH), nn.GELU(), nn.Dropout(_SHORTCUT_DROPOUT))
        self.out = nn.Parameter(torch.zeros(_HEADS, _HEAD_WIDTH, DIM))  # they begin with nothing to say
        self.bias = nn.Parameter(torch.zeros(_HEADS, 1, DIM))

    def forward(self, reading: Reading) -> Tensor:
        """(B, 384) of a norm that comes near one as it learns; it is not surer of what it does not know."""
        mean: Tensor = self.each(reading).mean(0)
        return mean

    def each(self, reading: Reading) -> Tensor:
        """What each network says, (K, B, 384)."""
        there = reading.frame_mask.unsqueeze(-1).to(reading.frames.dtype)  # (B, F, 1)
        frames = (reading.frames * there).sum(1) / there.sum(1)  # (B, E)
        seen = ((frames + reading.places.mean(1)) / 2, reading.odds.clamp(min=1e-5).log(), reading.detail)
        there_are = (part for part in seen if part.shape[-1])
        read = [layer(part) for layer, part in zip(self.read, there_are, strict=True)]  # (B, K * H) each
        hidden = self.hidden(torch.stack(read).sum(0).reshape(-1, _HEADS, _HEAD_WIDTH))  # (B, K, H)
        out: Tensor = (hidden.transpose(0, 1) @ self.out + self.bias).float()
        return out / (1 + out.square().sum(-1, keepdim=True)).sqrt()
