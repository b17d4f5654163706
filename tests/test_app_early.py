"""What is answered while the server is still being loaded, through a real socket."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.responses import PlainTextResponse

from app.binding import listening
from app.serving import before

REPOSITORY = Path(__file__).parent.parent


class Late:
    """An app whose loading waits until it is let."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.told: list[str] = []

    def load(self) -> Late:
        assert self.let.wait(60)
        return self

    def lifespan(self):
        @asynccontextmanager
        async def life(_app):
            self.told.append("begun")
            yield
            self.told.append("ended")

        return life

    async def __call__(self, scope, receive, send) -> None:
        await PlainTextResponse(f"late {scope['method']} {scope['path']}")(scope, receive, send)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "secret").write_text("secret")
    page = tmp_path / "page"
    (page / "static").mkdir(parents=True)
    (page / "index.html").write_text("<html>early</html>")
    (page / "static" / "index.a1.js").write_text("early()")
    return page


@contextmanager
def served(load, files: Path, address: str = "127.0.0.1") -> Iterator[SimpleNamespace]:
    """What stands before a server at an address, here on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    early = before(load, files, address)
    ended: list[BaseException] = []

    def run() -> None:
        try:
            early.run(bound)
        except BaseException as error:
            ended.append(error)

    with listening("127.0.0.1", port) as bound:
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield SimpleNamespace(port=port, thread=thread, ended=ended, stop=early.stop)
        finally:
            early.stop()
            thread.join(30)
    assert not thread.is_alive()


def asked(port: int, path: str, *, method: str = "GET", host: str | None = None, timeout: float = 30):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or f"127.0.0.1:{port}")
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer.headers


def test_the_files_of_the_page_do_not_wait(files):
    late = Late()
    with served(late.load, files) as server:
        status, body, headers = asked(server.port, "/?q=dog")
        assert (status, body, headers["cache-control"]) == (200, "<html>early</html>", "no-cache")
        assert headers["content-security-policy"] == "frame-ancestors 'self'"
        status, body, headers = asked(server.port, "/static/index.a1.js")
        assert (status, body) == (200, "early()")
        assert headers["content-type"].startswith("application/javascript")
        assert "immutable" in headers["cache-control"]
        assert asked(server.port, "/", method="HEAD")[:2] == (200, "")
        late.let.set()


def test_all_else_waits_and_is_answered(files):
    late = Late()
    cases = (
        ("GET", "/api/search", None),
        ("GET", "/_stcore/health", None),
        ("GET", "/secret", None),
        ("GET", "/static/gone.js", None),
        ("GET", "/static/../../secret", None),
        ("GET", "/static/..%2findex.html", None),
        ("GET", "/static//../../secret", None),
        ("GET", "/static//etc/passwd", None),
        ("POST", "/", None),
        ("GET", "/", "elsewhere"),
        ("GET", "/static/index.a1.js", "elsewhere:80"),
    )
    with ThreadPoolExecutor(len(cases)) as threads, served(late.load, files) as server:
        waiting = [threads.submit(asked, server.port, path, method=method, host=host) for method, path, host in cases]
        time.sleep(0.3)
        assert asked(server.port, "/", host="localhost")[0] == 200
        assert not any(answer.done() for answer in waiting)
        late.let.set()
        for (method, path, _), answer in zip(cases, waiting, strict=True):
            assert answer.result(30)[:2] == (200, f"late {method} {path.replace('%2f', '/')}")
        assert asked(server.port, "/")[1] == "late GET /", "who is there decides"
        assert late.told == ["begun"]
    assert late.told == ["begun", "ended"]


def test_where_a_token_is_needed_nothing_is_early(files):
    late = Late()
    with served(late.load, files, address="0.0.0.0") as server:
        with pytest.raises(TimeoutError):
            asked(server.port, "/", timeout=0.5)
        late.let.set()
        assert asked(server.port, "/")[1] == "late GET /"


@pytest.mark.parametrize("error", [ValueError("no such module"), SystemExit(1)], ids=["error", "exit"])
def test_what_cannot_be_loaded_ends_the_server_and_says_why(files, error):
    let = threading.Event()

    def load():
        let.wait(60)
        raise error

    with ThreadPoolExecutor() as threads, served(load, files) as server:
        waiting = threads.submit(asked, server.port, "/api/search")
        asked(server.port, "/")
        let.set()
        with suppress(OSError, http.client.HTTPException):
            assert waiting.result(30)[0] == 503
        server.thread.join(30)
        assert server.ended == [error]


def test_who_stops_a_server_waits_for_nothing(files):
    late = Late()
    with ThreadPoolExecutor() as threads, served(late.load, files) as server:
        waiting = threads.submit(asked, server.port, "/api/search")
        assert asked(server.port, "/")[0] == 200
        server.stop()  # while it loads, which nobody lets go on
        with suppress(OSError, http.client.HTTPException):
            assert waiting.result(30)[0] == 503
        server.thread.join(30)
        assert (server.thread.is_alive(), server.ended, late.told) == (False, [], [])
    late.let.set()


def test_what_is_given_early_is_what_is_given_later(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "app", "serve", "--port", str(port)]
    environment = os.environ | {"OMNIA_HOME": str(tmp_path / "home")}
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == f"Omnia is at http://localhost:{port}\n"
            early = asked(port, "/")
            script = "/" + early[1].partition('type="module"')[2].partition('src="./')[2].partition('"')[0]
            early_script = asked(port, script)
            assert asked(port, "/_stcore/health")[:2] == (200, "ok")
            for path, (status, body, headers) in (("/", early), (script, early_script)):
                later = asked(port, path)
                assert (status, body) == later[:2] == (200, later[1])
                del headers["date"], later[2]["date"]
                assert sorted(headers.items()) == sorted(later[2].items())
        finally:
            server.terminate()
            server.wait(30)


def test_no_package_is_read_for_components(tmp_path):
    code = (
        "import asyncio, importlib.metadata\n"
        "import streamlit_app\n"
        "def read(): raise AssertionError('all packages are read')\n"
        "importlib.metadata.distributions = read\n"
        "async def live():\n"
        "    async with streamlit_app.server.lifespan()(streamlit_app.server): pass\n"
        "asyncio.run(live())\n"
        "print('lived')\n"
    )
    environment = os.environ | {"OMNIA_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "lived", done.stderr
    assert "all packages are read" not in done.stderr
