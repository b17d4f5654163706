"""What is only away keeps its files: drives, links to them, folders that cannot be read; what is gone leaves."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from test_indexer_ingest import Bench, bench  # noqa: F401

from data.errors import BadSettingsError
from embedder.media.sandbox import Event, Failed, ReaderPool
from embedder.media.sniff import unreadable
from indexer.crawl import Crawl
from indexer.ingest import ingest
from indexer.prune import prune
from indexer.report import Report


class Shelves:
    """The media folder with one file of its own, and a drive with another; what the library knows of both."""

    def __init__(self, bench: Bench) -> None:  # noqa: F811
        self.bench, self.media, self.library = bench, bench.media, bench.library
        self.drive = bench.media.with_name("drive")
        self.drive.mkdir()
        (self.drive / "song.txt").write_text("music")
        bench.write("a.txt", "a dog")

    def run(self, *paths: Path) -> Report:
        return ingest(paths or [self.media], self.library)

    def mount(self, name: str) -> Path:
        """The drive's files below the media folder."""
        shutil.copytree(self.drive, self.media / name, dirs_exist_ok=True)
        return self.media / name

    @property
    def known(self) -> set[str]:
        """The indexed files, relative to the media folder; each has its vectors."""
        paths = self.library.catalogue.unseen(10**9, str(self.media))
        files = self.library.catalogue.files_at(paths, "fake-1")
        assert {file.content for file in files} == self.bench.stored()
        return {os.path.relpath(path, self.media) for path in paths}

    def offline(self) -> dict[str, str]:
        summary = self.library.catalogue.summary()
        return {Path(root.path).name: root.offline_reason for root in summary.roots if root.offline_reason}


@pytest.fixture
def shelves(bench: Bench) -> Shelves:  # noqa: F811
    return Shelves(bench)


# ── roots ──


def test_a_root_that_is_a_link_to_a_drive_that_is_away_loses_nothing(shelves: Shelves) -> None:
    link = shelves.media.with_name("link")
    link.symlink_to(shelves.media)
    shelves.run(link)
    away = shelves.media.rename(shelves.media.with_name("elsewhere"))
    report = shelves.run(link)
    assert (report.found, report.removed, report.exit_code) == (0, 0, 1)
    assert "is not there" in shelves.offline()["link"]
    away.rename(shelves.media)
    assert shelves.run(link).unchanged == 1
    assert shelves.offline() == {}


@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
@pytest.mark.parametrize("is_named", [True, False])
def test_a_root_inside_another_whose_drive_is_away_loses_nothing(shelves: Shelves, left: str, is_named: bool) -> None:
    usb = shelves.mount("usb")
    shelves.run(usb)
    shelves.run()
    shutil.rmtree(usb)
    if left == "an empty folder":
        usb.mkdir()
    report = shelves.run(shelves.media, usb) if is_named else shelves.run()
    assert (report.removed, report.unchanged) == (0, 1)
    (problem,) = report.problems
    assert f"prune {str(usb)!r}" in problem
    assert list(shelves.offline()) == ["usb"]
    assert shelves.known == {"a.txt", "usb/song.txt"}
    shelves.mount("usb")
    (usb / "song.txt").unlink()
    (usb / "new.txt").write_text("a beach")
    report = shelves.run()
    assert (report.indexed, report.removed, report.problems) == (1, 1, [])
    assert shelves.offline() == {}


def test_a_file_that_was_ingested_by_itself_leaves_with_the_others_when_it_is_deleted(shelves: Shelves) -> None:
    song = shelves.bench.write("song.txt", "music")
    shelves.run(song)
    shelves.run()
    song.unlink()
    report = shelves.run()
    assert (report.removed, report.problems) == (1, [])


def test_a_linked_folder_is_crawled_where_it_is_named_and_kept_where_it_is_not(shelves: Shelves) -> None:
    link = shelves.media / "link"
    link.symlink_to(shelves.drive)
    assert shelves.run(shelves.media, link).indexed == 2
    assert shelves.run().removed == 0
    assert shelves.known == {"a.txt", "link/song.txt"}
    (shelves.drive / "new.txt").write_text("a beach")
    assert shelves.run(shelves.media, link).indexed == 1
    shelves.drive.rename(shelves.drive.with_name("unplugged"))
    report = shelves.run()
    assert (report.failed, report.removed, report.unchanged) == (0, 0, 1)
    assert "link" in report.problems[0]
    assert shelves.known == {"a.txt", "link/song.txt", "link/new.txt"}


