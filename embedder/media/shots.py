"""Shots of a film: where scenedetect finds a cut, and at the latest every twelve seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Frame = NDArray[np.uint8]  # (H, W, 3) RGB

PER_SECOND = 8.0  # frames looked at, so the precision of a cut is an eighth of a second
_KEEP_EVERY = 2  # of them, one is kept to show
_LONGEST_S = 12.0
_SHORTEST_S = 1.0
_DETECT_SIDE = 128
_MAX_FRAMES = 4
_SAME = 2.0  # mean difference of two frames, in grey levels, below which one of them is enough


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A stretch of film without a cut, with up to four of its frames, (T, H, W, 3) uint8."""

    start_s: float
    end_s: float
    frames: NDArray[np.uint8]


def shots(frames: Iterator[Frame]) -> Iterator[Shot]:
    """The shots of a film that comes as PER_SECOND frames a second; only one shot is held in memory."""
    from scenedetect import AdaptiveDetector, FrameTimecode

    detector = AdaptiveDetector(min_scene_len=int(_SHORTEST_S * PER_SECOND))
    held: list[tuple[int, Frame]] = []  # kept frames of the current shot, with their numbers
    start = number = 0
    for number, frame in enumerate(frames, start=1):
        if (number - 1) % _KEEP_EVERY == 0 or not held:
            held.append((number - 1, frame))
        time = FrameTimecode(number - 1, fps=PER_SECOND)
        for cut in (c.frame_num for c in detector.process_frame(time, _small(frame))):
            if cut > start:
                yield from _shot(start, cut, [f for n, f in held if n < cut])
                held, start = [(n, f) for n, f in held if n >= cut], cut
        longest = int(_LONGEST_S * PER_SECOND)
        if number - start > longest + int(_LONGEST_S / 4 * PER_SECOND):
            end = start + longest
            yield from _shot(start, end, [f for n, f in held if n < end])
            held, start = [(n, f) for n, f in held if n >= end], end
    yield from _shot(start, number, [f for _, f in held])


def _shot(start: int, end: int, held: list[Frame]) -> Iterator[Shot]:
    if not held:
        return
    seconds = (end - start) / PER_SECOND
    wanted = min(len(held), _MAX_FRAMES, 1 + int(seconds / 1.5))
    picked = [held[int((i + 0.5) / wanted * len(held))] for i in range(wanted)]
    kept = [picked[0]]
    for frame in picked[1:]:
        if frame.shape == kept[0].shape and _difference(frame, kept[-1]) > _SAME:
            kept.append(frame)
    yield Shot(start / PER_SECOND, end / PER_SECOND, np.stack(kept))


def is_blank(shot: Shot) -> bool:
    """True when there is nothing to see: every frame is one colour, as in a fade."""
    return all(int(np.ptp(frame[::8, ::8].reshape(-1, 3), axis=0).max()) < 8 for frame in shot.frames)


def _difference(a: Frame, b: Frame) -> float:
    step = max(1, min(a.shape[:2]) // 64)
    return float(np.abs(a[::step, ::step].astype(np.int16) - b[::step, ::step]).mean())


def _small(frame: Frame) -> Frame:
    """A reduced copy in the channel order that scenedetect expects (BGR)."""
    image = Image.fromarray(frame)
    image.thumbnail((_DETECT_SIDE, _DETECT_SIDE), Image.Resampling.BILINEAR, reducing_gap=1.5)
    return np.ascontiguousarray(np.asarray(image)[:, :, ::-1])
