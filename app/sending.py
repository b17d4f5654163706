"""Sending: a file over HTTP, whole or in part, with headers that leave it no power in the browser."""

from __future__ import annotations

from collections.abc import Mapping
from os import stat_result
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from app.escaping import harmless

GUARDED = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
GUARDED_PDF = {key: value for key, value in GUARDED.items() if key != "Content-Security-Policy"}  # else no viewer
KEPT = {"Cache-Control": "private, max-age=3600"}  # where the address says of which version of the file it is
ASKED_AGAIN = {"Cache-Control": "private, no-cache"}


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
        status: of the file, as it was just now.
        name: to keep it under.
        download: to be kept and not shown.
    """
    named = {} if name is None else {"Content-Disposition": _disposition(name, download=download)}
    response = FileResponse(path, headers={**headers, **named}, media_type=media_type, stat_result=status)
    known = request.headers.get("if-none-match", "")
    if response.headers["etag"] in [tag.strip().removeprefix("W/") for tag in known.split(",")]:
        also = {key: response.headers[key] for key in ("etag", "last-modified")}
        return Response(status_code=304, headers={**headers, **also})
    return response


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
