"""Benchmarks of mteb by name: MAEB, MIEB, MVEB, ViDoRe and every task of it, and Omnia's held-out media beside."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import BadSettingsError, ModelMismatchError

if TYPE_CHECKING:
    from mteb.abstasks.abstask import AbsTask

    from embedder.embed import Embedder
    from embedder.evaluate import Exhibit
    from embedder.training.workshop import Workshop

log = logging.getLogger(__name__)

HELD_OUT = "held-out"
_DEFAULT = "omnia-mini"
# mteb knows MAEB and MVEB by these names; of MIEB and ViDoRe it has several, and none that is called so. ViDoRe(v3.1)
# gives the words of each page beside its picture, v3 the picture alone.
_SHORT = {"mieb": "mieb(multilingual)", "vidore": "vidore(v3)"}
_MOST_NEAR = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a model reached in one task.

    Args:
        type: of the task, as mteb sorts them.
        metric: the task's main score.
        value: that score, the mean over the task's parts; None where it was left out.
        left_out: why.
    """

    task: str
    type: str
    metric: str
    value: float | None = None
    left_out: str = ""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of a command that runs benchmarks of mteb."""
    group = parser.add_argument_group("benchmarks of mteb")
    group.add_argument(
        "--mteb",
        metavar="NAME",
        action="append",
        default=[],
        help=f"MAEB, MIEB, MVEB, ViDoRe, or any benchmark or task of mteb, which come from the hub; {HELD_OUT}: the "
        "media a stage was never trained on, no hub needed; may be given more than once",
    )
    group.add_argument("--model", metavar="M", help=f"row of the model table, or a folder (default: {_DEFAULT})")
    group.add_argument("--read-pages", action="store_true", help="have the words on pages read, as an ingest does")
    group.add_argument("--results", metavar="DIR", type=Path, help="where results go (default: mteb in the workshop)")
    group.add_argument("--trust-remote-code", action="store_true", help="let a model run code that comes with it")
    group.add_argument("--accept-licence", action="store_true", help="use a model whose licence is not commercial")


def run_named(options: argparse.Namespace, workshop: Workshop) -> int:
    """Run the benchmarks of `--mteb` and print a table.

    Returns:
        0 when every task has a score, 1 when some were left out.

    Raises:
        BadSettingsError: as `run`, or the model or the stage is not there.
    """
    if not sys.stderr.isatty():
        os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"  # before mteb imports datasets
    folder = options.results or workshop.folder / "mteb"
    names = [name for name in options.mteb if name != HELD_OUT]
    named_tasks(names)  # a misspelt name is told before anything is loaded
    # It announces every one of its retries, and sets its own level when mteb imports it: so only now.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    scores: list[Score] = []
    if HELD_OUT in options.mteb:
        from embedder.training.pairs import Medium
        from embedder.training.stages import Training

        training = Training(workshop, workshop.gather(), device=options.device)
        model = training.model(options.stage)
        held = {medium.value: training.exhibit(medium, model) for medium in Medium}
        scores += run_held_out(held, folder, name=options.stage)
    if names:
        from embedder.embed import load_embedder

        embedder = load_embedder(
            options.model or _DEFAULT,
            device=options.device,
            modalities=(),
            trust_remote_code=options.trust_remote_code,
            accept_licence=options.accept_licence,
        )
        scores += run(names, embedder, folder, read_pages=options.read_pages)
    sys.stdout.write(table(scores) + "\n")
    return 1 if any(score.value is None for score in scores) else 0


def run(names: Iterable[str], embedder: Embedder, folder: Path, *, read_pages: bool = False) -> list[Score]:
    """Run benchmarks and tasks by their names; what has results in `folder` already is not run again.

    Args:
        folder: gets mteb's results, one JSON file a task: results/MODEL/FINGERPRINT/TASK.json.
        read_pages: have the words on pages read, as an ingest does.

    Raises:
        BadSettingsError: mteb is not installed or has no such name, or the hub cannot be reached.
        ModelMismatchError: the model is broken.
    """
    tasks = named_tasks(names)
    from embedder.mteb_model import EmbedderModel

    model = EmbedderModel(embedder, read_pages=read_pages)
    return [_score(model, task, folder, again=False) for task in tasks]


def run_held_out(exhibits: Mapping[str, Exhibit], folder: Path, *, name: str) -> list[Score]:
    """Every kind by every kind: the numbers of `evaluate.matrix`, measured and written by mteb.

    Args:
        exhibits: of each kind, by its name ("image", "video", "audio", "document").
        name: of what made their vectors.

    Raises:
        BadSettingsError: mteb is not installed.
    """
    _mteb()
    from embedder.mteb_held_out import HeldOut, KnownVectors, digest, questions

    revision = digest(exhibits)
    scores = []
    for question in questions(exhibits):
        if not question.right.any():
            score = Score(task=question.name, type="Any2AnyRetrieval", metric="ndcg_at_10")
            scores.append(replace(score, left_out="no query has a right answer"))
            continue
        model = KnownVectors(question, name=f"omnia/{name}", revision=revision)
        scores.append(_score(model, HeldOut(question), folder, again=True))
    return scores


def named_tasks(names: Iterable[str]) -> list[AbsTask]:
    """The tasks of some benchmarks and tasks, each once, in their order.

    Raises:
        BadSettingsError: mteb is not installed, or has nothing of this name.
    """
    wanted = list(names)
    if not wanted:
        return []
    mteb = _mteb()
    benchmarks = {known.lower(): benchmark for benchmark in mteb.get_benchmarks() for known in _names(benchmark)}
    tasks: dict[str, AbsTask] = {}
    for name in wanted:
        key = name.lower()
        benchmark = benchmarks.get(key) or benchmarks.get(_SHORT.get(key, ""))
        found: Sequence[AbsTask] = benchmark.tasks if benchmark is not None else _task(mteb, name)
        if not found:
            near = _near(name, [known for benchmark in benchmarks.values() for known in _names(benchmark)])
            raise BadSettingsError(f"mteb has no benchmark and no task named {name!r}; near to it: {near}")
        tasks |= {task.metadata.name: task for task in found}
    return list(tasks.values())


def table(scores: Sequence[Score]) -> str:
    """One line a task, and their mean."""
    done = [score.value for score in scores if score.value is not None]
    width = max([len(score.task) for score in scores], default=0)
    kinds = max([len(score.type) for score in scores], default=0)
    lines = [
        f"{score.task:{width}}  {score.type:{kinds}}  "
        + (f"{score.metric} {score.value:.4f}" if score.value is not None else f"left out: {score.left_out}")
        for score in scores
    ]
    mean = f", mean {sum(done) / len(done):.4f}" if done else ""
    return "\n".join([*lines, f"{len(done)} tasks{mean}; {len(scores) - len(done)} left out"])


def _score(model: Any, task: AbsTask, folder: Path, *, again: bool) -> Score:
    from httpx import TransportError

    mteb = _mteb()
    score = Score(task=task.metadata.name, type=task.metadata.type, metric=task.metadata.main_score)
    try:
        found = mteb.evaluate(
            model,
            task,
            cache=mteb.ResultCache(cache_path=folder),
            overwrite_strategy="always" if again else "only-missing",
            encode_kwargs={"batch_size": 32, "show_progress_bar": sys.stderr.isatty()},
            show_progress_bar=False,
            co2_tracker=False,
        )
    except (BadSettingsError, ModelMismatchError):
        raise
    except (ConnectionError, TransportError) as error:
        raise BadSettingsError(
            f"the data of mteb's task {task.metadata.name} are not on this machine and the hub cannot be reached "
            f"({_line(error)}); go online and run the command again: what has results in {str(folder)!r} is kept"
        ) from error
    except Exception as error:  # whatever a data set's loader, a decoder or a metric raises costs this task alone
        log.warning("%s is left out: %s", task.metadata.name, _line(error))
        return replace(score, left_out=_line(error))
    if not found.task_results:
        reasons = "; ".join(each.exception for each in found.exceptions or ()) or "mteb gave no result"
        return replace(score, left_out=reasons)
    return replace(score, value=round(float(found.task_results[0].get_score()), 4))


def _task(mteb: Any, name: str) -> list[AbsTask]:
    try:
        return [mteb.get_task(name)]
    except (KeyError, ValueError):
        return []


def _near(name: str, benchmarks: Iterable[str]) -> str:
    """Names like it: those that hold it, then those spelt like it."""
    known = list(dict.fromkeys([*benchmarks, *(task.metadata.name for task in _mteb().get_tasks())]))
    by_key = {each.lower(): each for each in known}
    holding = [each for key, each in by_key.items() if name.lower() in key]
    alike = [by_key[key] for key in get_close_matches(name.lower(), by_key, n=_MOST_NEAR, cutoff=0.5)]
    return ", ".join(list(dict.fromkeys([*holding, *alike]))[:_MOST_NEAR]) or "nothing"


def _names(benchmark: Any) -> tuple[str, ...]:
    return (benchmark.name, *(benchmark.aliases or ()))


def _mteb() -> Any:
    try:
        import mteb
    except ImportError as error:
        raise BadSettingsError(
            f"benchmarks need mteb, which is not installed ({error}); install it with: pip install -e '.[mteb]'"
        ) from error
    return mteb


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
