"""Thumbnails are there before they are asked for, under the keys by which the page asks."""

from __future__ import annotations

import io
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from fakes import Shelf
from PIL import Image
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient
from test_indexer_ingest import Bench, bench  # noqa: F401

from app.api import api
from app.cards import card
from app.results import Moment, Result
from data.records import Evidence, FileState, Kind, Span
from embedder.media.kept import previews_folder
from embedder.segment import Segment
from indexer.tiles import Tiles
from tests import make_media


def picture(number: int) -> Segment:
    pixels = np.full((1, 8, 8, 3), number, np.uint8)
    return Segment(kind=Kind.IMAGE, evidence=Evidence.SEEN, span=Span(), pixels=pixels)


def test_what_the_page_asks_for_first_is_drawn_already(bench: Bench, tmp_path: Path) -> None:  # noqa: F811
    Image.effect_noise((1000, 700), 50).convert("RGB").save(bench.media / "photo.png")
    make_media.pdf(bench.media / "book.pdf", [make_media.STORY, make_media.STORY * 2])
    make_media.film(bench.media / "clip.mp4")
    assert bench.run()["indexed"] == 3
    folder = previews_folder(bench.library.home)
    drawn = {path: path.stat().st_mtime_ns for path in folder.glob("*/*.jpg")}

    shelf = Shelf(bench.library.home)
    client = TestClient(Starlette(routes=[Mount("/api", api(lambda: shelf.library))]))
    store = bench.library.open_store()
    asked = 0
    for records, _ in store.scan():
        for record in records:
            files = bench.library.catalogue.files_of([record.content], "fake-1")[record.content]
            if record.evidence is not Evidence.SEEN or files[0].state is not FileState.INDEXED:
                continue
            span = record.span
            moment = Moment(
                segment=record.id,
                evidence=record.evidence,
                start_s=span.start_s,
                end_s=span.end_s,
                page=span.page,
                snippet="",
                score=0.5,
            )
            result = Result(
                id=files[0].id,
                path=files[0].path,
                root=files[0].root,
                kind=record.kind,
                content=record.content,
                score=0.5,
                moments=(moment,),
            )
            (url,) = re.findall(r'(?:poster|img loading="lazy" src)="(/api/thumb[^"]+)"', card(result))
            answer = client.get(url.replace("&amp;", "&"))
            assert max(Image.open(io.BytesIO(answer.content)).size) <= 640
            asked += 1
    store.close()
    assert asked >= 4
    assert shelf.readers.stills == 0, "nothing is drawn anew"
    assert set(folder.glob("*/*.jpg")) == set(drawn)
    shelf.library.close()


def test_past_its_share_of_the_cache_and_on_a_full_disk_nothing_is_kept_and_nothing_fails(tmp_path: Path) -> None:
    tiles = Tiles(tmp_path / "few", most_bytes=1)
    for number in range(3):
        tiles.take(f"content{number}", [picture(number)])
    tiles.close()
    assert len(list((tmp_path / "few").glob("*/*.jpg"))) == 1
    (tmp_path / "file").write_text("no folder can be made here")
    tiles = Tiles(tmp_path / "file")
    tiles.take("content", [picture(0)])
    tiles.close()


def closes(tiles: Tiles) -> bool:
    """Whether an ingest comes to its end with more pictures than may wait."""
    for number in range(100):
        tiles.take(f"content{number}", [picture(number)])
    closing = threading.Thread(target=tiles.close, daemon=True)
    closing.start()
    closing.join(20)
    return not closing.is_alive()


@pytest.mark.parametrize("kept", ["trimmed", "broken"])
def test_no_picture_that_was_kept_before_holds_the_ingest(tmp_path: Path, kept: str) -> None:
    """One that is trimmed while all are counted, as a link to nothing looks; one that cannot be looked at at all."""
    (tmp_path / "some").mkdir()
    link = tmp_path / "some" / "other.jpg"
    link.symlink_to(tmp_path / "nothing" if kept == "trimmed" else link)
    assert closes(Tiles(tmp_path))
    assert len([path for path in tmp_path.glob("*/*.jpg") if path != link]) >= 32 * (kept == "trimmed")


def test_a_disk_that_hangs_holds_no_ingest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    monkeypatch.setattr("indexer.tiles._CLOSE_S", 0.1)
    monkeypatch.setattr("indexer.tiles.keep_picture", lambda *_: go_on.wait(60))
    assert closes(Tiles(tmp_path))
    go_on.set()
