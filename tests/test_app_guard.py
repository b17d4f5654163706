"""The guard: from elsewhere nobody is served without the token."""

from __future__ import annotations

import socket

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from app.binding import is_loopback
from app.guard import Guard, OwnNames, OwnPages, middleware

TOKEN = "a long secret"


async def _page(request):
    return PlainTextResponse("the page")


async def _socket(socket):
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


@pytest.fixture
def client():
    routes = [Route("/", _page), Route("/api/media/1", _page), WebSocketRoute("/stream", _socket)]
    app = Starlette(routes=routes, middleware=middleware("0.0.0.0", port=1, hosts=["localhost"], token=lambda: TOKEN))
    with TestClient(app, base_url="http://some.machine", follow_redirects=False) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/api/media/1", "/?token=", "/?token=wrong", f"/api/media/1?token={TOKEN}"])
def test_without_the_token_nothing_is_served(client, path):
    answer = client.get(path)
    assert answer.status_code == 401
    assert "Authorization: Bearer" in answer.text
    assert client.get(path, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert client.get(path, headers={"Cookie": "omnia_token_1=wrong"}).status_code == 401
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/stream"):
        pass


def test_programs_bring_it_in_a_header(client):
    assert client.get("/api/media/1", headers={"Authorization": f"Bearer {TOKEN}"}).text == "the page"


def test_a_browser_brings_it_once_and_keeps_it_as_a_cookie(client):
    answer = client.get("/", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie, "a link in a letter or a chat leads here with it"
    assert client.get("/").text == "the page"
    with client.websocket_connect("ws://some.machine/stream") as socket:
        assert socket.receive_text() == "hello"


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_no_page_of_another_server_opens_the_socket_or_frames_the_page(address):
    routes = [Route("/", _page), WebSocketRoute("/stream", _socket)]
    stack = middleware(address, port=8501, hosts=["localhost"], token=lambda: TOKEN)
    app = Starlette(routes=routes, middleware=stack)
    with TestClient(app, base_url="http://localhost:8501", headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        for origin in ("http://localhost:3000", "http://localhost", "https://evil.example", "null", "http://127.0.0.1"):
            with (
                pytest.raises(WebSocketDisconnect),
                client.websocket_connect("ws://localhost:8501/stream", headers={"Origin": origin}),
            ):
                pass
        for own in ({"Origin": "http://localhost:8501"}, {}):
            with client.websocket_connect("ws://localhost:8501/stream", headers=own) as socket:
                assert socket.receive_text() == "hello"
        assert client.get("/").headers["content-security-policy"] == "frame-ancestors 'self'"


def test_cookies_of_other_servers_on_the_machine_do_not_hide_it(client):
    cookies = f'prefs={{"a":1}}; odd name; omnia_token_1="{TOKEN}"; omnia_token_2=another; last=x'
    assert client.get("/", headers={"Cookie": cookies}).text == "the page"


def test_two_servers_of_one_machine_keep_their_tokens_apart():
    names = set()
    for port in (8501, 8502):
        stack = middleware("0.0.0.0", port=port, hosts=[], token=lambda: TOKEN)
        app = Starlette(routes=[Route("/", _page)], middleware=stack)
        with TestClient(app, base_url="http://some.machine", follow_redirects=False) as client:
            client.get("/", params={"token": TOKEN})
            names |= set(client.cookies)
    assert len(names) == 2, "a browser tells cookies apart by host and name, not by port"


def test_a_question_that_comes_with_the_token_is_not_lost(client):
    answer = client.get(f"/?q=a+dog&token={TOKEN}&kind=video&kind=image&not=")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?q=a+dog&kind=video&kind=image&not=")


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_another_site_may_not_ask_and_its_body_is_not_read(address):
    async def read(request):
        return PlainTextResponse(str(len(await request.body())))

    def body():
        taken.append(1)
        yield b"x"

    taken: list[int] = []
    stack = middleware(address, port=8501, hosts=["localhost"], token=lambda: TOKEN)
    app = Starlette(routes=[Route("/", _page), Route("/api/search", read, methods=["POST"])], middleware=stack)
    with TestClient(app, base_url="http://localhost", headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        for site in ("cross-site", "same-site", "anything"):
            refused = client.post("/api/search", headers={"Sec-Fetch-Site": site}, content=body())
            assert (refused.status_code, refused.json()) == (403, {"error": "another site may not ask here"})
        assert taken == []
        for site in ("same-origin", "none"):
            assert client.post("/api/search", headers={"Sec-Fetch-Site": site}, content=b"x").text == "1"
        assert client.post("/api/search", content=b"x").text == "1", "what is no browser does not say"
        assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).text == "the page", "a link leads here"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "[::1]", "localhost", "127.8.0.1"])
def test_a_loopback_address_needs_none(address):
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.4", "example.org", "localhost.example.org", ""])
def test_any_other_address_needs_the_token(address):
    assert not is_loopback(address)


def test_here_only_own_names_are_answered_to_and_elsewhere_a_token_is_made(capsys):
    here, own = middleware("127.0.0.1", port=8501, hosts=["localhost"], token=lambda: None)
    assert (here.cls, own.cls) == (OwnNames, OwnPages)
    made, _ = middleware("0.0.0.0", port=8501, hosts=["localhost"], token=lambda: None)
    assert made.cls is Guard
    assert f"/?token={made.kwargs['token']}" in capsys.readouterr().err
    assert len(made.kwargs["token"]) >= 40


def test_below_api_the_token_is_asked_for_in_json(client):
    answer = client.get("/api/media/1")
    assert answer.json()["error"].endswith("send the header Authorization: Bearer TOKEN")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert client.get("/apis").headers["content-type"].startswith("text/plain")


def test_a_name_that_is_not_ours_is_told_which_ones_are():
    hosts = ["localhost", "127.0.0.1", "[::1]"]
    stack = middleware("127.0.0.1", port=8501, hosts=hosts, token=lambda: None)
    routes = [Route("/", _page), Route("/api/media/1", _page), WebSocketRoute("/stream", _socket)]
    app = Starlette(routes=routes, middleware=stack)
    with TestClient(app, base_url="http://localhost:8501") as client:
        for own in ("localhost", "127.0.0.1:8501", "[::1]:8501"):
            assert client.get("/", headers={"Host": own}).text == "the page"
        for other in ("evil.example", "localhost.evil.example", "evil.example:8501", ""):
            page = client.get("/", headers={"Host": other})
            assert page.status_code == 400
            assert "answers to the names localhost, 127.0.0.1, [::1] alone" in page.text
            assert client.get("/api/media/1", headers={"Host": other}).json() == {"error": page.text}
            with pytest.raises(Exception), client.websocket_connect("/stream", headers={"Host": other}):  # noqa: B017
                pass


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("0.0.0.0", socket.gethostname()),
        ("::", socket.gethostname()),
        ("192.168.1.4", "192.168.1.4"),
        ("2001:db8::1", "[2001:db8::1]"),
        ("nas.example", "nas.example"),
    ],
)
def test_the_address_to_open_names_this_machine(capsys, address, name):
    middleware(address, port=8600, hosts=[], token=lambda: None)
    assert capsys.readouterr().err.startswith(f"Open http://{name}:8600/?token=")
