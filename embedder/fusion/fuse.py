"""Fuse: one backbone from a base, its specialists and a recipe.

As in "decoupled specialist fusion" of Conan-embedding-v3 (arXiv 2606.09331): task vectors are combined with one
coefficient per specialist, and what belongs to a modality alone, such as the audio projector, is copied unchanged.
Note that a copied projector still expects its specialist's backbone: drift.py measures what that costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from data.errors import FusionMismatchError
from embedder.fusion.recipe import FusionRecipe, Method
from embedder.fusion.task_vectors import StateDict, check_alike, difference, narrow, sort_out, widen


def fuse(base: StateDict, specialists: Mapping[str, StateDict], recipe: FusionRecipe) -> dict[str, Tensor]:
    """The fused model: theta = theta_base + lambda * combine(tau_1 ... tau_S), tensor by tensor, in float32.

    Specialists are taken in the order of their names, so that the order given changes no bit. A tensor that no
    coefficient changes is the base's, bit for bit.

    Args:
        base: what every specialist was trained from.
        specialists: state dicts by the names that the recipe has.

    Returns:
        New tensors, backbone in the base's dtypes; the inputs are left alone.

    Raises:
        FusionMismatchError: recipe and specialists do not go together, or tensors do not (`sort_out`, `check_alike`).
    """
    if strangers := sorted(recipe.coefficients.keys() ^ specialists.keys()):
        lacks = "specialist" if strangers[0] in recipe.coefficients else "coefficient in the recipe"
        raise FusionMismatchError(f"{strangers[0]!r} has no {lacks}; name the same specialists in both places")
    fused: dict[str, Tensor] = {}
    for name, owner in sort_out(base, specialists, recipe.copied).items():
        if owner is not None:
            fused[name] = specialists[owner][name].detach().clone()
        else:
            tensors = {who: specialists[who][name] for who in sorted(specialists)}
            fused[name] = _fuse_tensor(name, base[name], tensors, recipe)
    return fused


def _fuse_tensor(name: str, base: Tensor, tensors: Mapping[str, Tensor], recipe: FusionRecipe) -> Tensor:
    for who, tensor in tensors.items():
        check_alike(name, tensor, base, who=f"specialist {who!r}")
    acting = [who for who in tensors if recipe.coefficients[who] != 0]
    if not acting or recipe.scale == 0 or not base.is_floating_point():
        return base.detach().clone()
    deltas = [difference(tensors[who], base) for who in acting]
    combined = _COMBINE[recipe.method](deltas, [recipe.coefficients[who] for who in acting], recipe.density)
    return narrow(name, widen(base) + recipe.scale * combined, base.dtype)


def combine_by_sum(deltas: Sequence[Tensor], coefficients: Sequence[float], density: float) -> Tensor:
    """Task arithmetic: sum_s c_s * tau_s (arXiv 2212.04089, section 2); density plays no part."""
    total = torch.zeros_like(deltas[0])
    for coefficient, delta in zip(coefficients, deltas, strict=True):
        total.add_(delta, alpha=coefficient)
    return total


def combine_by_ties(deltas: Sequence[Tensor], coefficients: Sequence[float], density: float) -> Tensor:
    """TIES: trim, elect a sign, take the disjoint mean (Yadav et al. 2023, arXiv 2306.01708, section 4, weighted).

    1. Trim: of each delta the `density` largest by magnitude stay, per tensor; the rest becomes zero.
    2. Elect: an element's sign is that of the summed mass, sum_s c_s * tau_s. A mass of exactly zero elects plus,
       as in mergekit, with which the result agrees.
    3. Mean of those that have the elected sign: sum_s c_s * tau_s / sum_s c_s; zero where none has it.

    Args:
        deltas: S tensors of one shape, float32.
        coefficients: S weights above 0; only their ratios matter.
    """
    shares = torch.tensor(coefficients, dtype=deltas[0].dtype, device=deltas[0].device)  # (S,)
    shares = shares.reshape(-1, *[1] * deltas[0].dim())  # (S, 1, ...)
    weighted = shares * torch.stack([trim(delta, density) for delta in deltas])  # (S, ...)
    elected = torch.where(weighted.sum(dim=0) >= 0, 1.0, -1.0)  # (...)
    agrees = weighted.sign() == elected  # a trimmed element is zero and agrees with neither sign
    divisor = (shares * agrees).sum(dim=0)
    return (weighted * agrees).sum(dim=0) / torch.where(divisor == 0, 1.0, divisor)


def trim(delta: Tensor, density: float) -> Tensor:
    """The delta with only its largest elements by magnitude: floor(density * elements), at least one, others zero.

    Of equal magnitudes the first ones stay, so that the same input always gives the same output.
    """
    if density >= 1 or delta.numel() == 0:
        return delta
    flat = delta.flatten()
    count = max(1, int(density * flat.numel()))
    sizes = flat.abs()
    least = sizes.kthvalue(flat.numel() - count + 1).values  # a selection, six times as quick as sorting
    kept = ~(sizes <= least)  # not ">": what is NaN has to stay, to be found out
    equals = (sizes == least).nonzero().flatten()
    kept[equals[: count - int(kept.sum())]] = True
    return torch.where(kept, flat, 0).reshape(delta.shape)


_COMBINE: dict[Method, Callable[[Sequence[Tensor], Sequence[float], float], Tensor]] = {
    Method.TASK_ARITHMETIC: combine_by_sum,
    Method.TIES: combine_by_ties,
}