@pytest.mark.parametrize("name", [".hidden", "ignored"])
def test_a_root_that_another_leaves_out_stays_and_is_crawled_when_named(shelves: Shelves, name: str) -> None:
    shelves.bench.write(".omniaignore", "ignored")
    inner = shelves.mount(name)
    assert shelves.run(inner, shelves.media).indexed == 2
    report = shelves.run()
    assert (report.found, report.removed, report.problems) == (1, 0, [])
    assert shelves.known == {"a.txt", f"{name}/song.txt"}


# ── folders in a root ──


def test_a_folder_that_is_empty_now_keeps_its_files_until_it_is_pruned(shelves: Shelves) -> None:
    mount = shelves.mount("mnt")
    shelves.bench.write("mnt/deep/er.txt", "rain")
    shelves.run()
    shutil.rmtree(mount)
    mount.mkdir()
    report = shelves.run()
    assert (report.removed, report.exit_code) == (0, 1)
    (problem,) = report.problems
    assert "its 2 files are kept" in problem
    assert f"prune {str(mount)!r}" in problem
    assert shelves.known == {"a.txt", "mnt/song.txt", "mnt/deep/er.txt"}
    assert prune(shelves.library, roots=[mount]).files == 2
    assert shelves.known == {"a.txt"}
    report = shelves.run()
    assert (report.problems, shelves.offline()) == ([], {})


def test_a_folder_whose_files_were_moved_elsewhere_or_that_is_gone_keeps_nothing(shelves: Shelves) -> None:
    mount = shelves.mount("inbox")
    shelves.run()
    (mount / "song.txt").rename(shelves.media / "song.txt")
    report = shelves.run()
    assert (report.removed, report.problems) == (1, [])
    shelves.mount("gone")
    shelves.run()
    shutil.rmtree(shelves.media / "gone")
    assert shelves.run().removed == 1


def test_only_what_lies_in_a_root_can_be_pruned(shelves: Shelves) -> None:
    shelves.run()
    for stranger in (shelves.media.parent, shelves.media / "never", shelves.drive):
        with pytest.raises(BadSettingsError, match="never ingested"):
            prune(shelves.library, roots=[stranger])


def test_a_folder_that_cannot_be_read_keeps_its_files_and_the_rest_is_swept(shelves: Shelves) -> None:
    shelves.mount("locked")
    gone = shelves.bench.write("gone.txt", "rain")
    shelves.run()
    gone.unlink()
    os.mkfifo(shelves.media / "locked" / ".omniaignore")
    report = shelves.run()
    assert (report.removed, report.exit_code) == (1, 1)
    assert shelves.known == {"a.txt", "locked/song.txt"}
    assert "could not be read in full" in shelves.offline()["media"]
    assert prune(shelves.library, offline=True).files == 0
    shelves.media.rename(shelves.media.with_name("elsewhere"))
    assert prune(shelves.library, offline=True).files == 2


def test_a_root_that_cannot_be_read_keeps_everything(shelves: Shelves) -> None:
    shelves.mount("inner")
    shelves.run()
    os.mkfifo(shelves.media / ".omniaignore")
    (shelves.media / "a.txt").unlink()
    report = shelves.run()
    assert (report.found, report.removed, report.exit_code) == (0, 0, 1)
    assert shelves.known == {"a.txt", "inner/song.txt"}
    assert f"prune {str(shelves.media)!r}" in report.problems[0]


def test_a_root_whose_ignore_file_leaves_everything_out_is_no_drive_that_is_away(shelves: Shelves) -> None:
    shelves.run()
    shelves.bench.write(".omniaignore", "*")
    report = shelves.run()
    assert (report.found, report.removed, report.problems) == (0, 1, [])
    assert (shelves.known, shelves.offline()) == (set(), {})


def test_a_root_is_one_whatever_slashes_it_begins_with(shelves: Shelves) -> None:
    shelves.run()
    twice = Path(f"/{shelves.media}")
    assert str(twice).startswith("//")
    assert shelves.run(twice).unchanged == 1
    assert shelves.library.catalogue.roots() == [str(shelves.media)]
    assert prune(shelves.library, roots=[twice]).files == 1


