"""From one model to another on a living library: real catalogue, vectors and readers, models that are fakes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app import space
from app.once import Once
from app.query import Query, TextPart
from app.wiring import Library as Page
from data import switching
from data.catalogue import LibraryModel, open_catalogue
from data.errors import BadSettingsError, EmbeddingFailedError, ModelMismatchError, StoreUnavailableError
from data.records import Kind
from data.settings import Settings
from data.vectors import Vectors, drop_vectors, open_vectors, stored_dim
from embedder.media.sandbox import ReaderPool
from embedder.rows import MODELS, ModelRow
from embedder.segment import Modality, Role, Segment
from indexer import cli
from indexer import estimate as estimating
from indexer import ingest as ingest_module
from indexer import library as library_module
from indexer.crawl import Found
from indexer.estimate import to_come
from indexer.ingest import ingest
from indexer.library import Library
from indexer.prune import prune
from indexer.report import Report
from indexer.switch import switch
from tests import make_media
from tests.fakes import FakeEmbedder, FakeReaders

ROOT = Path(__file__).parent.parent


class WiderEmbedder(FakeEmbedder):
    """The fake's axes in reverse order in twice the width: a vector of one model tells nothing to the other."""

    def __init__(self, fingerprint: str = "new-1") -> None:
        super().__init__(fingerprint)
        self.row = replace(self.row, dim=2 * self.row.dim)
        self.refused = ""

    def embed(self, segments: Sequence[Segment], role: Role = Role.DOCUMENT) -> Vectors:
        for index, segment in enumerate(segments):
            if role is Role.DOCUMENT and self.refused and self.refused in (segment.text or ""):
                raise EmbeddingFailedError(index, "the model gave no finite vector")
        return super().embed(segments, role)

    def _one(self, segment: Segment) -> Vectors:
        narrow = super()._one(segment)[::-1]
        return np.concatenate([narrow, np.zeros_like(narrow)])


class KeptReaders:
    """Real readers that outlive an ingest: to start their processes takes longer than a test."""

    def __init__(self) -> None:
        self.pool = ReaderPool(2)

    def __enter__(self) -> KeptReaders:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def read_many(self, files: Any) -> Any:
        return self.pool.read_many(files)


class Town:
    """A library in a tmp folder, the folders it is made of, and the models `old` and `new` that can fill it."""

    def __init__(self, folder: Path, readers: KeptReaders) -> None:
        self.readers = readers
        self.media = folder / "media"
        self.home = folder / "home"
        self.settings = Settings(home=self.home, catalogue_url=f"sqlite:///{self.home / 'catalogue.sqlite'}")
        self.models: dict[str, FakeEmbedder] = {"old": FakeEmbedder("old-1"), "new": WiderEmbedder("new-1")}
        self.catalogue = open_catalogue(self.settings.catalogue_url)
        self.said: list[str] = []

    def write(self, name: str, text: str) -> Path:
        path = self.media / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def library(self, name: str) -> Library:
        model = self.models[name]
        return Library(
            catalogue=self.catalogue,
            fingerprint=model.row.fingerprint,
            home=self.home,
            open_store=lambda: self.store(model.row.fingerprint),
            open_embedder=lambda: model,  # type: ignore[arg-type,return-value]
            open_pool=lambda: self.readers,
            name=name,
            open_other=self.store_if_there,
            drop_other=self.drop,
        )

    def ingest(self, name: str, *folders: str) -> Report:
        self.said.clear()
        return ingest([self.media / one for one in folders or [""]], self.library(name), say=self.said.append)

    def store(self, fingerprint: str) -> Any:
        dim = next(one.row.dim for one in self.models.values() if one.row.fingerprint == fingerprint)
        return open_vectors(self.settings, library=self.catalogue.library_id(), fingerprint=fingerprint, dim=dim)

    def store_if_there(self, fingerprint: str) -> Any:
        return self.store(fingerprint) if self.width(fingerprint) else None

    def width(self, fingerprint: str) -> int | None:
        return stored_dim(self.settings, library=self.catalogue.library_id(), fingerprint=fingerprint)

    def drop(self, fingerprint: str) -> None:
        drop_vectors(self.settings, library=self.catalogue.library_id(), fingerprint=fingerprint)

    def stored(self, fingerprint: str) -> int:
        store = self.store(fingerprint)
        try:
            return len(store.contents())
        finally:
            store.close()

    def page(self, *, model: str | None = None) -> Page:
        page = Page(replace(self.settings, model=model))
        page.row_of = lambda name: self.models[name].row  # type: ignore[assignment,method-assign,return-value]
        page.load = lambda name: self.models[name]  # type: ignore[assignment,method-assign,return-value]
        page.readers = Once(FakeReaders)  # type: ignore[assignment]
        return page

    @property
    def active(self) -> str:
        model = self.catalogue.active()
        return model.name if model else ""


