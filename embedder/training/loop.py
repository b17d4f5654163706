"""The loop: one stage of training, from a model and its mixtures to a trained model; it goes on where it was killed."""

from __future__ import annotations

import json
import logging
import math
import pickle
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from data.errors import BadSettingsError, ModelMismatchError
from embedder.model.backbone import DIM
from embedder.model.checkpoint import writing, written
from embedder.model.omni import OmniModel
from embedder.training.loss import contrastive, strayed
from embedder.training.mixture import Batch, Captions, Mixture, texts

log = logging.getLogger(__name__)
deterministic: Any = torch.utils.deterministic

WIDTH_WEIGHTS = {384: 1.0, 256: 0.3, 128: 0.3, 64: 0.3}
_KEEP_EVERY, _LOG_EVERY = 50, 10
_PAGE_PARTS = 4  # that a batch of pages goes through the model in


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Settings of one stage.

    Args:
        steps: updates of the weights.
        batch_size: media in a step; they are of one medium, which is drawn anew for each step.
        media: how often each medium is drawn, by name.
        backbone_rate: learning rate of the backbone; 0 freezes it.
        projector_rate: of what `trained` names beside the backbone.
        trained: prefixes of the tensors that may change.
        keep_texts: texts in a step that must stay where they are.
        keep_weight: of their loss against the contrastive one.
        wide_batch: media in a step that only the projector's shortcut learns from, which costs little; 0 for none.
        warmup: share of the steps in which the rates rise.
        widths: weight of each Matryoshka width.

    Raises:
        BadSettingsError: a value is out of its range.
    """

    steps: int
    media: Mapping[str, float]
    trained: tuple[str, ...]
    batch_size: int = 128
    backbone_rate: float = 5e-5
    projector_rate: float = 1e-3
    temperature: float = 0.05
    keep_texts: int = 32
    keep_weight: float = 4.0
    wide_batch: int = 512
    weight_decay: float = 0.01
    warmup: float = 0.05
    seed: int = 0
    widths: Mapping[int, float] = field(default_factory=lambda: dict(WIDTH_WEIGHTS))

    def __post_init__(self) -> None:
        least = {"steps": 1, "batch_size": 1, "keep_texts": 1, "wide_batch": 0, "seed": 0}
        for name, value in ((name, getattr(self, name)) for name in least):
            if isinstance(value, bool) or not isinstance(value, int) or value < least[name]:
                raise BadSettingsError(f"{name}: {value!r} is no whole number of {least[name]} or more; correct it")
        for name in ("backbone_rate", "projector_rate", "keep_weight", "weight_decay", "temperature", "warmup"):
            if not is_weight(getattr(self, name)):
                raise BadSettingsError(f"{name}: {getattr(self, name)!r} is no number of 0 or more; correct it")
        if not self.temperature:
            raise BadSettingsError("temperature: 0 cannot be divided by; give a number such as 0.05")
        if self.warmup > 1:
            raise BadSettingsError(f"warmup: {self.warmup} is no share of the steps; give 0 to 1")
        for name, weights in (("media", self.media), ("widths", self.widths)):
            if not all(map(is_weight, weights.values())) or not any(weights.values()):
                raise BadSettingsError(
                    f"{name}: {dict(weights)} are no weights; give numbers of 0 or more, one above 0"
                )
        if wrong := [width for width in self.widths if not isinstance(width, int) or not 0 < width <= DIM]:
            raise BadSettingsError(f"widths: {wrong[0]!r} is no width; give whole numbers from 1 to {DIM}")


def is_weight(value: object) -> bool:
    """Whether it is a finite number of 0 or more."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def train(
    model: OmniModel,
    mixtures: Mapping[str, Mixture],
    captions: Captions,
    plan: Plan,
    folder: Path,
    *,
    made_by: Mapping[str, Any],
    bf16: bool,
) -> OmniModel:
    """Train in place, where the model is; `folder` gets `log.jsonl` and, until the stage is done, `resume.pt`.

    A step draws from a generator seeded by the plan and the step's number, and sums in a fixed order: two runs on one
    kind of processor, with as many threads, end with the same bits, and so does one that was killed in between.

    Args:
        made_by: the plan, the weights of the sources and the hashes of the parents, as `Workshop.made_by` tells them; a
            stage that was killed goes on only where they are what they were.

    Raises:
        ModelMismatchError: the loss is not finite any more.
        StoreUnavailableError: where it is cannot be kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    groups = _groups(model, plan)  # what changes, with its rates
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=plan.weight_decay)
    rates = [group["lr"] for group in groups]
    begun = _resume(folder / "resume.pt", model, optimiser, made_by)
    losses = folder / "log.jsonl"
    _trim(losses, begun)
    names, shares = list(plan.media), np.array(list(plan.media.values()), float)
    shares /= shares.sum()
    model.train()
    started = time.monotonic()
    with _repeatable():
        for step in range(begun, plan.steps):
            random = np.random.default_rng([plan.seed, step])
            torch.manual_seed(int(random.integers(2**31)))  # of dropout
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * _schedule(step, plan)
            name = str(random.choice(names, p=shares))
            mixture = mixtures[name]
            batch = mixture.batch(random, plan.batch_size)
            with torch.autocast(model.rotation.device.type, torch.bfloat16, enabled=bf16):
                near = _loss(model, batch, plan)
                wide = near.new_zeros(())
                if plan.wide_batch:
                    wide = _shortcut_loss(model, mixture.batch(random, plan.wide_batch, alone=True), plan)
                kept = (
                    _kept(model, texts(random, captions, plan.keep_texts)) if plan.backbone_rate else near.new_zeros(())
                )
            total = near + wide + plan.keep_weight * kept
            optimiser.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]
            norm = nn.utils.clip_grad_norm_([tensor for group in groups for tensor in group["params"]], 1.0)
            if not (total.isfinite() and norm.isfinite()):  # before the weights take it
                raise ModelMismatchError(
                    f"{folder.name}: the loss of step {step} ({name}) or its slope is not finite; lower the rates in "
                    "the recipe, or look for damaged features, and run it again"
                )
            optimiser.step()
            if step % _LOG_EVERY == 0 or step == plan.steps - 1:
                line = {"step": step, "medium": name, "loss": round(near.item(), 4)}
                line |= {"wide": round(wide.item(), 4)} if plan.wide_batch else {}
                line |= {"strayed": round(kept.item(), 5), "seconds": round(time.monotonic() - started, 1)}
                with writing(losses), losses.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
                log.info("%s %s", folder.name, line)
            if step % _KEEP_EVERY == _KEEP_EVERY - 1:
                _keep(folder / "resume.pt", model, optimiser, plan, made_by, step + 1)
    model.eval().requires_grad_(False)
    return model


@contextmanager
def _repeatable() -> Iterator[None]:
    """Sums in a fixed order: gradients of table rows are otherwise added by whichever thread comes first.

    Attention is written out as matrix products: the gradient of the fused one takes half of a step on a CPU, for heads
    as narrow as these.
    """
    before = torch.are_deterministic_algorithms_enabled(), deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    deterministic.fill_uninitialized_memory = False  # a tenth of the time, for what nobody reads
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        deterministic.fill_uninitialized_memory = before[1]


def _trim(losses: Path, begun: int) -> None:
    """Leave out the steps that come once more, after a kill or from the beginning."""
    if losses.exists():
        lines = losses.read_text(encoding="utf-8").splitlines(keepends=True)
        with written(losses) as partial:
            partial.write_text("".join(line for line in lines if _step(line) < begun), encoding="utf-8")


def _step(line: str) -> float:
    """The step that a line of a log tells of; infinity where it was cut off."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, LookupError, TypeError):
        return math.inf


