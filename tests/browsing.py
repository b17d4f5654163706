"""A real browser and the servers it looks at: what the tests of the page share."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

HERE = Path(__file__).parent
SCREENSHOTS = HERE / "screenshots"
BROWSER = next(
    (
        path
        for path in (
            "/usr/lib/chromium/chromium",
            *map(shutil.which, ("chromium", "chromium-browser", "google-chrome")),
        )
        if path and Path(path).exists()
    ),
    None,
)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--mute-audio"]
MARKS = [
    pytest.mark.browser,
    pytest.mark.flaky(reruns=2),  # on a busy machine a click may fall between two drawings of what it is meant for
    pytest.mark.skipif(BROWSER is None, reason="no chromium here; apt-get install chromium"),
]
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


@contextmanager
def serving(command: Sequence[str | Path], *, log: Path, environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """The address of a page server: a Python file with its arguments, the last of which will be the port."""
    with log.open("wb") as said:
        server, url = _started(command, log, said, environment)
        try:
            yield url
        finally:
            _ended(server)


def _started(
    command: Sequence[str | Path], log: Path, said: IO[bytes], environment: Mapping[str, str]
) -> tuple[subprocess.Popen[bytes], str]:
    """A server that answers, and its address; now and then another process takes the port that was free."""
    for _ in range(3):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        server = subprocess.Popen(
            [sys.executable, *map(str, command), str(port)], stdout=said, stderr=said, env=dict(environment)
        )
        try:
            if _answers(server, url):
                return server, url
        except BaseException:
            _ended(server)
            raise
        _ended(server)
        if f"Port {port} is not available" not in log.read_text():
            break
    raise AssertionError(f"the server does not answer: {log.read_text()}")


def _answers(server: subprocess.Popen[bytes], url: str) -> bool:
    """Wait until a server answers; False when it ends, or does not answer in time."""
    deadline = time.monotonic() + 120
    while server.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).close()
            return True
        except OSError:
            time.sleep(0.25)
    return False


def _ended(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


@contextmanager
def opened(browser, address: str) -> Iterator:
    """The page in a tab of its own, which may ask this machine only."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    try:
        page.set_default_timeout(60_000)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        page.wait_for_selector(".om-welcome")
        page.wait_for_function("window.omnia?.marked")  # the last thing that the scripts make
        yield page
        outside = [url for url in asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))]
        assert outside == [], "the page may ask this machine only"
        assert page.get_by_text("a fault of Omnia").count() == 0
    finally:
        page.close()


def ask(page, words: str) -> None:
    """Type a question and wait for its results."""
    typed(page, words)
    settle(page)


def ask_afresh(page, words: str) -> None:
    """Ask, and take back the thumbs of an attempt at the same test that failed."""
    ask(page, words)
    undo = page.locator(".st-key-undo button")
    if undo.count():
        undo.click()
        undo.wait_for(state="detached")
        settle(page)


def typed(page, words: str) -> None:
    """Type a question and wait until the page has dealt with it, whatever it found."""
    box = page.get_by_placeholder("a dog on a beach")
    box.fill(words)
    box.press("Enter")
    page.wait_for_function("words => new URL(location).searchParams.get('q') == words", arg=words)
    page.wait_for_timeout(300)  # the server is told a moment later
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")


def settle(page) -> None:
    """Wait for the answer, and until nothing on the page is left from what was asked before."""
    page.wait_for_selector(".om-took")
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")


def drop(page, name: str, content: bytes, kind: str) -> None:
    """Drop a file somewhere on the page, away from the drop zone."""
    encoded = base64.b64encode(content).decode()
    page.evaluate(
        """([name, encoded, kind]) => {
            const bytes = Uint8Array.from(atob(encoded), letter => letter.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], name, { type: kind }));
            for (const type of ["dragover", "drop"])
                document.querySelector(".om-header").dispatchEvent(
                    new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer }));
        }""",
        [name, encoded, kind],
    )
