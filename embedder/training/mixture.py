"""The mixture: batches drawn from shelves by explicit weights, the same for a seed and a step, whenever it is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from embedder.model.omni import Tower
from embedder.model.projector import FRAMES, TOP, Reading
from embedder.towers.words import WordsTower, padded, read_tokenizer
from embedder.training.cache import Entry, Shelf
from embedder.training.pairs import Medium

Vectors = NDArray[np.float32]

_PAGE_TOKENS = 128
_LENGTHS = 8  # texts are put together by length, so that little of a batch is padding
_BACKBONE_ALONE = 0.35  # share of the media that the backbone has to tell by itself
_FIRST_CAPTION, _ALL_CAPTIONS = 0.5, 0.25  # how often the best is taken, and all as one; else any


@dataclass(frozen=True, slots=True)
class Batch:
    """B media of one tower with a caption each.

    Args:
        kept: (B, T) which soft tokens count.
        around: (B, 1) 0 where nothing goes around the backbone, else 1.
        words: token ids and mask (B, W) of pages, None for other media.
        targets: (B, D) vectors of the captions.
        bank: (M, D) vectors of captions of other media.
        twins, bank_twins: (B, B) and (B, M), see `loss.contrastive`.
    """

    tower: Tower
    reading: Reading
    kept: Tensor
    around: Tensor
    words: tuple[Tensor, Tensor] | None
    targets: Tensor
    bank: Tensor
    twins: Tensor
    bank_twins: Tensor


class Captions:
    """Every caption of the shelves, its vector by the untouched MiniLM and its tokens.

    Args:
        device: where the vectors lie, and so where batches are put together.
    """

    def __init__(
        self,
        shelves: Sequence[Shelf],
        tower: WordsTower,
        rotation: Vectors,
        *,
        more: Sequence[str] = (),
        device: str = "cpu",
    ) -> None:
        texts = [text for shelf in shelves for entry in shelf.entries for text in (*entry.captions, entry.described)]
        self.rotation = rotation
        self.texts = list(dict.fromkeys([*texts, *more]))
        self.number = {text: number for number, text in enumerate(self.texts)}
        self.vectors = torch.from_numpy(tower.encode(self.texts) @ rotation).to(device)  # (M, D)
        self.ids = [encoded.ids for encoded in read_tokenizer().encode_batch(self.texts)]


class Mixture:
    """Training batches of one medium over its shelves.

    Args:
        weights: of each source by name; how often its media are drawn.
        hidden: share of pages whose words are hidden.
    """

    def __init__(
        self, shelves: Sequence[Shelf], captions: Captions, weights: Mapping[str, float], *, hidden: float = 0.3
    ) -> None:
        self._shelves = [shelf for shelf in shelves if weights.get(shelf.source, 0) > 0]
        self._weights = np.array([weights[shelf.source] for shelf in self._shelves])
        self._weights /= self._weights.sum()
        self._rows = [
            np.array([row for row, entry in enumerate(shelf.entries) if not entry.held_out]) for shelf in self._shelves
        ]
        self._captions = captions
        self._hidden = hidden
        groups = {entry.group for shelf in self._shelves for entry in shelf.entries}
        self._group = {group: number for number, group in enumerate(sorted(groups))}
        self._device = captions.vectors.device
        self._bank, self._bank_groups = (part.to(self._device) for part in self._all_captions())
        self._tokenizer = read_tokenizer()
        self._tokenizer.enable_truncation(_PAGE_TOKENS)

    @property
    def medium(self) -> Medium:
        return self._shelves[0].medium

    def __len__(self) -> int:
        return sum(len(rows) for rows in self._rows)

    def batch(self, random: Generator, size: int, *, alone: bool = False) -> Batch:
        """One batch; media of a batch come from all sources.

        Args:
            alone: without a bank and without words.
        """
        which = random.choice(len(self._shelves), size, p=self._weights)
        parts: list[Reading] = []
        numbers: list[int] = []
        groups: list[int] = []
        pages: list[str] = []
        entries: list[Entry] = []
        for place in np.unique(which):
            shelf = self._shelves[place]
            rows = random.choice(self._rows[place], int((which == place).sum()))
            parts.append(shelf.reading(rows.tolist(), random.integers(0, shelf.counts.shape[1], len(rows)).tolist()))
            for row in rows:
                entry = shelf.entries[row]
                entries.append(entry)
                numbers.append(self._captions.number[_said(random, entry)])
                groups.append(self._group[entry.group])
                pages.append("" if random.random() < self._hidden else entry.words)
        reading = _joined(parts)
        of = torch.tensor(groups, device=self._device)
        targets = self._captions.vectors[numbers]
        beside = self._bank[:0] if alone else self._bank
        bank = self._captions.vectors[beside]
        alike = targets @ targets.T > _ALIKE
        of_bank = (of[:, None] == self._bank_groups[None, : len(beside)]) | self._own(entries, beside)
        kept = _dropped(random, len(of), reading.frames.shape[1], reading.places.shape[1])
        around = torch.from_numpy((random.random((len(of), 1)) > _BACKBONE_ALONE).astype(np.float32))
        return Batch(
            tower=self._shelves[0].tower,
            reading=reading.to(self._device),
            kept=kept.to(self._device),
            around=around.to(self._device),
            words=self._words(pages) if self.medium is Medium.DOCUMENT and not alone else None,
            targets=targets,
            bank=bank,
            twins=(of[:, None] == of[None]) | alike,
            bank_twins=of_bank | (targets @ bank.T > _ALIKE),
        )

    def _words(self, pages: list[str]) -> tuple[Tensor, Tensor]:
        ids, mask = padded([encoded.ids for encoded in self._tokenizer.encode_batch(pages)])
        return ids.to(self._device), mask.to(self._device)

    def _all_captions(self) -> tuple[Tensor, Tensor]:
        """Numbers and groups of the best caption of each medium that is trained on, each pair once."""
        bank: dict[tuple[int, int], None] = {}
        for shelf, rows in zip(self._shelves, self._rows, strict=True):
            for row in rows:
                entry = shelf.entries[row]
                bank[self._captions.number[entry.captions[0]], self._group[entry.group]] = None
        numbers, groups = torch.tensor(list(bank), dtype=torch.long).reshape(-1, 2).T
        return numbers, groups

    def _own(self, entries: Sequence[Entry], beside: Tensor) -> Tensor:
        """(B, M): which of some captions are a medium's own, whichever group they stand under."""
        own = [[self._captions.number[text] for text in entry.captions] for entry in entries]
        most = max(map(len, own))
        numbers = torch.tensor([each + each[:1] * (most - len(each)) for each in own], device=self._device)  # (B, C)
        return (numbers[:, :, None] == beside).any(dim=1)


