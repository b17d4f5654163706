"""Export: results as a table for other programs, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence

from app.escaping import readable
from app.results import Answer, Result

_COLUMNS = ("path", "kind", "score", "evidence", "start_s", "end_s", "page", "snippet", "other_paths")
_MARK = "\ufeff"  # by which spreadsheets know UTF-8
_FORMULA = re.compile(  # what a spreadsheet would run
    r"(^|[;\n\t\r])(?=[=+\-@\t\r＝＋－＠])|^(?=[\s\ufeff]+[=+\-@＝＋－＠])"
)


def as_csv(results: Sequence[Result]) -> str:
    """One row for each moment, best results first, with a header; texts that a spreadsheet would run are quoted."""
    file = io.StringIO()
    rows = csv.writer(file, quoting=csv.QUOTE_ALL)  # so that no part of a cell is one where `;` divides them
    rows.writerow(_COLUMNS)
    for result in results:
        others = "\n".join(result.other_paths)
        for moment in result.moments:
            row = [result.path, result.kind.value, f"{moment.score:.4f}", moment.evidence.value]
            place = [_number(moment.start_s), _number(moment.end_s), moment.page or ""]
            rows.writerow([_harmless(str(cell)) for cell in (*row, *place, moment.snippet, others)])
    return _MARK + readable(file.getvalue())


def as_json(answer: Answer) -> str:
    """As the command line and the API answer."""
    return json.dumps(answer.to_json(), ensure_ascii=False, indent=1)


def _number(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f}"


def _harmless(cell: str) -> str:
    return _FORMULA.sub(r"\1'", cell)
