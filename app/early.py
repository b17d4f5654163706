"""Early: what a browser reads first is given while the rest of the server is still being imported."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any, Protocol

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from app.guard import OwnPages

_BUILT = "/static/"  # below it lie files whose names change with what is in them
_FOREVER, _ASKED_AGAIN = "public, immutable, max-age=31536000", "no-cache"  # as the server itself says of them


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
        stop: called where the app cannot be loaded or begun; `error` says why.
    """

    def __init__(
        self, load: Callable[[], Loaded], *, files: Path, hosts: Collection[str], stop: Callable[[], None]
    ) -> None:
        mimetypes.add_type("application/javascript", ".js")  # a system may say otherwise, and no browser would run it
        self.error: Exception | SystemExit | None = None
        self._load = load
        self._hosts = hosts
        self._stop = stop
        self._early = OwnPages(StaticFiles(directory=files, html=True))
        self._decided = asyncio.Event()  # the app is there, or never will be
        self._over = asyncio.Event()
        self._app: Loaded | None = None

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
            app = await to_thread.run_sync(self._load)
            async with app.lifespan()(app):
                self._app = app
                self._decided.set()
                await self._over.wait()
        except (Exception, SystemExit) as error:  # whatever it is, who serves must hear of it
            self.error = error
            self._stop()
        finally:
            self._decided.set()

    def _is_early(self, scope: Scope) -> bool:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return False
        name = Headers(scope=scope).get("host", "").rpartition(":")[0]
        return name in self._hosts and (scope["path"] == "/" or scope["path"].startswith(_BUILT))


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
        await PlainTextResponse("the server could not start", status_code=503)(scope, receive, send)
