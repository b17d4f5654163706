"""Words in a picture: the one home of rapidocr."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

_LOOK_SIDE = 416  # of the picture a first look is taken at; 0.07 s of CPU
_LARGE = 0.3  # of the height of the picture
_LEAST_SIDE = 32
_LEAST_SCORE = 0.6  # of a line, as its recogniser is sure of it
_LEAST_LETTERS = 3


def words(image: Image.Image) -> str:
    """The lines of writing in an RGB picture, top to bottom, one a line; "" when there are none.

    A first look at a small copy decides whether the full search (0.4 s, and 0.1 s a line) is worth while.
    """
    if min(image.size) < _LEAST_SIDE:
        return ""
    look = image.copy()
    look.thumbnail((_LOOK_SIDE, _LOOK_SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    if not _looks_written(look):
        return ""
    found = _engine()(_bgr(image), use_det=True, use_cls=False, use_rec=True)
    lines = [
        line.strip()
        for line, score in zip(found.txts or (), found.scores or (), strict=False)
        if score >= _LEAST_SCORE and any(c.isalnum() for c in line)
    ]
    letters = sum(c.isalnum() for line in lines for c in line)
    return "\n".join(lines) if letters >= _LEAST_LETTERS else ""


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
