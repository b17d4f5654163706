"""Tricks: no address and no change on disk gives a byte from outside the library; no name does any harm."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path
from uuid import uuid4

import pytest
from fakes import text
from PIL import Image

from app.cards import card
from app.results import Moment, Result
from data.records import Evidence, Kind

SECRET = b"root:secret"
ROUTES = ("media", "thumb", "play", "cut")
IDS = [
    "..%2foutside%2fpasswd",
    "%2e%2e%2foutside%2fpasswd",
    "..%252foutside%252fpasswd",
    "..%5coutside%5cpasswd",
    "....%2f%2foutside%2fpasswd",
    "%2fetc%2fpasswd",
    "/etc/passwd",
    "1/../../outside/passwd",
    "1%2f..%2f..%2foutside%2fpasswd",
    "1%00",
    "%00",
    "1%0a2",
    "1;2",
    "-1",
    "+1",
    "0",
    "1.0",
    "1e0",
    "0x1",
    "1_0",
    "%201",
    "١",
    "１",
    "²",
    "9" * 18,
    "9" * 19,
    "9" * 5000,
    str(2**63),
    "NaN",
    "true",
    "1%20OR%201=1",
    "file:%2f%2f%2fetc%2fpasswd",
]
NAMES = [
    "<script>alert(1)<⁄script>.txt",
    '"><img src=x onerror=alert(1)>.txt',
    "two\nlines\r\nSet-Cookie: a=b.txt",
    "right\u202etxt.exe",
    "\u200fבוקר.txt",
    "bell\x07 and escape\x1b[2J.txt",
    "back\\..\\slash.txt",
    "quote\"' ; filename=other.txt",
    "%2e%2e%2fpercent.txt",
    "naïve 犬.txt",
]


@pytest.fixture
def outside(tmp_path) -> Path:
    path = tmp_path / "outside" / "passwd"
    path.parent.mkdir()
    path.write_bytes(SECRET)
    return path


@pytest.fixture
def file(shelf, tmp_path) -> Path:
    path = tmp_path / "library" / "below" / "dog.txt"
    path.parent.mkdir(parents=True)
    path.write_text("dog")
    shelf.put(path)
    return path


def test_what_is_no_number_of_a_file_finds_nothing(client, file, outside):
    for route, id in itertools.product(ROUTES, IDS):
        answer = client.request("GET", f"/api/{route}/{id}")
        assert answer.status_code == 404, (route, id)
        assert SECRET not in answer.content
        assert len(answer.text.splitlines()) == 1


def everything(client, id: int) -> list[bytes]:
    asked = (
        f"media/{id}",
        f"thumb/{id}",
        f"thumb/{id}?page=1",
        f"play/{id}",
        f"cut/{id}?t=0&end=1",
        f"cut/{id}?page=1",
    )
    return [client.get(f"/api/{each}").content for each in asked]


def test_a_file_that_became_a_link_to_elsewhere_is_not_served(client, shelf, file, outside):
    assert client.get(f"/api/media/{shelf.id_of(file)}").text == "dog"
    file.unlink()
    file.symlink_to(outside)
    answer = client.get(f"/api/media/{shelf.id_of(file)}")
    told = {"error": "it is a link to something that was not indexed (run ingest again)"}
    assert (answer.status_code, answer.json()) == (404, told)
    assert not any(SECRET in given for given in everything(client, shelf.id_of(file)))
    assert shelf.readers.stills == 0


def test_a_link_to_a_hidden_file_of_the_same_folder_is_not_served(client, shelf, file):
    hidden = file.with_name(".token")
    hidden.write_bytes(SECRET)
    file.unlink()
    file.symlink_to(hidden.name)
    assert client.get(f"/api/media/{shelf.id_of(file)}").status_code == 404


def test_a_folder_that_became_a_link_is_not_followed(client, shelf, file, outside):
    (outside.parent / file.name).write_bytes(SECRET)
    file.unlink()
    file.parent.rmdir()
    file.parent.symlink_to(outside.parent)
    assert not any(SECRET in given for given in everything(client, shelf.id_of(file)))


def test_a_link_that_was_indexed_is_served_until_it_is_turned(client, shelf, outside, tmp_path):
    target, link = tmp_path / "far" / "dog.txt", tmp_path / "library" / "link.txt"
    for path, words in ((target, "dog"), (link, "")):
        path.parent.mkdir()
        path.write_text(words)
    link.unlink()
    link.symlink_to(target)
    shelf.put(link)
    url = f"/api/media/{shelf.id_of(link)}"
    assert client.get(url).text == "dog"
    link.unlink()
    link.symlink_to(outside)
    assert client.get(url).status_code == 404
    link.unlink()
    link.symlink_to(target)
    assert client.get(url).text == "dog"


def test_a_link_or_a_pipe_in_its_place_is_not_served(client, shelf, file):
    for target in ("/dev/zero", "/proc/self/environ", "/", "nowhere", file):
        file.unlink()
        file.symlink_to(target)
        answer = client.get(f"/api/media/{shelf.id_of(file)}")
        assert answer.status_code == 404, target
        assert "error" in answer.json()
    file.unlink()
    os.mkfifo(file)  # to open it would wait for ever
    assert client.get(f"/api/media/{shelf.id_of(file)}").status_code == 404


def test_an_edited_file_is_shown_as_it_is_and_its_old_preview_is_not(client, shelf, tmp_path):
    path = tmp_path / "dog.png"
    Image.new("RGB", (4, 4), "red").save(path)
    shelf.put(path)
    url = f"/api/thumb/{shelf.id_of(path)}"
    assert client.get(url).status_code == client.get(url).status_code == 200
    assert shelf.readers.stills == 1
    Image.new("RGB", (5, 4), "blue").save(path)
    assert client.get(url).status_code == client.get(url).status_code == 200
    assert shelf.readers.stills == 2
    assert client.get(f"/api/media/{shelf.id_of(path)}").content == path.read_bytes()


def test_a_name_breaks_no_header(client, shelf, tmp_path):
    for name in NAMES:
        path = tmp_path / name
        path.write_text("dog")
        shelf.put(path, [text("dog")])
        for query in ("", "?download"):
            answer = client.get(f"/api/media/{shelf.id_of(path)}{query}")
            assert answer.text == "dog"
            assert "set-cookie" not in answer.headers
            disposition = answer.headers["content-disposition"]
            assert disposition.startswith(("attachment; ", "inline; "))
            assert disposition.isascii()
            assert disposition.isprintable()
            assert re.fullmatch(r"""\w+; filename="[^";%]*"(; filename\*=UTF-8''[^;"']*)?""", disposition)
            assert not any(evil in disposition for evil in ("%0A", "%0D", "%E2%80%AE", "%1B", "%5C", "%2F"))


@pytest.mark.parametrize(("name", "kind"), list(itertools.product([*NAMES, "<script>alert(1)</script>.txt"], Kind)))
def test_a_name_and_its_words_do_nothing_in_a_card(name, kind):
    evil = f'{name} <b onclick="x()">dog</b> \u202e\x00'
    said = Moment(segment=uuid4(), evidence=Evidence.SAID, start_s=1.0, end_s=2.0, page=2, snippet=evil, score=0.5)
    result = Result(
        id=1,
        path=f"/m/{name}",
        root="/m",
        kind=kind,
        content="c",
        score=0.5,
        moments=(said,),
        other_paths=(f"/n/{name}",),
        duration_s=10.0,
    )
    shown = card(result, words="dog script")
    assert not any(tag in shown for tag in ("<script", "<img src=x", "<b onclick", 'onerror=alert(1)>"'))
    assert not any(sign in shown for sign in "\u202e\u200f\x00\x07\x1b\r")
