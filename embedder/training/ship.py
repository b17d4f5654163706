"""Ship: a stage's checkpoint becomes the model that comes with the product, with goldens for its self-test."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from embedder.device import Device
from embedder.mini import CHECKPOINT, GOLDENS_FILE, NAME, OmniaMini
from embedder.model import checkpoint
from embedder.model.backbone import DIM
from embedder.segment import Modality, Role
from embedder.selftest import golden_segments, refuse_wrong_vectors
from embedder.training.card import card
from embedder.training.workshop import Workshop


def ship(workshop: Workshop, stage: str, folder: Path = CHECKPOINT) -> str:
    """Write the folder of the product's model: weights, manifest with how every stage was made, card, losses, goldens.

    All of it is made beside that folder first and moved there at the end, so that the old model is whole until then.

    Returns:
        The fingerprint, for the table in embedder/rows.py.

    Raises:
        BadSettingsError: the stage, or one that it stands on, has not been run or was made by another recipe.
        ModelMismatchError: it fails the self-test.
        StoreUnavailableError: it cannot be written.
    """
    lineage = workshop.lineage(stage)
    recipe = {"stage": stage, "seed": workshop.recipe.seed, "stages": lineage}
    model = workshop.model(stage)
    manifest = checkpoint.read_manifest(workshop.stage(stage))
    mini = OmniaMini(model, Device("cpu", bf16=False))
    goldens = {}
    for modality in Modality:
        vectors = mini.encode(golden_segments(modality), Role.DOCUMENT)
        refuse_wrong_vectors(vectors, None, dim=DIM, what=f"stage {stage} on {modality}")
        goldens[modality.value] = vectors.astype(np.float16)
    folder = folder.resolve()  # so that what is made lies on the same disk
    made = folder.with_name(f"{folder.name}.part")
    with checkpoint.writing(folder), ExitStack() as at_the_end:
        shutil.rmtree(made, ignore_errors=True)
        at_the_end.callback(shutil.rmtree, made, ignore_errors=True)
        checkpoint.save(made, model, name=NAME, recipe=recipe, numbers=manifest.numbers)
        save_file(goldens, made / GOLDENS_FILE)
        (made / GOLDENS_FILE).chmod(0o644)
        with (made / "log.jsonl").open("w", encoding="utf-8") as out:
            for name in lineage:
                path = workshop.stage(name) / "log.jsonl"
                for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
                    out.write(f'{{"stage": "{name}", {line[1:]}\n')
        shipped = checkpoint.read_manifest(made)
        (made / "README.md").write_text(card(shipped, workshop.sources), encoding="utf-8")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / checkpoint.MANIFEST_FILE).unlink(missing_ok=True)
        for path in sorted(made.iterdir(), key=lambda path: path.name == checkpoint.MANIFEST_FILE):  # that one last
            path.replace(folder / path.name)
    return shipped.fingerprint