def ask(page: Page, words: str, *, limit: int = 20) -> list[str]:
    answer = page.service().search(Query(parts=(TextPart(words),), limit=limit))
    return [Path(result.path).name for result in answer.results]


@pytest.fixture(autouse=True)
def looked_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "_FRESH_S", 0.0)


@pytest.fixture(scope="module")
def readers() -> Iterator[KeptReaders]:
    kept = KeptReaders()
    yield kept
    kept.pool.close()


@pytest.fixture
def town(tmp_path: Path, readers: KeptReaders) -> Iterator[Town]:
    town = Town(tmp_path, readers)
    kept = town.store("old-1")  # this process owns the shards all along: to take and leave them is tested elsewhere
    yield town
    kept.close()
    town.catalogue.close()


@pytest.fixture
def filled(town: Town) -> Town:
    """Three folders, filled with the old model."""
    for name, text in {"a/dog.txt": "dog", "b/rain.txt": "rain", "c/city.txt": "city night"}.items():
        town.write(name, text)
    assert town.ingest("old", "a", "b", "c").indexed == 3
    return town


# ── the way from one to the other ──


def test_the_first_ingest_decides_which_model_answers(town: Town) -> None:
    town.write("a/dog.txt", "dog")
    (town.media / "empty").mkdir()
    town.ingest("new", "empty")
    assert town.active == "new"
    report = town.ingest("old", "a")
    assert (town.active, report.switch) == ("old", ""), "a model that has indexed nothing holds nobody up"


def test_a_first_model_that_cannot_be_loaded_holds_up_no_other(town: Town) -> None:
    def refuse() -> Any:
        raise BadSettingsError("model new is not on this machine")

    town.write("a/dog.txt", "dog")
    with pytest.raises(BadSettingsError):
        ingest([town.media], replace(town.library("new"), open_embedder=refuse))
    assert town.active == ""
    town.ingest("old")
    assert town.active == "old"


