"""Reader for tables of data (CSV, JSON): each record said as "column: value; column: value"."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from data.records import Span
from embedder.media import text as plain
from embedder.media.source import Source
from embedder.segment import Segment

if TYPE_CHECKING:
    from _csv import Reader

_MAX_DEPTH = 40
_DELIMITERS = ",;\t|"
_PUT_OUT = ("text", "text/plain", "evalue")
_SAMPLE_LETTERS = 20_000
_TOP_ROWS = 50  # a table begins in one of them
_SEPARATOR_LINE = re.compile(r"sep=.\n", re.I)  # what Excel writes and reads, and nobody else


def read(source: Source) -> Iterator[Segment]:
    """Passages of records; char spans count characters of the records as said, one record a paragraph.

    A file that does not parse is read as plain text, with a note.

    Raises:
        UnsupportedMediaError: there are no words and no numbers in it.
    """
    raw = plain.decoded(source)
    said = _csv_records(source, raw) if source.format.mime == "text/csv" else _json_records(source, raw)
    if said is None:
        source.note(f"does not parse as {source.format.name}; read as plain text")
        yield from plain.written(source, raw)
    else:
        yield from plain.written_records(source, said)


def still(source: Source, span: Span, max_side: int) -> bytes:
    """Data has no picture.

    Raises:
        UnsupportedMediaError: always.
    """
    return plain.still(source, span, max_side)


def record(names: Iterable[str], values: Iterable[str]) -> str:
    """One row of a table as a sentence."""
    pairs = ((name.strip(), " ".join(value.split())) for name, value in zip(names, values, strict=False))
    return "; ".join(f"{name}: {value}" if name else value for name, value in pairs if value)


def records(rows: Iterable[list[str]]) -> Iterator[str]:
    """Rows as sentences; the first row gives the column names when it has no numbers and no gaps."""
    names: list[str] | None = None
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        if names is None:
            names = row if _are_names(row) else []
            if names:
                continue
        yield record(names + [""] * (len(row) - len(names)), row)


def _csv_records(source: Source, raw: str) -> Iterator[str]:
    csv.field_size_limit(source.limits.text_bytes)
    if separator := _SEPARATOR_LINE.match(raw):
        raw = raw[separator.end() :]
    delimiter, width = _shape(raw if len(raw) <= _SAMPLE_LETTERS else raw[: raw.rfind("\n", 0, _SAMPLE_LETTERS)])
    reader = csv.reader(io.StringIO(raw), _dialect(raw, delimiter))
    rows = _whole(source, reader)
    above: list[list[str]] = []
    for row in rows:
        if len(row) >= width and any(cell.strip() for cell in row):
            line = raw.split("\n", reader.line_num)[reader.line_num - 1]
            if _are_names(row) and _is_preamble(above, is_prose=f"{delimiter} " in line):
                yield from (record([""] * len(cells), cells) for cells in above)
                above = []
        elif len(above) < _TOP_ROWS:
            above += [row] if row or above else []
            continue
        yield from records(itertools.chain(above, [row], rows))
        return
    yield from records(above)


def _whole(source: Source, reader: Reader) -> Iterator[list[str]]:
    """The rows down to the first that breaks the rules, with a note when there is one."""
    try:
        yield from reader
    except csv.Error as error:
        source.note(f"rows after line {reader.line_num} are left out: {error}")


def _is_preamble(above: list[list[str]], *, is_prose: bool) -> bool:
    """Whether the short rows over a row of names are what some banks write there: a title or a blank line is in it.

    One cell over prose that has commas is no title but the name of the one column.
    """
    blank = any(not any(cell.strip() for cell in row) for row in above)
    return blank or (not is_prose and any(len(row) == 1 for row in above))


def _shape(sample: str) -> tuple[str, int]:
    """The delimiter by which most rows are equally wide, and how wide."""
    found = [(0, 1, ",")]
    for delimiter in _DELIMITERS:
        with suppress(csv.Error):
            rows = csv.reader(io.StringIO(sample), _dialect(sample, delimiter))
            widths = Counter(len(row) for row in rows)
            found += [(count, width, delimiter) for width, count in widths.items() if width > 1]
    _, width, delimiter = max(found)
    return delimiter, width


def _dialect(raw: str, delimiter: str) -> csv.Dialect:
    dialect = csv.excel()
    dialect.delimiter, dialect.skipinitialspace = delimiter, True
    if delimiter == "\t" and raw.count('"') % 2:  # quotation marks that mean themselves
        dialect.quoting = csv.QUOTE_NONE
    if _has_single_quotes(raw, delimiter):
        dialect.quotechar = "'"
    return dialect


def _has_single_quotes(raw: str, delimiter: str) -> bool:
    """Whether most rows hold a 'quoted, cell', and no cell begins with a quotation mark that does not close it."""
    start = rf"(?:^|{re.escape(delimiter)}) *+"
    if "'" not in raw:
        return False
    quoted = len(re.findall(rf"{start}'(?:[^'\n]|'')*+' *+(?={re.escape(delimiter)}|$)", raw, re.M))
    return 2 * quoted > raw.count("\n") and quoted == len(re.findall(rf"{start}['\"]", raw, re.M))


def _json_records(source: Source, raw: str) -> Iterator[str] | None:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        value = _json_lines(raw)
        if value is None:
            return None
    if isinstance(value, dict) and "nbformat" in value and "cells" in value:
        return _cells(source, value["cells"])
    items = value if isinstance(value, list) else [value]
    return ("; ".join(_leaves(item, "", 0)) for item in items)


def _json_lines(raw: str) -> list[object] | None:
    lines = [line for line in raw.split("\n") if line.strip()]
    try:
        return [json.loads(line) for line in lines] or None
    except (ValueError, RecursionError):
        return None


def _cells(source: Source, cells: object) -> Iterator[str]:
    """The source of each cell of a Jupyter notebook, and the words that it put out."""
    for cell in _objects(cells):
        yield _joined(cell.get("source"))
        for output in _objects(cell.get("outputs")):
            for said in (output, *_objects([output.get("data")])):
                yield "\n".join(filter(None, (_joined(said.get(name)) for name in _PUT_OUT)))
                if any(name.startswith("image/") for name in said):
                    source.note("pictures inside it are left out")


def _objects(value: object) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _joined(lines: object) -> str:
    """A text that may come as a list of its lines."""
    return "".join(line for line in lines if isinstance(line, str)) if isinstance(lines, list | str) else ""


def _leaves(value: object, name: str, depth: int) -> Iterator[str]:
    """The values of a JSON tree, each behind the last name on its way; null and empty ones left out."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, str(key), depth + 1)
    elif isinstance(value, list):
        if all(not isinstance(inner, dict | list) for inner in value):
            joined = ", ".join(str(inner) for inner in value if inner is not None)
            yield from _leaves(joined, name, depth + 1)
        else:
            for inner in value:
                yield from _leaves(inner, name, depth + 1)
    elif value is not None and str(value).strip():
        yield f"{name}: {value}" if name else str(value)


def _are_names(row: list[str]) -> bool:
    return len(row) > 1 and all(cell.strip() and not _is_number(cell) for cell in row)


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", ".").strip(" %€$£"))
    except ValueError:
        return False
    return True
