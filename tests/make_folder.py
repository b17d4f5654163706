"""Folders of many small files, made in code and quickly: what a busy ingest works on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.make_media import tone, wav

_WORDS = (
    "harbour lantern orchard thunder velvet granite meadow violin copper glacier saffron lighthouse canyon "
    "bicycle monsoon marble falcon teapot railway desert candle forest piano market tunnel island feather "
    "winter bridge garden engine shadow silver mountain river window kitchen summer story letter"
).split()


def words_of(number: int) -> str:
    """The text of file `number`: a few sentences that no other number has."""
    random = np.random.default_rng(number)
    picked = [_WORDS[i] for i in random.integers(0, len(_WORDS), 24)]
    return f"Note {number}. " + " ".join(picked) + f". Filed under {number}."


def text_path(folder: Path, number: int) -> Path:
    """Where `mixed_folder` puts the text of a number."""
    return folder / f"{number % 10}" / f"note-{number:05}.txt"


def mixed_folder(folder: Path, files: int, *, pictures: int = 0, sounds: int = 0) -> list[int]:
    """`files` different files, most of them texts, `pictures` PNGs and `sounds` WAVs among them.

    Returns:
        The numbers of the texts, see `text_path` and `words_of`.
    """
    for name in range(10):
        (folder / str(name)).mkdir(parents=True, exist_ok=True)
    others = pictures + sounds
    for number in range(pictures):
        random = np.random.default_rng(number)
        coarse = random.integers(0, 256, (4, 4, 3), np.uint8)
        Image.fromarray(coarse).resize((96, 96)).save(folder / f"{number % 10}" / f"picture-{number:05}.png")
    for number in range(sounds):
        wav(folder / f"{number % 10}" / f"sound-{number:05}.wav", tone(1.0, hz=200.0 + number))
    texts = list(range(files - others))
    for number in texts:
        text_path(folder, number).write_text(words_of(number), encoding="utf-8")
    return texts


def photo_folder(folder: Path, pictures: int) -> None:
    """`pictures` JPEGs of 800 x 600: clouds of colour, coarse and fine, with grain.

    Shapes with edges would look like writing to a reader more often than photographs do (1 of 18 in data/samples).
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(pictures):
        random = np.random.default_rng(number)
        pixels = random.normal(0, 5, (600, 800, 1)).astype(np.float32) + random.integers(40, 216, 3)
        for cells, strength in ((3, 0.5), (9, 0.35), (40, 0.15)):
            coarse = random.integers(0, 256, (cells, cells, 3), np.uint8)
            cloud = Image.fromarray(coarse).resize((800, 600), Image.Resampling.BICUBIC)
            pixels += strength * (np.asarray(cloud, np.float32) - 128)
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / f"photo-{number:04}.jpg", quality=88)
