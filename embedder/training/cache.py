"""The cache: what the frozen towers say of every training medium, computed once for each source."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from data.errors import MediaError, StoreUnavailableError
from embedder.glosses import read_tables
from embedder.model.checkpoint import written
from embedder.model.features import Features, heard, seen
from embedder.model.omni import Tower
from embedder.model.projector import FRAMES, Reading
from embedder.towers import sounds, vision
from embedder.towers.sounds import SoundsTower
from embedder.towers.vision import VisionTower
from embedder.training import views
from embedder.training.pairs import IN_MOTION, Medium, Pair, Source, is_held_out

log = logging.getLogger(__name__)

_LOOKING = 2  # number of the rules by which a medium becomes arrays (views, features): raised when they change
_BATCH = 64  # media decoded ahead of the tower
_ARRAYS = {"odds", "frames", "counts", "places", "detail", "prior"}  # of a shelf
_ENTRY = 5  # parts of an entry in a note


@dataclass(frozen=True, slots=True)
class Entry:
    """One medium of a source; `words` are those on a page, "" elsewhere."""

    key: str
    group: str
    captions: tuple[str, ...]
    held_out: bool
    words: str = ""

    @property
    def described(self) -> str:
        """All its captions as one text."""
        return ". ".join(self.captions)


@dataclass(frozen=True, slots=True)
class Shelf:
    """All media of one source, N of them in V views: arrays as in `Features`, frames padded to FRAMES.

    Args:
        counts: (N, V) how many of the frames are there.
    """

    source: str
    medium: Medium
    entries: tuple[Entry, ...]
    odds: NDArray[np.float16]
    frames: NDArray[np.float16]
    counts: NDArray[np.int64]
    places: NDArray[np.float16]
    detail: NDArray[np.float16]
    prior: NDArray[np.float16]

    @property
    def tower(self) -> Tower:
        return Tower.SOUND if self.medium is Medium.AUDIO else Tower.VISION

    def origin(self, row: int) -> str:
        """Names what a medium was made from: the same for a picture and for a camera's move over it."""
        return f"{self.source.removesuffix(IN_MOTION)}/{self.entries[row].key}"

    def reading(self, rows: Sequence[int], view: Sequence[int] | int = 0) -> Reading:
        """Some of the media as a batch."""
        chosen = np.asarray(rows)
        of = np.broadcast_to(np.asarray(view), chosen.shape)
        most = int(self.counts[chosen, of].max())
        mask = np.arange(most) < self.counts[chosen, of][:, None]
        arrays = (
            self.odds[chosen, of],
            self.frames[chosen, of, :most],
            self.places[chosen, of],
            self.detail[chosen, of],
            self.prior[chosen, of],
        )
        odds, frames, places, detail, prior = (torch.from_numpy(array).float() for array in arrays)
        return Reading(odds, frames, torch.from_numpy(mask.astype(np.int64)), places, detail, prior)


def shelve(source: Source, packages: Path, folder: Path) -> Shelf:
    """The shelf of a source, from `folder` or else made there; what cannot be decoded is left out and counted.

    It is made anew where it was made of other packages, by another tower or by other rules, and where it is damaged.

    Raises:
        StoreUnavailableError: it cannot be written, or not one of its media can be read.
    """
    path = folder / f"{source.name}.safetensors"
    note = path.with_suffix(".json")
    found = _noted(note, source)
    arrays = None if found is None else _kept(path, source, rows=len(found))
    if found is None or arrays is None:
        entries, arrays = _made(source, list(source.read(packages)))
        with written(path) as partial:
            note.unlink(missing_ok=True)  # which tells of the arrays that were there before
            save_file(arrays, partial)
        found = [[e.key, e.group, e.captions, e.held_out, e.words] for e in entries]
        with written(note) as partial:
            partial.write_text(json.dumps({"made_of": _made_of(source), "entries": found}))
    entries = tuple(
        Entry(key, group, tuple(captions), is_held_out(group), words) for key, group, captions, _, words in found
    )
    return Shelf(source.name, source.medium, entries, **arrays)


def _kept(path: Path, source: Source, *, rows: int) -> dict[str, NDArray[Any]] | None:
    """The arrays of a shelf; None where they are damaged, or not of so many media."""
    try:
        arrays = load_file(path)
    except (FileNotFoundError, SafetensorError) as error:  # what may not be read is not made anew: that takes hours
        log.warning("%s is looked at anew: %s cannot be read (%s)", source.name, path, type(error).__name__)
        return None
    if arrays.keys() != _ARRAYS or any(len(array) != rows for array in arrays.values()):
        log.warning("%s is looked at anew: %s is not of the %d media of its note", source.name, path, rows)
        return None
    return arrays


def _noted(note: Path, source: Source) -> list[Any] | None:
    """The entries of a shelf; None where it is not there or damaged, or was made of something else.

    A note that does not tell what it was made of, as earlier ones, is taken as it is.
    """
    if not note.exists():
        return None
    try:
        found = json.loads(note.read_text())
        entries: list[Any] = found if isinstance(found, list) else found["entries"]
        if any(len(entry) != _ENTRY for entry in entries):
            raise ValueError("entries of another form")
    except (ValueError, KeyError, TypeError) as error:
        log.warning("%s is looked at anew: %s is damaged (%s)", source.name, note, type(error).__name__)
        return None
    if isinstance(found, list):
        log.warning("%s: what %s was made of is not known; remove it if that has changed", source.name, note)
        return found
    now = _made_of(source)
    if changed := [name for name in now if found["made_of"].get(name) != now[name]]:
        log.warning("%s is looked at anew: other %s", source.name, ", ".join(changed))
        return None
    return entries


