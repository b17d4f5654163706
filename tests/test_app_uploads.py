"""Uploads: too large ones are cut off early, and bad ones of every kind get one line."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import Shelf
from real_server import serving
from starlette.applications import Starlette
from starlette.formparsers import MultiPartParser
from starlette.routing import Mount
from starlette.testclient import TestClient

from app.api import api
from app.uploads import _Parting
from data.errors import BadSettingsError
from data.settings import Settings
from embedder.media.sandbox import ReaderPool
from tests import make_media

MB = 1 << 20


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    shelf = Shelf(tmp_path_factory.mktemp("home"))
    (path := tmp_path_factory.mktemp("media") / "dog.txt").write_text("dog")
    shelf.put(path)
    shelf.library.settings = replace(shelf.library.settings, max_upload_mb=1)
    yield shelf
    shelf.library.close()


@pytest.fixture(scope="module")
def client(shelf):
    """With real readers in place of the fake one."""
    app = Starlette(routes=[Mount("/api", api(lambda: shelf.library))])
    with ReaderPool(1) as readers, TestClient(app, base_url="http://localhost") as client:
        shelf.readers.read = readers.read
        yield client


def head(length: int) -> bytes:
    return (
        f"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n"
        "Content-Type: multipart/form-data; boundary=cut\r\n\r\n"
        '--cut\r\nContent-Disposition: form-data; name="files"; filename="a.wav"\r\n\r\n'
    ).encode()


def answer_to(port: int, pieces: Iterable[bytes]) -> bytes:
    """What a sender gets that looks for the answer when all is sent, or when it cannot send any more."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as caller:
        with suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                caller.sendall(piece)
        return caller.makefile("rb").read()


def test_a_file_that_is_too_large_is_refused_before_the_rest_is_read(shelf):
    with serving(shelf.library) as port:  # of ten gigabytes that are promised
        the_limit_is_told(answer_to(port, [head(10_000 * MB), b"x" * (MB + 100_000)]))


def test_whoever_goes_on_sending_still_gets_the_answer(shelf):
    with serving(shelf.library) as port:
        the_limit_is_told(answer_to(port, [head(60 * MB), *[b"x" * MB] * 60]))


def test_whoever_pauses_while_sending_is_not_cut_off():
    coming = [True, False]

    async def receive():
        await asyncio.sleep(1.2)
        return {"type": "http.request", "body": b"x", "more_body": coming.pop(0)}

    async def send(message):
        assert message.get("more_body", True) or not coming, "closed with bytes unread"

    asyncio.run(_Parting({}, 413)({"type": "http"}, receive, send))
    assert coming == []


def the_limit_is_told(answer: bytes) -> None:
    status, _, rest = answer.partition(b"\r\n")
    assert b"413" in status
    assert b"connection: close" in rest.lower()
    assert json.loads(rest.partition(b"\r\n\r\n")[2]) == {
        "error": "a file is larger than 1 MB; send a smaller one, or set OMNIA_MAX_UPLOAD_MB"
    }


