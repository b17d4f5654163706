"""Ship: a stage's checkpoint becomes the model that comes with the product, with goldens for its self-test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from embedder.device import Device
from embedder.mini import CHECKPOINT, GOLDENS_FILE, OmniaMini
from embedder.model import checkpoint
from embedder.segment import Modality, Role
from embedder.selftest import golden_segments
from embedder.training.card import card
from embedder.training.workshop import Workshop

NAME = "omnia-mini"


def ship(workshop: Workshop, stage: str, folder: Path = CHECKPOINT) -> str:
    """Write the folder of the product's model: weights, manifest with how every stage was made, card, losses, goldens.

    Returns:
        The fingerprint, for the table in embedder/embed.py.

    Raises:
        BadSettingsError: the stage, or one that it stands on, has not been run or was made by another recipe.
    """
    recipe = {"stage": stage, "seed": workshop.recipe.seed, "stages": workshop.lineage(stage)}
    model = workshop.model(stage)
    manifest = checkpoint.read_manifest(workshop.stage(stage))
    checkpoint.save(folder, model, name=NAME, recipe=recipe, numbers=manifest.numbers)
    mini = OmniaMini(model, Device("cpu", bf16=False))
    goldens = {
        modality.value: mini.encode(golden_segments(modality), Role.DOCUMENT).astype(np.float16)
        for modality in Modality
    }
    save_file(goldens, folder / GOLDENS_FILE)
    (folder / GOLDENS_FILE).chmod(0o644)
    with (folder / "log.jsonl").open("w", encoding="utf-8") as out:
        for path in sorted((workshop.folder / "stages").glob("*/log.jsonl")):
            for line in path.read_text(encoding="utf-8").splitlines():
                out.write(f'{{"stage": "{path.parent.name}", {line[1:]}\n')
    shipped = checkpoint.read_manifest(folder)
    (folder / "README.md").write_text(card(shipped, workshop.sources), encoding="utf-8")
    return shipped.fingerprint
