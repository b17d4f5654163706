"""Guard: who may ask. On this machine anybody who has an account; from elsewhere whoever brings the token."""

from __future__ import annotations

import hmac
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.binding import is_loopback, name_of

_PARAMETER = "token"
_LASTS_S = 30 * 24 * 3600
_WITHOUT = (
    "this library needs its token (OMNIA_TOKEN, or the one that the server named when it started): "
    "open /?token=TOKEN once, or send the header Authorization: Bearer TOKEN"
)


def middleware(address: str, *, port: int, hosts: Sequence[str], token: Callable[[], str | None]) -> list[Middleware]:
    """What stands before a server that is bound to an address.

    On this machine alone only its own names are answered to, so that no other site leads a browser here. Elsewhere the
    token does that and more; without one a new one is made, and said once on the terminal.

    Args:
        hosts: names that this machine is known by.
        token: gives the one that is set, if any; asked only where one is needed.
    """
    if is_loopback(address):
        return [Middleware(OwnNames, hosts=hosts), Middleware(OwnPages)]
    secret = token()
    if not secret:
        secret = secrets.token_urlsafe(32)
        address = f"http://{name_of(address)}:{port}/?token={secret}"
        sys.stderr.write(f"Open {address}\n(a new token each time, unless OMNIA_TOKEN is set)\n")
    return [Middleware(Guard, token=secret, cookie=f"omnia_token_{port}"), Middleware(OwnPages)]


class OwnNames:
    """Answers to the names that this machine is known by, and tells them to who asks for another."""

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_own = False

        async def let_in(scope: Scope, receive: Receive, send: Send) -> None:
            nonlocal is_own
            is_own = True
            await self._app(scope, receive, send)

        async def send_own(message: Message) -> None:
            if is_own:
                await send(message)

        await TrustedHostMiddleware(let_in, self._hosts, www_redirect=False)(scope, receive, send_own)
        if not is_own:
            why = f"this server answers to the names {', '.join(self._hosts)} alone; write one of them in the address"
            await _refusal(scope, why, status=400)(scope, receive, send)


class OwnPages:
    """Opens the socket to our own page alone, lets no other page frame it, and answers no other site below /api.

    A server on another port of this machine is another origin, too. Streamlit takes it for the same, and looks up this
    machine's address on the internet for each origin that it does not know.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_unframed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("Content-Security-Policy", "frame-ancestors 'self'")
            await send(message)

        headers = Headers(scope=scope) if scope["type"] in ("http", "websocket") else Headers()
        if scope["type"] == "websocket" and not _is_own(headers):
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http" and _is_api(scope) and not _is_asked_here(headers):  # before a body is read
            await _refusal(scope, "another site may not ask here", status=403)(scope, receive, send_unframed)
        else:
            await self._app(scope, receive, send_unframed)


def _is_own(headers: Headers) -> bool:
    """Whether the page that asks came from here; what is no browser says no origin."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def _is_asked_here(headers: Headers) -> bool:
    """Whether no other site makes a browser ask; what is no browser does not say."""
    return headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


class Guard:
    """Lets through what brings the token: as a header, as a cookie, or once in the address, which sets the cookie.

    The page, its socket and the API are all behind it.

    Args:
        cookie: its name, which no other server of this machine may have: browsers tell servers apart by host alone.
    """

    def __init__(self, app: ASGIApp, *, token: str, cookie: str) -> None:
        self._app = app
        self._token = token
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        asked = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if self._is_token(_bearer(headers)) or self._is_token(_cookie(headers, self._cookie)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["path"] == "/" and self._is_token(dict(asked).get(_PARAMETER, "")):
            question = urlencode([(name, value) for name, value in asked if name != _PARAMETER])
            await self._welcome(question)(scope, receive, send)
        else:
            refusal = _refusal(scope, _WITHOUT, status=401, headers={"WWW-Authenticate": "Bearer"})
            await refusal(scope, receive, send)

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())

    def _welcome(self, question: str) -> Response:
        """Keep the token in the browser and out of its address; a link on another site may lead here with it."""
        response = RedirectResponse(f"/?{question}" if question else "/", status_code=303)
        response.set_cookie(self._cookie, self._token, max_age=_LASTS_S, httponly=True, samesite="lax")
        return response


def _refusal(scope: Scope, why: str, *, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """One line for a person; below /api in JSON, as all that the API refuses."""
    if _is_api(scope):
        return JSONResponse({"error": why}, status_code=status, headers=headers)
    return PlainTextResponse(why, status_code=status, headers=headers)


def _is_api(scope: Scope) -> bool:
    return f"{scope['path']}/".startswith("/api/")


def _bearer(headers: dict[bytes, bytes]) -> str:
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _cookie(headers: dict[bytes, bytes], name: str) -> str:
    """Other servers on this machine share the browser's cookies; what theirs look like must not matter."""
    return cookie_parser(headers.get(b"cookie", b"").decode("latin-1")).get(name, "")