def finish(folder: Path) -> None:
    """Forget where a stage was: its checkpoint is written."""
    (folder / "resume.pt").unlink(missing_ok=True)


def _loss(model: OmniModel, batch: Batch, plan: Plan) -> Tensor:
    return _contrast(_vectors(model, batch), batch, plan.temperature, plan.widths)


def _vectors(model: OmniModel, batch: Batch) -> Tensor:
    """What the model makes of a batch, (B, D); pages of about as many words go together, so that little is padding."""
    if batch.words is None:
        return model.media(batch.tower, batch.reading, kept=batch.kept, around=batch.around)
    ids, mask = batch.words
    order = mask.sum(1).argsort(stable=True)
    parts = []
    for rows in order.chunk(_PAGE_PARTS):
        longest = int(mask[rows].sum(1).max())
        words = ids[rows, :longest], mask[rows, :longest]
        kept, around = batch.kept[rows], batch.around[rows]
        parts.append(model.media(batch.tower, batch.reading.rows(rows), kept=kept, around=around, words=words))
    return torch.cat(parts)[order.argsort()]


def _shortcut_loss(model: OmniModel, batch: Batch, plan: Plan) -> Tensor:
    each = model.shortcut(batch.tower, batch.reading)
    losses = [_contrast(vectors, batch, plan.temperature, {vectors.shape[1]: 1.0}) for vectors in each]
    return torch.stack(losses).mean()


