"""The recipe: every number that omnia-mini is made by, as recipe.toml says it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from data.errors import BadSettingsError
from embedder.fusion.recipe import FusionRecipe, from_table
from embedder.training.loop import Plan
from embedder.training.pairs import Medium

RECIPE = Path(__file__).with_name("recipe.toml")

_SHARED = tuple(f"vision.{part}" for part in ("classes", "rank", "sureness", "look", "time", "place"))
_TRAINED = {  # the shortcut is no network to be added up: of the three that see, one specialist alone trains it
    Medium.IMAGE: ("backbone.", "vision."),
    Medium.VIDEO: ("backbone.", *_SHARED),
    Medium.AUDIO: ("backbone.", "sound."),
    Medium.DOCUMENT: ("backbone.", *_SHARED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All stages.

    Args:
        table: the file as it is read, kept beside the weights.
        weights: of the sources of each medium.
    """

    table: Mapping[str, Any]
    seed: int
    weights: Mapping[Medium, Mapping[str, float]]
    specialise: Mapping[Medium, Plan]
    fusion: FusionRecipe
    recover: Plan
    rehearse: Plan
    joint: Plan


def read_recipe(path: Path = RECIPE, *, steps: int | None = None) -> Recipe:
    """The recipe of a file.

    Args:
        steps: of every stage instead of what the file says: for a trial.

    Raises:
        BadSettingsError: it cannot be read, lacks something, or names something unknown.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        seed = int(table["seed"])
        specialise = {
            medium: _plan(table["specialise"][medium], seed + 1 + number, _TRAINED[medium], {medium: 1.0})
            for number, medium in enumerate(Medium)
        }
        everything = ("backbone.", "vision.", "sound.")
        recover = _plan(table["recover"], seed + 10, ("sound.",), table["recover"]["media"])
        rehearse = _plan(table["rehearse"], seed + 11, everything, table["rehearse"]["media"])
        budget = sum(plan.steps for plan in specialise.values()) + recover.steps + rehearse.steps
        recipe = Recipe(
            table=table,
            seed=seed,
            weights={medium: dict(table["sources"].get(medium, {})) for medium in Medium},
            specialise=specialise,
            fusion=from_table(table["fusion"], where=str(path)),
            recover=replace(recover, backbone_rate=0.0),
            rehearse=rehearse,
            joint=replace(rehearse, steps=budget, seed=seed + 12, media=_shares(specialise)),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadSettingsError(f"recipe {str(path)!r} cannot be used: {type(error).__name__} {error}") from error
    return recipe if steps is None else _shortened(recipe, steps)


def _plan(table: Mapping[str, Any], seed: int, trained: tuple[str, ...], media: Mapping[str, float]) -> Plan:
    own = {key: value for key, value in table.items() if key != "media"}
    return Plan(**own, seed=seed, trained=trained, media={str(key): float(value) for key, value in media.items()})


def _shares(specialise: Mapping[Medium, Plan]) -> dict[str, float]:
    return {str(medium): float(plan.steps) for medium, plan in specialise.items()}


def _shortened(recipe: Recipe, steps: int) -> Recipe:
    def short(plan: Plan) -> Plan:
        return replace(plan, steps=steps, batch_size=min(plan.batch_size, 16), keep_texts=4)

    return replace(
        recipe,
        specialise={medium: short(plan) for medium, plan in recipe.specialise.items()},
        recover=short(recipe.recover),
        rehearse=short(recipe.rehearse),
        joint=short(recipe.joint),
    )
