"""The training commands of python -m embedder; nothing heavy is imported before one runs."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import BadSettingsError
from embedder.mteb_tasks import HELD_OUT, add_options

if TYPE_CHECKING:
    from embedder.training.stages import Training
    from embedder.training.workshop import Workshop

MEDIA = ("image", "video", "audio", "document")
_LAST = "interpolated"  # the stage that is meant where none is named
_SHIPPED = "shipped"  # no stage: the model that comes with the product
_STAGES = {
    "gather": "fetch the sources and look at them through the frozen towers",
    "specialise": "train a specialist from the base",
    "fuse": "add the specialists' task vectors to the base",
    "drift": "what fusion did to the audio path, as a table",
    "recover": "train the sound projector alone, against the frozen fused backbone",
    "rehearse": "train everything on a balanced mixture",
    "interpolate": "keep a share of what the rehearsal changed",
    "compare": "the two other ways: everything at once, and longer instead of recovered",
    "evaluate": "the any-to-any matrix of a stage, on what was never trained on",
    "train": "all stages in order, and the drift at the end; what is done is not done again",
    "ship": "make a stage the model that comes with the product",
}


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The stages as subcommands."""
    for name, does in _STAGES.items():
        parser = commands.add_parser(name, help=does, description=does.capitalize() + ".", epilog=_example(name))
        parser.add_argument("--work", metavar="DIR", type=Path, help="the workshop (default: .training)")
        parser.add_argument("--recipe", metavar="FILE", type=Path, help="a recipe.toml (default: the shipped one)")
        parser.add_argument("--steps", metavar="N", type=int, help="updates in each stage: for a trial, not to quote")
        if name not in ("gather", "ship"):  # features and goldens are made on the processor
            parser.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:N or mps (OMNIA_DEVICE or auto)")
        if name == "specialise":
            parser.add_argument("medium", choices=MEDIA)
        if name in ("evaluate", "ship"):
            more = f"; {_SHIPPED}: the model that comes with the product" if name == "evaluate" else ""
            parser.add_argument("--stage", metavar="NAME", help=f"default: {_LAST}{more}")
        if name == "evaluate":
            add_options(parser)
        parser.set_defaults(run=_runner(name))


def _example(name: str) -> str:
    more = {"specialise": " image", "evaluate": " --stage fused"}.get(name, "")
    return f"example: python -m embedder {name}{more}"


def _runner(name: str) -> Callable[[argparse.Namespace], int]:
    def run(options: argparse.Namespace) -> int:
        logging.getLogger("embedder").setLevel(logging.INFO)
        workshop = _workshop(options)
        if name == "gather":
            workshop.gather()
            return 0
        if name == "ship":
            from embedder.training.ship import ship

            _print(f"{ship(workshop, options.stage or _LAST)}; write this fingerprint into embedder/rows.py")
            return 0
        _refuse_early(name, options, workshop)
        if name == "evaluate" and options.mteb:
            from embedder.mteb_tasks import run_named

            options.stage = options.stage or _LAST
            return run_named(options, workshop)
        from embedder.training.stages import Training

        training = Training(workshop, workshop.gather(), device=options.device)
        _DO[name](training, options)
        return 0

    return run


def _workshop(options: argparse.Namespace) -> Workshop:
    from embedder.training.recipe import RECIPE, read_recipe
    from embedder.training.sources import SOURCES
    from embedder.training.workshop import Workshop

    folder = options.work or Path(__file__).resolve().parents[2] / ".training"
    _refuse_file("--work", folder)
    return Workshop(folder, read_recipe(options.recipe or RECIPE, steps=options.steps), SOURCES)


def _refuse_file(option: str, folder: Path) -> None:
    try:
        there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    except OSError as error:
        raise BadSettingsError(f"{option} {str(folder)!r} cannot be used: {error.strerror}; name another") from error
    if not there.is_dir():
        raise BadSettingsError(f"{option} {str(folder)!r} cannot be used: {str(there)!r} is no folder; name another")


def _refuse_early(name: str, options: argparse.Namespace, workshop: Workshop) -> None:
    """Refuse what cannot go well before gigabytes are fetched for it.

    Raises:
        BadSettingsError: the device is not there, results cannot be kept, a stage is named that plays no part, one has
            not been run that this begins with, or one has been run by another recipe.
    """
    from embedder.device import pick_device
    from embedder.training import lineage
    from embedder.training.pairs import Medium

    pick_device(options.device)
    if name == "evaluate" and options.results:
        _refuse_file("--results", options.results)
    if name == "evaluate" and not options.mteb and options.model:
        raise BadSettingsError("--model is for benchmarks of mteb: add --mteb NAME, or leave it out")
    if name == "evaluate" and (not options.mteb or HELD_OUT in options.mteb):
        if options.mteb or options.stage != _SHIPPED:
            workshop.made(options.stage or _LAST)
    elif name == "evaluate" and options.stage:
        raise BadSettingsError(
            f"--stage {options.stage}: benchmarks of mteb are run with --model, only --mteb {HELD_OUT} with a stage; "
            "leave it out, or ship the stage first"
        )
    elif name == "drift":
        workshop.made(lineage.specialist(Medium.AUDIO))
    elif name == "specialise":
        workshop.is_done(lineage.specialist(Medium(options.medium)))
    elif name == "train":
        for stage in lineage.ancestors(workshop.recipe, _LAST):
            workshop.is_done(stage)
    makes = {
        "fuse": lineage.FUSED,
        "recover": lineage.RECOVERED,
        "rehearse": lineage.REHEARSED,
        "interpolate": lineage.INTERPOLATED,
        "compare": lineage.LONGER,
    }
    if name in makes and not workshop.is_done(makes[name]):
        for parent in lineage.stages(workshop.recipe)[makes[name]].parents:
            if parent != lineage.BASE:  # which is made by the way
                workshop.made(parent)


def _specialise(training: Training, options: argparse.Namespace) -> None:
    from embedder.training.pairs import Medium

    training.specialise(Medium(options.medium))


def _compare(training: Training, options: argparse.Namespace) -> None:
    training.train_longer()
    training.train_jointly()


def _train(training: Training, options: argparse.Namespace) -> None:
    from embedder.training.pairs import Medium

    for medium in Medium:
        training.specialise(medium)
    training.fuse()
    training.recover()
    training.rehearse()
    training.interpolate()
    _show(training.drift())


def _evaluate(training: Training, options: argparse.Namespace) -> None:
    model = training.shipped() if options.stage == _SHIPPED else training.model(options.stage or _LAST)
    _show(training.numbers(model))


_DO: dict[str, Callable[[Training, argparse.Namespace], None]] = {
    "specialise": _specialise,
    "fuse": lambda training, options: training.fuse(),
    "drift": lambda training, options: _show(training.drift()),
    "recover": lambda training, options: training.recover(),
    "rehearse": lambda training, options: training.rehearse(),
    "interpolate": lambda training, options: training.interpolate(),
    "compare": _compare,
    "evaluate": _evaluate,
    "train": _train,
}


def _show(found: object) -> None:
    _print(json.dumps(found, indent=1))


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
