"""Results for other programs."""

from __future__ import annotations

import csv
import io
import json
from uuid import UUID

from app.export import as_csv, as_json
from app.results import Answer, Moment, Result
from data.records import Evidence, Kind


def result(path: str, *snippets: str) -> Result:
    moments = tuple(
        Moment(
            segment=UUID(int=number),
            evidence=Evidence.SAID,
            start_s=1.5 * number,
            end_s=None,
            page=None,
            snippet=snippet,
            score=0.5,
        )
        for number, snippet in enumerate(snippets)
    )
    return Result(
        id=1, path=path, root="/r", kind=Kind.AUDIO, content="c", score=0.5, moments=moments, other_paths=("/r/b",)
    )


def read(table: str) -> list[dict[str, str]]:
    assert table.startswith("\ufeff"), "or spreadsheets take it for another encoding than UTF-8"
    return list(csv.DictReader(io.StringIO(table[1:])))


def test_a_table_has_a_row_for_each_moment_and_survives_any_text():
    snippet = 'said "so", and\nmore; ünï'
    rows = read(as_csv([result("/r/a, b.mp3", snippet, "second")]))
    assert [row["snippet"] for row in rows] == [snippet, "second"]
    assert {row["path"] for row in rows} == {"/r/a, b.mp3"}
    assert [row["start_s"] for row in rows] == ["0.00", "1.50"]
    assert rows[0]["other_paths"] == "/r/b"


def test_a_spreadsheet_is_given_nothing_to_run():
    [row] = read(as_csv([result("/r/a.mp3", '=HYPERLINK("http://x")')]))
    assert row["snippet"].startswith("'=")
    table = as_csv([result("/r/a.mp3", "budget ;=1+1\n;@x", "＝1+1", "one; -2 and 3")])
    assert [row["snippet"] for row in read(table)][1:] == ["'＝1+1", "one; -2 and 3"]
    spaced = [" =1", "\u00a0=1", "\ufeff=1", " - 2", " one"]
    assert [row["snippet"] for row in read(as_csv([result("/r/a.mp3", *spaced)]))] == [
        "' =1",
        "'\u00a0=1",
        "'\ufeff=1",
        "' - 2",
        " one",
    ]
    cells = [cell for row in csv.reader(io.StringIO(table), delimiter=";") for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "@"))], "nor where `;` divides the cells"


def test_names_that_are_no_text_are_exported_all_the_same():
    broken = result("/r/caf\udce9.mp3", "x")
    assert "caf\\udce9.mp3" in as_csv([broken])
    told = json.loads(as_json(Answer(results=(broken,), embed_ms=1, search_ms=1)))
    assert told["results"][0]["path"] == "/r/caf\\udce9.mp3"
