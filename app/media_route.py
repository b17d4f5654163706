"""Media route: files, previews and clips of the library over HTTP, by catalogue number and never by path."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from anyio import CapacityLimiter, from_thread, to_thread
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi import Path as InPath
from fastapi.routing import APIRoute
from starlette.responses import HTMLResponse, Response

from app.clips import LEAD_S, MOST_CUT_S, MOST_PLAYED_S
from app.escaping import safe
from app.media_urls import SHOWN, TEXT
from app.on_disk import OnDisk, on_disk
from app.query import BadQueryError
from app.refused import Refused
from app.sending import ASKED_AGAIN, GUARDED, GUARDED_PDF, KEPT, content, described, sent
from data.errors import MediaError
from data.records import FileState, Kind, Span

if TYPE_CHECKING:
    from app.wiring import Library

_UNSHOWN = "application/octet-stream"
_SIDES = (320, 640, 1280, 2048)  # of previews: few, so that nobody can fill the cache with every size
_WAITING = 16  # requests that hold a thread while their clip is made; more wait without one
_LOOKED_AT_BYTES = 1 << 20  # of a text, to see whether it is UTF-8
_DIGITS = 18  # of a file's number: no database takes larger ones
_CLIP_TYPES = {Kind.VIDEO: "video/mp4", Kind.AUDIO: "audio/mp4"}

_TYPES = sorted({*SHOWN.values(), _UNSHOWN})
_NOTHING = "no such file, it is away, or nothing can be shown of it there; a browser gets a page that says so"
_MISSING: dict[int | str, dict[str, Any]] = {404: {"model": Refused, "description": _NOTHING}}
_PLAYED = (
    "A small MP4 (H.264 and AAC) of a moment, for players that cannot play the file itself. It begins "
    f"{LEAD_S:g} seconds before the moment, or where the file does, and lasts at most {MOST_PLAYED_S:g} seconds."
)

Number = Annotated[str, InPath(description="the file's id in an answer", json_schema_extra={"type": "integer"})]
Seconds = Annotated[float, Query(ge=0, le=1e7, allow_inf_nan=False)]
PageNumber = Annotated[int, Query(ge=1, lt=1_000_000)]
Character = Annotated[int, Query(ge=0, lt=2**31)]
Version = Annotated[str | None, Query(description="of the file, as an answer names it; where given, it may be kept")]


def router(library: Callable[[], Library]) -> APIRouter:
    """What lies below /api beside the questions: bytes, previews, and clips to play or to keep.

    Args:
        library: gives the library when the first request comes.
    """
    routes = APIRouter(tags=["media"], default_response_class=Response, route_class=_ToldInWords)
    limiter = CapacityLimiter(_WAITING)

    def indexed(id: Number) -> OnDisk:
        return _indexed(library(), id)

    asked: Any = Depends(indexed)

    async def made(request: Request, make: Callable[[], Path]) -> Path:
        """What a thread makes once one is free, unless whoever asked for it has left by then."""

        def make_if_awaited() -> Path:
            if from_thread.run(request.is_disconnected):
                raise HTTPException(408, "nobody waits for it any more")
            return make()

        return await to_thread.run_sync(make_if_awaited, limiter=limiter)

    @routes.head("/media/{id}", include_in_schema=False)
    @routes.get("/media/{id}", responses=_MISSING | described("the file", *_TYPES))
    def media(
        request: Request,
        file: OnDisk = asked,
        download: Annotated[str | None, Query(description="where given, it is offered as a download")] = None,
    ) -> Response:
        """A file's bytes, also in part (Range), so that players seek; what could carry scripts is always a download."""
        suffix = file.path.suffix.lower()
        shown = SHOWN.get(suffix)
        return sent(
            request,
            file.path,
            file.status,
            media_type=f"{TEXT}; charset=utf-8" if shown == TEXT and _is_utf8(file.path) else shown or _UNSHOWN,
            headers=(GUARDED_PDF if suffix == ".pdf" else GUARDED) | ASKED_AGAIN,
            name=file.path.name,
            download=shown is None or download is not None,
        )

    @routes.head("/thumb/{id}", include_in_schema=False)
    @routes.get("/thumb/{id}", responses=_MISSING | {200: content("a picture", "image/jpeg")})
    def preview(
        file: OnDisk = asked,
        t: Annotated[Seconds | None, Query(description="of a video: the second")] = None,
        page: Annotated[PageNumber | None, Query(description="of a document, from 1")] = None,
        side: Annotated[int, Query(description=f"longest side in pixels: one of {_SIDES}, or the next of them")] = 640,
        char_start: Annotated[Character | None, Query(description="of a PDF's page: the passage to highlight")] = None,
        char_end: Annotated[Character | None, Query(description="one past the passage's last character")] = None,
        v: Version = None,
    ) -> Response:
        """A JPEG of an image, of a video's frame, or of a document's page with a passage highlighted."""
        span = Span(start_s=None if t is None else round(t, 2), page=page, char_start=char_start, char_end=char_end)
        fitting = next((one for one in _SIDES if one >= side), _SIDES[-1])
        picture = library().previews().picture(file, span, max_side=fitting)
        return Response(picture, media_type="image/jpeg", headers=GUARDED | _for(v))

    @routes.head("/play/{id}", include_in_schema=False)
    @routes.get("/play/{id}", responses=_MISSING | described("a clip", *_CLIP_TYPES.values()), description=_PLAYED)
    async def play(
        request: Request,
        file: OnDisk = asked,
        t: Annotated[Seconds, Query(description="where the moment starts, in seconds")] = 0.0,
        end: Annotated[Seconds | None, Query(description="where it ends")] = None,
        v: Version = None,
    ) -> Response:
        media_type = _clip_type(file)
        if end is not None and end <= t:
            raise BadQueryError("end must come after t")
        clip = await made(request, lambda: library().clips().to_play(file, t, end))
        return sent(request, clip, clip.stat(), media_type=media_type, headers=GUARDED | _for(v))

    @routes.head("/cut/{id}", include_in_schema=False)
    @routes.get(
        "/cut/{id}", responses=_MISSING | described("a clip or a page", *_CLIP_TYPES.values(), "application/pdf")
    )
    async def cut(
        request: Request,
        file: OnDisk = asked,
        t: Annotated[Seconds | None, Query(description="of a recording: where the clip starts, in seconds")] = None,
        end: Annotated[Seconds | None, Query(description=f"where it ends, at most {MOST_CUT_S:g} s later")] = None,
        page: Annotated[PageNumber | None, Query(description="of a PDF, from 1")] = None,
    ) -> Response:
        """A piece of a file as a download: exactly these seconds of a recording, or a page of a PDF."""
        piece = _page(file, page) if page is not None else _stretch(file, t, end)
        clip = await made(request, lambda: library().clips().cut(file, piece.span))
        name = f"{file.path.stem} ({piece.where}){piece.suffix}"
        headers = GUARDED | ASKED_AGAIN
        return sent(request, clip, clip.stat(), media_type=piece.type, headers=headers, name=name, download=True)

    return routes