_ALIKE = 0.9  # cosine above which two captions say the same


def _said(random: Generator, entry: Entry) -> str:
    fate = random.random()
    if fate < _FIRST_CAPTION:
        return entry.captions[0]
    if fate < _FIRST_CAPTION + _ALL_CAPTIONS:
        return entry.described
    return entry.captions[int(random.integers(len(entry.captions)))]


def texts(random: Generator, captions: Captions, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Token ids and mask (B, T) of random captions that are about as long, and their vectors (B, D)."""
    drawn = random.choice(len(captions.texts), _LENGTHS * size)
    by_length = sorted(drawn, key=lambda number: len(captions.ids[number]))
    at = size * int(random.integers(_LENGTHS))
    chosen = by_length[at : at + size]
    ids, mask = padded([captions.ids[number] for number in chosen])
    kept = captions.vectors[chosen]
    return ids.to(kept.device), mask.to(kept.device), kept


def _dropped(random: Generator, size: int, frames: int, places: int) -> Tensor:
    """Which soft tokens count: a quarter of them does not; now and then none that names a class, or none but those."""
    tokens = TOP + 1 + frames + places
    kept = random.permuted(np.tile(np.arange(tokens) >= tokens // 4, (size, 1)), axis=1)
    fate = random.random(size)
    kept[fate < 0.15, : TOP + 1] = False
    kept[fate > 0.85, TOP + 1 :] = False
    kept[~kept.any(axis=1), TOP] = True
    return torch.from_numpy(kept.astype(np.int64))


def _joined(parts: Sequence[Reading]) -> Reading:
    most = max(part.frames.shape[1] for part in parts)
    assert most <= FRAMES
    frames = [torch.nn.functional.pad(part.frames, (0, 0, 0, most - part.frames.shape[1])) for part in parts]
    masks = [torch.nn.functional.pad(part.frame_mask, (0, most - part.frame_mask.shape[1])) for part in parts]
    return Reading(
        torch.cat([part.odds for part in parts]),
        torch.cat(frames),
        torch.cat(masks),
        torch.cat([part.places for part in parts]),
        torch.cat([part.detail for part in parts]),
        torch.cat([part.prior for part in parts]),
    )
