"""The indexer's commands as processes: what they print, what they return, what they never do twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from data.locks import ingest_lock
from data.settings import DEFAULT_MODEL
from tests.life_process import ROOT, environment, start_ingest
from tests.make_folder import mixed_folder

SAMPLES = ROOT / "data" / "samples"
LIFE = str(ROOT / "tests" / "life_process.py")
NUMBERS = {"found", "indexed", "unchanged", "skipped", "failed", "removed", "segments", "seconds"}
A_FEW = ("recipes/Apfelkuchen.md", "recipes/espresso.jpg", "recipes/tomato pasta.pdf", "town/siren.mp3")
MANY = 2_500  # files, which take longer than it takes to stop
HEAVY = ("torch", "onnxruntime", "transformers", "faster_whisper", "qdrant_edge")
INGEST = """
import sys
from indexer.cli import main
code = main(sys.argv[1:])
print(*sorted(set(sys.modules).intersection({heavy})), file=sys.stderr)
sys.exit(code)
"""


def adds_up(report: dict[str, Any]) -> bool:
    return bool(report["found"] == report["indexed"] + report["unchanged"] + report["skipped"] + report["failed"])


class Commands:
    """Runs `python -m indexer …` on one library, with the default model or with the hash model of these tests."""

    def __init__(self, home: Path, *, model: str) -> None:
        self.home, self.model = home, model
        self.code = 0
        self.stderr = ""

    def __call__(self, *arguments: str | Path) -> dict[str, Any]:
        """The JSON object that is the last line of stdout; `code` and `stderr` tell the rest."""
        start = [LIFE, "indexer"] if self.model == "hash" else ["-c", INGEST.format(heavy=HEAVY)]
        done = subprocess.run(
            [sys.executable, *start, *map(str, arguments), "--json"],
            env=environment(self.home, model=self.model),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )
        self.code, self.stderr = done.returncode, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
        return answer

    @property
    def imported(self) -> list[str]:
        """Which heavy libraries the last run of the default model had imported at its end."""
        return self.stderr.splitlines()[-1].split() if self.stderr else []


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(tmp_path / "home", model="hash")


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    (folder / "dog.txt").write_text("a dog on the beach")
    (folder / "rain.txt").write_text("rain in the city at night")
    return folder


# ── the samples, with the default model ──


def ingest_samples_thrice(folder: Path, commands: Commands) -> None:
    """Fresh, again, and after renames and copies."""
    first = commands("ingest", folder)
    reasons = commands("failures")["failures"] if first["failed"] else []
    assert reasons == []
    assert set(first) >= NUMBERS
    assert adds_up(first)
    assert (first["failed"], first["unchanged"], first["removed"]) == (0, 0, 0)
    assert first["segments"] >= first["indexed"] > 0

    again = commands("ingest", folder)
    assert (commands.code, commands.imported) == (0, [])
    assert adds_up(again)
    assert (again["unchanged"], again["indexed"], again["segments"]) == (first["indexed"], 0, 0)
    assert again["seconds"] < 20

    files = sorted(path for path in folder.rglob("*") if path.is_file())
    files[0].rename(files[0].with_name("renamed" + files[0].suffix))
    (folder / "copies").mkdir()
    for path in files[1:]:
        shutil.copy(path, folder / "copies" / path.name)
    renamed = commands("ingest", folder)
    assert (commands.code, commands.imported) == (0, [])
    assert adds_up(renamed)
    assert (renamed["indexed"], renamed["segments"], renamed["removed"]) == (0, 0, 1)
    assert renamed["found"] == 2 * len(files) - 1


def test_a_few_samples_are_embedded_once_and_never_again(tmp_path: Path) -> None:
    folder = tmp_path / "samples"
    folder.mkdir()
    for name in A_FEW:
        shutil.copy(SAMPLES / name, folder)
    ingest_samples_thrice(folder, Commands(tmp_path / "home", model=DEFAULT_MODEL))


@pytest.mark.slow
def test_all_samples_are_embedded_once_and_never_again(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(SAMPLES, tmp_path / "samples", ignore=shutil.ignore_patterns(".omniaignore")))
    ingest_samples_thrice(folder, Commands(tmp_path / "home", model=DEFAULT_MODEL))


# ── codes and JSON of each command ──


def test_all_well_is_0_some_failed_is_1_could_not_start_is_2(media: Path, commands: Commands) -> None:
    assert adds_up(commands("ingest", media))
    assert commands.code == 0
    (media / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    (media / "empty.txt").touch()
    report = commands("ingest", media)
    assert adds_up(report)
    assert (report["failed"], report["skipped"], commands.code) == (1, 1, 1)
    assert commands("ingest", media / "nowhere") == {}
    assert commands.code == 2
    assert "nowhere" in commands.stderr
    assert len(commands.stderr.splitlines()) == 1


def test_failures_tell_the_reason_and_retry_mends_what_was_mended(media: Path, commands: Commands) -> None:
    broken = media / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    commands("ingest", media)
    (failure,) = commands("failures")["failures"]
    assert commands.code == 0
    assert failure["path"] == str(broken)
    assert failure["reason"]
    assert failure["attempts"] == 1
    retried = commands("retry")
    assert (retried["failed"], retried["unchanged"], commands.code) == (1, 2, 1)
    assert commands("failures")["failures"][0]["attempts"] == 2
    broken.unlink()
    assert commands("retry")["removed"] == 1
    assert commands("failures") == {"failures": []}
    assert commands("retry")["found"] == 0
    assert commands.code == 0


def test_status_counts_files_by_kind_and_segments_by_fingerprint(media: Path, commands: Commands) -> None:
    assert commands("status")["roots"] == []
    commands("ingest", media)
    status = commands("status")
    assert status["roots"] == [{"path": str(media), "files": 2, "inside": None, "offline": ""}]
    assert status["kinds"] == {"text": {"indexed": 2}}
    assert status["segments"] == {"hash-1": 2}
    assert status["running"] == {} or status["running"] == []


def test_prune_forgets_a_root_with_its_vectors(media: Path, commands: Commands) -> None:
    commands("ingest", media)
    assert commands("prune") == {"files": 0, "contents": 0}
    assert commands("prune", media / "other") == {}
    assert commands.code == 2
    assert commands("prune", media) == {"files": 2, "contents": 2}
    assert commands("status")["roots"] == []


# ── two at once, and stopping ──


def until(is_so: Callable[[], bool], *, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_second_ingest_says_in_one_line_that_one_is_running(media: Path, commands: Commands) -> None:
    commands.home.mkdir(parents=True, exist_ok=True)
    with ingest_lock(commands.home):
        assert commands("ingest", media) == {}
    assert commands.code == 2
    assert "another ingest" in commands.stderr
    assert len(commands.stderr.splitlines()) == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stopping_keeps_what_is_done_and_the_next_run_goes_on(
    tmp_path: Path, commands: Commands, how: signal.Signals
) -> None:
    folder = tmp_path / "many"
    mixed_folder(folder, MANY)
    ingest = start_ingest(folder, commands.home)
    try:
        until(lambda: (commands.home / "catalogue.sqlite").exists() and counted(commands) > 0)
        os.kill(ingest.pid, how)
        _, err = ingest.communicate(timeout=300)
    finally:
        ingest.kill()
    assert ingest.returncode == 130
    assert err.splitlines()[-1].startswith("omnia: stopped")
    assert "Traceback" not in err
    kept = counted(commands)
    assert 0 < kept < MANY
    rest = commands("ingest", folder)
    assert (rest["unchanged"], rest["indexed"], rest["failed"]) == (kept, MANY - kept, 0)


def counted(commands: Commands) -> int:
    """Files that the catalogue calls indexed by now."""
    import sqlite3

    with closing(sqlite3.connect(f"file:{commands.home / 'catalogue.sqlite'}?mode=ro", uri=True)) as db:
        try:
            return int(db.execute("select count(*) from outcomes where state = 'indexed'").fetchone()[0])
        except sqlite3.OperationalError:  # its tables are being made
            return 0
