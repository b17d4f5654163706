"""FusionRecipe: how specialists are fused, as a table of a recipe says it.

method = "ties"            # or "task_arithmetic"
density = 0.2              # of each task vector, for ties alone
lambda = 1.0               # scale of the fused change
[coefficients]
image = 0.6
audio = 0.4
[copied]                   # prefixes of what a specialist brings along unchanged
audio = ["projectors.audio"]
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

from data.errors import BadSettingsError


class Method(StrEnum):
    """How task vectors become one; fuse.py has the formulas."""

    TASK_ARITHMETIC = "task_arithmetic"
    TIES = "ties"


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionRecipe:
    """How specialists are fused.

    Args:
        coefficients: a weight for every specialist. Task arithmetic takes it as a factor, negative to unlearn; for
            ties it is a share (0 or more): only ratios between specialists matter, and `scale` sets the size.
            A specialist with 0 leaves the backbone alone, and can still have tensors copied.
        density: the share (0, 1] of each tensor's changes that ties keeps, the largest ones.
        scale: lambda, a factor on the fused change; 0 gives the base.
        copied: for a specialist, dotted prefixes of the tensors that are taken from it unchanged.

    Raises:
        BadSettingsError: a value is out of its range, or a copied specialist has no coefficient.
    """

    method: Method
    coefficients: Mapping[str, float]
    density: float = 0.2
    scale: float = 1.0
    copied: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.coefficients:
            raise BadSettingsError("coefficients: none given; give one for each specialist")
        for who, coefficient in self.coefficients.items():
            if not math.isfinite(coefficient):
                raise BadSettingsError(f"coefficients.{who}: {coefficient} is not finite; give a number such as 0.4")
            if self.method == Method.TIES and coefficient < 0:
                raise BadSettingsError(
                    f"coefficients.{who}: {coefficient} is negative, and the mean that ties takes would undo the sign; "
                    f"give 0 or more, or use task_arithmetic"
                )
        if not 0 < self.density <= 1:
            raise BadSettingsError(f"density: {self.density} is not a share; give more than 0 and at most 1")
        if not math.isfinite(self.scale):
            raise BadSettingsError(f"lambda: {self.scale} is not finite; give a number such as 1.0")
        for who, prefixes in self.copied.items():
            if who not in self.coefficients:
                raise BadSettingsError(f"copied.{who}: specialist without a coefficient; give it one, 0 if need be")
            if not all(prefix.strip(".") for prefix in prefixes):
                raise BadSettingsError(f"copied.{who}: an empty prefix covers everything; name a module")

    def as_table(self) -> dict[str, object]:
        """The recipe as its file has it, to be kept as JSON beside the weights that it made."""
        table: dict[str, object] = {"method": self.method.value, "lambda": self.scale}
        if self.method == Method.TIES:
            table["density"] = self.density
        table["coefficients"] = dict(self.coefficients)
        table["copied"] = {who: list(prefixes) for who, prefixes in self.copied.items()}
        return table


def from_table(table: object, *, where: str) -> FusionRecipe:
    """The recipe in a table that was read from TOML or JSON.

    Args:
        where: names the table in errors.

    Raises:
        BadSettingsError: it has an unknown key, or a value that cannot be used.
    """
    try:
        return _from_table(table)
    except BadSettingsError as error:
        raise BadSettingsError(f"{where}: {error}") from None


def _from_table(table: object) -> FusionRecipe:
    if not isinstance(table, dict):
        raise BadSettingsError("not a table; give keys and values")
    if unknown := sorted(table.keys() - _KEYS):
        raise BadSettingsError(f"unknown key {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}")
    if missing := sorted({"method", "coefficients"} - table.keys()):
        raise BadSettingsError(f"{missing[0]}: missing; it must be given")
    if table["method"] not in list(Method):
        raise BadSettingsError(f"method: unknown {table['method']!r}; known are {', '.join(Method)}")
    method = Method(table["method"])
    if "density" in table and method != Method.TIES:
        raise BadSettingsError(f"density: {method} keeps every change; leave it out, or use ties")
    return FusionRecipe(
        method=method,
        coefficients={who: _number(f"coefficients.{who}", c) for who, c in _entries(table, "coefficients").items()},
        density=_number("density", table.get("density", 0.2)),
        scale=_number("lambda", table.get("lambda", 1.0)),
        copied={who: _prefixes(f"copied.{who}", names) for who, names in _entries(table, "copied").items()},
    )


def _entries(table: Mapping[str, object], key: str) -> dict[str, object]:
    entries = table.get(key, {})
    if not isinstance(entries, dict):
        raise BadSettingsError(f"{key}: not a table; give an entry for each specialist")
    return entries


def _number(key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadSettingsError(f"{key}: {value!r} is not a number; give one such as 0.4")
    return float(value)


def _prefixes(key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(prefix, str) for prefix in value):
        raise BadSettingsError(f'{key}: {value!r} is not a list of prefixes; give one such as ["projectors.audio"]')
    return tuple(cast("list[str]", value))


_KEYS = {"method", "coefficients", "density", "lambda", "copied"}
