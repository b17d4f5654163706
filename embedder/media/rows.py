"""Reader for tables of data (CSV, JSON): each record said as "column: value; column: value"."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator

from data.records import Span
from embedder.media import text as plain
from embedder.media.source import Source
from embedder.segment import Segment

_MAX_DEPTH = 40


def read(source: Source) -> Iterator[Segment]:
    """Passages of records; char spans count characters of the records as said, one record a paragraph.

    A file that does not parse is read as plain text, with a note.

    Raises:
        UnsupportedMediaError: there are no words and no numbers in it.
    """
    raw = plain.decoded(source)
    said = _csv_records(source, raw) if source.format.mime == "text/csv" else _json_records(raw)
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
            is_header = len(row) > 1 and all(cell.strip() and not _is_number(cell) for cell in row)
            names = row if is_header else []
            if is_header:
                continue
        yield record(names + [""] * (len(row) - len(names)), row)


def _csv_records(source: Source, raw: str) -> Iterator[str]:
    try:
        dialect: type[csv.Dialect] | str = csv.Sniffer().sniff(raw[:10_000], delimiters=",;\t|")
    except csv.Error:
        dialect = "excel-tab" if "\t" in raw[:10_000] else "excel"
    csv.field_size_limit(source.limits.text_bytes)
    rows = csv.reader(io.StringIO(raw), dialect)
    try:
        yield from records(rows)
    except csv.Error as error:
        source.note(f"rows after line {rows.line_num} are left out: {error}")


def _json_records(raw: str) -> Iterator[str] | None:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        value = _json_lines(raw)
        if value is None:
            return None
    items = value if isinstance(value, list) else [value]
    return ("; ".join(_leaves(item, "", 0)) for item in items)


def _json_lines(raw: str) -> list[object] | None:
    lines = [line for line in raw.splitlines() if line.strip()]
    try:
        return [json.loads(line) for line in lines] or None
    except (ValueError, RecursionError):
        return None


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


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", ".").strip(" %€$£"))
    except ValueError:
        return False
    return True
