"""The media route: bytes by number, with Range, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import text
from PIL import Image
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from app.api import api
from app.media_urls import cut_url, media_url, play_url, preview_url
from app.on_disk import on_disk
from app.previews import PreviewCache
from data.records import Evidence, Kind, Span


@pytest.fixture
def client(shelf):
    app = Starlette(routes=[Mount("/api", api(lambda: shelf.library))])
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=True) as client:
        yield client


@pytest.fixture
def clip(shelf, tmp_path) -> Path:
    path = tmp_path / "clip é.mp4"
    path.write_bytes(bytes(range(256)) * 40)
    shelf.put(path, [text("dog", kind=Kind.VIDEO, evidence=Evidence.SEEN, start_s=0, end_s=1)])
    return path


def test_a_range_gives_exactly_these_bytes(client, shelf, clip):
    url = media_url(shelf.id_of(clip)).partition("#")[0]
    whole = client.get(url)
    assert (whole.status_code, whole.headers["accept-ranges"]) == (200, "bytes")
    assert whole.content == clip.read_bytes()
    part = client.get(url, headers={"Range": "bytes=250-259"})
    assert part.status_code == 206
    assert part.content == clip.read_bytes()[250:260]
    assert part.headers["content-range"] == f"bytes 250-259/{clip.stat().st_size}"
    assert client.get(url, headers={"Range": "bytes=-5"}).content == clip.read_bytes()[-5:]
    assert client.get(url, headers={"Range": "bytes=99999-"}).status_code == 416


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("items=0-1", None),
        ("bytes=5-2", None),
        ("bytes=a-b", None),
        ("bytes=", None),
        ("bytes", None),
        ("bytes=0-1,x", None),
        ("bytes=0-1,99999-", (0, 2)),
        ("bytes=99999-,-0,4-5", (4, 6)),
        ("Bytes= 3-3 ,", (3, 4)),
    ],
)
def test_a_range_that_is_none_is_ignored_and_one_past_the_end_hides_no_other(client, shelf, clip, wanted, given):
    answer = client.get(media_url(shelf.id_of(clip)), headers={"Range": wanted})
    assert answer.status_code == (206 if given else 200)
    assert answer.content == clip.read_bytes()[slice(*given or (None,))]


def test_what_the_browser_has_already_is_not_sent_again(client, shelf, clip):
    url = media_url(shelf.id_of(clip)).partition("#")[0]
    tag = client.get(url).headers["etag"]
    again = client.get(url, headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(url, headers={"If-None-Match": '"other"'}).status_code == 200
    assert client.get(url, headers={"If-None-Match": "*"}).status_code == 304
    since = {"If-Modified-Since": client.get(url).headers["last-modified"]}
    assert client.get(url, headers=since).status_code == 304
    assert client.get(url, headers=since | {"If-None-Match": '"other"'}).status_code == 200
    assert client.get(url, headers={"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}).status_code == 200
    assert client.get(url, headers={"Range": "bytes=0-3", "If-Range": tag}).status_code == 206
    clip.write_bytes(b"edited")
    assert client.get(url, headers={"If-None-Match": tag}).content == b"edited"
    assert client.get(url, headers={"Range": "bytes=0-3", "If-Range": tag}).status_code == 200
    assert client.head(url).headers["content-length"] == "6"


def test_media_is_typed_by_a_table_and_never_sniffed(client, shelf, clip):
    answer = client.get(media_url(shelf.id_of(clip)))
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("two words.txt", 'filename="two words.txt"'),
        ("été.txt", "filename=\"_t_.txt\"; filename*=UTF-8''%C3%A9t%C3%A9.txt"),
        ('a "b"; 5%.txt', "filename=\"a _b__ 5_.txt\"; filename*=UTF-8''a%20%22b%22%3B%205%25.txt"),
        ("back\\slash\r.txt", 'filename="back_slash_.txt"'),
    ],
)
def test_a_file_is_kept_under_its_name_by_programs_old_and_new(client, shelf, tmp_path, name, told):
    path = tmp_path / name
    path.write_text("dog")
    shelf.put(path)
    answer = client.get(f"/api/media/{shelf.id_of(path)}?download")
    assert answer.headers["content-disposition"] == f"attachment; {told}"


@pytest.mark.parametrize("name", ["drawing.svg", "page.html", "page.xhtml", "unknown"])
def test_what_can_carry_a_script_is_a_download(client, shelf, tmp_path, name):
    path = tmp_path / name
    path.write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    shelf.put(path, [text("dog")])
    answer = client.get(media_url(shelf.id_of(path)))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    "path",
    [
        "/api/media/999",
        "/api/media/0",
        "/api/media/-1",
        "/api/media/..%2f..%2fetc%2fpasswd",
        "/api/media/../../etc/passwd",
        "/api/media//etc/passwd",
        "/api/media/1/../2",
        "/api/media/%2e%2e",
        "/api/media/1%00",
        "/api/media/clip.mp4",
        "/api/media/99999999999999999999999999",
        "/api/thumb/999",
        "/api/thumb/..%2fclip.mp4",
    ],
)
def test_what_is_not_a_number_of_the_library_is_not_found(client, path):
    assert client.get(path).status_code == 404


def test_a_file_that_failed_is_not_served(client, shelf, tmp_path):
    from data.catalogue import Outcome
    from data.records import FileState

    path = tmp_path / "secret.mp4"
    path.write_bytes(b"x")
    catalogue = shelf.library.catalogue()
    run = catalogue.begin_run(str(tmp_path), shelf.fingerprint)
    outcome = Outcome(path=str(path), size_bytes=1, mtime_ns=1, state=FileState.FAILED, reason="broken")
    catalogue.record(run, shelf.fingerprint, [outcome])
    catalogue.finish_run(run, str(tmp_path), sweep=False)
    assert client.get(media_url(shelf.id_of(path))).status_code == 404


def test_a_file_that_is_away_is_not_found(client, shelf, clip):
    url = media_url(shelf.id_of(clip))
    clip.unlink()
    assert client.get(url).status_code == 404
    clip.mkdir()
    assert client.get(url).status_code == 404


def test_who_opens_a_file_that_is_away_reads_so_on_a_page(client, shelf, clip):
    url = media_url(shelf.id_of(clip))
    clip.unlink()
    page = client.get(url, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    why = "the file is not there at the moment (if it was moved, run ingest again; then search anew)"
    assert f"This cannot be opened: {why}." in page.text
    assert page.headers["vary"] == "Accept"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in page.headers["content-security-policy"]
    assert client.get(url).json() == {"error": why}, "to programs and players"


def test_a_browser_asks_again_before_it_shows_what_it_kept(client, shelf, clip):
    url = media_url(shelf.id_of(clip))
    first = client.get(url)
    assert first.headers["cache-control"] == "private, no-cache"
    assert client.get(url, headers={"If-None-Match": first.headers["etag"]}).status_code == 304


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("été".encode(), "text/plain; charset=utf-8"),
        (b"x" * ((1 << 20) - 1) + "é".encode(), "text/plain; charset=utf-8"),
        ("été".encode("latin-1"), "text/plain"),
        ("été".encode("utf-16"), "text/plain"),
    ],
)
def test_the_charset_of_a_text_is_told_where_it_is_known(client, shelf, tmp_path, content, told):
    path = tmp_path / "summer.txt"
    path.write_bytes(content)
    shelf.put(path, [text("dog")])
    answer = client.get(media_url(shelf.id_of(path)))
    assert (answer.headers["content-type"], answer.content) == (told, content)


def test_a_preview_is_drawn_once(client, shelf, clip):
    url = preview_url(shelf.id_of(clip), version="a", start_s=0.5)
    first, second = client.get(url), client.get(url)
    assert first.headers["cache-control"] == "private, max-age=3600"
    assert client.get(url.replace("&v=a", "")).headers["cache-control"] == "private, no-cache", "of which version?"
    assert first.headers["content-type"] == "image/jpeg"
    assert first.content[:2] == b"\xff\xd8"
    assert first.content == second.content
    assert shelf.readers.stills == 1


@pytest.mark.parametrize("asked", ["t=x", "t=-1", "t=nan", "t=inf", "page=0", "page=x", "side=big", "char_start=-1"])
def test_a_moment_that_is_no_number_is_refused(client, shelf, clip, asked):
    answer = client.get(f"/api/thumb/{shelf.id_of(clip)}?{asked}")
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(asked.partition("=")[0] + ": Input should be")


def test_previews_do_not_grow_past_their_limit(shelf, tmp_path):
    path = tmp_path / "dog.png"
    Image.new("RGB", (4, 4), "red").save(path)
    shelf.put(path)
    file = on_disk(shelf.library.catalogue().file(shelf.id_of(path)))
    folder = tmp_path / "previews"
    cache = PreviewCache(folder, readers=shelf.readers, most_bytes=30_000)
    for second in range(202):
        cache.picture(file, Span(start_s=float(second)), max_side=320)
    assert sum(kept.stat().st_size for kept in folder.glob("*/*")) <= 30_000


def test_urls_carry_the_moment():
    assert media_url(3) == "/api/media/3"
    assert media_url(3, start_s=12.4) == "/api/media/3#t=12.40"
    assert preview_url(3, version="a", page=2) == "/api/thumb/3?side=640&v=a&page=2"
    passage = preview_url(3, version="a", page=2, passage=(5, 9))
    assert passage == "/api/thumb/3?side=640&v=a&page=2&char_start=5&char_end=9"
    assert play_url(3, version="a", start_s=12.4, end_s=15) == "/api/play/3?v=a&t=12.40&end=15.00#t=3.00"
    assert play_url(3, version="a", start_s=1) == "/api/play/3?v=a&t=1.00#t=1.00"
    assert cut_url(3, start_s=1, end_s=1000) == "/api/cut/3?t=1.00&end=301.00"
    assert cut_url(3, page=2) == "/api/cut/3?page=2"
    assert cut_url(3) is None
