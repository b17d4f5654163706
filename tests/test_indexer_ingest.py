"""A whole ingest over real files, a real catalogue, real vectors and real readers; only the model is a fake."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient

from data.catalogue import open_catalogue
from data.errors import BadSettingsError, EmbeddingFailedError
from data.owner import open_shared
from data.records import Evidence, FileChoice, FileState
from data.settings import Settings
from data.vectors import VectorStore, drop_vectors, open_vectors
from embedder.embed import Embedder
from embedder.media.sandbox import ReaderPool
from embedder.rows import ModelRow
from embedder.segment import Modality, Segment
from indexer.ingest import ingest
from indexer.library import Library, place_of
from indexer.prune import prune
from tests import make_media
from tests.fakes import FakeEmbedder
from tests.life_process import DIM, HashModel


@dataclass
class Bench:
    """A library in a tmp folder, a folder of media to fill, and a model that counts its calls."""

    media: Path
    library: Library
    embedder: FakeEmbedder = field(default_factory=FakeEmbedder)
    said: list[str] = field(default_factory=list)

    def write(self, name: str, text: str) -> Path:
        path = self.media / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def run(self) -> dict[str, Any]:
        """Ingest the folder; the report's numbers, and how many segments the model saw in this run."""
        self.embedder.calls.clear()
        self.said.clear()
        report = ingest([self.media], self.library, say=self.said.append)
        assert report.adds_up
        return report.as_json() | {"seen_by_model": sum(self.embedder.calls)}

    def stored(self) -> set[str]:
        store = self.library.open_store()
        try:
            return store.contents()
        finally:
            store.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    home, media = tmp_path / "home", tmp_path / "media"
    media.mkdir()
    settings = Settings(home=home, catalogue_url=f"sqlite:///{home / 'catalogue.sqlite'}")
    catalogue = open_catalogue(settings.catalogue_url)
    embedder = FakeEmbedder()
    library = Library(
        catalogue=catalogue,
        fingerprint="fake-1",
        home=home,
        open_store=lambda: open_shared(home, fingerprint="fake-1", dim=8),
        open_embedder=lambda: embedder,  # type: ignore[arg-type,return-value]
        open_pool=lambda: ReaderPool(2),
        place=lambda: place_of(settings, "fake-1"),
        open_other=lambda fingerprint: open_shared(home, fingerprint=fingerprint, dim=8),
    )
    yield Bench(media, library, embedder)
    catalogue.close()


