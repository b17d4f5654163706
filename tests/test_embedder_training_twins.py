"""What is tested on: nothing that has a twin among the media that are trained on, by looks, by sound or by words."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import pytest

from embedder.training.cache import Entry, Shelf
from embedder.training.pairs import Medium
from embedder.training.twins import without_twins
from tests.make_folder import words_of

HELD, TRAINED = True, False


def shelf(
    source: str,
    medium: Medium,
    media: Sequence[tuple[bool, np.ndarray]],
    *,
    words: Sequence[str] = (),
    section: str = "",
) -> Shelf:
    """A shelf of media that are held out or not, with what is seen or heard of each as one row of numbers."""
    width, texts = len(media[0][1]), list(words) or [""] * len(media)
    entries = tuple(
        Entry(str(row), section or f"thing {row}", (f"caption {row}",), out, texts[row])
        for row, (out, _) in enumerate(media)
    )
    arrays = np.stack([looks for _, looks in media]).astype(np.float16)
    is_heard = medium is Medium.AUDIO
    return Shelf(
        source=source,
        medium=medium,
        entries=entries,
        odds=np.ones((len(media), 1, 3), np.float16),
        frames=arrays.reshape(len(media), 1, 2, -1) if is_heard else np.ones((len(media), 1, 1, 5), np.float16),
        counts=np.ones((len(media), 1), np.int64),
        places=np.ones((len(media), 1, 1, width), np.float16) if is_heard else arrays.reshape(len(media), 1, 4, -1),
        detail=np.ones((len(media), 1, 0), np.float16),
        prior=np.ones((len(media), 1, 3), np.float16),
    )


def looks(number: int) -> np.ndarray:
    return np.random.default_rng(number).standard_normal(64)


def near(number: int, cosine: float) -> np.ndarray:
    """At about this cosine to looks(number)."""
    other = looks(number + 10_000)
    return cosine * looks(number) + np.sqrt(1 - cosine**2) * other


def many(first: int) -> list[tuple[bool, np.ndarray]]:
    """Media that are trained on and like nothing else."""
    return [(TRAINED, looks(number)) for number in range(first, first + 40)]


def test_a_picture_with_a_twin_in_training_is_not_tested_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    drawings = shelf("drawings", Medium.IMAGE, [*many(0), (HELD, near(3, 0.99)), (HELD, looks(500))])
    assert without_twins([drawings], set()) == {"drawings": [41]}
    assert "drawings: 1 of 2 are not tested on: 1 have a twin that is trained on" in caplog.text


def test_sources_that_are_held_out_whole_are_compared_more_strictly_for_their_style_is_another() -> None:
    drawings = shelf("drawings", Medium.IMAGE, [*many(0), (HELD, near(3, 0.93))])
    stamps = shelf("stamps", Medium.IMAGE, [(TRAINED, near(4, 0.93)), (TRAINED, looks(600)), (TRAINED, looks(600))])
    found = without_twins([drawings, stamps], {"stamps"})
    assert found["drawings"] == [40], "drawn in the same style"
    assert sorted(found["stamps"]) == [1, 2], "twins of each other are no matter"


def test_a_clip_goes_with_its_picture() -> None:
    drawings = shelf("drawings", Medium.IMAGE, many(0))
    stamps = shelf("stamps", Medium.IMAGE, [(TRAINED, near(3, 0.99)), (TRAINED, looks(600))])
    clips = shelf("stamps in motion", Medium.VIDEO, [(TRAINED, looks(700)), (TRAINED, looks(701))])
    found = without_twins([drawings, stamps, clips], {"stamps", "stamps in motion"})
    assert (found["stamps"], found["stamps in motion"]) == ([1], [1])


def test_a_recording_with_a_twin_is_not_tested_on_and_one_of_the_same_kind_is() -> None:
    sounds = shelf("sounds", Medium.AUDIO, [*many(0), (HELD, near(3, 0.995)), (HELD, near(4, 0.95))])
    assert without_twins([sounds], set()) == {"sounds": [41]}


def test_a_reprinted_page_is_not_tested_on() -> None:
    known = words_of(1)
    reprinted = known.replace("Note 1.", "Notes 2.") + " With three words more."
    texts = [known, reprinted, words_of(3), "Short. 12"]
    pages = shelf("pages", Medium.DOCUMENT, [(i > 0, looks(i)) for i in range(4)], words=texts)
    assert sorted(without_twins([pages], set())["pages"]) == [2, 3]
    scans = shelf("scans", Medium.DOCUMENT, [*many(0), (HELD, looks(3)), (HELD, near(4, 0.93))])
    assert without_twins([scans], set())["scans"] == [41], "by its pixels"


def test_of_one_section_four_pages_are_tested_on() -> None:
    pages = shelf("pages", Medium.DOCUMENT, [(HELD, looks(i)) for i in range(9)], section="guide/oars")
    assert len(without_twins([pages], {"pages"})["pages"]) == 4


def test_nothing_to_test_on_is_nothing_found() -> None:
    for medium in Medium:
        assert without_twins([shelf("a", medium, many(0))], set()) == {"a": []}
