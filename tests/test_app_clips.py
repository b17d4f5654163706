"""Clips: moments that every browser plays, and pieces of files as files, made once and kept."""

from __future__ import annotations

import http.client
import io
import threading
import time
from pathlib import Path
from urllib.parse import unquote

import av
import numpy as np
import pypdf
import pytest
from fakes import Shelf, text
from PIL import Image
from real_server import serving
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from app.api import api
from app.clips import ClipCache
from app.file_cache import FileCache
from app.on_disk import on_disk
from app.previews import PreviewCache
from data.errors import UnreadableMediaError
from data.records import Evidence, Kind, Span
from embedder.media.sandbox import ReaderPool
from tests import make_media

SHOT_S = 4.0
GREYS = (40, 120, 220)  # of the shots of the film: brightness tells the second


@pytest.fixture(scope="module")
def media(tmp_path_factory) -> Path:
    """A folder with an AVI of three grey shots with sound, an AIFF, a PDF, a picture."""
    folder = tmp_path_factory.mktemp("media")
    shots = [f"color=c=0x{grey:02x}{grey:02x}{grey:02x}:s=800x450:r=12:d={SHOT_S}" for grey in GREYS]
    inputs = [part for shot in shots for part in ("-f", "lavfi", "-i", shot)]
    sound = ["-f", "lavfi", "-i", f"sine=440:d={SHOT_S * 3}"]
    joined = ["-filter_complex", "[0:v][1:v][2:v]concat=n=3[v]", "-map", "[v]", "-map", "3:a"]
    coded = ["-c:v", "mpeg4", "-g", "100", "-c:a", "libmp3lame"]
    make_media.ffmpeg(*inputs, *sound, *joined, *coded, str(folder / "grey.avi"))
    make_media.sound_file(folder / "hum.aiff", make_media.tone(6))
    make_media.pdf(folder / "report.pdf", ("First page of it. Two lines.", "Second page."))
    make_media.image_file(folder / "red.png")
    return folder


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    shelf = Shelf(tmp_path_factory.mktemp("home"))
    yield shelf
    shelf.library.close()


@pytest.fixture(scope="module")
def client(shelf, media):
    spans = {
        "grey.avi": text("dog", kind=Kind.VIDEO, evidence=Evidence.SEEN, start_s=5.0, end_s=12.0),
        "hum.aiff": text("dog", kind=Kind.AUDIO, evidence=Evidence.HEARD, start_s=0, end_s=6.0),
        "report.pdf": text("dog", kind=Kind.DOCUMENT, page=1, char_start=0, char_end=17),
        "red.png": text("dog", kind=Kind.IMAGE),
    }
    for name, segment in spans.items():
        shelf.put(media / name, [segment])
    app = Starlette(routes=[Mount("/api", api(lambda: shelf.library))])
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def looked_into(content: bytes) -> tuple[float, list[str], list[int], int]:
    """Seconds, codecs, the brightness of each frame, and the width of an MP4."""
    with av.open(io.BytesIO(content)) as container:
        codecs = [stream.codec_context.name for stream in container.streams]
        seconds = container.duration / av.time_base
        levels, width = [], 0
        if container.streams.video:
            frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
            levels, width = [round(float(np.median(frame))) for frame in frames], frames[0].shape[1]
    return seconds, codecs, levels, width