def test_a_root_in_one_that_is_pruned_stays_until_it_is_named(shelves: Shelves) -> None:
    inner, said = shelves.mount("usb"), list[str]()
    shelves.run(inner)
    shelves.run()
    assert prune(shelves.library, roots=[shelves.media], say=said.append).files == 1
    assert said == [f"what was ingested by itself stays until it is named, too: {str(inner)!r}"]
    assert (shelves.library.catalogue.roots(), shelves.known) == ([str(inner)], {"usb/song.txt"})
    shelves.run()
    said.clear()
    assert prune(shelves.library, roots=[shelves.media, inner], say=said.append).files == 2
    assert (shelves.library.catalogue.roots(), said) == ([], [])


def test_the_folder_of_a_user_who_is_not_known_is_refused(shelves: Shelves) -> None:
    stranger = Path("~no-such-user/x")
    with pytest.raises(BadSettingsError, match="user who is not known; give its whole path"):
        shelves.run(stranger)
    with pytest.raises(BadSettingsError, match="user who is not known; give its whole path"):
        prune(shelves.library, roots=[stranger])


# ── files ──


def test_a_link_to_a_file_on_a_drive_that_is_away_keeps_what_was_indexed(shelves: Shelves) -> None:
    (shelves.media / "song.txt").symlink_to(shelves.drive / "song.txt")
    shelves.run()
    away = shelves.drive.rename(shelves.drive.with_name("unplugged"))
    report = shelves.run()
    assert (report.found, report.unchanged, report.failed, report.removed) == (2, 2, 0, 0)
    assert "1 indexed file" in report.problems[0]
    assert shelves.known == {"a.txt", "song.txt"}
    away.rename(shelves.drive)
    report = shelves.run()
    assert (report.unchanged, report.problems, sum(shelves.bench.embedder.calls)) == (2, [], 2)


class BrokenDisk(ReaderPool):
    """Readers of a disk that gives nothing but an error."""

    def __init__(self, error: OSError) -> None:
        super().__init__(1)
        self.error = error

    def read_many(self, files: Iterable[tuple[str, Path]]) -> Iterator[Event[str]]:  # type: ignore[override]
        return (Failed(content, unreadable(path, self.error), None) for content, path in files)


@pytest.mark.parametrize("error", [OSError(5, os.strerror(5)), FileNotFoundError(2, "gone"), PermissionError(13, "no")])
def test_what_the_system_could_not_read_is_tried_again(shelves: Shelves, error: OSError) -> None:
    broken = replace(shelves.library, open_pool=lambda: BrokenDisk(error))
    assert ingest([shelves.media], broken).failed == 1
    assert shelves.run().indexed == 1


# ── ignore files ──


def test_an_ignore_file_that_is_none_stops_only_its_folder(shelves: Shelves) -> None:
    for name in ("pipe", "device", "large", "fine"):
        shelves.bench.write(f"{name}/b.txt", "rain")
    os.mkfifo(shelves.media / "pipe" / ".omniaignore")
    (shelves.media / "device" / ".omniaignore").symlink_to("/dev/zero")
    shelves.bench.write("large/.omniaignore", "#" * 300_000)
    report = shelves.run()
    assert (report.found, report.indexed) == (2, 2)
    assert "and 2 more" in report.problems[0]
    assert ".omniaignore': not a regular file" in report.problems[0]


def test_no_pattern_holds_the_crawl(tmp_path: Path) -> None:
    names = ["a" * 60, "a" * 60 + "b", "ab", "draft of b", "x-a-y-a-z.b"]
    for name in names:
        (tmp_path / name).touch()
    for pattern, left in {
        "*a*a*a*a*a*a*a*a*a*b": {names[0], *names[2:]},
        "*a***a?*[x-z]*b": set(names[:4]),
        "d*a*t*b": {*names[:3], names[4]},
        "*?b": {names[0]},
        "*": set(),
    }.items():
        (tmp_path / ".omniaignore").write_text(pattern)
        began = time.process_time()
        assert {Path(found.path).name for found in Crawl(tmp_path)} == left, pattern
        assert time.process_time() - began < 1


def test_a_pattern_of_many_depths_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    (tmp_path / ".omniaignore").write_text("# fine\n**/a/**/b\n" + "**/a/" * 9 + "b\n")
    crawl = Crawl(tmp_path)
    assert list(crawl) == []
    assert ".omniaignore': line 3: " in crawl.unreadable[str(tmp_path)]
