"""Speed of questions, from the store alone to the page in a browser; a part of `python -m tests.bench`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tests.bench_line import MODEL, STORE_LIMIT_MS, Line, Size
from tests.life_process import ROOT

if TYPE_CHECKING:
    from data.vectors import VectorStore


def bench_search(folder: Path, size: Size) -> Iterator[Line]:
    """Questions to the whole search service but for the model: vectors and words, with filters and without."""
    from app.query import Filters, Query, TextPart
    from app.search import SearchService
    from data.catalogue import open_catalogue
    from data.edge import EdgeStore
    from data.records import FileChoice, Kind

    catalogue = open_catalogue(f"sqlite:///{folder / 'catalogue.sqlite'}")
    _fill(EdgeStore(folder / "store", fingerprint="bench", dim=_DIM), catalogue, segments=size.segments)
    began = time.perf_counter()
    store = EdgeStore(folder / "store", fingerprint="bench", dim=_DIM)
    opened_s = time.perf_counter() - began
    watched = _Watched(store)
    service = SearchService(_Random(), watched, catalogue=catalogue, readers=None)  # type: ignore[arg-type]
    narrow = {
        "anywhere": Filters(),
        "in two kinds": Filters(kinds=frozenset({Kind.TEXT, Kind.VIDEO})),
        "in a folder": Filters(files=FileChoice(folders=("folder7",))),
        "in files of a type": Filters(files=FileChoice(suffixes=("jpg",))),
    }
    where = f"at {size.segments:,} segments"
    service.search(Query(parts=(TextPart(_words(5)),)))  # the first one draws the background sample
    for name, filters in narrow.items():
        whole, by_store = [], []
        for _ in range(size.queries):
            watched.ms = 0.0
            whole.append(service.search(Query(parts=(TextPart(_words(5)),), filters=filters)).search_ms)
            by_store.append(watched.ms)
        for what, taken in (("store", by_store), ("search", whole)):
            for share in (50, 95):
                value = float(np.percentile(taken, share))
                yield Line(f"{what} p{share} {name} {where}", value, "ms", "limit, ms", STORE_LIMIT_MS)
    yield Line(f"opening the store {where}", opened_s, "s", "limit, s", 2.0)
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e9
    yield Line(f"resident {where}, without a model", resident, "GB", "limit, GB", 1.5)
    store.close()
    catalogue.close()


class _Watched:
    """A store that adds up how long it takes to answer a question; `ms` so far.

    What another thread asks meanwhile (the background sample is drawn anew) is not counted.
    """

    def __init__(self, store: VectorStore) -> None:
        self._store = store
        self._thread = threading.get_ident()
        self.ms = 0.0

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._store, name)
        if name not in ("search", "search_words", "fetch", "count") or threading.get_ident() != self._thread:
            return asked

        def answered(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return asked(*arguments, **named)
            finally:
                self.ms += (time.perf_counter() - began) * 1e3

        return answered


def bench_page(folder: Path, size: Size) -> Iterator[Line]:
    """The page's server with the real model: from its start to a page one can use, answers over HTTP, its memory."""
    from data.catalogue import open_catalogue
    from data.settings import Settings
    from data.vectors import open_vectors
    from embedder.rows import model_row

    row = model_row(MODEL)
    settings = Settings(home=folder, catalogue_url=f"sqlite:///{folder / 'catalogue.sqlite'}")
    catalogue = open_catalogue(settings.catalogue_url)
    store = open_vectors(settings, library=catalogue.library_id(), fingerprint=row.fingerprint, dim=row.dim)
    _fill(store, catalogue, segments=size.segments, model=MODEL, fingerprint=row.fingerprint)
    catalogue.close()
    where = f"at {size.segments:,} segments"
    with _served(folder) as (address, _, _):
        _ask(address, "warm")
    taken: list[float] = []
    with _browsing() as page, _served(folder) as (address, server, began):
        page.goto(address)
        page.wait_for_selector(".om-card", timeout=120_000)
        drawn_s = time.perf_counter() - began
        _ask(address, "the first one waits for the model")
        for _ in range(size.queries):
            began = time.perf_counter()
            _ask(address, _words(5))
            taken.append((time.perf_counter() - began) * 1e3)
        resident_gb = {"after words": _resident_gb(server)}
        for name in _EXAMPLES:  # each loads what of the model it needs
            _ask_with(address, ROOT / "data" / "samples" / name)
            resident_gb[f"then {Path(name).suffix[1:]}"] = _resident_gb(server)
    yield Line(f"page: from command to first card {where}", drawn_s, "s", "limit, s", 2.0)
    for share in (50, 95):
        value = float(np.percentile(taken, share))
        yield Line(f"question over HTTP p{share} {where}", value, "ms", "limit, ms", 200.0)
    for after, value in resident_gb.items():
        yield Line(f"page process, resident {after} {where}", value, "GB", "limit, GB", 1.5)
    yield from _peers(folder, size, ours=float(np.percentile(taken, 95)))


def _resident_gb(server: subprocess.Popen[bytes]) -> float:
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1e6


