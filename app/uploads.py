"""Uploads: the files that come with a question, none larger than allowed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, aclosing, contextmanager, suppress
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory

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
_SAID = {  # for what the parser says, by how it begins
    "Too many files": f"give at most {MOST_FILES} files",
    "Too many fields": f"give at most {_MOST_FIELDS} fields besides the files",
    "Part exceeded": f"a field has more than {_FIELD_BYTES:,} bytes; give a long text as a file",
}
_UNREADABLE = "the form cannot be read or is cut off; send it whole, as multipart/form-data (curl -F)"
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


@contextmanager
def kept(files: Sequence[UploadFile]) -> Iterator[list[Path]]:
    """The files on disk, each under its own name as far as that is one, until the block is left."""
    with ExitStack() as stack:
        with _room():
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="omnia-")))
            paths = [_written(file, folder / str(number)) for number, file in enumerate(files)]
        yield paths


def _written(file: UploadFile, folder: Path) -> Path:
    path = folder / harmless_name(file.filename or "")
    folder.mkdir()
    with path.open("wb") as copy:
        copyfileobj(file.file, copy, 1 << 20)
    return path


@contextmanager
def _room() -> Iterator[None]:
    """Says what to do where the temporary folder takes nothing more."""
    try:
        yield
    except OSError as error:
        why = error.strerror or error
        line = f"no example can be kept in the temporary folder: {why}; make room there, or set TMPDIR to another one"
        raise HTTPException(503, line) from error


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
            parser = _LimitedParser(self, stream, self._most_mb)
            try:
                with _room():
                    self._form = await parser.parse()
            except MultiPartException as error:
                said = [line for start, line in _SAID.items() if error.message.startswith(start)]
                raise HTTPException(400, said[0] if said else _UNREADABLE) from error
        if not parser.is_whole:
            await self._form.close()
            raise HTTPException(400, _UNREADABLE)
        return self._form


class _LimitedParser(MultiPartParser):
    """Counts what comes of each file, and sees whether the form ends."""

    def __init__(self, request: Request, stream: AsyncGenerator[bytes, None], most_mb: int) -> None:
        super().__init__(
            request.headers, stream, max_files=MOST_FILES, max_fields=_MOST_FIELDS, max_part_size=_FIELD_BYTES
        )
        self._most_mb = most_mb
        self._size = 0
        self.is_whole = False

    def on_end(self) -> None:
        self.is_whole = True

    def on_part_begin(self) -> None:
        super().on_part_begin()
        self._size = 0

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        super().on_part_data(data, start, end)
        self._size += end - start
        if self._size > self._most_mb << 20:
            line = f"a file is larger than {self._most_mb} MB; send a smaller one, or set OMNIA_MAX_UPLOAD_MB"
            raise _TooLargeError(413, line)
