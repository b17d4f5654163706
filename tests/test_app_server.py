"""The server as a whole: the page, the API, and what stands before both."""

from __future__ import annotations

import http.client
import json
import sys
from pathlib import Path

import pytest
from browsing import HERE, serving

WORDS = b"city " * 2_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    home = tmp_path_factory.mktemp("server")
    with serving([Path(__file__), home], log=home / "log") as url:
        yield url.removeprefix("http://")


def asked(server: str, method: str, path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(server, timeout=30)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    return connection.getresponse()


def test_media_are_sent_as_they_are_to_whoever_takes_them_packed(server):
    listed = asked(server, "GET", "/api/openapi.json", Accept_Encoding="gzip")
    assert listed.headers["content-encoding"] == "gzip", "as is all else"
    [found] = json.load(asked(server, "GET", "/api/search?q=type:txt"))["results"]
    answer = asked(server, "GET", found["media"].partition("#")[0], Accept_Encoding="gzip")
    assert answer.headers["content-encoding"] is None
    assert answer.headers["content-length"] == str(len(WORDS))
    assert answer.read() == WORDS


def test_where_the_api_begins_it_is_described(server):
    for method in ("GET", "HEAD", "POST"):
        answer = asked(server, method, "/api")
        assert (answer.status, answer.headers["location"]) == (307, "/api/openapi.json")


def test_another_site_is_refused_before_its_body_comes(server):
    form = {"Content_Type": "multipart/form-data; boundary=cut", "Content_Length": "10000000000"}
    answer = asked(server, "POST", "/api/search", Sec_Fetch_Site="cross-site", **form)
    assert (answer.status, json.load(answer)) == (403, {"error": "another site may not ask here"})


def main(home: Path, port: int) -> None:
    """A server in a process of its own, with one text."""
    from fakes import Shelf

    from app import wiring

    shelf = Shelf(home / "library")
    (home / "city.txt").write_bytes(WORDS)
    shelf.put(home / "city.txt")
    wiring.shared = lambda: shelf.library

    import streamlit_app

    streamlit_app.server.run(config={"server.port": port, "logger.level": "error"})


if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parent)]
    main(Path(sys.argv[1]), int(sys.argv[2]))
