"""python -m app search, with the library of a test behind it."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from fakes import Shelf

from app import cli, wiring
from data.errors import EmbeddingFailedError, StoreUnavailableError

REPOSITORY = Path(cli.__file__).parent.parent


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    shelf = Shelf(tmp_path / "home")
    for name, words in {"dog.txt": "dog", "wet.txt": "dog rain", "city.txt": "city"}.items():
        path = tmp_path / name
        path.write_text(words)
        shelf.put(path)
    monkeypatch.setattr(wiring, "Library", lambda settings: shelf.library)
    monkeypatch.setattr(shelf.library, "close", lambda: None)
    monkeypatch.setenv("OMNIA_HOME", str(tmp_path / "home"))
    return shelf


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = cli.main(["search", *arguments])
    output = capsys.readouterr()
    return code, output.out, output.err


def test_json_has_the_promised_shape_best_first(shelf, capsys):
    code, out, err = run(capsys, "dog", "--json")
    answer = json.loads(out)
    assert (code, err) == (0, "")
    assert {"results", "took_ms"} <= set(answer)
    assert [Path(result["path"]).name for result in answer["results"]] == ["dog.txt", "wet.txt", "city.txt"]
    assert {"path", "kind", "score", "moments"} <= set(answer["results"][0])
    moment = answer["results"][0]["moments"][0]
    assert {"evidence", "start_s", "end_s", "page", "snippet", "score"} <= set(moment)


def test_names_that_are_no_text_are_answered(shelf, tmp_path):
    path = tmp_path / "caf\udce9.txt"
    path.write_text("dog dog")
    shelf.put(path)
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with redirect_stdout(out):
        assert cli.main(["search", "dog", "--json"]) == 0
        assert cli.main(["search", "dog"]) == 0
    told = out.buffer.getvalue().decode()
    paths = [result["path"] for result in json.loads(told.splitlines()[0])["results"]]
    assert str(tmp_path / "caf\\udce9.txt") in paths
    assert "caf�.txt" in told


def test_words_files_not_kind_and_limit_make_one_query(shelf, capsys, tmp_path):
    code, out, _ = run(
        capsys, "dog", "--file", str(tmp_path / "wet.txt"), "--not", "rain", "--kind", "text", "--limit", "2", "--json"
    )
    assert code == 0
    assert len(json.loads(out)["results"]) == 2
    code, out, err = run(capsys, "dog", "--kind", "video", "--json")
    assert (code, json.loads(out)["results"]) == (0, [])
    assert "leave out a kind" in err


def test_weights_say_how_much_the_words_and_the_examples_count(shelf, capsys, tmp_path):
    def best(*arguments: str) -> str:
        code, out, err = run(capsys, "dog", "--kind", "text", "--json", *arguments)
        assert code == 0, err
        return Path(json.loads(out)["results"][0]["path"]).name

    city = str(tmp_path / "city.txt")
    assert best("--file", city, "--weight", "2", "--weight", "0.1") == "dog.txt"
    assert best("--file", city, "--weight", "0.1", "--weight", "2") == "city.txt"
    segment = json.loads(run(capsys, "city", "--json")[1])["results"][0]["moments"][0]["segment"]
    found = [
        len(json.loads(run(capsys, "dog", "--like", segment, "--weight=1", weight, "--json")[1])["results"])
        for weight in ("--weight=1", "--weight=0")
    ]
    assert found == [2, 3], "what an example comes from is no answer, unless it does not count"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("dog", "--weight", "1", "--weight", "1"), "2 weights for 1 parts"),
        (("dog", "--weight", "nan"), "from -10 to 10"),
        (("dog", "--like", "that"), "a segment's id is in each moment"),
        (("dog", "--weight=-1"), "nothing to look for"),
    ],
)
def test_weights_and_ids_that_are_none_are_refused(shelf, capsys, arguments, why):
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert err.count("\n") == 1
    assert why in err


def test_the_table_shows_score_kind_path_and_words(shelf, capsys):
    code, out, _ = run(capsys, "dog")
    assert code == 0
    assert re.search(r"0\.\d\d █+\S*·*  text  ", out)
    assert "dog.txt" in out
    assert "“dog”" in out


def test_a_file_that_cannot_be_read_is_one_line_and_exit_code_one(shelf, capsys, tmp_path):
    code, out, err = run(capsys, "--file", str(tmp_path / "gone.png"))
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "gone.png" in err
    assert "no such file" in err
    assert "check the path" in err


def test_nothing_to_look_for_is_exit_code_two(shelf, capsys):
    assert run(capsys)[0] == 2
    assert run(capsys, "--not", "rain")[0] == 2
    code, _, err = run(capsys, "dog", "--limit", "0")
    assert code == 2
    assert "limit must be 1 or more" in err


def test_an_unreachable_store_is_exit_code_two_and_one_line(shelf, capsys, monkeypatch):
    def unreachable():
        raise StoreUnavailableError("the store does not answer; start it")

    monkeypatch.setattr(shelf.library, "service", unreachable)
    code, _, err = run(capsys, "dog")
    assert (code, err) == (2, "error: the store does not answer; start it\n")


def test_a_batch_answers_a_line_a_query_and_goes_on_after_bad_ones(shelf, capsys, tmp_path):
    lines = [
        json.dumps({"words": "dog", "limit": 1}),
        "not json",
        "",
        json.dumps({"words": "dog", "colour": "red"}),
        json.dumps({"files": [str(tmp_path / "gone.png")]}),
        json.dumps({"words": "dog", "kinds": ["smell"]}),
        json.dumps({"words": "dog", "limit": "many"}),
        json.dumps({"words": 3}),
        json.dumps({"words": "dog", "weights": "2"}),
        json.dumps({"words": "dog", "weights": [2, 1]}),
        json.dumps({"words": "dog", "like": ["that"]}),
        json.dumps(["dog"]),
        json.dumps({"files": ["~$report.docx"]}),
        json.dumps({"words": "city", "not": ["rain"], "kinds": ["text"], "files": None}),
        json.dumps({"words": "dog", "files": [str(tmp_path / "city.txt")], "weights": [0.1, 2], "kinds": ["text"]}),
    ]
    batch = tmp_path / "queries.jsonl"
    batch.write_text("\n".join(lines))
    code, out, _ = run(capsys, "--batch", str(batch))
    answers = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert len(answers) == 14
    assert Path(answers[0]["results"][0]["path"]).name == "dog.txt"
    assert all("error" in answer for answer in answers[1:12])
    assert "kinds are text, image" in answers[4]["error"]
    assert [Path(answer["results"][0]["path"]).name for answer in answers[12:]] == ["city.txt", "city.txt"]


def test_what_is_no_character_is_looked_for_as_such(shelf, capsys, tmp_path):
    """Half an emoji and NUL are valid JSON; neither models nor stores take them."""
    lines = [
        r'{"words": "dog \ud83d"}',
        r'{"words": "dog\u0000"}',
        r'{"words": "dog -\ud83dog", "not": ["rain \udc00"]}',
        r'{"words": "dog then \ud83d then rain"}',
        r'{"words": "dog -\"rain \ud83d\""}',
        r'{"words": "dog \"\u0000\ud83d\""}',
        r'{"words": "in:\ud83d/ dog"}',
        r'{"words": "type:\ud83d,\u0000 dog"}',
        r'{"files": ["\ud83d.png"]}',
        r'{"files": ["\u0000"]}',
        r'{"words": "dog"}',
    ]
    batch = tmp_path / "queries.jsonl"
    batch.write_text("\n".join(lines))
    code, out, err = run(capsys, "--batch", str(batch))
    answers = [json.loads(line) for line in out.splitlines()]
    assert (code, err, len(answers)) == (1, "", len(lines))
    assert ["cannot be opened" in answer.get("error", "") for answer in answers] == [False] * 8 + [True, True, False]
    assert all(Path(answers[n]["results"][0]["path"]).name == "dog.txt" for n in (0, 2, 4, 10))


def test_words_that_the_model_fails_on_cost_their_own_line(shelf, capsys, tmp_path, monkeypatch):
    embed = shelf.model.embed

    def choke(segments, role):
        if any("poison" in segment.text for segment in segments):
            raise EmbeddingFailedError(0, "the model gave no finite vector")
        return embed(segments, role)

    monkeypatch.setattr(shelf.model, "embed", choke)
    (tmp_path / "poison.txt").write_text("poison")
    asked = [{"words": "poison"}, {"files": [str(tmp_path / "poison.txt")]}, {"words": "dog"}]
    batch = tmp_path / "queries.jsonl"
    batch.write_text("\n".join(json.dumps(line) for line in asked))
    code, out, _ = run(capsys, "--batch", str(batch))
    words, file, dog = (json.loads(line) for line in out.splitlines())
    assert code == 1
    assert words["error"].startswith("the words cannot be embedded: the model gave no finite vector; ")
    assert "poison.txt': cannot be embedded: the model gave no finite vector (" in file["error"]
    assert dog["results"]


def test_a_batch_is_read_from_stdin_too(shelf, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO('{"words": "dog", "limit": 1}\n'))
    code, out, _ = run(capsys, "--batch", "-")
    assert code == 0
    assert len(json.loads(out)["results"]) == 1


def test_a_missing_batch_file_is_exit_code_two(shelf, capsys, tmp_path):
    code, _, err = run(capsys, "--batch", str(tmp_path / "none.jsonl"))
    assert code == 2
    assert "none.jsonl" in err


@pytest.mark.parametrize("arguments", [["--help"], ["search", "--help"]])
def test_help_is_quick_and_imports_nothing_heavy(arguments):
    script = (
        "import sys, time, contextlib, io\n"
        "from app.cli import main\n"
        f"with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): main({arguments})\n"
        "heavy = {'torch', 'transformers', 'streamlit', 'qdrant_edge', 'qdrant_client', 'sqlalchemy', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)), time.process_time())"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    imported, cpu_s = done.stdout.rsplit(" ", 1)
    assert imported == "[]"
    assert float(cpu_s) < 0.3