class _ToldInWords(APIRoute):
    """Tells a person who opens what is missing so on a page; programs, and pictures, get JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        given = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await given(request)
            except (HTTPException, MediaError) as error:
                missing = _missing(error) if isinstance(error, MediaError) else error
                missing.headers = {**(missing.headers or {}), "Vary": "Accept"}
                if "text/html" not in request.headers.get("accept", ""):
                    raise missing from error
                line = f"This cannot be opened: {missing.detail}."
                page = f"<!doctype html><title>Omnia</title><p>{safe(line)}</p>"
                return HTMLResponse(page, missing.status_code, headers=missing.headers)

        return told


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is cut out of a file, and what it becomes."""

    span: Span
    where: str
    type: str
    suffix: str


def _page(file: OnDisk, page: int) -> _Piece:
    if file.record.kind is not Kind.DOCUMENT:
        raise BadQueryError("only a document has pages; give t and end for a recording")
    return _Piece(Span(page=page), f"page {page}", "application/pdf", ".pdf")


def _stretch(file: OnDisk, start_s: float | None, end_s: float | None) -> _Piece:
    media_type = _clip_type(file)
    if start_s is None or end_s is None or round(end_s, 2) <= round(start_s, 2):
        raise BadQueryError("give t and end in seconds, end after t by 0.01 or more")
    start_s, end_s = round(start_s, 2), round(end_s, 2)
    if round(end_s - start_s, 2) > MOST_CUT_S:
        raise BadQueryError(f"a clip lasts at most {MOST_CUT_S:g} s; ask for less")
    last_s = min(end_s, max(start_s, round(file.record.duration_s or end_s, 2)))  # as far as there is anything
    suffix = ".mp4" if file.record.kind is Kind.VIDEO else ".m4a"
    return _Piece(Span(start_s=start_s, end_s=end_s), f"{start_s:.9g}-{last_s:.9g} s", media_type, suffix)


def _clip_type(file: OnDisk) -> str:
    if file.record.kind not in _CLIP_TYPES:
        raise BadQueryError("only a video or a sound has moments to play; of a PDF give a page")
    return _CLIP_TYPES[file.record.kind]


def _indexed(library: Library, number: str) -> OnDisk:
    """The file of a number, if it is in the library and there."""
    is_number = number.isascii() and number.isdigit() and len(number) <= _DIGITS
    record = library.catalogue().file(int(number)) if is_number else None
    if record is None or record.state is not FileState.INDEXED:
        raise HTTPException(404, "no such file in the library; search anew", headers=GUARDED)
    return on_disk(record)


def _missing(error: MediaError) -> HTTPException:
    """What is wrong with a file and what to do, without its path."""
    return HTTPException(404, error.reason + (f" ({error.hint})" if error.hint else ""), headers=GUARDED)


def _for(version: str | None) -> dict[str, str]:
    return KEPT if version is not None else ASKED_AGAIN


def _is_utf8(path: Path) -> bool:
    """Whether the beginning of a text is; a charset that is not told is guessed by the browser."""
    try:
        with path.open("rb") as file:
            head = file.read(_LOOKED_AT_BYTES)
        codecs.getincrementaldecoder("utf-8")().decode(head)  # a character that is cut off is none that is wrong
    except (UnicodeDecodeError, OSError):  # what cannot be read is told when it is sent
        return False
    return True
