"""What a crawl leaves out: what ignore files say, as git would beside a .gitignore, and names that mean nothing."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from indexer.crawl import Crawl


def shelve(folder: Path, *files: str, **ignores: str) -> Crawl:
    """A crawl over empty files, and ignore files by folder: `root`, or the name of one in it."""
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name, text in ignores.items():
        inner = folder / ("" if name == "root" else name)
        (inner / ".omniaignore").write_text(text, encoding="utf-8")
    return Crawl(folder)


def seen(crawl: Crawl) -> set[str]:
    found = {Path(one.path).relative_to(crawl.root).as_posix() for one in crawl}
    assert crawl.unreadable == {}
    return found


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        ("*\n!*/\n!*.txt", {"a.txt", "x/a.txt", "x/y/a.txt", "x/y/x/b.txt"}),  # all but one type
        ("/*\n!/x/", {"x/a.txt", "x/b.log", "x/y/a.txt", "x/y/x/b.txt"}),  # all but one folder
        ("*.txt\n!a.txt", {"a.txt", "b.log", "x/a.txt", "x/b.log", "x/y/a.txt"}),
        ("!a.txt\n*.txt", {"b.log", "x/b.log"}),
        ("x/**\n!x/a.txt", {"a.txt", "b.log", "x/a.txt"}),
        ("x/\n!x/a.txt", {"a.txt", "b.log"}),  # nothing comes back from a folder that is left out
        ("x/*\n!x/y", {"a.txt", "b.log", "x/y/a.txt", "x/y/x/b.txt"}),
        ("/x/y/x", {"a.txt", "b.log", "x/a.txt", "x/b.log", "x/y/a.txt"}),
        ("*/*/", {"a.txt", "b.log", "x/a.txt", "x/b.log"}),
    ],
)
def test_the_last_line_that_means_a_file_or_folder_itself_decides(tmp_path: Path, ignore: str, left: set[str]) -> None:
    files = ("a.txt", "b.log", "x/a.txt", "x/b.log", "x/y/a.txt", "x/y/x/b.txt")
    assert seen(shelve(tmp_path, *files, root=ignore)) == left


def test_an_inner_ignore_file_takes_back_what_an_outer_one_leaves_out(tmp_path: Path) -> None:
    files = ("keep.log", "sub/keep.log", "sub/b.log", "sub/deep/keep.log", "other/keep.log", "sub/a.txt")
    crawl = shelve(tmp_path, *files, root="*.log", sub="!keep.log\na.txt")
    assert seen(crawl) == {"sub/keep.log", "sub/deep/keep.log"}
    assert crawl.left_out == 4


def test_a_line_that_is_no_pattern_stops_only_its_folder(tmp_path: Path) -> None:
    crawl = shelve(tmp_path, "a.txt", "sub/b.txt", sub="# fine\n[z-a]*.x")
    assert [Path(found.path).name for found in crawl] == ["a.txt"]
    (why,) = crawl.unreadable.values()
    assert "sub/.omniaignore': line 2: bad character range z-a" in why


def test_a_mark_that_an_editor_puts_before_the_text_is_no_part_of_a_pattern(tmp_path: Path) -> None:
    assert seen(shelve(tmp_path, "a.txt", "b.log", root="\ufeff*.log")) == {"a.txt"}


def test_a_file_of_patterns_in_another_encoding_is_refused(tmp_path: Path) -> None:
    crawl = shelve(tmp_path, "a.txt", "sub/b.log")
    (tmp_path / "sub" / ".omniaignore").write_text("*.log\n", encoding="utf-16")
    assert [Path(found.path).name for found in crawl] == ["a.txt"]
    assert "not a text in UTF-8; nothing beside it" in crawl.unreadable[str(tmp_path / "sub")]


@pytest.mark.parametrize(("named", "meant"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_letters_with_marks_are_the_same_put_together_or_apart(tmp_path: Path, named: str, meant: str) -> None:
    folder, pattern = unicodedata.normalize(named, "Entwürfe"), unicodedata.normalize(meant, "Entwürfe/")
    assert seen(shelve(tmp_path, "a.txt", f"{folder}/b.txt", root=pattern)) == {"a.txt"}


@pytest.mark.parametrize("name", ["a\U0010fffd.jpg", "\U0010ff80"])
def test_a_name_that_the_catalogue_cannot_keep_is_told_and_stops_nothing_else(tmp_path: Path, name: str) -> None:
    crawl = shelve(tmp_path, f"{name}/inner.txt" if "." not in name else name, "b.txt")
    assert [Path(found.path).name for found in crawl] == ["b.txt"]
    assert "rename it" in crawl.unreadable[str(tmp_path / name)]
