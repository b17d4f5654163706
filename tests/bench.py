"""Benches, as ratios within one run: `python -m tests.bench [NAME ...] [--quick]`, also `make bench`.

Each line tells a name, the value, its peer (a limit, or another way to do the same measured just now) and the ratio of
the two. The absolute numbers are this machine's and today's; the ratios travel.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench_line import MODEL, STORE_LIMIT_MS, Line, Size
from tests.bench_order import bench_order
from tests.bench_search import bench_page, bench_search
from tests.life_process import ROOT, Page, environment, report_of, start_ingest
from tests.make_folder import mixed_folder, photo_folder, words_of

HELP_LIMIT_S = 0.3


FULL = Size(pictures=500, rescanned=20_000, segments=100_000, queries=300, beside=2_000)
QUICK = Size(pictures=40, rescanned=2_000, segments=10_000, queries=50, beside=300)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure, as ratios in one run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which to run: {', '.join(BENCHES)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it runs, not to quote")
    args = parser.parse_args()
    unknown = sorted(set(args.names) - set(BENCHES))
    if unknown:
        parser.error(f"no bench is called {unknown[0]!r}; there are: {', '.join(BENCHES)}")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    _say(f"{os.cpu_count()} cores, load {load:.1f} before the start{', quick sizes' if args.quick else ''}")
    for name in args.names or BENCHES:
        folder = Path(tempfile.mkdtemp(prefix="omnia-bench-"))
        try:
            for line in BENCHES[name](folder, QUICK if args.quick else FULL):
                _say(str(line))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def bench_images(folder: Path, size: Size) -> Iterator[Line]:
    """A whole ingest of photographs over the model alone on the same pixels."""
    from embedder.embed import load_embedder
    from embedder.media import ocr, read

    photo_folder(folder / "media", size.pictures)
    report = report_of(start_ingest(folder / "media", folder / "home", model=MODEL))
    assert report["indexed"] == size.pictures
    embedder = load_embedder(MODEL)
    ocr.words = lambda image: ""  # the pixels only
    model_s = 0.0
    paths = sorted((folder / "media").iterdir())
    for start in range(0, len(paths), 16):
        batch = [segment for path in paths[start : start + 16] for segment in read(path)]
        began = time.perf_counter()
        embedder.embed(batch)
        model_s += time.perf_counter() - began
    yield Line(f"ingest of {size.pictures} pictures", report["seconds"], "s", "model alone, s", model_s)


def bench_embed(folder: Path, size: Size) -> Iterator[Line]:
    """What a picture, a page and a second of sound cost omnia-mini: decoding, tower, backbone."""
    import torch

    from embedder.device import pick_device
    from embedder.glosses import read_tables
    from embedder.media import ocr, read
    from embedder.model.checkpoint import base_model
    from embedder.model.features import collate, heard, seen
    from embedder.model.omni import Tower
    from embedder.towers.sounds import SoundsTower
    from embedder.towers.vision import VisionTower
    from tests import make_media

    place = pick_device("cpu")
    model, tables = base_model().eval(), read_tables()
    eyes, ears = VisionTower("cpu", bf16=place.bf16), SoundsTower()
    ocr.words = lambda image: ""  # the pixels only
    photo_folder(folder / "media", size.pictures)
    book = make_media.pdf(folder / "book.pdf", [make_media.STORY] * max(10, size.pictures // 5))
    times = dict.fromkeys(("decoding", "tower", "backbone"), 0.0)

    def timed(stage: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        done = work()
        times[stage] += time.perf_counter() - began
        return done

    def embedded(tower: Tower, features: list[Any]) -> None:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=place.bf16):
            timed("backbone", lambda: model.media(tower, collate(features)))

    def lines(what: str, count: float, *, wanted: float) -> Iterator[Line]:
        whole = sum(times.values())
        yield Line(f"{what} a second, decoded before", count / (whole - times["decoding"]), "", "wanted", wanted)
        for stage, taken in times.items():
            yield Line(f"{what}: share of {stage}", taken / whole, "", "all of it", 1.0)
            times[stage] = 0.0

    paths = sorted((folder / "media").iterdir())
    for start in range(0, len(paths), 16):
        batch = timed("decoding", lambda: [s.pixels for path in paths[start : start + 16] for s in read(path)])  # noqa: B023
        embedded(Tower.VISION, timed("tower", lambda: seen(eyes, batch, tables.imagenet)))  # noqa: B023
    yield from lines("pictures", len(paths), wanted=20)
    pages = timed("decoding", lambda: [s.pixels for s in read(book) if s.pixels is not None])
    for start in range(0, len(pages), 16):
        batch = pages[start : start + 16]
        embedded(Tower.VISION, timed("tower", lambda: seen(eyes, batch, tables.imagenet)))  # noqa: B023
    yield from lines("pages", len(pages), wanted=20)
    wave = make_media.wav(folder / "tone.wav", make_media.tone(120.0))
    windows = timed("decoding", lambda: [s.sound for s in read(wave) if s.sound is not None])
    embedded(Tower.SOUND, [timed("tower", lambda: heard(ears, sound, tables.audioset)) for sound in windows])  # noqa: B023
    yield from lines("seconds of sound", 120, wanted=1)


def bench_rescan(folder: Path, size: Size) -> Iterator[Line]:
    """Looking at unchanged small files again, over a bare walk with a stat each."""
    from data.catalogue import Outcome, open_catalogue
    from data.records import FileState, Kind
    from indexer.crawl import Crawl
    from indexer.ingest import ingest
    from indexer.library import Library

    media = folder / "media"
    mixed_folder(media, size.rescanned)
    catalogue = open_catalogue(f"sqlite:///{folder / 'home' / 'catalogue.sqlite'}")
    run = catalogue.begin_run(str(media), "bench")
    outcomes = [
        Outcome(
            path=found.path,
            size_bytes=found.size_bytes,
            mtime_ns=found.mtime_ns,
            state=FileState.INDEXED,
            kind=Kind.TEXT,
            content=hashlib.sha256(found.path.encode()).hexdigest(),
            segments=1,
        )
        for found in Crawl(media)
    ]
    catalogue.record(run, "bench", outcomes)
    catalogue.finish_run(run, str(media), sweep=True)
    library = Library(
        catalogue=catalogue,
        fingerprint="bench",
        home=folder / "home",
        open_store=_never,
        open_embedder=_never,
        open_pool=_never,
    )
    scans, walks = [], []
    for _ in range(5):
        walks.append(_seconds(lambda: _walk(media)))
        scans.append(_seconds(lambda: ingest([media], library)))
    catalogue.close()
    per_s, bare_per_s = size.rescanned / min(scans), size.rescanned / min(walks)
    yield Line(f"rescan of {size.rescanned:,} unchanged files", per_s, "files/s", "scandir and stat alone", bare_per_s)
    yield Line("the same", per_s, "files/s", "wanted at least", 20_000)


def bench_store(folder: Path, size: Size) -> Iterator[Line]:
    """Queries of the embedded store against numpy over all vectors."""
    from data.edge import EdgeStore
    from data.records import Evidence, Kind, SegmentRecord, Span, segment_id

    dim, limit = 384, 10
    random = np.random.default_rng(0)
    centres = random.standard_normal((1_000, dim), np.float32)
    drawn = random.integers(0, len(centres), size.segments + size.queries)
    rows = centres[drawn] + 0.7 * random.standard_normal((len(drawn), dim), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    vectors, queries = rows[: size.segments], rows[size.segments :]
    store = EdgeStore(folder / "store", fingerprint="bench", dim=dim)
    contents = [hashlib.sha256(b"%d" % (i // 20)).hexdigest() for i in range(size.segments)]
    for start in range(0, size.segments, 1_000):
        records = [
            SegmentRecord(
                id=segment_id(contents[i], "bench", i % 20),
                content=contents[i],
                number=i % 20,
                kind=Kind.TEXT,
                evidence=Evidence.WRITTEN,
                span=Span(),
                snippet="a few words of the passage " * 5,
            )
            for i in range(start, min(start + 1_000, size.segments))
        ]
        store.upsert(records, vectors[start : start + len(records)])
    store.flush()
    taken, exact_taken, right = [], [], 0
    store.search(queries[:1], limit=limit)
    for query in queries:
        began = time.perf_counter()
        (hits,) = store.search(query[None], limit=limit)
        taken.append(time.perf_counter() - began)
        began = time.perf_counter()
        cosines = vectors @ query
        nearest = np.argpartition(-cosines, limit)[:limit]
        exact_taken.append(time.perf_counter() - began)
        right += len(
            {(contents[i], i % 20) for i in nearest} & {(hit.segment.content, hit.segment.number) for hit in hits}
        )
    store.close()
    where = f"at {size.segments:,} segments"
    for share in (50, 95):
        ours, exact = (1e3 * float(np.percentile(times, share)) for times in (taken, exact_taken))
        yield Line(f"store query p{share} {where}", ours, "ms", "numpy exact, ms", exact)
    yield Line(f"recall@{limit} {where}", right / (limit * len(queries)), "", "exact", 1.0)


def bench_beside(folder: Path, size: Size) -> Iterator[Line]:
    """Searches through the page's service while an ingest runs, whichever started first."""
    for first in ("page", "ingest"):
        media, home = folder / first / "media", folder / first / "home"
        texts = mixed_folder(media, size.beside, pictures=size.beside // 20, sounds=size.beside // 50)
        page = Page(home, model=MODEL) if first == "page" else None
        if page:
            page.wait_ready()
        ingest = start_ingest(media, home, model=MODEL)
        if page is None:
            while not (home / "owner.json").exists():
                time.sleep(0.02)
            page = Page(home, model=MODEL)
            page.wait_ready()
        times: list[float] = []
        while ingest.poll() is None:
            number = texts[len(times) * 41 % len(texts)]
            answer = page.search(words_of(number))
            times.append(answer["search_ms"])
            time.sleep(0.05)
        report_of(ingest)
        idle = [page.search(words_of(number))["search_ms"] for number in texts[:100]]
        page.finish()
        p50, p95 = (float(np.percentile(times, share)) for share in (50, 95))
        yield Line(f"store time p95 beside an ingest, {first} first", p95, "ms", "limit, ms", STORE_LIMIT_MS)
        yield Line(
            f"store time p50 beside an ingest, {first} first", p50, "ms", "afterwards, ms", float(np.median(idle))
        )


def bench_start(folder: Path, size: Size) -> Iterator[Line]:
    """From the command to its answer, on a library of a few files."""
    for package in ("indexer", "app"):
        cpu_s = min(_cpu_seconds([sys.executable, "-m", package, "--help"], folder) for _ in range(5))
        yield Line(f"python -m {package} --help, CPU", cpu_s, "s", "limit, s", HELP_LIMIT_S)
    mixed_folder(folder / "media", 20)
    report_of(start_ingest(folder / "media", folder, model=MODEL))
    bare = [sys.executable, "-c", "import torch"]
    search = [sys.executable, "-m", "app", "search", "a lantern in the harbour", "--json"]
    torch_s = min(_seconds(lambda: _run(bare, folder)) for _ in range(3))
    search_s = min(_seconds(lambda: _run(search, folder)) for _ in range(3))
    yield Line("python -m app search, from cold", search_s, "s", "import torch alone, s", torch_s)


BENCHES: dict[str, Callable[[Path, Size], Iterator[Line]]] = {
    "start": bench_start,
    "rescan": bench_rescan,
    "store": bench_store,
    "search": bench_search,
    "page": bench_page,
    "images": bench_images,
    "embed": bench_embed,
    "beside": bench_beside,
    "order": bench_order,
}


def _never() -> None:
    raise AssertionError("unchanged files need neither store nor model nor readers")


def _walk(folder: Path) -> int:
    count = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                count += _walk(Path(entry.path))
            else:
                os.stat(entry.path)
                count += 1
    return count


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _run(command: list[str], home: Path) -> None:
    subprocess.run(command, cwd=ROOT, env=environment(home, model=MODEL), check=True, stdout=subprocess.DEVNULL)


def _cpu_seconds(command: list[str], home: Path) -> float:
    before = os.times()
    _run(command, home)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
