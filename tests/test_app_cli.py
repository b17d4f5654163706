"""python -m app search, with the library of a test behind it."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import redirect_stdout, suppress
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest
from fakes import Shelf
from PIL import Image

from app import cli, serving, wiring
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
    close = shelf.library.close
    monkeypatch.setattr(shelf.library, "close", lambda: None)
    monkeypatch.setenv("OMNIA_HOME", str(tmp_path / "home"))
    yield shelf
    close()


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
        (("dog", "--weight", "1", "--weight", "1"), "more weights (2) than parts (1)"),
        (("dog", "--weight", "nan"), "from -10 to 10"),
        (("dog", "--like", "that"), "'that' is no id; a segment's id is in each moment"),
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


@pytest.fixture
def scored(shelf, monkeypatch):
    """The library's answers with scores of the test's choice: the first results are as good as given, the rest weak."""
    search = shelf.library.service().search

    def set_scores(*scores: float) -> None:
        def answer(query):
            found = search(query)
            each = zip(found.results, [*scores, *[0.01] * len(found.results)], strict=False)
            return replace(found, results=tuple(replace(result, score=score) for result, score in each))

        monkeypatch.setattr(shelf.library.service(), "search", answer)

    return set_scores


def test_weak_results_are_counted_and_shown_when_asked_for(shelf, capsys, scored):
    scored(0.9)
    _, out, _ = run(capsys, "dog")
    assert "dog.txt" in out
    assert "city.txt" not in out
    assert "2 weak results: --weak shows them\n1 result · " in out
    _, out, _ = run(capsys, "dog", "--limit", "2")
    assert "1 weak result: --weak shows it" in out
    _, out, _ = run(capsys, "dog", "--weak")
    assert "city.txt" in out
    assert "--weak" not in out
    _, out, _ = run(capsys, "dog", "--json")
    assert [result["band"] for result in json.loads(out)["results"]] == ["strong", "weak", "weak"]


def test_where_nothing_is_better_weak_results_are_shown(shelf, capsys, scored):
    scored()
    _, out, _ = run(capsys, "dog")
    assert out.startswith("nothing stands out; the nearest are:\n 0.01 ")
    assert "city.txt" in out
    assert "--weak" not in out


def test_filters_alone_list_the_newest_files(shelf, capsys, tmp_path):
    for seconds, name in enumerate(["city.txt", "dog.txt", "wet.txt"]):
        os.utime(tmp_path / name, (1_700_000_000 + seconds, 1_700_000_000 + seconds))
        shelf.put(tmp_path / name)
    Image.new("RGB", (8, 8), "red").save(tmp_path / "red.png")
    shelf.put(tmp_path / "red.png")
    shelf.model.calls.clear()
    code, out, _ = run(capsys, "type:txt")
    assert code == 0
    assert [Path(line.split()[-1]).name for line in out.splitlines()[:3]] == ["wet.txt", "dog.txt", "city.txt"]
    assert "3 files, the newest first; add words, or an example, to look closer" in out
    _, out, _ = run(capsys, "--kind", "text", "--limit", "2", "--json")
    assert [Path(result["path"]).name for result in json.loads(out)["results"]] == ["wet.txt", "dog.txt"]
    batch = tmp_path / "queries.jsonl"
    batch.write_text('{"words": "type:png"}\n{"words": "type:png evidence:seen"}\n')
    code, out, _ = run(capsys, "--batch", str(batch))
    newest, refused = (json.loads(line) for line in out.splitlines())
    assert [Path(result["path"]).name for result in newest["results"]] == ["red.png"]
    assert (code, "filters and what to leave out only narrow down" in refused["error"]) == (1, True)
    assert shelf.model.calls == [], "no model is needed"
    code, out, err = run(capsys, "type:pdf")
    assert (code, out) == (0, "nothing found\n")
    assert "leave out a kind, a filter" in err


@pytest.mark.parametrize("arguments", [["type:txt", "evidence:said"], ["kind:image", "--not", "rain"], ["lang:fr"]])
def test_filters_of_what_is_in_a_file_need_words(shelf, capsys, arguments):
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert "filters and what to leave out only narrow down; add words or an example" in err


def test_filters_alone_want_a_limit_too(shelf, capsys):
    for limit in ("0", "1000001", "9" * 23):
        code, _, err = run(capsys, "type:txt", "--limit", limit)
        assert (code, err) == (2, f"error: limit must be from 1 to 1,000,000, not {limit}\n")


@pytest.mark.parametrize("word", ["-museum", "-house"])
def test_words_that_begin_with_a_minus_are_told_how_to_be_written(capsys, word):
    with pytest.raises(SystemExit) as ended:
        cli.main(["search", "at", "night", word])
    assert ended.value.code == 2
    assert "write --, as in: python -m app search -- at night -museum" in capsys.readouterr().err


def test_an_option_that_is_none_gets_no_such_advice(capsys):
    with pytest.raises(SystemExit):
        cli.main(["search", "at", "night", "--limt", "3"])
    assert "write --" not in capsys.readouterr().err


def test_interrupted_is_an_exit_code_of_its_own(shelf, capsys, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(shelf.library, "service", interrupt)
    assert run(capsys, "dog") == (130, "", "interrupted\n")


# ── serve ──


@pytest.fixture
def started(monkeypatch):
    """What is said to Streamlit by each server that starts."""
    commands = []

    def serve(bound: socket.socket, address: str) -> None:
        commands.append(serving.flags(address, bound.getsockname()[1]))

    monkeypatch.setattr(serving, "serve", serve)
    return commands


@pytest.fixture
def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def serve(capsys, *arguments: str) -> tuple[int, str]:
    code = cli.main(["serve", *arguments])
    return code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--port", "99999"], "a port is from 1 to 65,535, not 99999; give another with --port"),
        (["--port", "0"], "a port is from 1 to 65,535, not 0; give another with --port"),
        (["--address", "no such address"], "'no such address' is no address of this machine; give 127.0.0.1 or"),
        (["--address", "203.0.113.9"], "'203.0.113.9' is no address of this machine; give 0.0.0.0"),
        (["--address", "x" * 70], "is no address of this machine; give"),
        (["--address", ""], "--address is empty; give 127.0.0.1 for this machine alone"),
        (["--device", "gpu"], "device 'gpu' is unknown; use auto, cpu, cuda, cuda:N or mps"),
    ],
)
def test_what_cannot_be_served_is_one_line(started, shelf, capsys, free_port, arguments, why):
    code, err = serve(capsys, *(["--port", str(free_port)] if "--port" not in arguments else []), *arguments)
    assert (code, err.count("\n"), started) == (2, 1, [])
    assert why in err


def test_a_port_that_is_taken_is_one_line(started, shelf, capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, err = serve(capsys, "--port", str(port))
    assert (code, started) == (2, [])
    assert err == f"error: port {port} is taken; end what listens there, or give another with --port\n"


def test_a_machine_without_ipv6_says_so_in_one_line(started, shelf, capsys, free_port, monkeypatch):
    def none(family, *arguments):
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

    monkeypatch.setattr("app.binding.socket.socket", none)
    code, err = serve(capsys, "--port", str(free_port), "--address", "::1")
    assert (code, err) == (2, "error: '::1' is no address of this machine; give 127.0.0.1 or 0.0.0.0\n")


def test_a_model_that_filled_nothing_is_not_served(started, capsys, free_port, tmp_path, monkeypatch):
    monkeypatch.setenv("OMNIA_HOME", str(tmp_path / "home"))
    shelf = Shelf(tmp_path / "home")
    (tmp_path / "dog.txt").write_text("dog")
    shelf.put(tmp_path / "dog.txt")
    shelf.library.close()
    code, err = serve(capsys, "--port", str(free_port), "--model", "omnia-zero")
    assert (code, started) == (2, [])
    assert "this library holds nothing made by omnia-zero" in err
    assert serve(capsys, "--port", str(free_port), "--model", "ghost")[0] == 2


def test_what_can_be_served_is(started, shelf, capsys, free_port):
    serve(capsys, "--port", str(free_port))
    (command,) = started
    assert command[-4:] == ["--server.port", str(free_port), "--server.address", "127.0.0.1"]
    serve(capsys, "--port", str(free_port), "--address", "0.0.0.0")
    assert started[1][-2:] == ["--browser.serverAddress", socket.gethostname()]
    assert started[1][-4:-2] == ["--server.allowedHosts", "*"]
    serve(capsys, "--port", str(free_port), "--address", "127.0.0.2")
    assert started[2][-4:] == ["--server.allowedHosts", "127.0.0.2", "--browser.serverAddress", "127.0.0.2"]


def test_a_server_that_is_interrupted_says_so(tmp_path, free_port):
    command = [sys.executable, "-m", "app", "serve", "--port", str(free_port)]
    environment = os.environ | {"OMNIA_HOME": str(tmp_path / "home")}
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.PIPE, text=True) as server:
        try:
            while not answers(free_port):
                assert server.poll() is None
                time.sleep(0.05)
            server.send_signal(signal.SIGINT)
            _, err = server.communicate(timeout=60)
        finally:
            server.kill()
    assert (server.returncode, err.strip()) == (130, "interrupted")


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ({"STREAMLIT_SERVER_MAX_UPLOAD_SIZE": "big"}, "STREAMLIT_SERVER_MAX_UPLOAD_SIZE"),
        ({"STREAMLIT_SERVER_SSL_KEY_FILE": "key.pem"}, "server.sslKeyFile is set, which this command does not take"),
        ({"STREAMLIT_SERVER_BASE_URL_PATH": "omnia"}, "streamlit run streamlit_app.py --server.port"),
        ({"HOME": "~"}, "config.toml' cannot be read: "),
    ],
)
def test_a_setting_that_the_server_does_not_take_is_one_line(tmp_path, free_port, setting, why):
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text("[server\n")
    command = [sys.executable, "-m", "app", "serve", "--port", str(free_port)]
    setting = {name: str(tmp_path) if value == "~" else value for name, value in setting.items()}
    environment = os.environ | {"OMNIA_HOME": str(tmp_path)} | setting
    ended = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2
    assert why in ended.stderr
    assert ended.stderr.count("\n") == 1


def answers(port: int) -> bool:
    with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5) as answer:
        return answer.status == 200
    return False


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
    for limit in ("0", "9" * 23):
        code, _, err = run(capsys, "dog", "--limit", limit)
        assert code == 2
        assert "limit must be from 1 to 1,000,000" in err
    assert run(capsys, "dog", "--limit", "1000000")[0] == 0


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
    lines = b'{"words": "dog", "limit": 1}\n{"words": "dog \xff"}\n'
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines), encoding="utf-8", errors="strict"))
    code, out, _ = run(capsys, "--batch", "-")
    assert code == 0
    assert [len(json.loads(line)["results"]) for line in out.splitlines()] == [1, 3]


@pytest.mark.parametrize("name", ["queries.jsonl", "-"])
def test_a_mark_at_the_beginning_of_a_batch_is_no_part_of_its_first_line(shelf, capsys, tmp_path, monkeypatch, name):
    lines = '{"words": "dog"}'.encode("utf-8-sig")
    (tmp_path / "queries.jsonl").write_bytes(lines)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines), encoding="utf-8"))
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "--batch", name)[0] == 0


def test_what_no_number_and_no_nesting_can_be_costs_its_own_line(shelf, capsys, tmp_path):
    lines = [
        "[" * 100_000,
        '{"words": "dog", "weights": [1' + "0" * 400 + "]}",
        '{"words": "dog", "limit": 1' + "0" * 22 + "}",
        '{"words": "kind:video", "limit": 9223372036854775808}',
        '{"words": "dog", "limit": ' + "[" * 900 + "]" * 900 + "}",
        '{"words": "dog"}',
    ]
    batch = tmp_path / "queries.jsonl"
    batch.write_text("\n".join(lines))
    code, out, err = run(capsys, "--batch", str(batch))
    answers = [json.loads(line) for line in out.splitlines()]
    assert (code, err, len(answers)) == (1, "", 6)
    whys = ("not JSON", "from -10 to 10", "limit must be from 1 to", "limit must be from 1 to", "limit must be a whole")
    assert all(why in answer["error"] for why, answer in zip(whys, answers, strict=False))
    assert Path(answers[-1]["results"][0]["path"]).name == "dog.txt"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"words": "dog", "words": "city"}', "key 'words' is there more than once; give it once"),
        ('{"words": "dog", "weights": 0}', "weights must be a list of numbers"),
        ('{"words": "dog", "weights": ""}', "weights must be a list of numbers"),
        ('{"words": "dog", "limit": true}', "limit must be a whole number"),
        ('{"words": "dog", "limit": 2.0}', "limit must be a whole number"),
        ('{"words": "dog", "like": "' + "x" * 60_000 + '"}', "x…' is no id"),
        ('{"words": "dog", "kinds": "' + "x" * 60_000 + '"}', "x…; kinds are text, image"),
        ('{"' + "x" * 60_000 + '": "dog"}', "x…'; use words, files"),
    ],
)
def test_a_line_that_would_be_misread_is_refused_in_few_words(shelf, capsys, tmp_path, line, why):
    (tmp_path / "queries.jsonl").write_text(line)
    code, out, _ = run(capsys, "--batch", str(tmp_path / "queries.jsonl"))
    assert code == 1
    assert why in json.loads(out)["error"]
    assert len(out) < 300


def test_a_line_without_a_limit_has_that_of_the_command(shelf, capsys, tmp_path):
    batch = tmp_path / "queries.jsonl"
    lines = ['{"words": "dog"}', '{"words": "dog", "limit": null, "weights": null}', '{"words": "dog", "limit": 2}']
    batch.write_text("\n".join(lines))
    code, out, _ = run(capsys, "--batch", str(batch), "--limit", "1", "--json")
    assert code == 0
    assert [len(json.loads(line)["results"]) for line in out.splitlines()] == [1, 1, 2]
    for unfit, why in ((("--weak",), "leave out --weak"), (("--limit", "0"), "limit must be from 1")):
        code, out, err = run(capsys, "--batch", str(batch), *unfit)
        assert (code, out) == (2, "")
        assert why in err


def test_a_line_that_finds_nothing_says_why(shelf, capsys, tmp_path):
    batch = tmp_path / "queries.jsonl"
    batch.write_text('{"words": "dog kind:video"}\n{"words": "dog in:nowhere/"}\n{"words": "dog"}\n')
    _, out, _ = run(capsys, "--batch", str(batch))
    kind, folder, found = (json.loads(line)["hints"] for line in out.splitlines())
    assert (len(kind), len(folder), found) == (1, 1, [])
    assert "leave out a kind" in kind[0]
    assert "no folder 'nowhere/'" in folder[0]


def test_hints_are_told_in_json_too_and_repeat_no_more_than_the_beginning(shelf, capsys):
    code, out, err = run(capsys, "dog", "--json")
    assert (code, json.loads(out)["hints"], err) == (0, [], "")
    for words in ("海" * 60_000, "dog after:" + "9" * 60_000):
        code, out, err = run(capsys, words, "--json")
        hint = json.loads(out)["hints"][0]
        assert (code, err.splitlines()[0]) == (0, f"hint: {hint}")
        assert (len(hint) < 250, "…: " in hint) == (True, True)


@pytest.mark.parametrize("odd", ["pipe", "/dev/zero", "."])
def test_an_example_that_is_no_regular_file_is_not_opened(shelf, capsys, tmp_path, monkeypatch, odd):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("queries.jsonl").write_text(json.dumps({"files": odd}))
    code, out, err = run(capsys, "--file", odd)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "a folder" in err if odd == "." else "not a regular file" in err
    assert run(capsys, "--batch", "queries.jsonl")[0] == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_json_is_json_whatever_stdout_takes(shelf, tmp_path, encoding):
    (tmp_path / "zebra.txt").write_text("dog é 🦓 “x”")
    shelf.put(tmp_path / "zebra.txt")
    (tmp_path / "queries.jsonl").write_text('{"words": "dog"}\n{"words": "dog rain"}')
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    with redirect_stdout(out):
        assert cli.main(["search", "dog", "--json"]) == 0
        assert cli.main(["search", "--batch", str(tmp_path / "queries.jsonl")]) == 0
    written = out.buffer.getvalue()
    for line in written.splitlines():
        snippets = [result["moments"][0]["snippet"] for result in json.loads(line)["results"]]
        assert "dog é 🦓 “x”" in snippets
    assert ("🦓".encode() in written) is (encoding == "utf-8"), "as people read it, where it can be"


def test_a_missing_batch_file_is_exit_code_two(shelf, capsys, tmp_path):
    code, _, err = run(capsys, "--batch", str(tmp_path / "none.jsonl"))
    assert code == 2
    assert "none.jsonl" in err


@pytest.mark.parametrize("command", [[], ["search"], ["serve"], ["judge"]])
def test_help_fits_a_terminal_and_names_the_exit_codes(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        cli.main([*command, "--help"])
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= 80
    assert "exit codes:\n  0 all is well" in told
    assert "  130 interrupted" in told


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
