"""Words in a picture: the one home of rapidocr."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_LOOK_SIDE = 416  # of the picture a first look is taken at; 0.07 s of CPU
_LARGE = 0.3  # of the height of the picture
_LEAST_SIDE = 32
_LEAST_SCORE = 0.6  # of a line, as its recogniser is sure of it
_LEAST_LETTERS = 3

# Small print, in blocks of a picture's pixels
_BLOCK = 8
_INK = 48  # grey levels between ground and letters
_SAME_GROUND = 10  # grey levels
_GROUND = 0.7  # of a block, when letters are on it
_WINDOW = (40, 52)  # rows and columns of blocks that are looked at more closely
_PRINTED = 0.05  # of them


@dataclass(frozen=True, slots=True)
class Line:
    """A line of writing; top and bottom in pixels of its picture."""

    text: str
    top: float
    bottom: float


def words(image: Image.Image) -> str:
    """The lines of writing in an RGB picture, top to bottom, one a line; "" when there are none."""
    return "\n".join(line.text for line in lines(image))


def lines(image: Image.Image) -> list[Line]:
    """The lines of writing in an RGB picture, top to bottom.

    A first look decides whether the full search (0.4 s, and 0.1 s a line) is worth while: at the place that is most
    like small print, if there is one, and at a small copy of the whole.
    """
    if min(image.size) < _LEAST_SIDE:
        return []
    part = _small_print(image)
    if not (part and _looks_written(part)):
        look = image.copy()
        look.thumbnail((_LOOK_SIDE, _LOOK_SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
        if not _looks_written(look):
            return []
    found = _engine()(_bgr(image), use_det=True, use_cls=False, use_rec=True)
    boxes = () if found.boxes is None else found.boxes  # (4, 2) corners each
    kept = [
        Line(text.strip(), float(box[:, 1].min()), float(box[:, 1].max()))
        for text, score, box in zip(found.txts or (), found.scores or (), boxes, strict=False)
        if score >= _LEAST_SCORE and any(c.isalnum() for c in text)
    ]
    letters = sum(c.isalnum() for line in kept for c in line.text)
    return kept if letters >= _LEAST_LETTERS else []


def _small_print(image: Image.Image) -> Image.Image | None:
    """The part of a picture that is most like print, None when none is (2 ms).

    Print is blocks in a row with much contrast within, most of each being ground, dark or light, the same in all.
    """
    grey = image.convert("L").crop((0, 0, image.width // _BLOCK * _BLOCK, image.height // _BLOCK * _BLOCK))
    rows = np.asarray(grey).reshape(grey.height // _BLOCK, _BLOCK, grey.width)
    light, dark = (
        reach(reach(rows, axis=1).reshape(len(rows), -1, _BLOCK), axis=2).astype(np.int16) for reach in (np.max, np.min)
    )  # (H / 8, W / 8)
    mean = np.asarray(grey.reduce(_BLOCK), np.float32)
    contrast = light - dark
    inked = contrast >= _INK
    share = (mean - dark) / np.maximum(contrast, 1)  # of light
    printed = _in_rows(light, inked & (share >= _GROUND)) | _in_rows(dark, inked & (share <= 1 - _GROUND))
    height, width = (min(most, side) for most, side in zip(_WINDOW, printed.shape, strict=True))
    total = np.pad(printed.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    inside = total[height:, width:] - total[height:, :-width] - total[:-height, width:] + total[:-height, :-width]
    top, left = np.unravel_index(inside.argmax(), inside.shape)
    if inside[top, left] < _PRINTED * height * width:
        return None
    x, y = int(left) * _BLOCK, int(top) * _BLOCK
    return image.crop((x, y, min(image.width, x + _WINDOW[1] * _BLOCK), min(image.height, y + _WINDOW[0] * _BLOCK)))


def _in_rows(ground: NDArray[np.int16], inked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where three blocks with ink lie side by side on one ground."""
    pairs = inked[:, 1:] & inked[:, :-1] & (np.abs(np.diff(ground, axis=1)) <= _SAME_GROUND)
    both: NDArray[np.bool_] = pairs[:, 1:] & pairs[:, :-1]
    return both


def _looks_written(look: Image.Image) -> bool:
    """Whether a small picture has lines of writing; a large "line" must be legible, for most are none."""
    boxes = _engine()(_bgr(look), use_det=True, use_cls=False, use_rec=False).boxes
    for box in () if boxes is None else boxes:  # (4, 2) corners
        left, top, right, bottom = (int(n) for n in (*box.min(axis=0), *box.max(axis=0)))
        if bottom - top < _LARGE * look.height:
            return True
        crop = look.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
        found = _engine()(_bgr(crop), use_det=False, use_cls=False, use_rec=True)
        if any(score >= _LEAST_SCORE for score in found.scores or ()):
            return True
    return False


@lru_cache(maxsize=1)
def _engine() -> Any:
    from rapidocr import RapidOCR

    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.max_side_len": 2000,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "Det.limit_type": "max",
            "Det.limit_side_len": 960,
        }
    )


def _bgr(image: Image.Image) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
