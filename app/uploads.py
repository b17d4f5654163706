"""Uploads: the files that come with a question, none larger than allowed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from shutil import copyfileobj

from fastapi import HTTPException, Request, UploadFile
from fastapi.routing import APIRoute
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from app.escaping import harmless_name

MOST_FILES = 8
_MOST_FIELDS = 100
_FIELD_BYTES = 100_000  # of words
_SILENCE_S = 5  # after a refusal: a sender that sends no more
_LONGEST_PARTING_S = 30  # and one that does not stop


def limited(most_mb: Callable[[], int]) -> type[APIRoute]:
    """The class of routes that take forms, where no file may have more than so many units of 1,048,576 bytes.

    What is larger is refused with 413 as soon as that much of it has come; the rest is dropped as it comes, for half
    a minute at most.
    """

    class LimitedRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
            answer = super().get_route_handler()

            async def answer_limited(request: Request) -> Response:
                try:
                    return await answer(_LimitedRequest(request, most_mb()))
                except _TooLargeError as error:
                    return _Parting({"error": error.detail}, 413)

            return answer_limited

    return LimitedRoute


def kept(files: Sequence[UploadFile], folder: Path) -> list[Path]:
    """The files written below a folder, each under its own name as far as that is one."""
    paths = []
    for number, file in enumerate(files):
        path = folder / str(number) / harmless_name(file.filename or "")
        path.parent.mkdir()
        with path.open("wb") as copy:
            copyfileobj(file.file, copy, 1 << 20)
        paths.append(path)
    return paths


class _TooLargeError(HTTPException):
    """More has come of a file than is allowed."""


class _Parting(JSONResponse):
    """The last answer of a connection, which may be read while the other end is still sending.

    A socket that is closed with bytes unread is reset, and the answer with it is lost (RFC 9112, 9.6): so the answer
    goes out, and what still comes is dropped until there is silence.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_open(message: Message) -> None:
            if message["type"] == "http.response.body":
                message["more_body"] = True
            await send(message)

        self.headers["Connection"] = "close"
        await super().__call__(scope, receive, send_open)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_PARTING_S):
                while (await asyncio.wait_for(receive(), _SILENCE_S)).get("more_body", False):
                    pass
        await send({"type": "http.response.body", "body": b""})


class _LimitedRequest(Request):
    """A request whose form is read no further than it may go."""

    def __init__(self, request: Request, most_mb: int) -> None:
        super().__init__(request.scope, request.receive, request._send)
        self._most_mb = most_mb

    async def form(self, **_: int | float) -> FormData:  # type: ignore[override]  # FastAPI awaits it, no more
        if not self.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            return await super().form(max_fields=_MOST_FIELDS, max_part_size=_FIELD_BYTES)
        async with aclosing(self.stream()) as stream:
            try:
                self._form = await _LimitedParser(self, stream, self._most_mb).parse()
            except MultiPartException as error:
                raise HTTPException(400, error.message) from error
        return self._form


class _LimitedParser(MultiPartParser):
    """Counts what comes of each file."""

    def __init__(self, request: Request, stream: AsyncGenerator[bytes, None], most_mb: int) -> None:
        super().__init__(
            request.headers, stream, max_files=MOST_FILES, max_fields=_MOST_FIELDS, max_part_size=_FIELD_BYTES
        )
        self._most_mb = most_mb
        self._size = 0

    def on_part_begin(self) -> None:
        super().on_part_begin()
        self._size = 0

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        super().on_part_data(data, start, end)
        self._size += end - start
        if self._size > self._most_mb << 20:
            line = f"a file is larger than {self._most_mb} MB; send a smaller one, or set OMNIA_MAX_UPLOAD_MB"
            raise _TooLargeError(413, line)