def test_the_first_model_that_was_loaded_answers_whatever_it_could_read(town: Town) -> None:
    (town.media / "a").mkdir(parents=True)
    (town.media / "a" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    report = town.ingest("new", "a")
    assert (report.indexed, report.failed, town.active) == (0, 1, "new")


def test_a_model_that_hears_nothing_takes_over_all_the_same(town: Town) -> None:
    town.write("a/dog.txt", "dog")
    make_media.wav(town.media / "a" / "hum.wav", make_media.tone(2))
    assert town.ingest("old", "a").indexed == 2
    reader = town.models["new"]
    reader.row = replace(reader.row, modalities=frozenset({Modality.WORDS}))
    report = town.ingest("new", "a")
    assert town.said, "the files of both kinds were timed"
    assert (report.indexed, report.skipped, report.switched, town.active) == (1, 1, True, "new")
    assert "; 1 file that old found is not found any more (why: python -m indexer failures --skipped)" in report.switch


def test_a_model_that_fails_on_most_files_does_not_take_over_by_itself(filled: Town) -> None:
    filled.models["new"].refused = "i"  # type: ignore[attr-defined]  # of "rain" and "city night"
    report = filled.ingest("new", "a", "b", "c")
    assert (report.failed, report.switched, filled.active) == (2, False, "old")
    assert "new failed on 2 files that old finds, which is most: old goes on answering" in report.switch
    assert "failures --model new; to switch all the same: python -m indexer switch new --force" in report.switch
    forced = switch(filled.library("new"), force=True)
    assert forced is not None
    assert (filled.active, forced.as_json()["unfound"], forced.as_json()["missing"]) == ("new", 2, 0)
    assert "2 files that old found are not found any more (why: python -m indexer failures);" in forced.as_text()


def test_the_old_model_answers_until_the_new_one_has_every_folder(filled: Town) -> None:
    page = filled.page()
    assert ask(page, "dog")[0] == "dog.txt"
    partly = filled.ingest("new", "a", "b")
    assert (partly.switched, filled.active, partly.exit_code) == (False, "old", 0)
    assert "2 of 3 folders are filled with new, 1 files are missing; until then old answers" in partly.switch
    assert f"ingest {filled.media / 'c'} --model new" in partly.switch
    calls = len(filled.models["new"].calls)
    assert sorted(ask(page, "dog")) == ["city.txt", "dog.txt", "rain.txt"]
    assert len(filled.models["new"].calls) == calls, "the page asks the old model"
    last = filled.ingest("new", "c")
    assert (last.switched, filled.active) == (True, "new")
    assert "new answers from now on, no longer old" in last.switch
    assert sorted(ask(page, "dog night")) == ["city.txt", "dog.txt", "rain.txt"]
    assert len(filled.models["new"].calls) > calls, "the same page asks the new model now"
    assert page.space().model == LibraryModel("new", "new-1")
    page.close()


def test_searches_go_on_through_the_switch_and_each_is_right(town: Town) -> None:
    for number in range(60):
        town.write(f"a/dog {number}.txt", f"dog {'beach ' * (number % 7)}")
        town.write(f"a/rain {number}.txt", f"rain {'music ' * (number % 5)}")
    town.ingest("old")
    page, over = town.page(), threading.Event()
    spaces: set[str] = set()
    wrong: list[Any] = []

    def search() -> None:
        while not over.is_set():
            try:
                spaces.add(page.space().model.name)
                found = ask(page, "dog", limit=5)
                if len(found) != 5 or not all(name.startswith("dog") for name in found):
                    wrong.append(found)
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    report = town.ingest("new")
    time.sleep(0.3)
    over.set()
    for thread in threads:
        thread.join()
    assert report.switched
    assert wrong == []
    assert spaces == {"old", "new"}
    page.close()


def test_what_fails_with_the_new_model_stays_found_until_the_switch(filled: Town) -> None:
    filled.models["new"].refused = "dog"  # type: ignore[attr-defined]
    page = filled.page()
    report = filled.ingest("new", "a", "b")
    assert (report.failed, report.indexed) == (1, 1)
    assert "failures --model new" in report.as_text()
    assert ask(page, "dog")[0] == "dog.txt"
    assert filled.catalogue.failures() == []
    assert [Path(one.path).name for one in filled.catalogue.failures("new-1")] == ["dog.txt"]
    assert filled.ingest("new", "c").switched, "what failed is accounted for"
    assert "dog.txt" not in ask(page, "dog")
    assert [Path(one.path).name for one in filled.catalogue.failures()] == ["dog.txt"]
    page.close()


def test_a_file_that_is_gone_leaves_both_collections(filled: Town) -> None:
    filled.write("a/music.txt", "music")
    filled.ingest("old", "a")
    filled.ingest("new", "a", "b")
    assert (filled.stored("old-1"), filled.stored("new-1")) == (4, 3)
    (filled.media / "a" / "dog.txt").unlink()
    filled.ingest("new", "a")
    assert (filled.stored("old-1"), filled.stored("new-1")) == (3, 2)
    page = filled.page()
    assert "dog.txt" not in ask(page, "dog")
    page.close()


def test_a_rename_and_a_change_during_the_filling_lose_nothing(filled: Town) -> None:
    page = filled.page()
    (filled.media / "a" / "dog.txt").rename(filled.media / "a" / "hound.txt")
    filled.write("b/rain.txt", "beach beach beach")
    filled.ingest("new", "a", "b")
    assert ask(page, "dog")[0] == "hound.txt"
    assert ask(page, "rain")[0] == "rain.txt", "the old model has not seen the new words yet"
    assert filled.ingest("new", "c").switched
    assert ask(page, "beach")[0] == "rain.txt"
    assert ask(page, "dog")[0] == "hound.txt"
    page.close()


def test_new_files_of_the_old_model_must_be_filled_too(filled: Town) -> None:
    filled.ingest("new", "a", "b")
    filled.write("a/music.txt", "music")
    filled.ingest("old", "a")
    assert not filled.ingest("new", "c").switched
    assert filled.ingest("new", "a").switched


def test_going_back_needs_what_changed_since(filled: Town) -> None:
    filled.ingest("new", "a", "b", "c")
    filled.write("a/dog.txt", "dog dog night")
    filled.write("a/music.txt", "music")
    filled.ingest("new", "a")
    back = switch(filled.library("old"))
    assert back is not None
    assert (back.filling.missing, filled.active) == (2, "new")
    assert filled.ingest("old", "a").switched
    assert filled.active == "old"


def test_a_drive_that_is_away_is_missed_unless_its_contents_are_known(filled: Town, tmp_path: Path) -> None:
    filled.write("c/dog too.txt", "dog")
    filled.ingest("old", "c")
    (filled.media / "c" / "city.txt").unlink()
    filled.ingest("old", "c")
    (filled.media / "c").rename(tmp_path / "elsewhere")
    report = filled.ingest("new", "a", "b")
    assert report.switched, "the only file on the drive is a copy of one that is here"
    page = filled.page()
    answer = page.service().search(Query(parts=(TextPart("dog"),)))
    assert [Path(path).name for path in answer.results[0].other_paths] == ["dog too.txt"]
    page.close()


def test_a_model_whose_vectors_were_lost_does_not_answer_before_it_has_them_again(filled: Town) -> None:
    filled.ingest("new", "a", "b")
    filled.drop("new-1")
    assert not filled.ingest("new", "c").switched
    assert filled.said[0].startswith("2 indexed contents have no vectors")
    assert filled.said[1].startswith("filling in new: 1 contents")
    assert [root.missing for root in filled.catalogue.switch(filled.library("new").model).roots] == [1, 1, 0]
    report = filled.ingest("new", "a", "b")
    assert (report.indexed, report.switched) == (2, True)
    assert filled.stored("new-1") == 3


def test_a_model_whose_vectors_were_deleted_meanwhile_is_not_switched_to(filled: Town) -> None:
    filled.ingest("new", "a", "b", "c")
    filled.drop("old-1")
    for force in (False, True):
        with pytest.raises(ModelMismatchError, match="nothing is filled with old"):
            switch(filled.library("old"), force=force)
    assert filled.active == "new"


def test_a_copy_of_what_failed_is_not_found_either(filled: Town, tmp_path: Path) -> None:
    for name in ("c/dog too", "a/music", "a/beach"):
        filled.write(f"{name}.txt", name.split()[0][2:])
    (filled.media / "c" / "city.txt").unlink()
    filled.ingest("old", "a", "c")
    (filled.media / "c").rename(tmp_path / "elsewhere")
    filled.models["new"].refused = "dog"  # type: ignore[attr-defined]
    report = filled.ingest("new", "a", "b")
    assert report.switched
    assert "; 2 files that old found are not found any more (why: python -m indexer failures);" in report.switch


def _ingest(filled: Town) -> str:
    """The command that reads its three folders again."""
    return "python -m indexer ingest " + " ".join(shlex.quote(str(filled.media / name)) for name in "abc")


def test_who_asks_a_library_whose_vectors_were_lost_is_told_to_ingest(filled: Town) -> None:
    filled.drop("old-1")
    page = filled.page()
    assert ask(page, "dog") == []
    assert page.why_nothing().endswith(f"embed them again with: {_ingest(filled)}")
    filled.ingest("old", "a")
    assert ask(page, "dog") == ["dog.txt"]
    assert page.why_nothing().startswith("nothing in the library says or writes this")
    page.close()


def test_what_is_gone_leaves_after_a_model_was_dropped_that_saw_it_last(filled: Town) -> None:
    filled.ingest("new", "a")
    prune(filled.library("old"), model="new")
    filled.write("a/music.txt", "music")
    (filled.media / "a" / "dog.txt").unlink()
    assert filled.ingest("old", "a").removed == 1


def test_force_switches_without_what_is_missing(filled: Town) -> None:
    filled.ingest("new", "a")
    held = switch(filled.library("new"))
    assert held is not None
    assert not held.filling.is_active
    forced = switch(filled.library("new"), force=True)
    assert forced is not None
    assert (forced.filling.is_active, forced.filling.missing, filled.active) == (True, 2, "new")
    assert "2 files that old found are not found any more;" in forced.as_text()


def test_a_model_that_answers_under_another_name_is_called_so_and_not_pruned(filled: Town) -> None:
    filled.ingest("new", "a", "b", "c")
    filled.models["moved"] = filled.models["old"]
    switch(replace(filled.library("old"), name="moved"))
    assert filled.active == "moved"
    assert [one.name for one in filled.catalogue.models()] == ["new", "moved"]
    filled.catalogue.begin_run(str(filled.media), "old-1", model="old")
    assert filled.active == "old"
    switch(replace(filled.library("old"), name="moved"))
    assert filled.active == "moved", "it answers already, and has moved since"
    with pytest.raises(BadSettingsError, match="is the model that answers"):
        prune(filled.library("new"), model="moved")
    assert filled.stored("old-1") == 3


def test_a_known_model_under_its_old_name_is_not_pruned_while_it_answers(filled: Town) -> None:
    """As libraries of earlier versions have it: the active row has the new name, the table of models the old one."""
    with filled.catalogue._engine.begin() as db:
        switching.activate(db, LibraryModel("moved", "old-1"))
    with pytest.raises(BadSettingsError, match="is the model that answers"):
        prune(filled.library("old"), model="old")
    assert filled.stored("old-1") == 3


def test_an_open_page_goes_on_after_its_model_was_exchanged_and_the_library_refilled(filled: Town) -> None:
    page = filled.page()
    assert ask(page, "dog")[0] == "dog.txt"
    filled.models["old"] = WiderEmbedder("old-2")
    assert filled.ingest("old", "a", "b", "c").switched
    assert ask(page, "dog")[0] == "dog.txt"
    assert page.space().model.fingerprint == "old-2"
    page.close()


# ── crashes ──


def test_a_crash_between_filling_and_switching_is_mended_by_the_next_command(
    filled: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ingest_module, "_switch", crash)
        with pytest.raises(KeyboardInterrupt):
            filled.ingest("new", "a", "b", "c")
    assert filled.active == "old"
    page = filled.page()
    assert ask(page, "dog")[0] == "dog.txt"
    calls = len(filled.models["new"].calls)
    assert filled.ingest("new", "a").switched
    assert len(filled.models["new"].calls) == calls, "nothing is embedded twice"
    assert ask(page, "dog")[0] == "dog.txt"
    page.close()


def test_a_model_that_cannot_be_loaded_leaves_nothing_behind(filled: Town) -> None:
    def refuse() -> Any:
        raise ModelMismatchError("weights of model new are damaged")

    with pytest.raises(ModelMismatchError):
        ingest([filled.media], replace(filled.library("new"), open_embedder=refuse))
    assert filled.width("new-1") is None
    assert [one.name for one in filled.catalogue.models()] == ["old"]


def test_killed_in_the_middle_of_the_switch_it_has_not_happened(filled: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_module, "_switch", lambda *_: None)
    filled.ingest("new", "a", "b", "c")
    dying = (
        "import os, signal, sys\n"
        "from data import catalogue, models\n"
        "def activate(db, model):\n"
        "    real(db, model)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "real, models.activate = models.activate, activate\n"
        "catalogue.open_catalogue(sys.argv[1]).switch(catalogue.LibraryModel('new', 'new-1'))\n"
    )
    done = subprocess.run([sys.executable, "-c", dying, filled.settings.catalogue_url], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert filled.active == "old"
    switched = switch(filled.library("new"))
    assert switched is not None
    assert switched.filling.is_active


def test_pruning_a_model_that_was_cut_off_goes_on_when_it_is_repeated(filled: Town) -> None:
    filled.ingest("new", "a", "b", "c")

    def crash(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune(replace(filled.library("new"), drop_other=crash), model="old")
    assert filled.width("old-1") == 8
    prune(filled.library("new"), model="old")
    assert filled.width("old-1") is None
    assert [one.name for one in filled.catalogue.models()] == ["new"]


# ── what is refused ──


def test_prune_drops_a_model_that_does_not_answer_and_no_other(filled: Town) -> None:
    with pytest.raises(BadSettingsError, match=r"is the model that answers; .* indexer switch MODEL"):
        prune(filled.library("old"), model="old")
    with pytest.raises(BadSettingsError, match=r"nothing of a model 'other'; its models are: old \(old-1\)"):
        prune(filled.library("old"), model="other")
    filled.ingest("new", "a", "b", "c")
    page = filled.page()
    ask(page, "dog")
    assert prune(filled.library("new"), model="old").contents == 3
    assert filled.width("old-1") is None
    assert filled.stored("new-1") == 3
    assert filled.catalogue.summary().segments == {"new-1": 3}
    assert ask(page, "dog")[0] == "dog.txt"
    page.close()


def test_a_refill_under_way_is_not_pruned_by_the_name_that_both_versions_have(
    filled: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.models |= {"old": WiderEmbedder("old-2"), "before": FakeEmbedder("old-1")}
    row = filled.models["old"].row
    monkeypatch.setitem(
        MODELS, "old", ModelRow(name="old", fingerprint="old-2", dim=row.dim, licence="", loader="", batch_size=8)
    )
    filled.models["old"].refused = "i"  # type: ignore[attr-defined]  # of "rain" and "city night"
    assert "until then nothing does. To finish" in filled.ingest("old", "a").switch
    monkeypatch.setitem(MODELS, "./old", MODELS["old"])  # as a folder has more than one name
    for name in ("old", "./old"):
        with pytest.raises(
            BadSettingsError, match=rf"'{name}' is being refilled from old-1; finish .*fingerprint: old-2"
        ):
            prune(filled.library("old"), model=name)
    last = filled.ingest("old", "b", "c")
    assert (last.failed, last.switched) == (2, True), "the version before it cannot answer, so nothing is held back"
    assert prune(filled.library("old"), model="old").contents == 3


def test_what_is_forgotten_on_a_full_disk_says_how_to_go_on(filled: Town) -> None:
    class Full:
        def contents(self) -> set[str]:
            return {"0" * 64}

        def delete(self, contents: Any) -> None:
            raise StoreUnavailableError("no room on the disk; make room and run the same again")

        def close(self) -> None:
            return None

    with pytest.raises(
        StoreUnavailableError, match=r"^1 file forgotten, but .* no room .* mend that, then: python -m indexer prune"
    ):
        prune(replace(filled.library("old"), open_other=lambda _: Full()), roots=[filled.media / "a"])  # type: ignore[arg-type,return-value]
    assert not filled.catalogue.has_files(str(filled.media / "a"))


def test_a_library_is_not_filled_with_itself(filled: Town) -> None:
    for inside in (filled.home, filled.home / "vectors", filled.home / ".." / "home"):
        with pytest.raises(BadSettingsError, match="is of the library itself"):
            ingest([inside], filled.library("old"))
    (filled.home / "photos").mkdir()
    (filled.home / "photos" / "beach.txt").write_text("beach")
    (filled.home / "photos" / "loop").symlink_to("loop")
    report = ingest([filled.home / "photos"], filled.library("old"))
    assert report.indexed == 1, "a library may lie at the root of a drive"


def test_a_file_that_only_a_dropped_model_knew_is_forgotten_with_it(filled: Town) -> None:
    filled.write("a/music.txt", "music")
    filled.ingest("new", "a")
    prune(filled.library("old"), model="new")
    assert filled.catalogue.files_at([str(filled.media / "a" / "music.txt")], "new-1") == []
    assert filled.catalogue.summary().roots[0].files == 1


def test_a_model_that_never_filled_the_library_is_refused_in_one_line(filled: Town) -> None:
    page = filled.page(model="new")
    with pytest.raises(ModelMismatchError, match=r"holds nothing made by new, it was made by old: .*--model new$"):
        page.service()
    with pytest.raises(ModelMismatchError, match=r"nothing is filled with new .*fill it first: .*--model new"):
        switch(filled.library("new"), force=True)
    filled.ingest("new", "a")
    assert ask(page, "dog") == ["dog.txt"], "asked for by name, also what is filled in part answers"
    answer = page.service().search(Query(parts=(TextPart("dog"),)))
    has, wanted = answer.filled or (0, 0)
    assert 0 < has < wanted
    assert answer.hints[0].startswith(f"{has} of {wanted} different files are searched: the model that was")
    filled.ingest("new", "b", "c")
    assert page.service().search(Query(parts=(TextPart("dog"),))).hints == (), "now it has all"
    page.close()


def test_a_collection_of_another_width_is_refused(filled: Town) -> None:
    filled.models["old"] = WiderEmbedder("old-1")
    page = filled.page()
    with pytest.raises(ModelMismatchError, match="width 8"):
        ask(page, "dog")
    page.close()


def test_the_next_version_of_a_model_says_so_and_refills(filled: Town) -> None:
    filled.models["old"] = WiderEmbedder("old-2")
    page = filled.page()
    with pytest.raises(ModelMismatchError, match="made by old-1, which old-2 cannot read; run ingest") as refused:
        page.service()
    assert str(refused.value).endswith(f": {_ingest(filled)}")
    report = filled.ingest("old", "a", "b", "c")
    assert report.switched
    assert "old-2 answers from now on, no longer old-1" in report.switch
    assert "prune --model old-1" in report.switch
    assert ask(page, "dog")[0] == "dog.txt"
    filled.models["before"] = FakeEmbedder("old-1")
    assert prune(filled.library("old"), model="old-1").contents == 3
    page.close()


# ── how long it will take ──


def test_a_refill_says_before_it_starts_how_long_it_may_take(filled: Town) -> None:
    assert filled.said == [], "a first filling of three files is over soon"
    for number in range(18):
        filled.write(f"a/{number}.txt", f"beach {number}")
    filled.ingest("old", "a")
    filled.ingest("new", "a", "b")
    (line,) = filled.said
    assert line.startswith("filling in new: 20 contents, about ")
    assert line.endswith("(timed on 2 of them)")
    for number in range(10):
        filled.write(f"c/new {number}.txt", f"city {number}")
    filled.ingest("new", "c")
    assert filled.said[0].startswith("filling in new: 11 contents, about "), "what is new counts, too"
    filled.ingest("new", "a", "b")
    assert filled.said == [], "nothing is waiting"
    filled.ingest("old", "a", "b")
    assert filled.said == []


def test_a_first_filling_says_so_too(town: Town) -> None:
    for number in range(200):
        town.write(f"a/{number}.txt", "beach " * (number + 1))
    town.write("a/notes.unknown", "no kind that is known by its name")
    town.write("a/empty.txt", "")
    report = town.ingest("old", "a")
    (line,) = town.said
    assert line.startswith("filling in old: 200 contents, about ")
    assert line.endswith("(timed on 5 of them)")
    assert report.indexed == 201, "what was timed is embedded, too"
    town.write("a/more.txt", "rain")
    town.ingest("old", "a")
    assert town.said == []


def test_what_is_to_come_is_told_from_files_of_middling_size_all_over_the_folder() -> None:
    found = [Found(path=f"/a/{number:05}.JPG", size_bytes=number) for number in range(5_001)]
    found += [Found(path="/a/x.pdf", size_bytes=9), Found(path="/a/pipe.pdf", size_bytes=9, is_regular=False)]
    (pictures, pages), is_cut = to_come(found)
    assert (pictures.kind, pictures.contents, pictures.size_bytes) == (Kind.IMAGE, 5_000, sum(range(5_001)))
    assert [2_000 < int(path[3:8]) < 3_000 for path in pictures.sample] == [True] * 5
    assert (pages.kind, pages.contents, pages.sample) == (Kind.DOCUMENT, 1, ("/a/x.pdf",))
    assert not is_cut
    assert to_come(found[:10]) == ([], False), "nine files that are not empty are over soon"


def test_a_folder_that_is_too_large_to_look_over_is_told_as_more(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))  # a second for each file
    monkeypatch.setattr(estimating, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    (pictures,), is_cut = to_come(Found(path=f"/a/{number}.png", size_bytes=1) for number in range(90))
    assert (pictures.contents, is_cut) == (10, True)


def test_what_is_waiting_counts_copies_once(town: Town) -> None:
    for name in ("film", "copy", "backup"):
        town.write(f"a/{name}.txt", "a beach and a dog")
    town.write("a/other.txt", "rain" * 100)
    town.ingest("old", "a")
    (texts,) = town.catalogue.waiting("new-1", [str(town.media)])
    assert (texts.contents, texts.size_bytes) == (2, 17 + 400)
    assert [Path(path).name for path in texts.sample] == ["backup.txt", "other.txt"]


# ── the commands ──


@pytest.fixture
def command(town: Town, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    for name, model in town.models.items():
        row = ModelRow(
            name=name, fingerprint=model.row.fingerprint, dim=model.row.dim, licence="", loader="", batch_size=8
        )
        monkeypatch.setitem(MODELS, name, row)
    monkeypatch.setattr(library_module, "load_embedder", lambda name, **_: town.models[name])
    monkeypatch.setattr(os, "nice", lambda _: 0)
    monkeypatch.setenv("OMNIA_HOME", str(town.home))
    monkeypatch.delenv("OMNIA_MODEL", raising=False)

    def run(*arguments: str | Path) -> tuple[int, dict[str, Any], str]:
        code = cli.main([*map(str, arguments), "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out.splitlines()[-1]) if out else {}, err

    return run


def test_the_commands_tell_what_is_filled_and_switch_by_hand(town: Town, command: Any) -> None:
    town.write("a/dog.txt", "dog")
    town.write("b/rain.txt", "rain")
    assert command("ingest", town.media / "a", town.media / "b", "--model", "old")[0] == 0
    code, report, err = command("ingest", town.media / "a", "--model", "new")
    assert (code, report["switched"], report["indexed"]) == (0, False, 1)
    assert "omnia: filling in new: 1 contents" in err
    models = {one["model"]: one for one in command("status")[1]["models"]}
    assert (models["old"]["active"], models["old"]["missing"], models["old"]["contents"]) == (True, 0, 2)
    assert (models["new"]["active"], models["new"]["missing"], models["new"]["contents"]) == (False, 1, 1)
    code, switched, _ = command("switch", "new")
    assert (code, switched["active"], switched["missing"]) == (1, False, 1)
    assert command("ingest", town.media / "a")[1]["unchanged"] == 1, "without --model the active one is meant"
    assert town.active == "old"
    assert command("switch", "new", "--force")[0] == 0
    assert town.active == "new"
    code, pruned, _ = command("prune", "--model", "new")
    assert (code, pruned) == (2, {})
    assert command("prune", "--model", "old")[1]["contents"] == 2
    assert command("ingest", town.media / "b")[1]["indexed"] == 1
    assert [one["model"] for one in command("status")[1]["models"]] == ["new"]


def test_a_root_is_forgotten_though_the_model_that_answers_is_not_there(
    town: Town, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.write("a/dog.txt", "dog")
    assert command("ingest", town.media / "a", "--model", "old")[0] == 0
    monkeypatch.delitem(MODELS, "old")
    code, _, err = command("ingest", town.media / "a")
    assert code == 2
    assert err.startswith("omnia: the model that this library answers with: no model is named 'old'; ")
    assert err.endswith("; or: python -m indexer ingest FOLDER --model omnia-mini, of each folder\n")
    (told,) = command("status")[1]["models"]
    assert (told["active"], told["trouble"][:23]) == (True, "no model is named 'old'")
    code, pruned, _ = command("prune", town.media / "a")
    assert (code, pruned) == (0, {"files": 1, "contents": 1})


def test_a_model_that_is_not_there_gives_way_to_one_that_is(
    town: Town, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.write("a/dog.txt", "dog")
    assert command("ingest", town.media / "a", "--model", "old")[0] == 0
    assert command("ingest", town.media / "a", "--model", "new")[1]["switched"]
    monkeypatch.delitem(MODELS, "new")
    assert command("ingest", town.media / "a")[2].endswith("; or: python -m indexer switch old\n")
    page = Page(town.settings)
    with pytest.raises(BadSettingsError, match=r"answers with: no model is named 'new'.* indexer switch old$"):
        page.service()
    page.close()
    assert command("switch", "old")[0] == 0
    assert town.active == "old"


def test_what_lost_its_vectors_is_told_in_one_line_and_embedded_again(town: Town, command: Any) -> None:
    town.write("a/dog.txt", "dog")
    town.write("a/rain.txt", "rain")
    assert command("ingest", town.media / "a", "--model", "old")[0] == 0
    place = town.catalogue.place("old-1")
    assert place != ""
    town.drop("old-1")
    code, report, err = command("ingest", town.media / "a")
    assert (code, report["indexed"]) == (0, 2)
    assert err.splitlines() == [
        "omnia: 2 indexed contents have no vectors in the store (deleted, moved, an old backup?): "
        "embedded again with their files"
    ]
    assert town.catalogue.place("old-1") not in ("", place)
    _, report, err = command("ingest", town.media / "a")
    assert (report["unchanged"], err) == (2, "")


def test_a_model_exchanged_after_the_library_was_opened_fills_nothing(
    town: Town, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.write("a/dog.txt", "dog")
    monkeypatch.setattr(library_module, "load_embedder", lambda name, **_: FakeEmbedder("exchanged"))
    code, _, err = command("ingest", town.media, "--model", "old")
    assert code == 2
    assert "old is exchanged now, not old-1 as it was; start again" in err
    assert town.stored("old-1") == 0
