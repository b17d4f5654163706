"""One ingest over a hundred bad files: each has its reason, good files beside them are found, nobody is called."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from data.catalogue import open_catalogue
from data.records import FileRecord, FileState, Kind
from data.settings import DEFAULT_MODEL
from tests import make_media as good
from tests.bad_files import INDEXED, LOCKED, VANISHING, Bad, bad_files, pointing_elsewhere
from tests.life_process import HASH_MODEL, ROOT, environment

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures memory through /proc")

MOST_MEMORY_BYTES = 2_500_000_000
LIFE = str(ROOT / "tests" / "life_process.py")
_DROP_CAPABILITY = 24  # PR_CAPBSET_DROP
_READ_ANYTHING = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


@dataclass(slots=True)
class Run:
    """What came of an ingest.

    Args:
        peak_bytes: most resident memory of the process and all it started, pages they share counted for each.
    """

    report: dict[str, Any]
    code: int
    peak_bytes: int
    errors: str
    asked: list[str] = field(default_factory=list)  # connections that were made to the trap


@pytest.mark.parametrize("model", [HASH_MODEL, pytest.param(DEFAULT_MODEL, marks=pytest.mark.slow)])
def test_bad_files_have_their_reasons_and_stop_nothing(tmp_path: Path, model: str) -> None:
    media, home = tmp_path / "media", tmp_path / "home"
    with trap() as (url, asked):
        cases = {str(media / "bad" / case.name): case for case in _filled(media, url)}
        friends = _good_files(media / "good")
        run = _ingest(media, home, model=model, vanishing=media / "bad" / VANISHING)
    _check_report(run, cases, friends)
    assert run.peak_bytes < MOST_MEMORY_BYTES, f"{run.peak_bytes / 1e9:.2f} GB"
    assert asked == []

    catalogue = open_catalogue(f"sqlite:///{home / 'catalogue.sqlite'}")
    found = {file.path: file for file in catalogue.files_at([*cases, *friends])}
    notes = catalogue.notes()
    catalogue.close()
    wrong = [_complaint(case, found.get(path), notes.get(path, [])) for path, case in cases.items()]
    assert not list(filter(None, wrong)), "\n".join(filter(None, wrong))
    assert {path: found[path].kind for path in friends} == friends

    again = _ingest(media, home, model=model)
    assert (again.report["found"], again.report["indexed"]) == (run.report["found"] - 1, 0)  # one has vanished
    assert (again.report["failed"], again.code) == (run.report["failed"] - 1, 1)


def test_readers_ask_no_address_even_where_nothing_keeps_them_from_it(tmp_path: Path) -> None:
    with trap() as (url, asked):
        remote = list(pointing_elsewhere(url))
        for case in remote:
            case.make(tmp_path / case.name)
        code = (
            "import sys\nfrom pathlib import Path\n"
            "from data.errors import MediaError\nfrom embedder.media import read\n"
            "for path in sys.argv[1:]:\n"
            "  try: print(sum(1 for _ in read(Path(path))))\n"
            "  except MediaError as error: print(error)"
        )
        paths = [str(tmp_path / case.name) for case in remote]
        subprocess.run([sys.executable, "-c", code, *paths], cwd=ROOT, check=True, timeout=300, capture_output=True)
    assert asked == []


def _filled(media: Path, url: str) -> Iterator[Bad]:
    (media / "bad").mkdir(parents=True)
    for case in bad_files(url):
        if case.name == LOCKED and not _can_be_locked_out(media):
            continue
        case.make(media / "bad" / case.name)
        yield case


def _good_files(folder: Path) -> dict[str, Kind]:
    folder.mkdir()
    made = {
        good.wav(folder / "tone.wav"): Kind.AUDIO,
        good.image_file(folder / "patches.png"): Kind.IMAGE,
        good.pdf(folder / "story.pdf"): Kind.DOCUMENT,
        good.csv(folder / "birds.csv"): Kind.TEXT,
        good.film(folder / "film.mp4"): Kind.VIDEO,
    }
    return {str(path): kind for path, kind in made.items()}


def _check_report(run: Run, cases: dict[str, Bad], friends: dict[str, Kind]) -> None:
    report = run.report
    assert run.code == 1, run.errors
    assert report["found"] == len(cases) + len(friends)
    assert report["found"] == report["indexed"] + report["unchanged"] + report["skipped"] + report["failed"]
    states = [case.state for case in cases.values()]
    assert report["failed"] == states.count(FileState.FAILED)
    assert report["skipped"] == states.count(FileState.SKIPPED)
    assert "Traceback" not in run.errors


def _complaint(case: Bad, file: FileRecord | None, notes: list[str]) -> str:
    """How the outcome differs from the table, "" when it does not."""
    if file is None:
        return f"{case.name!r} is not in the catalogue"
    said = " ".join(notes) if case.state is INDEXED else f"{file.reason} {file.hint}"
    missing = [word for word in case.says.split() if word not in said]
    is_plain = len(said) < 250 and "\n" not in said and "Error" not in said and "0x" not in said
    if file.state is case.state and not missing and is_plain and case.kind in (None, file.kind):
        return ""
    return f"{case.name!r}: {file.state}, {file.kind}: {said!r}; wanted {case.state}, {case.kind}: {case.says!r}"


# The run and its watchers


def _ingest(media: Path, home: Path, *, model: str, vanishing: Path | None = None) -> Run:
    """The command as a person would type it, on two workers, by somebody who may not read everything."""
    start = [LIFE, "indexer"] if model == HASH_MODEL else ["-m", "indexer"]
    process = subprocess.Popen(
        [sys.executable, *start, "ingest", str(media), "--json", "--workers", "2"],
        env=environment(home, model=model),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_lock_out,
    )
    peak = 0
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak, vanishing
        while not ended.wait(0.05):
            tree = _tree(process.pid)
            peak = max(peak, sum(_resident_bytes(pid) for pid in tree))
            if vanishing is not None and any(_has_open(pid, vanishing) for pid in tree):
                vanishing.unlink()
                vanishing = None

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        out, errors = process.communicate(timeout=1800)
    finally:
        process.kill()
        ended.set()
        watcher.join()
    assert out.strip(), errors
    return Run(json.loads(out.splitlines()[-1]), process.returncode, peak, errors)


@contextmanager
def trap() -> Iterator[tuple[str, list[str]]]:
    """A server that notes each connection: its URL, and the notes."""
    server = socket.create_server(("127.0.0.1", 0))
    asked: list[str] = []

    def note() -> None:
        while True:
            try:
                caller, address = server.accept()
            except OSError:
                return
            asked.append(str(address))
            caller.close()

    threading.Thread(target=note, daemon=True).start()
    port = server.getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/x", asked
        time.sleep(0.1)
    finally:
        with socket.create_connection(("127.0.0.1", port)):  # the trap itself works
            pass
        for _ in range(100):
            if asked:
                break
            time.sleep(0.05)
        assert asked.pop()
        server.close()


def _lock_out() -> None:
    """Take root's right to read everything away from the process that is about to start."""
    if os.geteuid() == 0:
        for capability in _READ_ANYTHING:
            ctypes.CDLL(None).prctl(_DROP_CAPABILITY, capability, 0, 0, 0)


def _can_be_locked_out(folder: Path) -> bool:
    probe = folder / "probe"
    probe.write_text("")
    probe.chmod(0)
    done = subprocess.run(["cat", str(probe)], preexec_fn=_lock_out, capture_output=True, check=False)
    probe.unlink()
    return done.returncode != 0


def _tree(pid: int) -> list[int]:
    """A process and all that it started."""
    found = [pid]
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                found += _tree(int(child))
    except OSError:  # it has just ended
        pass
    return found


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _has_open(pid: int, path: Path) -> bool:
    try:
        return any(os.readlink(entry.path) == str(path) for entry in os.scandir(f"/proc/{pid}/fd"))
    except OSError:
        return False
