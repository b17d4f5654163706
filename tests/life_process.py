"""The two lives of a library as processes of their own, by default with a model that is a hash.

`python tests/life_process.py indexer ingest PATH` runs a command of the indexer; `python tests/life_process.py page`
builds the page's service as the page does and answers one JSON query a line with one JSON answer a line;
`python tests/life_process.py serve PORT` is the server of the page.
OMNIA_MODEL=hash gives each text, picture and sound a vector of its own, in microseconds; any other name is that model.
HASH_FINGERPRINT is which version of it this is.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from data.vectors import Vectors  # noqa: E402
from embedder import embed  # noqa: E402
from embedder.embed import Embedder  # noqa: E402
from embedder.rows import MODELS, ModelRow  # noqa: E402
from embedder.segment import Modality, Role, Segment  # noqa: E402

HASH_MODEL = "hash"
HASH_FINGERPRINT = os.environ.get("HASH_FINGERPRINT", "hash-1")
DIM = 384


class HashModel:
    """Equal inputs give equal vectors, others are nearly at right angles (cosine within ±0.3)."""

    def encode(self, segments: Sequence[Segment], role: Role) -> Vectors:
        return np.stack([self._one(segment) for segment in segments])

    def reads(self, text: str) -> bool:
        return True

    def golden(self, modality: Modality) -> Vectors | None:
        return None

    def _one(self, segment: Segment) -> Vectors:
        array = segment.pixels if segment.pixels is not None else segment.sound
        told = (segment.text or "").strip().encode() if array is None else np.ascontiguousarray(array).tobytes()
        seed = int.from_bytes(hashlib.sha256(told).digest()[:8])
        return np.random.default_rng(seed).standard_normal(DIM, np.float32)


def add_hash_model() -> None:
    """Make "hash" a model of this process, loaded without torch."""
    row = ModelRow(name=HASH_MODEL, fingerprint=HASH_FINGERPRINT, dim=DIM, licence="", loader="")
    MODELS[HASH_MODEL] = row
    load = embed.load_embedder

    def load_embedder(name: str, *, device: str = "auto", **options: Any) -> Embedder:
        if name == HASH_MODEL:
            return Embedder(row, HashModel(), device="cpu")
        return load(name, device=device, **options)

    embed.load_embedder = load_embedder


def environment(home: Path, *, model: str = HASH_MODEL) -> dict[str, str]:
    """Of a process that works on the library in `home`."""
    return os.environ | {"OMNIA_HOME": str(home), "OMNIA_MODEL": model}


def start_ingest(media: Path, home: Path, *options: str, model: str = HASH_MODEL) -> subprocess.Popen[str]:
    """An ingest that has just been started; its last line of stdout will be the report."""
    return subprocess.Popen(
        [sys.executable, __file__, "indexer", "ingest", str(media), "--json", *options],
        env=environment(home, model=model),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def report_of(ingest: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for an ingest that must end well, and give its report."""
    out, err = ingest.communicate(timeout=600)
    assert ingest.returncode == 0, f"exit code {ingest.returncode}: {out}{err}"
    report: dict[str, Any] = json.loads(out.splitlines()[-1])
    assert report["found"] == report["indexed"] + report["unchanged"] + report["skipped"] + report["failed"]
    return report


class Page:
    """A page process, asked and answering; it says `ready` when its model and its store are open."""

    def __init__(self, home: Path, *, model: str = HASH_MODEL) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "page"],
            env=environment(home, model=model),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_ready(self) -> None:
        self._answer()

    def search(self, words: str, *, limit: int = 20) -> dict[str, Any]:
        """{"paths": best first, "embed_ms", "search_ms"}.

        Raises:
            AssertionError: the service raised an error.
        """
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"words": words, "limit": limit}) + "\n")
        self.process.stdin.flush()
        answer = self._answer()
        assert "error" not in answer, answer["error"]
        return answer

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def finish(self) -> None:
        self.process.communicate(timeout=30)

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise EOFError(f"the page process ended with {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _serve_page() -> None:
    from app.query import Query, TextPart
    from app.wiring import Library
    from data.settings import Settings

    library = Library(Settings.load())
    service = library.service()
    _say({"ready": True})
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = service.search(Query(parts=(TextPart(asked["words"]),), limit=asked["limit"]))
            paths = [result.path for result in answer.results]
            _say({"paths": paths, "embed_ms": answer.embed_ms, "search_ms": answer.search_ms})
        except Exception as error:
            _say({"error": repr(error)})
    library.close()


def _serve_browsers(port: int) -> None:
    from app import wiring
    from app.ingests import Ingests

    library = wiring.shared()
    library.ingests = Ingests(library.settings, command=(sys.executable, __file__, "indexer"))
    import streamlit_app

    streamlit_app.server.run(config={"server.port": port, "logger.level": "error"})


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    add_hash_model()
    if sys.argv[1] == "page":
        _serve_page()
    elif sys.argv[1] == "serve":
        _serve_browsers(int(sys.argv[2]))
    else:
        from indexer.cli import main

        sys.exit(main(sys.argv[2:]))
