"""Models: the table of what is known of each one (name, fingerprint, width, licence) without loading any.

The page and the commands read it before numpy and torch are there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from data.errors import BadSettingsError
from embedder.hub_folder import folder_row
from embedder.hub_rows import HUB, HubRow, hub_row
from embedder.segment import Modality


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One model of the table: what can be known of it without loading it.

    Args:
        fingerprint: identity of model and preprocessing; a library of another fingerprint is embedded anew.
        dim: width of its vectors.
        licence: of its weights, one line.
        loader: "module:function"; the function takes a Device (with `hub`: and that row) and returns a Model.
        batch_size: most segments of one modality it is handed at once.
        hub: what is known of it as a model of the hub or of a folder.
    """

    name: str
    fingerprint: str
    dim: int
    licence: str
    loader: str
    modalities: frozenset[Modality] = frozenset(Modality)
    batch_size: int = 32
    hub: HubRow | None = None

    def takes(self, modality: Modality) -> bool:
        """Whether it makes vectors of such segments; the others are left out, and that is told."""
        return modality in self.modalities

    def lacks(self, modalities: Iterable[Modality]) -> str:
        """The reason to tell, in one line, where segments of these were left out."""
        missing = sorted({modality for modality in modalities if not self.takes(modality)})
        return f"model {self.name} does not take in {' or '.join(missing)}"


def _of_hub(row: HubRow, name: str) -> ModelRow:
    return ModelRow(
        name=name,
        fingerprint=row.fingerprint,
        dim=row.dim,
        licence=row.licence,
        loader=row.loader,
        modalities=row.modalities,
        batch_size=row.batch_size,
        hub=row,
    )


_TOWERS = (
    "words: all-MiniLM-L6-v2, Apache-2.0; pixels: EfficientNet-Lite2, Apache-2.0; sound: YAMNet, "
    "Apache-2.0 upstream (the ONNX export was published as MIT, its package states no licence)"
)

MODELS = {
    row.name: row
    for row in (
        ModelRow(
            name="omnia-mini",
            fingerprint="omnia-mini-38d9a1efa181",  # as its checkpoint says; a test holds the two together
            dim=384,
            licence=f"trained parts: Apache-2.0, from free media, some CC BY-SA and GPL (see its card); {_TOWERS}",
            loader="embedder.mini:load_mini",
        ),
        ModelRow(
            name="omnia-zero", fingerprint="omnia-zero-5", dim=384, licence=_TOWERS, loader="embedder.zero:load_zero"
        ),
        *(_of_hub(row, row.name) for row in HUB.values()),
    )
}


def model_row(name: str) -> ModelRow:
    """The row of a model: a name of the table, OWNER/NAME@COMMIT of the hub, or a folder.

    Raises:
        BadSettingsError: no model has this name.
        ModelMismatchError: the folder holds a model that is damaged or not safetensors.
    """
    if name in MODELS:
        return MODELS[name]
    if found := hub_row(name):
        return _of_hub(found, name)
    if name.startswith(("/", ".", "~")) or _is_folder(name):
        row = folder_row(name)
        return _of_hub(row, row.folder)  # the whole path, which means the same wherever a command is started
    raise BadSettingsError(f"no model is named {name!r}; the models are: {', '.join(MODELS)}, or a folder")


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except OSError:  # no name that a folder could have
        return False