def test_a_moment_of_an_avi_becomes_a_small_mp4_that_is_made_once_and_sought_in(client, shelf, media, monkeypatch):
    made = []
    cut = ReaderPool.cut
    monkeypatch.setattr(ReaderPool, "cut", lambda *asked, **how: (made.append(asked), cut(*asked, **how)))
    url = f"/api/play/{shelf.id_of(media / 'grey.avi')}?t=7&end=9.5"
    whole = client.get(url)
    assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
    seconds, codecs, levels, width = looked_into(whole.content)
    assert codecs == ["h264", "aac"]
    assert width == 640
    assert seconds == pytest.approx(8.0, abs=0.2), "three seconds before the moment and what there is after it"
    assert abs(levels[2] - GREYS[1]) < 12, "it begins in the second shot, at second 4"
    assert abs(levels[60] - GREYS[2]) < 12, "second 9 is in the third"
    part = client.get(url, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert client.get(url, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert client.get(url).content == whole.content
    assert len(made) == 1, "it is there already"


def test_a_sound_becomes_aac(client, shelf, media):
    answer = client.get(f"/api/play/{shelf.id_of(media / 'hum.aiff')}?t=4")
    assert answer.headers["content-type"] == "audio/mp4"
    seconds, codecs, _, _ = looked_into(answer.content)
    assert codecs == ["aac"]
    assert seconds == pytest.approx(5.0, abs=0.2)


def test_a_clip_starts_and_ends_exactly_there_and_has_a_good_name(client, shelf, media):
    answer = client.get(f"/api/cut/{shelf.id_of(media / 'grey.avi')}?t=3.5&end=5.5")
    seconds, _, levels, width = looked_into(answer.content)
    assert seconds == pytest.approx(2.0, abs=0.15)
    assert width == 800
    with av.open(str(media / "grey.avi")) as film:
        frames = [frame for frame in film.decode(video=0) if 3.5 <= frame.time < 5.5]
    there = [float(np.median(frame.to_ndarray(format="gray"))) for frame in frames]
    assert levels == pytest.approx(there, abs=12)
    assert "grey (3.5-5.5 s).mp4" in unquote(answer.headers["content-disposition"])
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["cache-control"] == "private, no-cache"


def test_a_clip_is_named_by_the_seconds_that_are_in_it(client, shelf, media):
    names = {"t=11.5&end=300": "11.5-12 s", "t=0.00001&end=3": "0-3 s", "t=1&end=1.25": "1-1.25 s"}
    for asked, name in names.items():
        answer = client.get(f"/api/cut/{shelf.id_of(media / 'grey.avi')}?{asked}")
        assert answer.status_code == 200, answer.text
        assert f"grey ({name}).mp4" in unquote(answer.headers["content-disposition"])


def test_no_part_of_a_second_is_too_small_to_be_told_to_the_decoder(media, tmp_path):
    with ReaderPool(1) as readers:
        readers.cut(media / "grey.avi", Span(start_s=0.00001, end_s=1.0), tmp_path / "a.mp4", max_side=320)
    assert looked_into((tmp_path / "a.mp4").read_bytes())[0] == pytest.approx(1.0, abs=0.15)


def test_one_page_is_a_pdf_with_its_words(client, shelf, media):
    answer = client.get(f"/api/cut/{shelf.id_of(media / 'report.pdf')}?page=2")
    assert answer.headers["content-type"] == "application/pdf"
    assert "report (page 2).pdf" in unquote(answer.headers["content-disposition"])
    (page,) = pypdf.PdfReader(io.BytesIO(answer.content)).pages
    assert page.extract_text().strip() == "Second page."
    assert b"First" not in answer.content


REFUSALS = [
    ("play/red.png?t=1", 400, "only a video or a sound"),
    ("play/report.pdf", 400, "only a video or a sound"),
    ("play/grey.avi?t=99", 404, "it ends at second 12.08, before what was asked for"),
    ("cut/grey.avi?t=99&end=100", 404, "it ends at second 12.08, before what was asked for"),
    ("play/grey.avi?t=5&end=5", 400, "end must come after t"),
    ("play/grey.avi?t=nan", 422, "t: Input should be a finite number"),
    ("play/grey.avi?t=-1", 422, "t: Input should be greater"),
    ("cut/red.png?t=1&end=2", 400, "only a video or a sound"),
    ("cut/red.png?page=1", 400, "only a document has pages"),
    ("cut/grey.avi?page=1", 400, "only a document has pages"),
    ("cut/grey.avi?t=1", 400, "end after t"),
    ("cut/grey.avi?t=1&end=1.0001", 400, "end after t by 0.01 or more"),
    ("cut/grey.avi?t=0&end=301", 400, "at most 300 s"),
    ("cut/report.pdf?page=9", 404, "no page 9, it has 2"),
    ("cut/report.pdf", 400, "of a PDF give a page"),
]


def test_what_cannot_be_played_or_cut_says_why_in_one_line(client, shelf, media):
    for asked, status, why in REFUSALS:
        address, _, query = asked.partition("?")
        route, name = address.split("/")
        answer = client.get(f"/api/{route}/{shelf.id_of(media / name)}?{query}")
        assert answer.status_code == status, asked
        assert why in answer.json()["error"]
        assert "\n" not in answer.json()["error"]


def test_a_recording_that_cannot_be_decoded_says_so_and_leaves_nothing_behind(client, shelf, tmp_path):
    path = tmp_path / "broken.avi"
    path.write_bytes(b"RIFF\xff\xff\x00\x00AVI LIST" + b"x" * 5000)
    shelf.put(path, [text("dog", kind=Kind.VIDEO, evidence=Evidence.SEEN, start_s=0, end_s=1)])
    answer = client.get(f"/api/play/{shelf.id_of(path)}?t=0")
    assert answer.status_code == 404
    assert answer.json()["error"].startswith("neither picture nor sound in it")
    assert not list((shelf.library.settings.home / "cache" / "clips").glob("*/*.part"))


class Encoders:
    """Makes each piece in a moment, and notes how many are at work."""

    def __init__(self) -> None:
        self.made = 0
        self.lock = threading.Lock()

    def cut(self, path: Path, span: Span, out: Path, *, max_side: int) -> None:
        with self.lock:
            self.made += 1
        time.sleep(0.1)
        if path.name == "red.png":
            raise UnreadableMediaError(path, "cannot be made")
        out.write_bytes(b"clip")


def together(*calls) -> list[object]:
    """What each call gave or raised, all made at once."""
    results: list[object] = [None] * len(calls)

    def call(number: int) -> None:
        try:
            results[number] = calls[number]()
        except UnreadableMediaError as error:
            results[number] = error.reason

    threads = [threading.Thread(target=call, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_many_who_ask_for_the_same_clip_have_it_made_once(client, shelf, media, tmp_path):
    encoders = Encoders()
    cache = ClipCache(tmp_path / "clips", encoders=encoders)
    file = on_disk(shelf.library.catalogue().file(shelf.id_of(media / "grey.avi")))
    broken = on_disk(shelf.library.catalogue().file(shelf.id_of(media / "red.png")))
    found = together(*[lambda: cache.to_play(file, 5.0, None)] * 6)
    assert encoders.made == 1
    assert len(set(found)) == 1
    assert together(*[lambda: cache.to_play(broken, 5.0, None)] * 6) == ["cannot be made"] * 6
    assert encoders.made == 2, "what could not be made just now is not tried again at once"
    assert [path.read_bytes() for path in (tmp_path / "clips").glob("*/*")] == [b"clip"]


def test_a_cache_that_cannot_be_written_is_no_fault_of_the_question(client, shelf, media, tmp_path, monkeypatch):
    (tmp_path / "full").write_text("no folder")
    monkeypatch.setattr(shelf.library, "clips", lambda: ClipCache(tmp_path / "full", encoders=Encoders()))
    answer = client.get(f"/api/play/{shelf.id_of(media / 'grey.avi')}?t=1")
    assert answer.status_code == 503
    assert answer.json()["error"] == "no clip can be kept in the cache: Not a directory; make room in OMNIA_HOME"


class SlowEncoders(Encoders):
    """Makes nothing before it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.let = threading.Event(), threading.Event()

    def cut(self, path: Path, span: Span, out: Path, *, max_side: int) -> None:
        self.begun.set()
        assert self.let.wait(20)
        super().cut(path, span, out, max_side=max_side)


def test_no_clip_is_begun_for_whoever_has_left(client, shelf, media, tmp_path, monkeypatch):
    encoders = SlowEncoders()
    clips = ClipCache(tmp_path / "clips", encoders=encoders)
    monkeypatch.setattr(shelf.library, "clips", lambda: clips)
    monkeypatch.setattr("app.media_route._WAITING", 1)
    number = shelf.id_of(media / "grey.avi")
    with serving(shelf.library) as port:

        def asking(second: int) -> http.client.HTTPConnection:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", f"/api/play/{number}?t={second}")
            return connection

        first = asking(1)
        assert encoders.begun.wait(10)
        gone = [asking(second) for second in range(2, 8)]
        time.sleep(0.3)  # they wait for a thread by now
        for connection in gone:
            connection.close()
        last = asking(9)
        time.sleep(0.3)  # and the server knows that they left
        encoders.let.set()
        assert (first.getresponse().status, last.getresponse().status) == (200, 200)
    assert encoders.made == 2


def test_the_least_recently_used_go_when_the_cache_is_full(tmp_path):
    cache = FileCache(tmp_path, suffix=".bin", most_bytes=1_000)
    for number in range(30):
        cache.path(str(number), lambda part: part.write_bytes(b"x" * 100) and None)
        time.sleep(0.002)
        first = cache.path("0", lambda part: pytest.fail("used all along, and yet removed"))
    sizes = [path.stat().st_size for path in tmp_path.glob("*/*")]
    assert sum(sizes) <= 1_000
    assert first.exists()


def test_the_passage_is_highlighted_on_the_picture_of_its_page(client, shelf, media, tmp_path):
    with ReaderPool(1) as readers:
        shelf.library.previews = lambda: PreviewCache(tmp_path, readers=readers)
        url = f"/api/thumb/{shelf.id_of(media / 'report.pdf')}?page=1&side=640"
        plain, marked = (
            np.asarray(Image.open(io.BytesIO(client.get(each).content)).convert("RGB")).astype(int)
            for each in (url, f"{url}&char_start=0&char_end=17")
        )
        missing = client.get(url.replace("page=1", "page=9"))
    assert (missing.status_code, "no page 9, it has 2" in missing.json()["error"]) == (404, True), "as with cut"
    changed = np.argwhere(np.abs(plain - marked).max(axis=2) > 60)
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert bottom - top < 25, "one line of the two"
    assert 40 < right - left < 100
    assert marked[(top + bottom) // 2, left + 2].tolist() == pytest.approx([255, 236, 160], abs=25)