def test_everything_found_is_accounted_for_and_a_second_run_does_nothing(bench: Bench) -> None:
    bench.write("a.txt", "a dog on the beach")
    bench.write("deep/er/b.md", "# Rain\n\nrain in the city at night")
    bench.write("empty.txt", "")
    (bench.media / "program.exe").write_bytes(b"MZ\x90\x00" + bytes(300))
    (bench.media / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    bench.write(".hidden/c.txt", "not to be found")
    first = bench.run()
    assert {key: first[key] for key in ("found", "indexed", "unchanged", "skipped", "failed")} == {
        "found": 5,
        "indexed": 2,
        "unchanged": 0,
        "skipped": 2,
        "failed": 1,
    }
    assert first["segments"] == first["seen_by_model"] == 2
    second = bench.run()
    assert (second["indexed"], second["unchanged"], second["skipped"], second["failed"]) == (0, 2, 2, 1)
    assert second["seen_by_model"] == 0


def test_how_long_a_recording_lasts_is_known_afterwards(bench: Bench) -> None:
    make_media.wav(bench.media / "hum.wav", make_media.tone(12.5))
    bench.write("a.txt", "a dog on the beach")
    bench.run()
    paths = [str(bench.media / name) for name in ("a.txt", "hum.wav")]
    text, hum = bench.library.catalogue.files_at(paths, "fake-1")
    assert text.duration_s is None
    assert hum.duration_s == pytest.approx(12.5, abs=0.1)
    assert len(bench.library.catalogue.chosen(FileChoice(longer_s=12), "fake-1")) == 1


def test_rename_and_copy_do_not_call_the_model(bench: Bench) -> None:
    path = bench.write("a.txt", "a dog on the beach")
    bench.run()
    path.rename(bench.media / "renamed.txt")
    shutil.copy(bench.media / "renamed.txt", bench.media / "copy.txt")
    report = bench.run()
    assert (report["unchanged"], report["removed"], report["seen_by_model"]) == (2, 1, 0)
    assert len(bench.stored()) == 1


def test_copies_within_one_run_are_embedded_once(bench: Bench) -> None:
    for number in range(40):
        bench.write(f"{number}.txt", "the same dog")
    report = bench.run()
    assert (report["indexed"], report["unchanged"], report["segments"]) == (1, 39, 1)
    assert report["seen_by_model"] <= 1 + 1 + 4, "a tenth of them is timed before, the first twice"


def test_a_changed_file_loses_its_old_vectors(bench: Bench) -> None:
    bench.write("a.txt", "a dog")
    bench.run()
    before = bench.stored()
    bench.write("a.txt", "a beach at night")
    report = bench.run()
    assert (report["indexed"], report["removed"]) == (1, 0)
    assert len(bench.stored()) == 1
    assert bench.stored() != before


def test_a_removed_file_leaves_with_its_vectors(bench: Bench) -> None:
    bench.write("a.txt", "a dog")
    gone = bench.write("b.txt", "a beach")
    bench.run()
    gone.unlink()
    assert bench.run()["removed"] == 1
    assert len(bench.stored()) == 1


def test_an_unmounted_drive_loses_nothing(bench: Bench) -> None:
    bench.write("a.txt", "a dog")
    bench.run()
    bench.media.rename(bench.media.with_name("elsewhere"))
    gone = ingest([bench.media], bench.library)
    assert (gone.removed, gone.exit_code) == (0, 1)
    bench.media.mkdir()
    empty = ingest([bench.media], bench.library)
    assert (empty.removed, empty.exit_code) == (0, 1)
    assert "empty" in empty.problems[0]
    assert len(bench.stored()) == 1
    bench.media.rmdir()
    bench.media.with_name("elsewhere").rename(bench.media)
    assert bench.run()["unchanged"] == 1
    assert bench.library.catalogue.summary().roots[0].offline_reason == ""


def test_a_failed_file_is_tried_again_only_by_retry_or_after_a_change(bench: Bench) -> None:
    (bench.media / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    bench.run()
    bench.run()
    (failure,) = bench.library.catalogue.failures()
    assert failure.attempts == 1
    assert failure.reason
    assert bench.library.catalogue.forget_failures() == [str(bench.media)]
    bench.run()
    (failure,) = bench.library.catalogue.failures()
    assert failure.attempts == 2


def test_what_no_reader_takes_is_tried_again_by_retry_too(bench: Bench) -> None:
    """Since a newer version may have a reader for it."""
    path = bench.media / "strange.xyz"
    path.write_bytes(bytes(50))
    assert bench.run()["skipped"] == 1
    (before,) = bench.library.catalogue.known([str(path)], bench.library.fingerprint).values()
    assert before.settled
    assert bench.library.catalogue.forget_failures() == [str(bench.media)]
    (forgotten,) = bench.library.catalogue.known([str(path)], bench.library.fingerprint).values()
    assert not forgotten.settled
    assert bench.run()["skipped"] == 1


def test_a_large_file_that_no_reader_takes_is_not_read_in_full(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.changes._LARGE_BYTES", 40)
    bench.write("long.txt", "a dog on the beach, and " * 4)
    (bench.media / "cut off.png").write_bytes(bytes(50))
    (bench.media / "packed.zip").write_bytes(b"PK\3\4" + bytes(50))
    disk = bench.media / "disk.img"
    disk.write_bytes(bytes(50))
    report = bench.run()
    assert (report["indexed"], report["skipped"], report["failed"]) == (1, 2, 1)
    unread, packed = bench.library.catalogue.failures(state=FileState.SKIPPED)
    assert (unread.path, unread.reason, unread.content) == (str(disk), "no reader for .img files", None)
    assert packed.content, "only a process with limits opens an archive"
    assert all(failed.content for failed in bench.library.catalogue.failures())
    (known,) = bench.library.catalogue.known([str(disk)], bench.library.fingerprint).values()
    assert known.settled


def test_the_words_of_a_page_are_kept_once(bench: Bench) -> None:
    make_media.pdf(bench.media / "a.pdf", (make_media.STORY,))
    assert bench.run()["segments"] == 2
    store = bench.library.open_store()
    try:
        hits = store.search(np.eye(8, dtype=np.float32)[:1], limit=10)[0]
    finally:
        store.close()
    snippets = {hit.segment.evidence: hit.segment.snippet for hit in hits}
    assert snippets[Evidence.SEEN] == ""
    assert "grey heron" in snippets[Evidence.WRITTEN]


def test_a_segment_the_model_chokes_on_fails_its_file_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        bench.write(f"{number}.txt", f"dog number {number}")
    bench.write("poison.txt", "poison")
    embed = bench.embedder.embed

    def choke(segments: Sequence[Segment]) -> Any:
        for index, segment in enumerate(segments):
            if segment.text == "poison":
                raise EmbeddingFailedError(index, "the model gave no finite vector")
        return embed(segments)

    monkeypatch.setattr(bench.embedder, "embed", choke)
    report = bench.run()
    assert (report["indexed"], report["failed"]) == (6, 1)
    (failure,) = bench.library.catalogue.failures()
    assert failure.path.endswith("poison.txt")
    assert "finite" in failure.reason


def test_what_a_model_does_not_take_in_is_left_out_and_told(bench: Bench) -> None:
    """Most models of a folder read words alone: a page has its words, a sound has nothing for them."""
    bench.write("a.txt", "a dog")
    make_media.pdf(bench.media / "page.pdf", (make_media.STORY,))
    hum = make_media.wav(bench.media / "hum.wav", make_media.tone(12.5))
    row = ModelRow(
        name="reader", fingerprint="r-1", dim=DIM, licence="", loader="", modalities=frozenset({Modality.WORDS})
    )
    library = replace(
        bench.library,
        fingerprint=row.fingerprint,
        open_store=lambda: open_shared(bench.library.home, fingerprint=row.fingerprint, dim=DIM),
        open_embedder=lambda: Embedder(row, HashModel(), device="cpu"),
    )
    report = ingest([bench.media], library)
    assert report.adds_up
    assert (report.indexed, report.skipped, report.failed, report.segments) == (2, 1, 0, 2)
    (notes,) = library.catalogue.notes(row.fingerprint).values()
    assert notes == ["segments left out: 1 (model reader does not take in pixels)"]
    (skipped,) = library.catalogue.files_at([str(hum)], row.fingerprint)
    assert (skipped.state, skipped.reason) == (FileState.SKIPPED, "model reader does not take in sound")
    assert skipped.hint == "choose another model"
    assert library.catalogue.known([str(hum)], row.fingerprint)[str(hum)].settled, "it is not read again"


def test_a_reason_of_odd_letters_ends_no_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write("a.txt", "a dog")

    def choke(_: Sequence[Segment]) -> Any:
        raise EmbeddingFailedError(0, "no reader for .fran\udce7ais \x1b[2J files")

    monkeypatch.setattr(bench.embedder, "embed", choke)
    assert bench.run()["failed"] == 1
    (failure,) = bench.library.catalogue.failures()
    assert failure.reason == "no reader for .fran�ais �[2J files"


def test_a_file_that_changes_while_it_is_read_is_not_filed_under_its_old_content(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bench.write("a.txt", "a dog")
    embed = bench.embedder.embed

    def meddle(segments: Sequence[Segment]) -> Any:
        path.write_text("something longer than before")
        return embed(segments)

    monkeypatch.setattr(bench.embedder, "embed", meddle)
    report = bench.run()
    assert report["failed"] == 1
    assert bench.stored() == set()
    monkeypatch.setattr(bench.embedder, "embed", embed)
    assert bench.run()["indexed"] == 1


def test_odd_names_links_and_pipes_stop_nothing(bench: Bench) -> None:
    bench.write("line\nbreak 🎺 'quote\".txt", "a dog")
    (bench.media / os.fsdecode(b"caf\xe9.txt")).write_text("a beach")
    (bench.media / "loop").symlink_to(bench.media / "loop")
    (bench.media / "up").symlink_to(bench.media)
    (bench.media / "dangling.txt").symlink_to(bench.media / "nowhere")
    os.mkfifo(bench.media / "pipe.txt")
    report = bench.run()
    assert (report["found"], report["indexed"], report["skipped"], report["failed"]) == (5, 2, 1, 2)
    reasons = {Path(f.path).name: f.reason for f in bench.library.catalogue.failures()}
    assert "leads back to itself" in reasons["loop"]
    assert "does not exist" in reasons["dangling.txt"]


def test_prune_forgets_a_root_with_its_vectors(bench: Bench) -> None:
    bench.write("a.txt", "a dog")
    bench.run()
    with pytest.raises(BadSettingsError, match="never ingested"):
        prune(bench.library, roots=[bench.media / "other"])
    preview = bench.library.home / "cache" / "previews" / "ab" / "cdef.jpg"
    preview.parent.mkdir(parents=True)
    preview.write_bytes(b"what it looked like")
    pruned = prune(bench.library, roots=[bench.media])
    assert (pruned.files, pruned.contents) == (1, 1)
    assert bench.stored() == set()
    assert not preview.exists(), "nor may its picture stay"
    preview.write_bytes(b"of another")
    assert prune(bench.library).files == 0
    assert preview.exists(), "nothing was forgotten"


def test_a_file_dated_after_what_databases_count_is_a_file_like_others(bench: Bench) -> None:
    for name, ns in (("a.txt", 0), ("b.txt", 13_569_465_600 * 10**9), ("c.txt", -9_500_000_000 * 10**9)):
        bench.write(name, f"a dog of {name}")
        os.utime(bench.media / name, ns=(ns, ns))
    assert bench.run()["indexed"] == 3
    assert bench.run()["unchanged"] == 3


def test_a_path_that_never_was_is_refused(bench: Bench) -> None:
    with pytest.raises(BadSettingsError, match="does not exist"):
        ingest([bench.media / "nowhere"], bench.library)


def test_the_librarys_own_folder_is_not_media(bench: Bench) -> None:
    library = replace(bench.library, home=bench.media / "library")
    bench.write("library/catalogue.txt", "not media")
    bench.write("a.txt", "a dog")
    assert ingest([bench.media], library).found == 1


@pytest.mark.parametrize("way", ["a link to the home", "a link to the root", "dots"])
def test_the_librarys_own_folder_is_not_media_by_whatever_path_it_is_named(bench: Bench, way: str) -> None:
    home, link = bench.media / "deep" / "library", bench.media.with_name("link")
    bench.write("deep/library/catalogue.txt", "not media")
    bench.write("deep/a.txt", "a dog")
    link.symlink_to(home if way == "a link to the home" else bench.media)
    named = {"a link to the home": link, "a link to the root": home, "dots": home / ".." / "library"}
    root = link if way == "a link to the root" else bench.media
    assert ingest([root], replace(bench.library, home=named[way])).found == 1


def test_what_an_ignore_file_names_is_left_out(bench: Bench) -> None:
    bench.write("a.txt", "a dog")
    bench.write("drafts/b.txt", "a beach")
    bench.write("drafts/deep/c.txt", "rain")
    bench.write("notes/keep.txt", "music")
    bench.write("notes/d.log.txt", "city")
    assert bench.run()["found"] == 5
    bench.write(".omniaignore", "# not these\n/drafts/\n*.log.txt\n")
    report = bench.run()
    assert (report["found"], report["unchanged"], report["removed"]) == (2, 2, 3)
    bench.write("notes/.omniaignore", "keep.txt")
    assert bench.run()["found"] == 1


def test_files_can_be_found_while_others_are_still_being_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(150):
        bench.write(f"{number:03}.txt", f"dog number {number}")
    halfway, go_on = threading.Event(), threading.Event()
    embed = bench.embedder.embed

    def wait_at_the_last(segments: Sequence[Segment]) -> Any:
        if any("149" in (segment.text or "") for segment in segments):
            halfway.set()
            go_on.wait(30)
        return embed(segments)

    monkeypatch.setattr(bench.embedder, "embed", wait_at_the_last)
    monkeypatch.setattr("indexer.keep._COMMIT_S", 0.0)
    run = threading.Thread(target=bench.run)
    run.start()
    assert halfway.wait(60)
    store = bench.library.open_store()
    hits = store.search(np.eye(8, dtype=np.float32)[:1], limit=200)[0]
    files = bench.library.catalogue.files_of({hit.segment.content for hit in hits})
    assert len(files) >= 64
    assert all(file.state is FileState.INDEXED for records in files.values() for file in records)
    store.close()
    go_on.set()
    run.join()


# ── a store that lost what the catalogue promises ──


@pytest.mark.parametrize("is_searched", [False, True], ids=["deleted", "deleted and made anew by a search"])
def test_a_folder_of_vectors_that_was_deleted_is_filled_again(bench: Bench, is_searched: bool) -> None:
    bench.write("a.txt", "a dog")
    bench.write("b.txt", "a beach")
    bench.run()
    before = bench.stored()
    shutil.rmtree(bench.library.home / "vectors")
    if is_searched:
        assert bench.stored() == set()
    report = bench.run()
    assert (report["indexed"], report["seen_by_model"], report["problems"]) == (2, 2, [])
    (line,) = bench.said
    assert line.startswith("2 indexed contents have no vectors in the store")
    assert bench.stored() == before
    assert (bench.run()["unchanged"], bench.said) == (2, [])


def test_an_older_backup_of_the_vectors_is_filled_up(bench: Bench) -> None:
    bench.write("a.txt", "a dog")
    bench.run()
    vectors, backup = bench.library.home / "vectors", bench.library.home / "backup"
    shutil.copytree(vectors, backup)
    bench.write("b.txt", "a beach")
    (bench.media / "empty.txt").touch()
    bench.run()
    shutil.rmtree(vectors)
    backup.rename(vectors)
    report = bench.run()
    assert (report["indexed"], report["unchanged"], report["seen_by_model"]) == (1, 1, 1)
    assert bench.said[0].startswith("1 indexed content has no vectors")
    assert len(bench.stored()) == 2


def test_a_store_that_is_known_is_not_opened_where_nothing_changed(bench: Bench) -> None:
    bench.write("a.txt", "a dog")
    bench.run()
    opened: list[VectorStore] = []

    def open_store() -> VectorStore:
        opened.append(open_shared(bench.library.home, fingerprint="fake-1", dim=8))
        return opened[-1]

    bench.library = replace(bench.library, open_store=open_store)
    assert bench.run()["unchanged"] == 1
    assert opened == []
    bench.write("b.txt", "a beach")
    assert bench.run()["indexed"] == 1
    assert len(opened) == 1


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> QdrantClient:
    client = QdrantClient(":memory:")
    monkeypatch.setattr(client, "close", lambda: None)
    monkeypatch.setattr("data.server._client", lambda url, api_key: client)
    return client


def on_server(library: Library) -> Library:
    """The same library with its vectors on the server."""
    settings = Settings(home=library.home, catalogue_url="", qdrant_url="http://127.0.0.1:9")
    its = library.catalogue.library_id()
    return replace(
        library,
        open_store=lambda: open_vectors(settings, library=its, fingerprint="fake-1", dim=8),
        drop_other=lambda fingerprint: drop_vectors(settings, library=its, fingerprint=fingerprint),
        place=lambda: place_of(settings, "fake-1"),
    )


@pytest.mark.usefixtures("server")
def test_each_server_is_filled_and_so_is_the_home_after_it(bench: Bench) -> None:
    embedded = bench.library
    bench.write("a.txt", "a dog")
    bench.run()
    bench.library = on_server(embedded)
    assert bench.run()["indexed"] == 1
    bench.write("b.txt", "a beach")
    assert bench.run()["indexed"] == 1
    bench.library.drop_other("fake-1")
    assert bench.run()["indexed"] == 2
    assert bench.run()["unchanged"] == 2
    assert len(bench.stored()) == 2
    bench.library = embedded
    report = bench.run()
    assert (report["indexed"], report["unchanged"]) == (1, 1), "the home has the one that it had before"
    assert len(bench.stored()) == 2


def test_a_library_that_shared_a_servers_collection_is_filled_again_by_one_ingest(
    bench: Bench, server: QdrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write("a.txt", "a dog")
    bench.write("b.txt", "a beach")
    with monkeypatch.context() as older_version:
        older_version.setattr("data.server._collection_name", lambda _, fingerprint: f"omnia-{fingerprint}")
        bench.library = on_server(bench.library)
        bench.run()
        before = bench.stored()
    with bench.library.catalogue._engine.begin() as db:
        db.exec_driver_sql("DROP TABLE library")
        db.exec_driver_sql("UPDATE schema_version SET version = 11")
    with closing(open_catalogue(f"sqlite:///{bench.library.home / 'catalogue.sqlite'}")) as upgraded:
        bench.library = on_server(replace(bench.library, catalogue=upgraded))
        assert bench.stored() == set()
        report = bench.run()
        assert (report["indexed"], report["seen_by_model"], report["problems"]) == (2, 2, [])
        assert bench.said[0].startswith("2 indexed contents have no vectors in the store")
        assert bench.stored() == before
        assert (bench.run()["unchanged"], bench.said) == (2, [])
    assert server.count("omnia-fake-1").count == 2, "what others may need stays"
