"""The recipe: every number that omnia-mini is made by, as recipe.toml says it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch

from data.errors import BadSettingsError
from embedder.fusion.recipe import FusionRecipe, from_table
from embedder.model.backbone import DIM
from embedder.model.omni import Tower
from embedder.model.projector import TOP, Projector
from embedder.training.loop import Plan, is_weight
from embedder.training.pairs import Medium, Source
from embedder.training.sources import SOURCES

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
        weights: of the sources of each medium.
        interpolate: share of what the rehearsal changed that is kept, 0 to 1.
    """

    seed: int
    weights: Mapping[Medium, Mapping[str, float]]
    specialise: Mapping[Medium, Plan]
    fusion: FusionRecipe
    recover: Plan
    rehearse: Plan
    interpolate: float
    joint: Plan

    @property
    def longer(self) -> Plan:
        """The recovery, but of backbone and projector together."""
        rate = self.specialise[Medium.AUDIO].backbone_rate
        return replace(self.recover, trained=("backbone.", "sound."), backbone_rate=rate)


def read_recipe(path: Path = RECIPE, *, steps: int | None = None, sources: Sequence[Source] = SOURCES) -> Recipe:
    """The recipe of a file.

    Args:
        steps: of every stage instead of what the file says: for a trial.
        sources: those that it may name.

    Raises:
        BadSettingsError: it cannot be read, lacks something, or names something unknown.
    """
    where = f"recipe {str(path)!r}"
    try:
        recipe = _from_table(tomllib.loads(path.read_text(encoding="utf-8")), sources, where)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadSettingsError(f"{where} cannot be used: {type(error).__name__} {error}") from error
    return recipe if steps is None else _shortened(recipe, steps)


def _from_table(table: Mapping[str, Any], sources: Sequence[Source], where: str) -> Recipe:
    _refuse_unknown(
        table, ("seed", "sources", "specialise", "fusion", "recover", "rehearse", "interpolate"), where=where
    )
    for key in ("specialise", "sources"):
        _refuse_unknown(table[key], Medium, where=f"{where}, [{key}]")
    _refuse_unknown(table["fusion"]["coefficients"], Medium, where=f"{where}, [fusion] coefficients")
    fusion = from_table(table["fusion"], where=where)
    _refuse_strangers(fusion.copied, where=f"{where}, [fusion] copied")
    seed = table["seed"]
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise BadSettingsError(f"{where}: seed = {seed!r} is no whole number of 0 or more; correct it")
    specialise = {
        medium: _plan(
            table["specialise"][medium],
            seed + 1 + number,
            _TRAINED[medium],
            {medium: 1.0},
            where=f"{where}, [specialise.{medium}]",
        )
        for number, medium in enumerate(Medium)
    }
    media = {
        name: _weights(table[name]["media"], Medium, where=f"{where}, media of [{name}]")
        for name in ("recover", "rehearse")
    }
    everything = ("backbone.", "vision.", "sound.")
    recover = _plan(table["recover"], seed + 10, ("sound.",), media["recover"], where=f"{where}, [recover]")
    rehearse = _plan(table["rehearse"], seed + 11, everything, media["rehearse"], where=f"{where}, [rehearse]")
    budget = sum(plan.steps for plan in specialise.values()) + recover.steps + rehearse.steps
    return Recipe(
        seed=seed,
        weights={
            medium: _weights(
                table["sources"].get(medium, {}),
                [source.name for source in sources if source.medium is medium and not source.whole],
                where=f"{where}, [sources.{medium}]",
            )
            for medium in Medium
        },
        specialise=specialise,
        fusion=fusion,
        recover=replace(recover, backbone_rate=0.0),
        rehearse=rehearse,
        interpolate=_share(table["interpolate"], where=f"{where}, [interpolate]"),
        joint=replace(rehearse, steps=budget, seed=seed + 12, media=_shares(specialise)),
    )


def _weights(table: Mapping[str, Any], known: Iterable[str], *, where: str) -> dict[str, float]:
    """How often each of some names is drawn."""
    _refuse_unknown(table, known, where=where)
    for name, weight in table.items():
        if not is_weight(weight):
            raise BadSettingsError(f"{where}: {name} = {weight!r} is no weight; give a number such as 0.8, or 0")
    return {name: float(weight) for name, weight in table.items()}


def _share(table: Mapping[str, Any], *, where: str) -> float:
    _refuse_unknown(table, ("share",), where=where)
    share = table["share"]
    if not (is_weight(share) and share <= 1):
        raise BadSettingsError(f"{where}: share = {share!r} is no share; give 0 to 1, such as 0.5")
    return float(share)


def _refuse_unknown(names: Iterable[str], known: Iterable[str], *, where: str) -> None:
    wanted = [str(each) for each in known]
    for name in names:
        if name not in wanted:
            near = get_close_matches(name, wanted, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(wanted)}"
            raise BadSettingsError(f"{where}: unknown {name!r}; {hint}")


def _refuse_strangers(copied: Mapping[str, Sequence[str]], *, where: str) -> None:
    """Refuse prefixes that cover nothing of a projector: fusion would, after all specialists have been trained."""
    names: list[str] = []
    for tower in Tower:
        with torch.device("meta"):
            sees = int(tower is Tower.VISION)  # detail, which sounds have none of
            parts = Projector(torch.empty(TOP, DIM), features=1, places=1, detail=sees, scale=1.0).state_dict()
        names += [f"{tower}.{part}." for part in parts]
    for medium, prefixes in copied.items():
        for prefix in prefixes:
            if not any(name.startswith(f"{prefix.rstrip('.')}.") for name in names):
                raise BadSettingsError(
                    f"{where}.{medium}: {prefix!r} is no part of a projector; name one such as 'sound' or 'vision.look'"
                )


def _plan(
    table: Mapping[str, Any], seed: int, trained: tuple[str, ...], media: Mapping[str, float], *, where: str
) -> Plan:
    own = {key: value for key, value in table.items() if key != "media"}
    if "widths" in own:  # TOML knows no numbers as keys
        own["widths"] = {int(key): value for key, value in own["widths"].items()}
    try:
        return Plan(**own, seed=seed, trained=trained, media={str(key): float(value) for key, value in media.items()})
    except BadSettingsError as error:
        raise BadSettingsError(f"{where}: {error}") from None


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
