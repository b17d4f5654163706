"""API: the library over HTTP for other programs, described by /api/openapi.json; its media are `app/media_route.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_origin
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, File, Form, HTTPException, Request, UploadFile
from fastapi import Query as Asked
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException as Refusal
from starlette.routing import Match

from app import media_route
from app.asking import Example, answered, joined, why_nothing
from app.cards import has_picture
from app.escaping import readable
from app.grammar import understood
from app.media_urls import media_url, preview_url
from app.query import DEFAULT_LIMIT, BadQueryError, FilePart, Filters, SegmentPart
from app.refused import Refused
from app.results import Band
from app.uploads import MOST_FILES, kept, limited
from data.errors import MediaError, OmniaError, fault
from data.records import Evidence, Kind

if TYPE_CHECKING:
    from app.results import Result
    from app.wiring import Library

_MOST_RESULTS = 500
_MOST_VALUES = 100  # of one parameter; a form has no more fields
_WORDS = "words and tokens, as in the page's box"
_KINDS = "kinds of file; any by default"
_UNLIKE = "words for what it should not be like"
_LIKE = "moments that an answer named, by their `segment`"
_LIMIT = "most files"
_WEIGHTS = (
    "how much each counts, from -10 to 10: the words, if any, then {}each `like`; 1 where none is given. "
    "Below 0: it should not be like that"
)
_SEE = "/api/openapi.json describes what can be asked"
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
    """The files that answer a question, best first; `hints` tell what of it was not understood, or why nothing answers.

    To filters alone the files answer that changed last, with a score of 0.
    """

    results: list[FileFound]
    took_ms: dict[str, float]
    cut: bool
    hints: list[str] = []


Words = Annotated[str, Asked(description=_WORDS)]
Kinds = Annotated[list[Kind], Asked(max_length=_MOST_VALUES, description=_KINDS)]
Unlike = Annotated[list[str], Asked(max_length=_MOST_VALUES, description=_UNLIKE)]
Like = Annotated[list[UUID], Asked(max_length=_MOST_VALUES, description=_LIKE)]
Weights = Annotated[list[float], Asked(max_length=_MOST_VALUES, description=_WEIGHTS.format(""))]
Limit = Annotated[int, Asked(ge=1, le=_MOST_RESULTS, description=_LIMIT)]


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
        dependencies=[Depends(_TOKEN)],
        responses={status: {"model": Refused} for status in (400, 401, 403, 405, 422, 500, 503)},
    )
    app.include_router(media_route.router(library))
    uploading = APIRouter(route_class=limited(lambda: library().settings.max_upload_mb))

    @app.head("/search", dependencies=[Depends(_known_parameters)], include_in_schema=False)
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
        q: Annotated[str, Form(description=_WORDS)] = "",
        like: Annotated[list[UUID], Form(description=_LIKE)] = [],  # noqa: B006
        weight: Annotated[list[float], Form(description=_WEIGHTS.format("each file, then "))] = [],  # noqa: B006
        kind: Annotated[list[Kind], Form(description=_KINDS)] = [],  # noqa: B006
        unlike: Annotated[list[str], Form(description=_UNLIKE)] = [],  # noqa: B006
        limit: Annotated[int, Form(ge=1, le=_MOST_RESULTS, description=_LIMIT)] = DEFAULT_LIMIT,
    ) -> Found:
        """The files that examples find, with words or without; an example is forgotten once it is answered."""
        with kept(files) as paths:
            examples: list[Example] = [FilePart(path) for path in paths]
            examples += [SegmentPart(segment) for segment in like]
            return _found(library(), q, kinds=kind, unlike=unlike, limit=limit, examples=examples, weights=weight)

    app.include_router(uploading)

    @app.head("/similar/{segment}", dependencies=[Depends(_known_parameters)], include_in_schema=False)
    @app.get("/similar/{segment}", dependencies=[Depends(_known_parameters)], responses={404: {"model": Refused}})
    def similar(segment: UUID, kind: Kinds = [], limit: Limit = DEFAULT_LIMIT) -> Found:  # noqa: B006
        """The files most like a moment that an answer named; no model is asked."""
        try:
            return _found(library(), "", kinds=kind, limit=limit, examples=[SegmentPart(segment)])
        except BadQueryError as error:  # all else of the question is right
            raise HTTPException(404, str(error)) from error

    @app.exception_handler(OmniaError)
    def refuse(request: Request, error: OmniaError) -> JSONResponse:
        status = 400 if isinstance(error, BadQueryError | MediaError) else 503
        line = str(error)
        if isinstance(error, MediaError):  # its path is one of ours, which tells nobody anything
            line = f"{Path(error.path).name}: {error.reason}" + (f" ({error.hint})" if error.hint else "")
        return JSONResponse({"error": readable(line)}, status_code=status)

    @app.exception_handler(Refusal)
    def tell(request: Request, refusal: Refusal) -> JSONResponse:
        line, headers = refusal.detail, dict(refusal.headers or {})
        if refusal.status_code == HTTPStatus.METHOD_NOT_ALLOWED:  # the router knows but one route's methods
            headers["Allow"] = _methods(app, request)
        if line == HTTPStatus(refusal.status_code).phrase:
            line = f"{line}; {_SEE}"
        return JSONResponse({"error": line}, status_code=refusal.status_code, headers=headers)

    @app.exception_handler(RequestValidationError)
    def correct(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"][1:])
        line = f"{where}: {first['msg']}"
        if where.split(".")[0] == "files":
            line = "files: send a file, as in curl -F files=@hum.wav; without one ask with GET"
        return JSONResponse({"error": line}, status_code=422)

    @app.exception_handler(Exception)
    def confess(request: Request, error: Exception) -> JSONResponse:
        line = fault(error)
        return JSONResponse({"error": line}, status_code=500)

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
    hints = [*question.hints, *answer.hints, *why_nothing(library, question, answer)]
    told: dict[str, Any] = answer.to_json()
    for result, each in zip(answer.results, told["results"], strict=True):
        each |= _addresses(result)
    return Found(**told, hints=hints)


def _addresses(result: Result) -> dict[str, str | None]:
    """Where the file is, and a picture of its best moment where it has one."""
    best, version = result.moments[0], result.version
    picture = preview_url(result.id, version=version, start_s=best.start_s, page=best.page, passage=best.passage)
    return {"media": media_url(result.id, start_s=best.start_s), "thumb": picture if has_picture(result) else None}


def _known_parameters(request: Request) -> None:
    """Refuse a parameter that the route does not know, or one that is no list and is given twice.

    A slip of the pen would go unnoticed. The routes of media let them be.
    """
    route = request.scope["route"].dependant
    form = getattr(request, "_form", None) or FormData()  # which FastAPI has read by now
    for given, fields, what in (
        (request.query_params, route.query_params, "parameter"),
        (form, route.body_params, "field of the form"),
    ):
        known = {field.alias: field for field in fields}
        for name in given:
            if name not in known:
                use = f"use {', '.join(known)}" if known else "with POST all goes in the form (curl -F)"
                raise HTTPException(422, f"unknown {what} {readable(name)!r}; {use}")
            if get_origin(known[name].field_info.annotation) is not list and len(given.getlist(name)) > 1:
                raise HTTPException(422, f"{name} is given more than once; give one")


def _methods(app: FastAPI, request: Request) -> str:
    """What an address can be asked by, as the header Allow has it."""

    def is_known(method: str) -> bool:
        return any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in app.routes)

    return ", ".join(method for method in ("GET", "HEAD", "POST") if is_known(method))
