"""What the indexer's commands tell of a library, in this process and without a model."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from data import recording
from data.catalogue import Outcome, open_catalogue
from data.records import FileState, Kind
from data.settings import Settings
from indexer.cli import main
from indexer.report import Report
from tests.fakes import FakeEmbedder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OMNIA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("OMNIA_CATALOGUE_URL", raising=False)
    monkeypatch.delenv("OMNIA_QDRANT_URL", raising=False)
    return tmp_path / "home"


def outcome(path: str, state: FileState = FileState.INDEXED, reason: str = "") -> Outcome:
    is_indexed = state is FileState.INDEXED
    return Outcome(
        path=path,
        size_bytes=1,
        mtime_ns=2,
        state=state,
        reason=reason,
        kind=Kind.TEXT if is_indexed else None,
        content=path if is_indexed else None,
        segments=1 if is_indexed else None,
    )


def fill(*outcomes: Outcome, root: str = "/m", model: str = "a-model", fingerprint: str = "fp") -> None:
    catalogue = open_catalogue(Settings.load().catalogue_url)
    run = catalogue.begin_run(root, fingerprint, model=model)
    catalogue.record(run, fingerprint, outcomes)
    catalogue.finish_run(run, root, sweep=False)
    catalogue.close()


def test_when_a_content_was_indexed_is_noted_last_so_that_none_is_new_before_it_can_be_seen(home, monkeypatch):
    noted: list[str] = []
    write = recording.replace_outcomes
    monkeypatch.setattr(recording, "replace_outcomes", lambda *rows: (noted.append("file"), write(*rows)))
    monkeypatch.setattr(recording, "time", SimpleNamespace(time=lambda: noted.append("time") or 1.0))
    fill(outcome("/m/a.txt"))
    assert noted == ["file", "time"]


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_status_says_first_where_the_library_lies_and_how_large_it_is(home, capsys, monkeypatch):
    first, second = told(capsys, "status").splitlines()[:2]
    assert re.fullmatch(rf"library '{re.escape(str(home))}': 0\.[1-4] MB on disk", first)
    assert second.startswith("the library is empty")
    fill(outcome("/m/a.txt"))
    (home / "vectors").mkdir()
    with (home / "vectors" / "sparse").open("wb") as file:
        file.truncate(3_000_000_000)
        file.write(os.urandom(5_000_000))
        file.flush()
        os.fsync(file.fileno())  # some file systems give it room only then
    first = told(capsys, "status").splitlines()[0]
    assert re.fullmatch(rf"library '{re.escape(str(home))}': 5\.\d MB on disk", first)
    answer = json.loads(told(capsys, "status", "--json"))
    assert answer["library"] == str(home)
    assert 5_000_000 < answer["size_bytes"] < 6_000_000
    monkeypatch.setenv("OMNIA_CATALOGUE_URL", f"sqlite:///{home / 'other.sqlite'}")
    monkeypatch.setenv("OMNIA_QDRANT_URL", "http://127.0.0.1:6333")
    first = told(capsys, "status").splitlines()[0]
    assert first.endswith(" on disk; the catalogue at OMNIA_CATALOGUE_URL; the vectors at OMNIA_QDRANT_URL")
    assert f"(ID {json.loads(told(capsys, 'status', '--json'))['id']}): " in first


def test_a_root_inside_another_says_so_and_counts_for_it(home, capsys):
    fill(outcome("/m/a.txt"), outcome("/m/b.txt"))
    fill(outcome("/m/in/c.txt"), root="/m/in")
    fill(outcome("/m/in/deep/d.txt"), root="/m/in/deep")
    fill(outcome("/mm/e.txt"), root="/mm")
    lines = told(capsys, "status").splitlines()
    roots = lines[lines.index("roots") + 1 : lines.index("files")]
    assert roots == [
        "  '/m': 4 files",
        "  '/m/in': (inside '/m')",
        "  '/m/in/deep': (inside '/m')",
        "  '/mm': 1 file",
    ]
    answer = json.loads(told(capsys, "status", "--json"))
    assert [(root["files"], root["inside"]) for root in answer["roots"]] == [(2, None), (1, "/m"), (1, "/m"), (1, None)]


def test_skipped_files_are_named_with_their_reason(home, capsys):
    assert told(capsys, "failures", "--skipped") == "nothing was skipped\n"
    fill(
        outcome("/m/a.txt"),
        outcome("/m/b.xyz", FileState.SKIPPED, "no reader for .xyz files"),
        outcome("/m/c.txt", FileState.FAILED, "broken"),
    )
    assert told(capsys, "failures", "--skipped") == "'/m/b.xyz': no reader for .xyz files\n"
    assert told(capsys, "failures") == "'/m/c.txt': broken\n"
    (skipped,) = json.loads(told(capsys, "failures", "--skipped", "--json"))["skipped"]
    assert (skipped["path"], skipped["reason"]) == ("/m/b.xyz", "no reader for .xyz files")
    for model in ("a-model", "fp"):
        assert told(capsys, "failures", "--model", model) == "'/m/c.txt': broken\n"
    assert main(["failures", "--model", "other"]) == 2
    assert "nothing of a model 'other'; its models are: a-model (fp)" in capsys.readouterr().err


def test_of_two_versions_of_a_model_the_failures_are_those_of_the_one_that_is_here(home, capsys, monkeypatch):
    catalogue = open_catalogue(Settings.load().catalogue_url)
    for fingerprint in ("v2", "v1"):
        run = catalogue.begin_run("/m", fingerprint, model="omnia-mini")
        catalogue.record(run, fingerprint, [outcome("/m/c.txt", FileState.FAILED, f"broken for {fingerprint}")])
    catalogue.close()
    asked = ("failures", "--model", "omnia-mini")
    assert told(capsys, *asked) == "'/m/c.txt': broken for v1\n", "that answers"
    monkeypatch.setattr("indexer.library.model_row", lambda _: FakeEmbedder("v2").row)
    assert told(capsys, *asked) == "'/m/c.txt': broken for v2\n"


@pytest.mark.parametrize("command", ["ingest", "prune"])
def test_an_empty_argument_is_not_the_folder_that_one_is_in(home, tmp_path, capsys, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as refused:
        main([command, ""])
    assert refused.value.code == 2
    assert "it is empty (a variable that is not set?)" in capsys.readouterr().err


def test_a_report_counts_one_thing_as_one_and_says_why_it_was_skipped():
    text = Report(found=1, skipped=1, segments=1, notes=1, model="new").as_text()
    assert text.startswith("1 file: 0 indexed, 0 unchanged, 1 skipped, 0 failed; 0 removed\n1 segment in 0.0 s\n")
    assert "of 1 file something was left out" in text
    assert text.endswith("why files were skipped: python -m indexer failures --skipped --model new")
    assert "--skipped" not in Report(found=2, indexed=2).as_text()


def test_one_content_is_told_as_one(home, capsys):
    fill(outcome("/m/a.txt"))
    told_of = (
        "a-model (fp): 1 content, 1 segment; it should answer, and cannot: no model is named 'a-model'; the models"
    )
    assert told_of in told(capsys, "status")


def test_a_library_of_an_earlier_version_is_told_to_be_refilled(home, capsys):
    fill(outcome("/m/a.txt"), model="omnia-mini", fingerprint="omnia-mini-0")
    said = told(capsys, "status")
    assert "it should answer, and cannot: omnia-mini is omnia-mini-" in said
    assert " by now; ingest the folders to refill the library" in said


@pytest.mark.parametrize("command", [[], ["ingest"], ["status"], ["failures"], ["retry"], ["switch"], ["prune"]])
def test_help_fits_a_terminal_and_names_the_exit_codes(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "exit codes:\n  0 all is well\n  1 some files failed" in shown


def test_a_database_without_a_driver_is_one_line(home, capsys, monkeypatch):
    monkeypatch.setenv("OMNIA_CATALOGUE_URL", "mssql+pymssql://omnia@host/library")
    assert main(["status"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("omnia: OMNIA_CATALOGUE_URL cannot be used: its driver is not installed (pymssql); ")
    assert err.count("\n") == 1
