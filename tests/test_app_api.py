"""The API: the same answers as the page's, for other programs."""

from __future__ import annotations

import io
import os
from pathlib import Path
from uuid import uuid4

import pytest
from fakes import text
from PIL import Image
from starlette.testclient import TestClient

from data.errors import StoreUnavailableError
from data.records import Evidence, Kind


@pytest.fixture
def filled(shelf, tmp_path):
    for name, line in {"dog.txt": "dog", "wet.txt": "dog rain", "city.txt": "city"}.items():
        (tmp_path / name).write_text(line)
        shelf.put(tmp_path / name)
    Image.new("RGB", (8, 8), "red").save(tmp_path / "red.png")
    shelf.put(tmp_path / "red.png")
    clip = tmp_path / "walk.mp4"
    clip.write_bytes(b"not decoded here")
    shelf.put(clip, [text("dog beach", kind=Kind.VIDEO, evidence=Evidence.SAID, start_s=12.4, end_s=15.0)])
    return shelf


def names(answer) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [Path(result["path"]).name for result in answer.json()["results"]]


def test_words_find_files_with_their_moments_and_addresses(client, filled):
    answer = client.get("/api/search", params={"q": "dog", "limit": 3})
    assert "city.txt" not in names(answer)
    assert len(names(answer)) == 3
    (walk,) = client.get("/api/search", params={"q": "dog beach", "kind": "video"}).json()["results"]
    assert walk["moments"][0] | {"segment": "", "score": 0} == {
        "evidence": "said",
        "start_s": 12.4,
        "end_s": 15.0,
        "page": None,
        "char_start": None,
        "char_end": None,
        "snippet": "dog beach",
        "score": 0,
        "segment": "",
    }
    assert walk["media"] == f"/api/media/{walk['id']}#t=12.40"
    assert client.get(walk["media"]).content == b"not decoded here"
    assert client.get(walk["thumb"]).headers["content-type"] == "image/jpeg"


def test_tokens_narrow_down_and_what_is_none_gets_a_hint(client, filled):
    answer = client.get("/api/search", params={"q": "dog type:png longer:soon"})
    assert names(answer) == ["red.png"]
    assert answer.json()["hints"] == ["longer:soon: write a length as 30s, 5m or 1h20m"]


def test_names_that_are_no_text_and_files_without_a_picture_are_answered(client, filled, tmp_path):
    path = tmp_path / "caf\udce9.txt"
    path.write_text("dog city")
    filled.put(path)
    answer = client.get("/api/search", params={"q": "dog city", "kind": "text"})
    assert "caf\\udce9.txt" in names(answer)
    assert {result["thumb"] for result in answer.json()["results"]} == {None}


def test_what_it_should_not_be_like_sinks(client, filled):
    assert names(client.get("/api/search", params={"q": "dog", "unlike": "rain", "kind": "text"}))[0] == "dog.txt"
    assert names(client.get("/api/search", params={"q": "dog", "unlike": ["rain"]}))[-1] != "dog.txt"


def test_a_file_is_a_question_and_is_forgotten(client, filled):
    picture = io.BytesIO()
    Image.new("RGB", (5, 5), "red").save(picture, "PNG")
    found = client.post("/api/search", files={"files": ("../../red dog.png", picture.getvalue())}, data={"limit": "2"})
    assert names(found)[0] == "red.png"
    assert len(names(found)) == 2
    both = client.post(
        "/api/search",
        files=[("files", ("a.png", picture.getvalue())), ("files", ("b.txt", b"dog"))],
        data={"q": "dog", "kind": "text"},
    )
    assert names(both)[0] == "dog.txt"


def test_weights_say_how_much_the_words_and_the_examples_count(client, filled):
    city = client.get("/api/search", params={"q": "city", "kind": "text"}).json()["results"][0]
    segment = city["moments"][0]["segment"]
    rain = [("files", ("wet.txt", b"rain"))]
    asked = {"q": "dog", "kind": "text", "weight": ["2", "0.1"]}
    assert names(client.post("/api/search", files=rain, data=asked))[0] == "dog.txt"
    assert names(client.post("/api/search", files=rain, data=asked | {"weight": ["0.1", "2"]}))[0] != "dog.txt"
    mixed = client.get("/api/search", params={"q": "dog", "kind": "text", "like": segment, "weight": [1, -1]})
    assert names(mixed)[0] == "dog.txt"
    assert "city.txt" not in names(mixed)