def test_each_of_several_files_may_have_as_much_as_is_allowed(client, monkeypatch):
    monkeypatch.setattr("app.uploads._SILENCE_S", 0.1)
    files = [("files", (f"{n}.txt", b"dog " * (MB // 4 - 4))) for n in range(3)]
    assert client.post("/api/search", files=files).status_code == 200
    files.append(("files", ("more.txt", b"d" * (MB + 1))))
    assert client.post("/api/search", files=files).status_code == 413


def bad_uploads(folder: Path) -> dict[str, bytes]:
    picture = make_media.image_file(folder / "a.png").read_bytes()
    locked = make_media.pdf(folder / "a.pdf", password="x").read_bytes()
    bomb = make_media.zip_bomb_docx(folder / "a.docx").read_bytes()
    huge = make_media.png_header(folder / "b.png", 60_000, 60_000).read_bytes()
    return {
        "empty.png": b"",
        "truncated.png": picture[: len(picture) // 2],
        "header only.png": picture[:20],
        "huge.png": huge,
        "noise.mp4": bytes(range(256)) * 8,
        "noise": bytes(range(256)) * 8,
        "bomb.docx": bomb,
        "locked.pdf": locked,
        "broken.pdf": b"%PDF-1.7\nnothing",
        "packed.zip": b"PK\x05\x06" + b"\0" * 18,
        "list.m3u8": b"#EXTM3U\nhttp://127.0.0.1:9/a.ts\n",
        "blank.txt": b" \n\t ",
        "nul.txt": b"\0" * 100,
        "broken.json": b"\xff\xfe\0\0",
        "no sound.wav": b"RIFF\x24\0\0\0WAVEfmt ",
    }


def test_every_bad_file_gets_one_line(client, tmp_path):
    for name, content in bad_uploads(tmp_path).items():
        answer = client.post("/api/search", files={"files": (name, content)})
        assert 400 <= answer.status_code < 500, (name, answer.text)
        error = answer.json()["error"]
        assert error.startswith(f"{name}: "), error
        assert len(error.splitlines()) == 1
        assert str(tmp_path) not in error
        assert "/tmp" not in error


def test_words_are_words_whatever_the_file_is_called(client):
    answer = client.post("/api/search", files={"files": ("words.mp4", b"dog, just words and no film at all")})
    assert [Path(found["path"]).name for found in answer.json()["results"]] == ["dog.txt"]


@pytest.mark.parametrize(
    "name",
    ["..", ".", "../../evil", "/etc/passwd", "a\\b", "x" * 400 + ".txt", "犬" * 200 + ".txt", "\u202etxt", "no suffix"],
)
def test_a_strange_name_is_no_reason_not_to_look(client, name):
    assert client.post("/api/search", files={"files": (name, b"dog dog")}).status_code == 200


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"files": [("files", (f"{n}.txt", b"dog")) for n in range(9)]}, 400),
        ({"files": {"files": ("a.txt", b"dog"), "q": ("b.txt", b"dog")}}, 422),
        ({"files": {"files": ("a.txt", b"dog")}, "data": {"limit": "many"}}, 422),
        ({"files": {"files": ("a.txt", b"dog")}, "data": {"q": "x" * 200_000}}, 400),
        ({"files": {"files": ("", b"dog")}}, 422),
        ({"files": {"other": ("a.txt", b"dog")}}, 422),
        ({"content": b"--cut", "headers": {"content-type": "multipart/form-data; boundary=cut"}}, 400),
        ({"content": b"--other\r\n", "headers": {"content-type": "multipart/form-data; boundary=cut"}}, 400),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400),
        ({"content": b"{}", "headers": {"content-type": "application/json"}}, 422),
        ({}, 422),
    ],
)
def test_a_bad_form_gets_one_line(client, form, status):
    answer = client.post("/api/search", **form)
    assert answer.status_code == status, answer.text
    assert len(answer.json()["error"].splitlines()) == 1


def part(name: str, content: bytes) -> bytes:
    told = f'--cut\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    return told.encode() + content + b"\r\n"


def test_a_form_that_is_cut_off_is_not_answered_from_what_came(client):
    sent = part("a.txt", b"dog") + part("b.txt", b"dog rain")
    headers = {"content-type": "multipart/form-data; boundary=cut"}
    assert client.post("/api/search", content=sent + b"--cut--\r\n", headers=headers).status_code == 200
    for length in (len(sent), len(sent) - 6, len(part("a.txt", b"dog"))):
        answer = client.post("/api/search", content=sent[:length], headers=headers)
        assert (answer.status_code, "cut off; send it whole" in answer.json()["error"]) == (400, True)


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ({"files": [("files", (f"{n}.txt", b"dog")) for n in range(9)]}, "give at most 8 files"),
        ({"files": {"files": (None, "hum.wav")}}, "files: send a file, as in curl -F files=@hum.wav; without one ask"),
        (
            {"files": {"files": ("a.txt", b"dog")}, "data": {"q": "x" * 200_000}},
            "a field has more than 100,000 bytes; give a long text as a file",
        ),
        ({"files": {"files": ("a.txt", b"")}, "data": {"unlike": ["x"] * 101}}, "give at most 100 fields besides"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=cut"}}, "the form cannot be"),
    ],
)
def test_a_form_that_is_not_taken_says_what_to_do(client, form, line):
    assert client.post("/api/search", **form).json()["error"].startswith(line)


@pytest.mark.parametrize("spooled_bytes", [1, MB])
def test_a_temporary_folder_that_takes_nothing_is_told(client, tmp_path, monkeypatch, spooled_bytes):
    monkeypatch.setattr(MultiPartParser, "spool_max_size", spooled_bytes)  # past which it is written while it comes
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    answer = client.post("/api/search", files={"files": ("a.txt", b"dog")})
    assert answer.status_code == 503
    assert answer.json()["error"].endswith("No such file or directory; make room there, or set TMPDIR to another one")


def test_the_limit_is_a_setting(monkeypatch):
    assert Settings.load().max_upload_mb == 200
    monkeypatch.setenv("OMNIA_MAX_UPLOAD_MB", "7")
    assert Settings.load().max_upload_mb == 7
    for wrong in ("0", "-1", "much"):
        monkeypatch.setenv("OMNIA_MAX_UPLOAD_MB", wrong)
        with pytest.raises(BadSettingsError, match="OMNIA_MAX_UPLOAD_MB"):
            Settings.load()
