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
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from app.binding import listening
from app.early import Early

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
def served(load, files: Path, *, hosts=("127.0.0.1",)) -> Iterator[tuple[Early, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    early = Early(load, files=files, hosts=set(hosts), stop=lambda: setattr(server, "should_exit", True))
    server = uvicorn.Server(uvicorn.Config(early, log_level="error"))
    with listening("127.0.0.1", port) as bound:
        thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
        thread.start()
        try:
            yield early, port
        finally:
            server.should_exit = True
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
    with served(late.load, files) as (_, port):
        status, body, headers = asked(port, "/?q=dog")
        assert (status, body, headers["cache-control"]) == (200, "<html>early</html>", "no-cache")
        assert headers["content-security-policy"] == "frame-ancestors 'self'"
        status, body, headers = asked(port, "/static/index.a1.js")
        assert (status, body) == (200, "early()")
        assert headers["content-type"].startswith("application/javascript")
        assert "immutable" in headers["cache-control"]
        assert asked(port, "/", method="HEAD")[:2] == (200, "")
        late.let.set()


def test_all_else_waits_and_is_answered(files):
    late = Late()
    with ThreadPoolExecutor() as threads, served(late.load, files) as (_, port):
        waiting: list[tuple[str, Future]] = [
            (f"late {method} {path}", threads.submit(asked, port, path, method=method, host=host))
            for method, path, host in (
                ("GET", "/api/search", None),
                ("GET", "/_stcore/health", None),
                ("GET", "/static/gone.js", None),
                ("GET", "/static/../../secret", None),
                ("GET", "/static//../../secret", None),
                ("GET", "/static//etc/passwd", None),
                ("POST", "/", None),
                ("GET", "/", f"elsewhere:{port}"),
            )
        ]
        asked(port, "/")
        time.sleep(0.3)
        assert not any(answer.done() for _, answer in waiting)
        late.let.set()
        for expected, answer in waiting:
            assert answer.result(30)[:2] == (200, expected)
        assert asked(port, "/")[1] == "late GET /", "who is there decides"
        assert late.told == ["begun"]
    assert late.told == ["begun", "ended"]


def test_where_a_token_is_needed_nothing_is_early(files):
    late = Late()
    with served(late.load, files, hosts=()) as (_, port):
        with pytest.raises(TimeoutError):
            asked(port, "/", timeout=0.5)
        late.let.set()
        assert asked(port, "/")[1] == "late GET /"


def test_what_cannot_be_loaded_ends_the_server_and_says_why(files):
    let = threading.Event()

    def load():
        let.wait(60)
        raise ValueError("no such module")

    with ThreadPoolExecutor() as threads, served(load, files) as (early, port):
        waiting = threads.submit(asked, port, "/api/search")
        asked(port, "/")
        let.set()
        with suppress(OSError, http.client.HTTPException):
            assert waiting.result(30)[0] == 503
        deadline = time.monotonic() + 30
        while not isinstance(early.error, ValueError):
            assert time.monotonic() < deadline
            time.sleep(0.01)


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
