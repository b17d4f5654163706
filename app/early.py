"""Early: what a browser reads first is given while the rest of the server is still being imported."""

from __future__ import annotations

import asyncio
import logging
import mimetypes
import re
from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from socket import socket
from threading import Thread
from typing import Any, Protocol

import uvicorn
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from app.guard import OwnPages

_BUILT = "/static/"  # below it lie files whose names change with what is in them
_PLAIN = re.compile(rf"/|{_BUILT}(?:\w[\w.-]*/)*\w[\w.-]*")  # no path of another form is that of a file of the page
_PORT = re.compile(r":\d*$")
_FOREVER, _ASKED_AGAIN = "public, immutable, max-age=31536000", "no-cache"  # as the server itself says of them
_LOOK_S = 0.1  # how often a server that is loading looks whether it is to stop
_SOCKETS: dict[str, Any] = {  # as Streamlit has them
    "ws": "websockets-sansio",
    "ws_per_message_deflate": False,
    "ws_ping_interval": 30,
    "ws_ping_timeout": 30,
    "ws_max_size": 200 << 20,
}


class Loaded(Protocol):
    """The server that is waited for: an ASGI app, and what begins and ends it."""

    def lifespan(self) -> Callable[[Any], AbstractAsyncContextManager[None]]: ...

    def __call__(self, scope: Scope, receive: Receive, send: Send, /) -> Awaitable[None]: ...


class Early:
    """An ASGI app that stands before another and loads it: the files of the page are given at once, all else waits.

    A browser takes as long to read them as the server takes to be imported, so that both are done in the time of one.
    They come with the library that draws the page and are the same for everybody.

    Args:
        load: gives the app; it runs in a thread of its own.
        files: folder of `index.html` and `static/`.
        hosts: whoever asks by one of these names gets them early; by another, the app decides once it is there.
    """

    def __init__(self, load: Callable[[], Loaded], *, files: Path, hosts: Collection[str]) -> None:
        for suffix, kind in ((".js", "application/javascript"), (".css", "text/css"), (".html", "text/html")):
            mimetypes.add_type(kind, suffix)  # a system may say otherwise, and no browser would take them
        self._load = load
        self._hosts = hosts
        self._early = OwnPages(StaticFiles(directory=files, html=True))
        self._decided = asyncio.Event()  # the app is there, or never will be
        self._over = asyncio.Event()
        self._app: Loaded | None = None
        self._error: BaseException | None = None
        self._server = uvicorn.Server(uvicorn.Config(self, access_log=False, use_colors=False, **_SOCKETS))
        for name in ("uvicorn.access", "uvicorn.error"):  # whatever levels and handlers Streamlit gives them
            logging.getLogger(name).addFilter(lambda record: record.levelno >= logging.WARNING)

    def run(self, bound: socket) -> None:
        """Serve on a socket until a signal ends it, which then takes its usual way.

        Raises:
            Exception: whatever `load`, or the beginning or the end of the app, raised.
        """
        self._server.run(sockets=[bound])
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """End serving, from whatever thread."""
        self._server.should_exit = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if not self._decided.is_set() and self._is_early(scope):
            with suppress(HTTPException):  # there is no such file, which is for the app to say
                await self._early(scope, receive, _kept(scope, send))
                return
        await self._decided.wait()
        await (self._app or _gone)(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        served = asyncio.create_task(self._serve())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._over.set()
        await served
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self) -> None:
        """From loading the app to its end."""
        try:
            app = await self._when_loaded()
            if app is not None:
                async with app.lifespan()(app):
                    self._app = app
                    self._decided.set()
                    await self._over.wait()
        except (Exception, SystemExit) as error:  # whatever it is, who serves must hear of it
            self._error = error
            self.stop()
        finally:
            self._decided.set()

    async def _when_loaded(self) -> Loaded | None:
        """The app; None where the server is to stop before it is there: nobody waits for an import that hangs."""
        loop = asyncio.get_running_loop()
        loaded: asyncio.Future[Loaded] = loop.create_future()

        def load() -> None:
            try:
                loop.call_soon_threadsafe(loaded.set_result, self._load())
            except BaseException as error:
                with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(loaded.set_exception, error)

        Thread(target=load, name="load", daemon=True).start()
        while not loaded.done() and not self._server.should_exit:
            await asyncio.wait([loaded], timeout=_LOOK_S)
        return None if self._server.should_exit else loaded.result()

    def _is_early(self, scope: Scope) -> bool:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return False
        name = _PORT.sub("", Headers(scope=scope).get("host", ""))
        return name in self._hosts and _PLAIN.fullmatch(scope["path"]) is not None


def _kept(scope: Scope, send: Send) -> Send:
    """Says of a file how long a browser may keep it, for what is not said at the first visit is asked at the next."""

    async def send_kept(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] < 300:
            kept = _FOREVER if scope["path"].startswith(_BUILT) else _ASKED_AGAIN
            MutableHeaders(scope=message)["Cache-Control"] = kept
        await send(message)

    return send_kept


async def _gone(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1013})
    else:
        await PlainTextResponse("the server does not start", status_code=503)(scope, receive, send)