@contextmanager
def _served(home: Path) -> Iterator[tuple[str, subprocess.Popen[bytes], float]]:
    """The page's server once it gives the page: its address, its process, and when the command was given."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "app", "serve", "--port", str(port)]
    with (home / "server.log").open("wb") as log:
        began = time.perf_counter()
        server = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"OMNIA_HOME": str(home)}, stdout=log, stderr=log)
    try:
        while True:
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, (home / "server.log").read_text()
                time.sleep(0.02)
        yield address, server, began
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def _browsing() -> Iterator[Any]:
    """An empty tab of a browser that runs."""
    from playwright.sync_api import sync_playwright

    browser_path = shutil.which("chromium") or "/usr/lib/chromium/chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser.new_page()
        finally:
            browser.close()


def _ask(address: str, words: str) -> dict[str, Any]:
    query = urllib.parse.urlencode({"q": words})
    with urllib.request.urlopen(f"{address}/api/search?{query}", timeout=120) as answer:
        told: dict[str, Any] = json.load(answer)
    return told


def _ask_with(address: str, example: Path) -> None:
    import httpx

    answer = httpx.post(f"{address}/api/search", files={"files": (example.name, example.read_bytes())}, timeout=120)
    answer.raise_for_status()


def _peers(folder: Path, size: Size, *, ours: float) -> Iterator[Line]:
    """The nearest vectors alone, in qdrant-client's local mode and in numpy: without words, catalogue, HTTP, model."""
    from qdrant_client import QdrantClient, models

    rows = _RANDOM.standard_normal((size.segments, _DIM), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    client = QdrantClient(":memory:")
    client.create_collection("bench", vectors_config=models.VectorParams(size=_DIM, distance=models.Distance.COSINE))
    for start in range(0, size.segments, 10_000):
        some = rows[start : start + 10_000]
        payload = [{"kind": ("image", "text")[i % 2]} for i in range(len(some))]
        client.upload_collection("bench", vectors=some, payload=payload, ids=range(start, start + len(some)))
    only = models.Filter(must=[models.FieldCondition(key="kind", match=models.MatchValue(value="image"))])
    local, exact = [], []
    for query in rows[:: max(1, size.segments // 30)][:30]:
        began = time.perf_counter()
        client.query_points("bench", query=query, limit=40, query_filter=only)
        local.append((time.perf_counter() - began) * 1e3)
        began = time.perf_counter()
        np.argpartition(-(rows @ query), 40)[:40]
        exact.append((time.perf_counter() - began) * 1e3)
    where = f"p95 at {size.segments:,} segments"
    for name, peer in (("qdrant-client's local mode, ms", local), ("numpy, ms", exact)):
        yield Line(f"question over HTTP {where}", ours, "ms", name, float(np.percentile(peer, 95)))


_EXAMPLES = ("animals/Rex in the field.jpg", "town/siren.mp3", "animals/dog walk.mp4")
_DIM = 384
_OF_A_FILE = 20  # segments
_VOCABULARY = [f"w{number:x}" for number in range(40_000)]
_RANDOM = np.random.default_rng(0)
_SHARES = np.cumsum(1 / np.arange(1, len(_VOCABULARY) + 1))  # as common as words of a language are


def _words(count: int) -> str:
    places = np.searchsorted(_SHARES, _RANDOM.random(count) * _SHARES[-1])
    return " ".join(_VOCABULARY[place] for place in places)


class _Random:
    """A model of random vectors, the same for the same words."""

    row = SimpleNamespace(name="bench", fingerprint="bench", dim=_DIM)

    def embed(self, segments: Sequence[Any], role: object) -> NDArray[np.float32]:
        seeds = (int.from_bytes(hashlib.sha256(one.text.encode()).digest()[:8]) for one in segments)
        rows = np.stack([np.random.default_rng(seed).standard_normal(_DIM, np.float32) for seed in seeds])
        unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit

    def reads(self, text: str) -> bool:
        return True


def _fill(store: Any, catalogue: Any, *, segments: int, model: str = "bench", fingerprint: str = "bench") -> None:
    """Files of all kinds in 40 folders; a third of their segments says or writes a hundred words."""
    from data.catalogue import Outcome
    from data.records import Evidence, FileState, Kind, SegmentRecord, Span, segment_id

    kinds, senses = list(Kind), list(Evidence)
    suffixes = {Kind.TEXT: "txt", Kind.IMAGE: "jpg", Kind.VIDEO: "mp4", Kind.AUDIO: "mp3", Kind.DOCUMENT: "pdf"}
    outcomes = []
    for start in range(0, segments, _OF_A_FILE):
        content = hashlib.sha256(b"%d" % start).hexdigest()
        kind = kinds[start // _OF_A_FILE % len(kinds)]
        records = [
            SegmentRecord(
                id=segment_id(content, fingerprint, number),
                content=content,
                number=number,
                kind=kind,
                evidence=senses[number % len(senses)],
                span=Span(start_s=number * 5.0, end_s=number * 5.0 + 5),
                snippet=_words(100) if number % 3 == 0 else "",
            )
            for number in range(_OF_A_FILE)
        ]
        rows = _RANDOM.standard_normal((_OF_A_FILE, _DIM), np.float32)
        store.upsert(records, rows / np.linalg.norm(rows, axis=1, keepdims=True))
        path = f"/media/folder{start // _OF_A_FILE % 40}/{start}.{suffixes[kind]}"
        outcomes.append(
            Outcome(
                path=path,
                size_bytes=1,
                mtime_ns=1,
                state=FileState.INDEXED,
                kind=kind,
                content=content,
                segments=_OF_A_FILE,
                duration_s=100.0,
            )
        )
    store.close()
    run = catalogue.begin_run("/media", fingerprint, model=model)
    catalogue.record(run, fingerprint, outcomes)
    catalogue.finish_run(run, "/media", sweep=False)
