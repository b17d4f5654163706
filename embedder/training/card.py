"""The model card: what omnia-mini is, what it reached and what it learnt from, filled in from its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from embedder.model.backbone import LICENCE as BACKBONE_LICENCE
from embedder.model.checkpoint import Manifest, towers
from embedder.model.omni import WIDTHS, Tower
from embedder.towers.sounds import LICENCE as SOUND_LICENCE
from embedder.towers.vision import LICENCE as VISION_LICENCE
from embedder.training.pairs import Source

_TEMPLATE = Path(__file__).with_name("card.md")
_KINDS = ("text", "image", "video", "audio", "document")


def card(manifest: Manifest, sources: Sequence[Source]) -> str:
    """The card as Markdown; its figures are the manifest's."""
    numbers = manifest.numbers
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        fingerprint=manifest.fingerprint,
        width=WIDTHS[-1],
        widths=", ".join(str(width) for width in WIDTHS[:-2]) + f" or {WIDTHS[-2]}",
        towers="\n".join(_towers()),
        matrix="\n".join(_matrix(numbers["matrix"])),
        whole="\n".join(_whole(numbers["sources"])),
        more="\n".join(f"- {line}" for line in _more(numbers)),
        sources="\n".join(_source(source) for source in sources),
    )


def _towers() -> Iterator[str]:
    hashes = towers()
    yield f"| backbone, where it begins | all-MiniLM-L6-v2 | `{hashes['backbone'][:16]}…` | {BACKBONE_LICENCE} |"
    yield f"| vision | EfficientNet-Lite2 | `{hashes[Tower.VISION][:16]}…` | {VISION_LICENCE} |"
    yield f"| sound | YAMNet | `{hashes[Tower.SOUND][:16]}…` | {SOUND_LICENCE} |"


def _matrix(matrix: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield "| | " + " | ".join(_KINDS) + " |"
    yield "|---" * (len(_KINDS) + 1) + "|"
    for asked in _KINDS:
        cells = [_cell(matrix[asked][shown]) if _was_asked(matrix, asked, shown) else "–" for shown in _KINDS]
        yield f"| {asked} | " + " | ".join(cells) + " |"


def _was_asked(matrix: Mapping[str, Mapping[str, Any]], asked: str, shown: str) -> bool:
    return shown in matrix[asked] and matrix[asked][shown]["queries"] > 0


def _whole(found: Mapping[str, Any]) -> Iterator[str]:
    for name, each in found.items():
        if each["whole"]:
            asked, prior, back = each["from_text"], each["from_text_untrained"], each["to_text"]
            sizes = f"{asked['candidates']} ({_chance(asked)})"
            yield f"| {name} | {sizes} | {_recalls(prior)} | {_recalls(asked)} | {_cell(back)} |"


def _more(numbers: Mapping[str, Any]) -> Iterator[str]:
    if clipart := numbers["sources"].get("clipart"):
        by_title, by_all = (_cell(clipart[how]) for how in ("from_text", "from_description"))
        yield f"Clip-art held out by what it shows: {by_title} by title, {by_all} by title, description and keywords."
        if filled := clipart.get("filled_up"):
            by_title, by_all = (_cell(filled[how]) for how in ("from_text", "from_description"))
            yield f"The same, filled up with clip-art that was trained on: {by_title} and {by_all}."
    if hidden := numbers.get("pages_by_pixels"):
        yield f"Pages by their pixels alone: {_cell(hidden)}."
    for name, found in numbers["across"].items():
        yield f"{_directed(name)} over whole sources: {_cell(found)}."
    for name, found in numbers["drawn"]["model"].items():
        prior = _recalls(numbers["drawn"]["untrained"][name])
        yield f"{_directed(name)} over fewer of them, the mean of draws: {_cell(found)}; training-free {prior}."
    for name, found in numbers["as_many_as_video"].items():
        yield f"{_directed(name)} over as many pictures as there are shots, the mean of draws: {_cell(found)}."
    for name in ("image", "audio"):
        shown = "; ".join(f"{width} {_recalls(found[name])}" for width, found in numbers["widths"].items())
        yield f"Text → {name} by the first numbers of a vector: {shown}."
    kept = numbers["text_kept"]
    yield (
        f"Texts kept: mean cosine {kept['mean']:.3f} (least {kept['least']:.3f}) to the untouched MiniLM over "
        f"{kept['texts']} sentences of the pages that are tested on, which no stage ever saw."
    )


def _directed(name: str) -> str:
    """ "Text → image" of text_to_image."""
    return name.replace("_to_", " → ").capitalize()


def _source(source: Source) -> str:
    return f"| {source.name}{' (only tested on)' if source.whole else ''} | {source.medium} | {source.licence} |"


def _cell(found: Mapping[str, Any]) -> str:
    return f"{_recalls(found)} of {found['candidates']} ({_chance(found)})"


def _recalls(found: Mapping[str, Any]) -> str:
    return _first_and_ten(found["recall"])


def _chance(found: Mapping[str, Any]) -> str:
    return _first_and_ten(found["chance"])


def _first_and_ten(at: Mapping[Any, float]) -> str:
    depths = {int(depth): value for depth, value in at.items()}  # JSON has them as words
    return f"{depths[1]:.2f} / {depths[10]:.2f}"
