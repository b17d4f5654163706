"""API: the library over HTTP for other programs, described by /api/openapi.json; its media are `app/media_route.py`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, File, Form, HTTPException, Request, UploadFile
from fastapi import Query as Asked
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel
from starlette.exceptions import HTTPException as Refusal

from app import media_route
from app.asking import Example, answered, joined
from app.cards import has_picture
from app.escaping import readable
from app.grammar import understood
from app.media_urls import media_url, preview_url
from app.query import DEFAULT_LIMIT, BadQueryError, FilePart, Filters, SegmentPart
from app.refused import Refused
from app.results import Band
from app.uploads import MOST_FILES, kept, limited
from data.errors import MediaError, OmniaError
from data.records import Evidence, Kind

if TYPE_CHECKING:
    from app.results import Result
    from app.wiring import Library

_MOST_RESULTS = 500
_WEIGHTS = (
    "how much each counts: the words, if any, then each file, then each `like`; 1 where none is given. "
    "Below 0: it should not be like that"
)
_TOKEN = HTTPBearer(  # says so in the description; the guard is who asks for it
    auto_error=False,
    scheme_name="token",
    description="OMNIA_TOKEN, or the one named at the start; needed where more than this machine is served",
)


class MomentFound(BaseModel):
    """A place in a file that matched, best first; seconds, pages from 1, characters of the page or the file."""

    evidence: Evidence
    start_s: float | None
    end_s: float | None
    page: int | None
    char_start: int | None
    char_end: int | None
    snippet: str
    score: float
    segment: UUID


class FileFound(BaseModel):
    """A file that matched. `score` estimates, from 0 to 1, how likely it is what was asked for; `band` names it."""

    id: int
    path: str
    kind: Kind
    score: float
    band: Band
    moments: list[MomentFound]
    other_paths: list[str]
    same: bool
    duration_s: float | None
    media: str
    thumb: str | None


class Found(BaseModel):
    """The files that answer a question, best first; `hints` tell what of it was not understood.

    To filters alone the files answer that changed last, with a score of 0.
    """

    results: list[FileFound]
    took_ms: dict[str, float]
    cut: bool
    hints: list[str] = []


Words = Annotated[str, Asked(description="words and tokens, as in the page's box")]
Kinds = Annotated[list[Kind], Asked(description="kinds of file; any by default")]
Unlike = Annotated[list[str], Asked(description="words for what it should not be like")]
Like = Annotated[list[UUID], Asked(description="moments that an answer named, by their `segment`")]
Weights = Annotated[list[float], Asked(description=_WEIGHTS)]
Limit = Annotated[int, Asked(ge=1, le=_MOST_RESULTS, description="most files")]


def api(library: Callable[[], Library]) -> FastAPI:
    """The application to mount at /api.

    Args:
        library: gives the library when the first request comes.
    """
    app = FastAPI(
        title="Omnia",
        summary="Find anything in a folder of mixed media by anything.",
        description=(
            "Where the server is bound to more than this machine, every request brings its token: "
            "`Authorization: Bearer TOKEN`."
        ),
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        dependencies=[Depends(_asked_by_us), Depends(_TOKEN)],
        responses={status: {"model": Refused} for status in (400, 401, 403, 422, 503)},
    )
    app.include_router(media_route.router(library))
    uploading = APIRouter(route_class=limited(lambda: library().settings.max_upload_mb))

    @app.get("/search", dependencies=[Depends(_known_parameters)])
    def search(
        q: Words = "",
        like: Like = [],  # noqa: B006
        weight: Weights = [],  # noqa: B006
        kind: Kinds = [],  # noqa: B006
        unlike: Unlike = [],  # noqa: B006
        limit: Limit = DEFAULT_LIMIT,
    ) -> Found:
        """The files that words find, or moments of the library, or both together."""
        examples = [SegmentPart(segment) for segment in like]
        return _found(library(), q, kinds=kind, unlike=unlike, limit=limit, examples=examples, weights=weight)

    @uploading.post("/search", dependencies=[Depends(_known_parameters)], responses={413: {"model": Refused}})
    def search_by_example(
        files: Annotated[list[UploadFile], File(description="photos, sounds, clips, documents", max_length=MOST_FILES)],
        q: Annotated[str, Form()] = "",
        like: Annotated[list[UUID], Form()] = [],  # noqa: B006
        weight: Annotated[list[float], Form(description=_WEIGHTS)] = [],  # noqa: B006
        kind: Annotated[list[Kind], Form()] = [],  # noqa: B006
        unlike: Annotated[list[str], Form()] = [],  # noqa: B006
        limit: Annotated[int, Form(ge=1, le=_MOST_RESULTS)] = DEFAULT_LIMIT,
    ) -> Found:
        """The files that examples find, with words or without; an example is forgotten once it is answered."""
        with tempfile.TemporaryDirectory(prefix="omnia-") as folder:
            examples: list[Example] = [FilePart(path) for path in kept(files, Path(folder))]
            examples += [SegmentPart(segment) for segment in like]
            return _found(library(), q, kinds=kind, unlike=unlike, limit=limit, examples=examples, weights=weight)

    app.include_router(uploading)

    @app.get("/similar/{segment}", dependencies=[Depends(_known_parameters)])
    def similar(segment: UUID, kind: Kinds = [], limit: Limit = DEFAULT_LIMIT) -> Found:  # noqa: B006
        """The files most like a moment that an answer named; no model is asked."""
        return _found(library(), "", kinds=kind, limit=limit, examples=[SegmentPart(segment)])

    @app.exception_handler(OmniaError)
    def refuse(request: Request, error: OmniaError) -> JSONResponse:
        status = 400 if isinstance(error, BadQueryError | MediaError) else 503
        line = str(error)
        if isinstance(error, MediaError):  # its path is one of ours, which tells nobody anything
            line = f"{Path(error.path).name}: {error.reason}" + (f" ({error.hint})" if error.hint else "")
        return JSONResponse({"error": readable(line)}, status_code=status)

    @app.exception_handler(Refusal)
    def tell(request: Request, refusal: Refusal) -> JSONResponse:
        return JSONResponse({"error": refusal.detail}, status_code=refusal.status_code, headers=refusal.headers)

    @app.exception_handler(RequestValidationError)
    def correct(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"][1:])
        return JSONResponse({"error": f"{where}: {first['msg']}"}, status_code=422)

    return app


def _found(
    library: Library,
    typed: str,
    *,
    kinds: Sequence[Kind],
    limit: int,
    unlike: Sequence[str] = (),
    examples: Sequence[Example] = (),
    weights: Sequence[float] = (),
) -> Found:
    asked = understood(typed, Filters(kinds=frozenset(kinds)))
    question = joined(asked, avoid=unlike, examples=examples, weights=weights)
    answer = answered(library, question, limit=limit)
    told: dict[str, Any] = answer.to_json()
    for result, each in zip(answer.results, told["results"], strict=True):
        each |= _addresses(result)
    return Found(**told, hints=[*question.hints, *answer.hints])


def _addresses(result: Result) -> dict[str, str | None]:
    """Where the file is, and a picture of its best moment where it has one."""
    best, version = result.moments[0], result.version
    picture = preview_url(result.id, version=version, start_s=best.start_s, page=best.page, passage=best.passage)
    return {"media": media_url(result.id, start_s=best.start_s), "thumb": picture if has_picture(result) else None}


def _known_parameters(request: Request) -> None:
    """Refuse a parameter that the route does not know: a slip of the pen would go unnoticed.

    The routes of media let them be, for pictures name the version of their file to the browser's cache.
    """
    route = request.scope["route"].dependant
    form = getattr(request, "_form", None) or ()  # which FastAPI has read by now
    for given, fields, what in (
        (request.query_params, route.query_params, "parameter"),
        (form, route.body_params, "field of the form"),
    ):
        known = [field.alias for field in fields]
        for name in given:
            if name not in known:
                use = f"use {', '.join(known)}" if known else "with POST all goes in the form (curl -F)"
                raise HTTPException(422, f"unknown {what} {readable(name)!r}; {use}")


def _asked_by_us(request: Request) -> None:
    """Refuse what a browser says that another site makes it ask."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "another site may not ask here")
