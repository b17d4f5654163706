"""Task vectors: what training changed in a model, tensor by tensor.

A task vector is the specialist minus the base it was trained from, tau = theta_specialist - theta_base
(Ilharco et al. 2023, arXiv 2212.04089, section 2). Sums of task vectors, added to the base, make one model
of several specialists. Differences are taken in float32 (float64 where the base is float64).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from data.errors import FusionMismatchError

StateDict = Mapping[str, Tensor]


def sort_out(
    base: StateDict, specialists: Mapping[str, StateDict], copied: Mapping[str, Sequence[str]]
) -> dict[str, str | None]:
    """Tell the tensors to fuse from those to copy.

    Args:
        copied: for a specialist, the dotted prefixes of what is its alone, such as its projector. "projectors.audio"
            covers "projectors.audio.weight", and not "projectors.audio_2.weight".

    Returns:
        For each tensor of the fused model the specialist it is copied from, or None where it is backbone, to be
        fused. The base's tensors come first, in its order; then the new ones, sorted.

    Raises:
        FusionMismatchError: two specialists claim a tensor, a prefix covers none, a backbone tensor is missing or
            too many somewhere, or a tensor that is copied from one specialist was trained by another one too. So
            nothing that was trained is dropped.
    """
    owners = _owners(specialists, copied)
    backbone = [name for name in base if name not in owners]
    for who, specialist in specialists.items():
        theirs = [name for name in specialist if name not in owners]
        _expect_names(theirs, backbone, where=f"specialist {who!r}")
    for name, owner in owners.items():
        for who, specialist in specialists.items():
            references = (base.get(name), specialists[owner][name])
            if name in specialist and not any(_same(specialist[name], reference) for reference in references):
                raise FusionMismatchError(
                    f"{name}: to be copied from specialist {owner!r}, but specialist {who!r} has trained it too; "
                    f"freeze it there, or leave it out of that checkpoint"
                )
    return {name: owners.get(name) for name in (*base, *sorted(owners.keys() - base.keys()))}


def check_alike(name: str, tensor: Tensor, base: Tensor, *, who: str) -> None:
    """Refuse a tensor that cannot be fused with the base's.

    Raises:
        FusionMismatchError: shape or dtype differ, or values of a tensor that is not floating.
    """
    _expect(name, "shape", tuple(tensor.shape), tuple(base.shape), who=who)
    _expect(name, "dtype", tensor.dtype, base.dtype, who=who)
    if not base.is_floating_point() and not _same(tensor, base):
        raise FusionMismatchError(
            f"{name}: {base.dtype} tensor with other values in {who} than in the base; such a tensor cannot be fused: "
            f"copy it from one specialist"
        )


def difference(tensor: Tensor, base: Tensor) -> Tensor:
    """Tensor minus base, in float32, where the base lies."""
    return widen(tensor, base) - widen(base)


def widen(tensor: Tensor, like: Tensor | None = None) -> Tensor:
    """The tensor in float32 (float64 if `like` is float64), on the device of `like`."""
    like = tensor if like is None else like
    return tensor.detach().to(like.device, torch.float64 if like.dtype == torch.float64 else torch.float32)


def narrow(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """A sum in the dtype it is kept in.

    Raises:
        FusionMismatchError: it is not finite there.
    """
    kept = tensor.to(dtype)
    if not bool(torch.isfinite(kept).all()):
        raise FusionMismatchError(
            f"{name}: not finite in {dtype} after fusion; look for NaN in the specialists, or take smaller coefficients"
        )
    return kept


def _owners(specialists: Mapping[str, StateDict], copied: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The specialist that claims each tensor."""
    owners: dict[str, str] = {}
    for who, prefixes in copied.items():
        for prefix in prefixes:
            covered = [name for name in specialists[who] if f"{name}.".startswith(f"{prefix.removesuffix('.')}.")]
            if not covered:
                raise FusionMismatchError(
                    f"nothing to copy: specialist {who!r} has no tensor under {prefix!r}; correct the prefix"
                )
            for name in covered:
                if (other := owners.setdefault(name, who)) != who:
                    raise FusionMismatchError(
                        f"{name}: claimed by specialists {other!r} and {who!r}; let only one of them copy it"
                    )
    return owners


def _expect_names(found: Iterable[str], expected: Iterable[str], *, where: str) -> None:
    found, expected = set(found), set(expected)
    if missing := sorted(expected - found):
        raise FusionMismatchError(
            f"{missing[0]}: in the base, but not in {where} ({len(missing)} such); "
            f"fuse checkpoints that were trained from this base"
        )
    if extra := sorted(found - expected):
        raise FusionMismatchError(
            f"{extra[0]}: in {where}, but not in the base ({len(extra)} such); "
            f"if it is a specialist's own module, name its prefix to have it copied"
        )


def _expect(name: str, what: str, found: object, expected: object, *, who: str) -> None:
    if found != expected:
        raise FusionMismatchError(
            f"{name}: {what} {found} in {who}, {expected} in the base; "
            f"fuse checkpoints that were trained from this base"
        )


def _same(tensor: Tensor, other: Tensor | None) -> bool:
    if other is None or tensor.shape != other.shape or tensor.dtype != other.dtype:
        return False
    return torch.equal(tensor, other.to(tensor.device))