def test_more_like_a_moment_leaves_its_own_file_out(client, filled):
    first = client.get("/api/search", params={"q": "dog", "kind": "text"}).json()["results"][0]
    found = names(client.get(f"/api/similar/{first['moments'][0]['segment']}"))
    assert Path(first["path"]).name not in found
    assert found


@pytest.mark.parametrize(
    ("ask", "status", "why"),
    [
        (lambda client: client.get("/api/search"), 400, "nothing to look for"),
        (lambda client: client.get("/api/search?q=type:png+evidence:seen"), 400, "only narrow down; add words or"),
        (lambda client: client.get(f"/api/similar/{uuid4()}"), 404, "not in the library any more"),
        (lambda client: client.get(f"/api/search?like={uuid4()}"), 400, "not in the library any more"),
        (lambda client: client.post("/api/search", files={"files": ("a.xyz", b"?")}), 400, "a.xyz: not a file this"),
        (lambda client: client.get("/api/search?q=dog&weight=1&weight=1"), 400, "more weights (2) than parts (1)"),
        (lambda client: client.get("/api/search?q=dog&weight=nan"), 400, "from -10 to 10"),
        (lambda client: client.get("/api/search?q=dog&weight=-1"), 400, "nothing to look for"),
        (lambda client: client.get("/api/search?like=that"), 422, "valid UUID"),
        (lambda client: client.get("/api/search?q=dog&limit=0"), 422, "greater than or equal to 1"),
        (lambda client: client.get("/api/search?q=dog&limit=100000"), 422, "less than or equal to 500"),
        (lambda client: client.get("/api/search?q=dog&kind=smell"), 422, "'text', 'image'"),
        (lambda client: client.get("/api/similar/1"), 422, "valid UUID"),
        (lambda client: client.get("/api/search?q=dog" + "&unlike=rain" * 101), 422, "at most 100 items"),
        (lambda client: client.post("/api/search", data={"q": "dog"}), 422, "files: send a file, as in curl -F files="),
        (lambda client: client.post("/api/search", json={"q": "dog"}), 422, "files: send a file, as in curl -F files="),
        (lambda client: client.get("/api/nothing"), 404, "Not Found; /api/openapi.json describes what can be asked"),
        (lambda client: client.put("/api/search"), 405, "Method Not Allowed; /api/openapi.json describes"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(client, filled, ask, status, why):
    answer = ask(client)
    assert answer.status_code == status
    assert why in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("ask", "why"),
    [
        (lambda client: client.get("/api/search?q=dog&limt=3"), "unknown parameter 'limt'; use q, like, weight, kind,"),
        (lambda client: client.get("/api/search?q=dog&kinds=text"), "unknown parameter 'kinds'; use q, like,"),
        (lambda client: client.get(f"/api/similar/{uuid4()}?q=dog"), "unknown parameter 'q'; use kind, limit"),
        (
            lambda client: client.post("/api/search?kind=text", files={"files": ("a.txt", b"dog")}),
            "unknown parameter 'kind'; with POST all goes in the form (curl -F)",
        ),
        (
            lambda client: client.post("/api/search", files={"files": ("a.txt", b"dog")}, data={"kinds": "text"}),
            "unknown field of the form 'kinds'; use files, q, like, weight, kind, unlike, limit",
        ),
        (lambda client: client.get("/api/search?q=dog&q=city"), "q is given more than once; give one"),
        (lambda client: client.get("/api/search?q=dog&limit=1&limit=2"), "limit is given more than once; give one"),
        (
            lambda client: client.post(
                "/api/search", files={"files": ("a.txt", b"dog")}, data={"kind": ["text", "image"], "q": ["a", "b"]}
            ),
            "q is given more than once; give one",
        ),
    ],
)
def test_a_parameter_that_is_misspelt_or_given_twice_is_refused(client, filled, ask, why):
    answer = ask(client)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(why)


def test_the_address_of_a_picture_may_name_its_version(client, filled):
    (red,) = client.get("/api/search", params={"q": "dog type:png"}).json()["results"]
    assert "&v=" in red["thumb"]
    assert client.get(red["thumb"]).status_code == 200


def test_filters_alone_give_the_newest_files(client, filled, tmp_path):
    for seconds, name in enumerate(["wet.txt", "dog.txt"]):
        os.utime(tmp_path / name, (2_000_000_000 + seconds, 2_000_000_000 + seconds))
        filled.put(tmp_path / name)
    answer = client.get("/api/search", params={"q": "type:txt", "limit": 2})
    assert names(answer) == ["dog.txt", "wet.txt"]
    assert {result["score"] for result in answer.json()["results"]} == {0}
    assert client.get(answer.json()["results"][0]["media"]).text == "dog"


def test_why_nothing_is_found_is_among_the_hints(client, filled):
    answer = client.get("/api/search", params={"q": "dog in:nowhere/"}).json()
    assert answer["results"] == []
    assert answer["hints"][0].startswith("no folder 'nowhere/' holds files of the library; ")
    assert client.get("/api/search?q=dog").json()["hints"] == []


def test_each_address_answers_head_and_tells_how_it_can_be_asked(client, filled):
    found = client.get("/api/search?q=dog").json()["results"][0]
    segment = found["moments"][0]["segment"]
    for address, more in {"search?q=dog": ", POST", f"similar/{segment}": "", f"media/{found['id']}": ""}.items():
        head = client.head(f"/api/{address}")
        assert (head.status_code, head.content) == (200, b"")
        refused = client.put(f"/api/{address}")
        assert (refused.status_code, refused.headers["allow"]) == (405, f"GET, HEAD{more}")


def test_a_fault_is_told_in_json_without_what_it_says_of_the_inside(client, filled, monkeypatch):
    def faulty(*_args, **_more):
        raise RuntimeError("/home/me/secret")

    monkeypatch.setattr(filled.library, "service", faulty)
    answer = TestClient(client.app, raise_server_exceptions=False).get("http://localhost/api/search?q=dog")
    assert answer.status_code == 500
    assert answer.json()["error"].startswith("RuntimeError: a fault of Omnia; please report it")
    assert "secret" not in answer.text


def test_a_store_that_is_away_is_one_line(client, filled, monkeypatch):
    def away(*_args, **_more):
        raise StoreUnavailableError("no Qdrant server answers; start it")

    monkeypatch.setattr(filled.library, "service", away)
    answer = client.get("/api/search?q=dog")
    assert (answer.status_code, answer.json()) == (503, {"error": "no Qdrant server answers; start it"})


def test_it_describes_itself(client):
    described = client.get("/api/openapi.json").json()
    media = {"/media/{id}", "/thumb/{id}", "/play/{id}", "/cut/{id}"}
    assert set(described["paths"]) == {"/search", "/similar/{segment}"} | media
    assert described["components"]["securitySchemes"]["token"] | {"description": ""} == {
        "type": "http",
        "scheme": "bearer",
        "description": "",
    }
    for route in described["paths"].values():
        assert all(method["security"] == [{"token": []}] and "401" in method["responses"] for method in route.values())
    form = described["components"]["schemas"]["Body_search_by_example_search_post"]["properties"]
    asked = {one["name"]: one for one in described["paths"]["/search"]["get"]["parameters"]}
    assert all(field["description"] for field in (*form.values(), *asked.values()))
    assert "from -10 to 10: the words, if any, then each `like`" in asked["weight"]["description"]
    assert "then each file, then each `like`" in form["weight"]["description"]
    moment = described["components"]["schemas"]["MomentFound"]
    assert set(moment["required"]) >= {"evidence", "start_s", "end_s", "page", "snippet", "score", "segment"}
    assert {"char_start", "char_end"} <= set(moment["required"])


@pytest.mark.parametrize(
    ("path", "parameters", "types", "statuses"),
    [
        ("/media/{id}", {"id", "download"}, {"video/mp4", "application/pdf"}, {"206", "304", "404", "416"}),
        ("/thumb/{id}", {"id", "t", "page", "side", "char_start", "char_end", "v"}, {"image/jpeg"}, {"404", "422"}),
        ("/play/{id}", {"id", "t", "end", "v"}, {"video/mp4", "audio/mp4"}, {"206", "400", "404"}),
        ("/cut/{id}", {"id", "t", "end", "page"}, {"video/mp4", "audio/mp4", "application/pdf"}, {"400", "404"}),
    ],
)
def test_media_are_described_with_parameters_types_and_refusals(client, path, parameters, types, statuses):
    route = client.get("/api/openapi.json").json()["paths"][path]["get"]
    assert {parameter["name"] for parameter in route["parameters"]} == parameters
    assert next(one["schema"]["type"] for one in route["parameters"] if one["name"] == "id") == "integer"
    assert types <= set(route["responses"]["200"]["content"])
    assert statuses <= set(route["responses"])
    assert route["responses"]["404"]["content"]["application/json"]["schema"]["$ref"].endswith("/Refused")