def _made_of(source: Source) -> dict[str, Any]:
    return {
        "packages": [f"{package.registry} {package.name} {package.version}" for package in source.packages],
        "rules": source.rules,
        "views": source.views,
        "looking": _LOOKING,
        "tower": sounds.SHA256 if source.medium is Medium.AUDIO else vision.SHA256,
    }


def _made(source: Source, pairs: list[Pair]) -> tuple[tuple[Entry, ...], dict[str, NDArray[Any]]]:
    rows: list[tuple[Entry, list[Features]]] = []
    for entry, features in _MAKERS[source.medium](source, pairs):
        rows.append((entry, features))
        if len(rows) % 500 == 0:
            log.info("%s: %d of %d", source.name, len(rows), len(pairs))
    if not rows:
        folders = ", ".join(package.name for package in source.packages)
        raise StoreUnavailableError(
            f"{source.name}: none of its {len(pairs)} media can be read; remove its packages ({folders}) from the "
            "workshop to have them fetched anew"
        )
    if len(rows) < len(pairs):
        log.warning("%s: %d of %d left out", source.name, len(pairs) - len(rows), len(pairs))

    def stacked(name: str) -> NDArray[Any]:
        return np.stack([np.stack([getattr(each, name) for each in features]) for _, features in rows])

    counts = np.array([[len(each.frames) for each in features] for _, features in rows])
    frames = np.zeros((*counts.shape, FRAMES, rows[0][1][0].frames.shape[1]), np.float16)
    for row, (_, features) in enumerate(rows):
        for view, each in enumerate(features):
            frames[row, view, : len(each.frames)] = each.frames
    arrays = {name: stacked(name) for name in ("odds", "places", "detail")}
    arrays["prior"] = stacked("prior").astype(np.float16)
    there = np.ascontiguousarray(frames[:, :, : counts.max()])  # of any other array, safetensors writes other numbers
    return tuple(entry for entry, _ in rows), arrays | {"frames": there, "counts": counts}


def _images(source: Source, pairs: Sequence[Pair]) -> Iterator[tuple[Entry, list[Features]]]:
    yield from _looked(pairs, lambda pair, random: [p[None] for p in views.pictures(pair, random, views=source.views)])


def _videos(source: Source, pairs: Sequence[Pair]) -> Iterator[tuple[Entry, list[Features]]]:
    yield from _looked(pairs, lambda pair, random: [views.moving(pair, random)])


def _looked(pairs: Iterable[Pair], make: Any) -> Iterator[tuple[Entry, list[Features]]]:
    tower, table = VisionTower("cpu"), read_tables().imagenet  # fp32, so that all processors see the same

    def attempt(pair: Pair) -> tuple[Pair, list[NDArray[np.uint8]]] | None:
        try:
            return pair, make(pair, _random(pair))
        except (MediaError, OSError, ValueError) as error:
            log.warning("%s %s: %s", pair.source, pair.key, error)
            return None

    with ThreadPoolExecutor(2) as threads:
        remaining = iter(pairs)
        while batch := list(islice(remaining, _BATCH)):
            made = [each for each in threads.map(attempt, batch) if each is not None]
            shots = [shot for _, versions in made for shot in versions]
            features = iter(seen(tower, shots, table)) if shots else iter(())
            for pair, versions in made:
                yield _entry(pair), list(islice(features, len(versions)))


def _sounds(source: Source, pairs: Sequence[Pair]) -> Iterator[tuple[Entry, list[Features]]]:
    tower, table = SoundsTower(), read_tables().audioset

    def attempt(pair: Pair) -> tuple[Pair, list[NDArray[np.float32]]]:
        try:
            return pair, views.sounds(pair, _random(pair), views=source.views)
        except MediaError as error:
            log.warning("%s %s: %s", pair.source, pair.key, error)
            return pair, []

    with ThreadPoolExecutor(2) as threads:
        for pair, versions in threads.map(attempt, pairs):
            if versions and np.abs(versions[0]).max() > 0:
                yield _entry(pair), [heard(tower, version, table) for version in versions]


def _documents(source: Source, pairs: Sequence[Pair]) -> Iterator[tuple[Entry, list[Features]]]:
    tower, table = VisionTower("cpu"), read_tables().imagenet
    for path, mine in groupby(sorted(pairs, key=lambda pair: str(pair.path)), key=lambda pair: pair.path):
        assert path is not None
        try:
            for pair, pixels, words in views.pages(path, list(mine)):
                yield _entry(pair, words), seen(tower, [pixels[None]], table)
        except MediaError as error:
            log.warning("%s: %s", source.name, error)


_MAKERS = {Medium.IMAGE: _images, Medium.VIDEO: _videos, Medium.AUDIO: _sounds, Medium.DOCUMENT: _documents}


def _entry(pair: Pair, words: str = "") -> Entry:
    return Entry(pair.key, pair.group, pair.captions, pair.held_out, words)


def _random(pair: Pair) -> np.random.Generator:
    """The same variation of a medium in every run."""
    return np.random.default_rng(list(f"{pair.source}/{pair.key}".encode()))