def _contrast(vectors: Tensor, batch: Batch, temperature: float, widths: Mapping[int, float]) -> Tensor:
    with torch.autocast(vectors.device.type, enabled=False):
        return contrastive(
            vectors.float(),
            batch.targets,
            batch.bank,
            twins=batch.twins,
            bank_twins=batch.bank_twins,
            temperature=temperature,
            widths=dict(widths),
        )


def _kept(model: OmniModel, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    ids, mask, vectors = batch
    return strayed(model.words(ids, mask).float(), vectors)


def _groups(model: OmniModel, plan: Plan) -> list[dict[str, Any]]:
    """The parameters that change, with their rates; all others are frozen."""
    model.requires_grad_(False)
    backbone: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if name.startswith(plan.trained) and name != "backbone.tokens.weight":
            (backbone if name.startswith("backbone.") else others).append(parameter)
            parameter.requires_grad_(True)
    groups: Sequence[tuple[list[nn.Parameter], float]] = ((backbone, plan.backbone_rate), (others, plan.projector_rate))
    return [{"params": tensors, "lr": rate} for tensors, rate in groups if tensors]


def _schedule(step: int, plan: Plan) -> float:
    """Linear warm-up, then half a cosine down to a twentieth."""
    warm = max(1, int(plan.warmup * plan.steps))
    if step < warm:
        return (step + 1) / warm
    done = (step - warm) / max(1, plan.steps - warm)
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done))


def _keep(
    path: Path,
    model: OmniModel,
    optimiser: torch.optim.Optimizer,
    plan: Plan,
    made_by: Mapping[str, Any],
    step: int,
) -> None:
    trained = {name: tensor for name, tensor in model.state_dict().items() if name.startswith(plan.trained)}
    state = {"step": step, "made_by": _told(made_by), "model": trained, "optimiser": optimiser.state_dict()}
    with written(path) as partial:
        torch.save(state, partial)


def _resume(path: Path, model: OmniModel, optimiser: torch.optim.Optimizer, made_by: Mapping[str, Any]) -> int:
    """The step to go on with; 0 where there is none, or where the file is damaged, of other settings, or tells none."""
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)  # or a full GPU would look like damage
    except (EOFError, RuntimeError, LookupError, ValueError, pickle.UnpicklingError) as error:
        log.warning("%s begins anew: %s is damaged (%s)", path.parent.name, path, type(error).__name__)
        return 0
    if not isinstance(state, dict) or state.get("made_by") != _told(made_by):
        log.warning("%s begins anew: what %s keeps was made by other settings", path.parent.name, path)
        return 0
    model.load_state_dict(state["model"], strict=False)
    optimiser.load_state_dict(state["optimiser"])
    log.info("%s goes on at step %d", path.parent.name, state["step"])
    return int(state["step"])


def _told(made_by: Mapping[str, Any]) -> str:
    return json.dumps(made_by, sort_keys=True)
