"""Media route: files and previews of the library over HTTP, by catalogue number and never by path."""

from __future__ import annotations

import math
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from data.errors import MediaError
from data.records import FileRecord, FileState, Span

if TYPE_CHECKING:
    from app.wiring import Library

# What a browser may show in place. Anything else (SVG and HTML can carry scripts) is offered as a download.
_SHOWN = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".avif": "image/avif",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/mp4",  # the same boxes; browsers refuse video/quicktime and play this
    ".webm": "video/webm",
    ".mkv": "video/webm",  # as above
    ".ogv": "video/ogg",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
    ".aac": "audio/aac",
    ".pdf": "application/pdf",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".rst": "text/plain; charset=utf-8",
    ".csv": "text/plain; charset=utf-8",
    ".json": "text/plain; charset=utf-8",
    ".srt": "text/plain; charset=utf-8",
    ".vtt": "text/plain; charset=utf-8",
}
_GUARDED = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
_GUARDED_PDF = {key: value for key, value in _GUARDED.items() if key != "Content-Security-Policy"}  # else no viewer
_BIGGEST = 2**63  # numbers of files are smaller, and no database takes larger ones
_SIDES = (320, 640, 1280, 2048)  # of previews: few, so that nobody can fill the cache with every size


def routes(library: Callable[[], Library]) -> list[Route]:
    """The routes to mount beside the page.

    `GET /api/media/{id}` gives a file's bytes (with Range, so that players seek);
    `GET /api/thumb/{id}?t=SECONDS&page=N&side=PIXELS` gives a JPEG of its moment.

    Args:
        library: gives the library when the first request comes.
    """

    async def media(request: Request) -> Response:
        file = await run_in_threadpool(_file, library(), request)
        if file is None:
            return _missing()
        path = Path(file.path)
        try:
            found = await run_in_threadpool(path.stat)
        except OSError:
            return _missing("the file is not there at the moment")
        if not stat.S_ISREG(found.st_mode):
            return _missing("not a plain file")
        shown = _SHOWN.get(path.suffix.lower())
        download = shown is None or "download" in request.query_params
        return FileResponse(
            path,
            headers=_GUARDED if path.suffix.lower() != ".pdf" else _GUARDED_PDF,
            media_type=shown or "application/octet-stream",
            filename=path.name.encode("utf-8", "replace").decode(),
            content_disposition_type="attachment" if download else "inline",
            stat_result=found,
        )

    async def preview(request: Request) -> Response:
        file = await run_in_threadpool(_file, library(), request)
        if file is None:
            return _missing()
        try:
            span, side = _span(request), _side(request)
        except ValueError:
            return PlainTextResponse("t, page and side must be numbers", status_code=400, headers=_GUARDED)
        try:
            picture = await run_in_threadpool(lambda: library().previews().picture(file, span, max_side=side))
        except MediaError as error:
            return _missing(error.reason)
        headers = {**_GUARDED, "Cache-Control": "private, max-age=3600"}
        return Response(picture, media_type="image/jpeg", headers=headers)

    return [Route("/api/media/{id:int}", media), Route("/api/thumb/{id:int}", preview)]


def media_url(file_id: int, *, start_s: float | None = None, end_s: float | None = None) -> str:
    """Where a file's bytes are, as a player wants them: with the moment as a media fragment."""
    url = f"/api/media/{file_id}"
    if start_s is None:
        return url
    return f"{url}#t={start_s:.2f}" + (f",{end_s:.2f}" if end_s is not None else "")


def preview_url(file_id: int, *, start_s: float | None = None, page: int | None = None, side: int = 640) -> str:
    """Where the picture of a moment is."""
    asked = [f"side={side}"]
    if start_s is not None:
        asked.append(f"t={start_s:.2f}")
    if page is not None:
        asked.append(f"page={page}")
    return f"/api/thumb/{file_id}?" + "&".join(asked)


def shown_in_browser(path: str) -> bool:
    """Whether a browser is given the file itself, and not its preview."""
    return Path(path).suffix.lower() in _SHOWN


def _file(library: Library, request: Request) -> FileRecord | None:
    """The file asked for, if it is in the library and the page itself is asking."""
    if from_elsewhere(request):
        return None
    number = request.path_params["id"]
    file = library.catalogue().file(number) if number < _BIGGEST else None
    return file if file and file.state is FileState.INDEXED else None


def from_elsewhere(request: Request) -> bool:
    """Whether a browser says that another site makes it ask."""
    return request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")


def _missing(reason: str = "no such file in the library") -> Response:
    return PlainTextResponse(reason, status_code=404, headers=_GUARDED)


def _span(request: Request) -> Span:
    start_s = request.query_params.get("t")
    page = request.query_params.get("page")
    seconds = None if start_s is None else round(float(start_s), 2)
    number = None if page is None else int(page)
    if (seconds is not None and not (math.isfinite(seconds) and seconds >= 0)) or (
        number is not None and not 1 <= number < 1_000_000
    ):
        raise ValueError
    return Span(start_s=seconds, page=number)


def _side(request: Request) -> int:
    asked = int(request.query_params.get("side", "640"))
    return next((side for side in _SIDES if side >= asked), _SIDES[-1])
