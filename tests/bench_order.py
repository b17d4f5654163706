"""Order: what is right in one list of all media, by the whole product against the plain cosine of the same vectors."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data.vectors import Vectors
from tests.bench_line import MODEL, Line, Size
from tests.life_process import ROOT, report_of, start_ingest

if TYPE_CHECKING:
    from app.wiring import Library

_SAMPLES = ROOT / "data" / "samples"
_TRUTH = Path(__file__).parent / "samples_truth.json"


def bench_order(folder: Path, _size: Size) -> Iterator[Line]:
    """The samples under names that say nothing, asked for by one word each, and by each of them.

    Right is what is about the same. The product has the words in files beside the vectors, as it always does.
    """
    from app import wiring
    from app.judge import DEPTH, ndcg
    from app.query import FilePart, Query, TextPart
    from app.results import Band, Result
    from data.settings import Settings
    from embedder.segment import Role, words

    about = _copied_samples(folder / "media")
    report_of(start_ingest(folder / "media", folder / "home", model=MODEL))
    home = folder / "home"
    library = wiring.Library(Settings(home=home, catalogue_url=f"sqlite:///{home / 'catalogue.sqlite'}"))
    try:
        service = library.service()
        stored = _stored(library, list(about))
        bands: dict[Band, list[bool]] = {band: [] for band in Band}

        def by_product(part: TextPart | FilePart, right: Set[str]) -> list[str]:
            found: Sequence[Result] = service.search(Query(parts=(part,), limit=len(about))).results
            for result in found:
                if not result.same:
                    bands[result.band].append(result.path in right)
            return [result.path for result in found if not result.same]

        def by_cosine(asked: Vectors, asks: str = "") -> list[str]:
            best = {path: float((of @ asked.T).max()) for path, of in stored.items() if path != asks}
            return sorted(best, key=lambda path: -best[path])

        gained: dict[str, list[float]] = defaultdict(list)
        for subject in sorted(set().union(*about.values())):
            right = {path for path, subjects in about.items() if subject in subjects}
            gained["words"].append(ndcg(by_product(TextPart(subject), right)[:DEPTH], right))
            asked = library.embedder().embed([words(subject)], Role.QUERY)
            gained["words, cosine"].append(ndcg(by_cosine(asked)[:DEPTH], right))
        for path, subjects in about.items():
            right = {other for other, its in about.items() if its & subjects and other != path}
            if right:
                gained["files"].append(ndcg(by_product(FilePart(Path(path)), right)[:DEPTH], right))
                gained["files, cosine"].append(ndcg(by_cosine(stored[path], path)[:DEPTH], right))
        for asked_with in ("words", "files"):
            value, peer = (float(np.mean(gained[name])) for name in (asked_with, f"{asked_with}, cosine"))
            yield Line(f"nDCG@{DEPTH}, {len(gained[asked_with])} {asked_with}, all media", value, "", "cosine", peer)
        every = sum(sum(told) for told in bands.values())
        for band in (Band.STRONG, Band.LIKELY):
            yield Line(f"{band} that is right", float(np.mean(bands[band])), "", "wanted", 1.0)
        yield Line("right that is not weak", 1 - sum(bands[Band.WEAK]) / every, "", "all of it", 1.0)
    finally:
        library.close()


def _copied_samples(media: Path) -> dict[str, set[str]]:
    """What each copy is about."""
    media.mkdir()
    about = {}
    for number, (name, told) in enumerate(sorted(json.loads(_TRUTH.read_text(encoding="utf-8")).items())):
        copy = media / f"{number:03}{Path(name).suffix}"
        shutil.copy(_SAMPLES / name, copy)
        about[str(copy)] = set(told["subjects"])
    return about


def _stored(library: Library, paths: Sequence[str]) -> dict[str, Vectors]:
    """The vectors (S, D) of each file."""
    files = {hashlib.sha256(Path(path).read_bytes()).hexdigest(): path for path in paths}
    held: defaultdict[str, list[Vectors]] = defaultdict(list)
    for records, vectors in library.store().scan():
        for record, vector in zip(records, vectors, strict=True):
            held[files[record.content]].append(vector)
    return {path: np.stack(of) for path, of in held.items()}
