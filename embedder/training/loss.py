"""Losses: symmetric InfoNCE against frozen text vectors, at every Matryoshka width, and the keeping of text."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

_FAR = -1e4  # a logit that counts for nothing


def contrastive(
    vectors: Tensor,
    targets: Tensor,
    bank: Tensor,
    *,
    twins: Tensor,
    bank_twins: Tensor,
    temperature: float,
    widths: dict[int, float],
) -> Tensor:
    """InfoNCE in both directions (van den Oord et al. 2018, arXiv 1807.03748), the mean over widths.

    The widths follow Kusupati et al. 2022, arXiv 2205.13147.

    Args:
        vectors: (B, D) of media, of unit norm.
        targets: (B, D) of a caption each, of unit norm.
        bank: (M, D) captions of other media: negatives for the media alone.
        twins: (B, B) true where two of the batch show the same, the diagonal included: they are no negatives.
        bank_twins: (B, M) true where a caption of the bank fits a medium too.
        widths: weight of each width; the first so many numbers, normalised anew.
    """
    wrong = torch.where(twins & ~torch.eye(len(vectors), dtype=torch.bool, device=twins.device), _FAR, 0.0)
    bank_wrong = torch.where(bank_twins, _FAR, 0.0)
    right = torch.arange(len(vectors), device=vectors.device)
    total = vectors.new_zeros(())
    for width, weight in widths.items():
        v, t, b = (normalize(each[:, :width], dim=-1) for each in (vectors, targets, bank))
        near = v @ t.T / temperature + wrong  # (B, B)
        far = v @ b.T / temperature + bank_wrong  # (B, M)
        to_text = cross_entropy(torch.cat([near, far], dim=1), right)
        to_media = cross_entropy(near.T, right)
        total = total + weight * (to_text + to_media) / 2
    return total / sum(widths.values())


def strayed(vectors: Tensor, kept: Tensor) -> Tensor:
    """How far texts (B, D) have gone from where they were (B, D): the mean of 1 - cosine, all of unit norm."""
    return (1 - (vectors * kept).sum(-1)).mean()
