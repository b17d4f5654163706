"""Lineage: what each stage is made by and from, as its manifest keeps it, and what the recipe says otherwise by now."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from embedder.training.loop import Plan
from embedder.training.pairs import Medium
from embedder.training.recipe import Recipe

BASE, FUSED, RECOVERED, REHEARSED, INTERPOLATED = "base", "fused", "recovered", "rehearsed", "interpolated"
JOINT, LONGER = "joint", "longer"  # for comparison


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage by the recipe.

    Args:
        settings: all that it is made by.
        parents: the stages whose weights it begins with.
    """

    settings: Mapping[str, Any]
    parents: tuple[str, ...] = ()


def specialist(medium: Medium) -> str:
    """Name of the stage that trains a specialist."""
    return f"specialist-{medium}"


def stages(recipe: Recipe) -> dict[str, Stage]:
    """All stages by their names, each after its parents."""
    specialists = {medium.value: specialist(medium) for medium in Medium}
    added = tuple(name for medium, name in specialists.items() if medium in recipe.fusion.coefficients)
    return {
        BASE: Stage({}),
        **{specialist(medium): _trained(recipe, plan, BASE) for medium, plan in recipe.specialise.items()},
        FUSED: Stage({"fusion": recipe.fusion.as_table()}, (BASE, *added)),
        RECOVERED: _trained(recipe, recipe.recover, FUSED),
        REHEARSED: _trained(recipe, recipe.rehearse, RECOVERED),
        INTERPOLATED: Stage({"share": recipe.interpolate}, (RECOVERED, REHEARSED)),
        LONGER: _trained(recipe, recipe.longer, FUSED),
        JOINT: _trained(recipe, recipe.joint, BASE),
    }


def ancestors(recipe: Recipe, name: str) -> list[str]:
    """The stages that one stands on, in the order in which they are made, and itself at the end."""
    known = stages(recipe)
    wanted = {name}
    for each in reversed(known):
        if each in wanted:
            wanted.update(known[each].parents)
    return [each for each in known if each in wanted]


def difference(was: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """The first setting that differs, as "steps was 2, is 700"; None where they agree.

    Settings that only one of the two has are not compared: a manifest of an earlier version says less.

    Args:
        was: as a manifest keeps it.
        now: as the recipe has it.
    """
    shared = json.loads(json.dumps({key: value for key, value in now.items() if key in was}))  # as JSON gives it back
    before, after = (dict(_flat({key: table[key] for key in shared})) for table in (was, shared))
    for key in (*before, *after):
        if before.get(key) != after.get(key):
            return f"{key} was {before.get(key, 'not given')}, is {after.get(key, 'not given')}"
    return None


def _trained(recipe: Recipe, plan: Plan, parent: str) -> Stage:
    weights = {medium: dict(recipe.weights[Medium(medium)]) for medium in plan.media}
    return Stage(asdict(plan) | {"sources": weights}, (parent,))


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its dotted key."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value
