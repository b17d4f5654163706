"""Segments for tests of the vector store, and a second process at a home, driven line by line.

Run as `python tests/store_process.py`, it reads one JSON command a line and answers one a line.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from data.owner import SharedStore, open_shared  # noqa: E402
from data.records import Evidence, Kind, SegmentRecord, Span, segment_id  # noqa: E402

DIM = 24
FINGERPRINT = "tiny-model@1/24"
KINDS = tuple(Kind)
SEGMENTS_PER_CONTENT = 4


def content_name(index):
    return f"{index:064x}"


def made(start, count, *, fingerprint=FINGERPRINT):
    """Segments `start` … `start + count - 1` of an endless library, the same in every process."""
    records, rows = [], []
    for i in range(start, start + count):
        content, number = content_name(i // SEGMENTS_PER_CONTENT), i % SEGMENTS_PER_CONTENT
        records.append(
            SegmentRecord(
                id=segment_id(content, fingerprint, number),
                content=content,
                number=number,
                kind=KINDS[(i // SEGMENTS_PER_CONTENT) % len(KINDS)],
                evidence=tuple(Evidence)[number],
                span=Span(start_s=number * 1.5, end_s=number * 1.5 + 1.0) if i % 2 else Span(page=number + 1),
                snippet=f"the words of segment {i}, also ü and 海",
                language="en" if i % 3 else None,
            )
        )
        row = np.random.default_rng(i).normal(size=DIM)
        rows.append(row / np.linalg.norm(row))
    return records, np.asarray(rows, dtype=np.float32).reshape(count, DIM)


class StoreProcess:
    """A real second process; every method waits for its answer."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def ask(self, do, **arguments):
        self.tell(do, **arguments)
        return self.answer()

    def tell(self, do, **arguments):
        self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise EOFError(f"the second process ended with {self.process.wait()}")
        return json.loads(line)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def finish(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=60)
        finally:
            self.kill()
            self.process.stdout.close()


def kill_those_at(home: Path) -> None:
    """End what a failed test has left running for the library in a folder, or in one below it."""
    for told in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if any(f"OMNIA_HOME={home}{end}".encode() in told.read_bytes() for end in "\0/"):
                os.kill(int(told.parent.name), signal.SIGKILL)


def main():
    stores: dict[str, SharedStore] = {}
    for line in sys.stdin:
        command = json.loads(line)
        home = command["home"]
        match command["do"]:
            case "open":
                stores[home] = open_shared(Path(home), fingerprint=FINGERPRINT, dim=DIM)
                reply(owner=stores[home].is_owner, pid=os.getpid())
            case "upsert":
                stores[home].upsert(*made(command["start"], command["count"]))
                reply(owner=stores[home].is_owner)
            case "upsert without end":
                start = command["start"]
                while True:
                    stores[home].upsert(*made(start, 50))
                    start += 50
                    reply(stored=start)
            case "count":
                reply(count=stores[home].count(), owner=stores[home].is_owner)
            case "close":
                stores.pop(home).close()
                reply()
            case "leave open":
                reply()
                return


def reply(**answer):
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
