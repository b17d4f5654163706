"""Sending: a file over HTTP, whole or in part, with headers that leave it no power in the browser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import stat_result
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.escaping import harmless
from app.media_urls import MEDIA

GUARDED = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
GUARDED_PDF = {key: value for key, value in GUARDED.items() if key != "Content-Security-Policy"}  # else no viewer
KEPT = {"Cache-Control": "private, max-age=3600"}  # where the address says of which version of the file it is
ASKED_AGAIN = {"Cache-Control": "private, no-cache"}
_RANGE = re.compile(r"(?P<first>[0-9]{1,18})-(?P<last>[0-9]{1,18})?|-(?P<tail>[0-9]{1,18})")


class Unpacked:
    """Has the bytes of media sent as they are, whatever packs the other answers: what is packed on the way has no
    length and no ranges, and would bear the ETag of the bytes as they are.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(MEDIA):
            scope = {**scope, "headers": [each for each in scope["headers"] if each[0] != b"accept-encoding"]}
        await self._app(scope, receive, send)


def sent(
    request: Request,
    path: Path,
    status: stat_result,
    *,
    media_type: str,
    headers: Mapping[str, str],
    name: str | None = None,
    download: bool = False,
) -> Response:
    """A plain file, or the ranges of it that are asked for; 304 where the browser has it already.

    Args:
        media_type: with its charset, where that is known.
        status: of the file, as it was just now.
        name: to keep it under.
        download: to be kept and not shown.
    """
    named = {} if name is None else {"Content-Disposition": _disposition(name, download=download)}
    typed = {"Content-Type": media_type}  # as a header, or a charset would be added to it
    response = FileResponse(path, headers={**headers, **named, **typed}, media_type=media_type, stat_result=status)
    if _has_it(request, response):
        also = {key: response.headers[key] for key in ("etag", "last-modified")}
        return Response(status_code=304, headers={**headers, **also})
    asked = _ranges(request.headers.get("range", ""), status.st_size)
    others = [each for each in request.scope["headers"] if each[0] != b"range"]
    request.scope["headers"] = others + ([(b"range", asked.encode())] if asked else [])
    return response


def _has_it(request: Request, response: FileResponse) -> bool:
    """Whether the browser says that it has the file as it is (RFC 9110, 13.2.2)."""
    tags = request.headers.get("if-none-match")
    if tags is None:
        return request.headers.get("if-modified-since") == response.headers["last-modified"]
    known = [tag.strip().removeprefix("W/") for tag in tags.split(",")]
    return "*" in known or response.headers["etag"] in known


def _ranges(asked: str, size_bytes: int) -> str:
    """A Range header less the ranges that nothing is in, where another has something; "" for one that is to be ignored,
    since it is malformed or of another unit (RFC 9110, 14.2).
    """
    unit, _, given = asked.partition("=")
    ranges = [_RANGE.fullmatch(part.strip()) for part in given.split(",") if part.strip()]
    if unit.strip().lower() != "bytes" or not all(ranges):
        return ""
    found = [one for one in ranges if one]
    if any(one["last"] and int(one["last"]) < int(one["first"]) for one in found):
        return ""
    met = [one for one in found if (int(one["first"]) < size_bytes if one["first"] else int(one["tail"]) > 0)]
    return "bytes=" + ",".join(one[0] for one in met or found) if found else ""


def described(what: str, *media_types: str) -> dict[int | str, dict[str, Any]]:
    """What `sent` may answer, as OpenAPI has it."""
    found = content(what, *media_types)
    return {
        200: found,
        206: found | {"description": f"the ranges of {what} that were asked for"},
        304: {"description": "the ETag of If-None-Match is still that of the file"},
        416: {"description": "nothing is there to be in the range"},
    }


def content(what: str, *media_types: str) -> dict[str, Any]:
    """A body of bytes, as OpenAPI has it."""
    schema = {"schema": {"type": "string", "format": "binary"}}
    return {"description": what, "content": dict.fromkeys(media_types, schema)}


def _disposition(name: str, *, download: bool) -> str:
    """The header that says under which name to keep a file (RFC 6266): for old programs in ASCII, then as it is."""
    name = harmless(name)
    plain = "".join(letter if letter.isascii() and letter not in '";%' else "_" for letter in name)
    told = f'{"attachment" if download else "inline"}; filename="{plain}"'
    return told if plain == name else f"{told}; filename*=UTF-8''{quote(name, safe='')}"
