"""Table: an answer as lines for a person at a terminal."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from app.excerpt import excerpt
from app.judge import Judged, Score
from app.lanes import parted
from app.results import Answer, Moment, Result
from data.printing import counted, printable

_BAR = 8  # columns of a full score bar
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_JUDGED = ("questions", "recall@10", "nDCG@10", "wrong@10")


def table(answer: Answer, *, words: str = "", weak: bool = False, colour: bool = False) -> str:
    """The results as text: score and bar, kind, path and, below it, the moments with their words.

    Args:
        words: of the query; of a long passage the part that holds them is shown.
        weak: show weak results, too, which are only counted otherwise, but for the nearest of kinds of which nothing is
            better; they are shown, too, where nothing at all is better.
    """
    if not answer.results:
        return "nothing found"
    width = max(60, shutil.get_terminal_size((100, 24)).columns)
    better, nearest, rest = parted(answer.results)
    shown, beside, left_out = (answer.results, [], 0) if weak or not better else (better, nearest, len(rest))
    lines = [line for result in shown for line in _lines(result, words, width=width, colour=colour)]
    if not better:
        lines = ["nothing stands out; the nearest are:", *lines]
    if beside:
        lines += ["", "the nearest besides:"]
        lines += [line for result in beside for line in _lines(result, words, width=width, colour=colour)]
    lines.append("")
    if left_out:
        lines.append(f"{counted(left_out, 'weak result')}: --weak shows {'it' if left_out == 1 else 'them'}")
    found = counted(len(shown) + len(beside), "result")
    took = f"{found} · embed {answer.embed_ms:.0f} ms · search {answer.search_ms:.0f} ms"
    return "\n".join([*lines, _dim(took, colour=colour)])


def newest_table(answer: Answer, *, colour: bool = False) -> str:
    """The files that filters alone choose, a line each."""
    lines = [f"{result.kind.value:<8}  {_named(result, colour=colour)}" for result in answer.results]
    told = f"{counted(len(lines), 'file')}, the newest first; add words, or an example, to look closer"
    return "\n".join([*lines, "", _dim(told, colour=colour)]) if lines else "nothing found"


def judged_table(judged: Judged, before: Mapping[str, Score] | None = None) -> str:
    """Recall and nDCG of each pair of kinds, with what they were before in brackets; "–" is what there is none of."""
    lines = [f"{'asked → found':<22}" + "".join(f"{name:>18}" for name in _JUDGED)]
    for pair in sorted({*judged.pairs, *(before or {})}):
        cells = _cells(judged.pairs.get(pair))
        if before is not None:
            cells = [f"{now} (was {was})" for now, was in zip(cells, _cells(before.get(pair)), strict=True)]
        lines.append(f"{printable(pair):<22}" + "".join(f"{cell:>18}" for cell in cells))
    return "\n".join(lines)


def _cells(score: Score | None) -> list[str]:
    if score is None:
        return ["–"] * len(_JUDGED)
    shares = (score.recall, score.ndcg, score.wrong)
    return [str(score.questions), *("–" if share is None else f"{share:.2f}" for share in shares)]


def moment_label(moment: Moment) -> str:
    """How and where it matched, in words: "said 0:12–0:15", "seen page 3"."""
    place = ""
    if moment.start_s is not None:
        place = clock(moment.start_s) + (f"–{clock(moment.end_s)}" if moment.end_s is not None else "")
    elif moment.page is not None:
        place = f"page {moment.page}"
    return f"{moment.evidence.value} {place}".rstrip()


def clock(seconds: float) -> str:
    """A time as people write it: 0:07, 12:30, 1:02:03."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _lines(result: Result, words: str, *, width: int, colour: bool) -> list[str]:
    head = f"{result.score:5.2f} {_bar(result.score)}  {result.kind.value:<8}  "
    lines = [head + _named(result, colour=colour)]
    indent = " " * 17
    for moment in result.moments:
        label = f"{moment_label(moment):<20}"
        room = width - len(indent) - len(label) - 2
        said = excerpt(printable(" ".join(moment.snippet.split())), words, most=room - 2)
        snippet = f"“{said}”" if said else ""
        lines.append((indent + _dim(label, colour=colour) + snippet).rstrip())
    return lines


def _named(result: Result, *, colour: bool) -> str:
    """Its path, whether it is the file that was asked with, and how many copies there are."""
    mark = " (the same file)" if result.same else ""
    more = f"  +{len(result.other_paths)} more" if result.other_paths else ""
    return _bold(_shortened(result.path), colour=colour) + _dim(mark + more, colour=colour)


def _bar(score: float) -> str:
    eighths = round(max(0.0, min(1.0, score)) * _BAR * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(_BAR, "·")


def _shortened(path: str) -> str:
    """The path as one printable line, relative to the working folder where it lies below it."""
    with suppress(ValueError):
        path = str(Path(path).relative_to(Path.cwd()))
    return printable(path)


def _bold(text: str, *, colour: bool) -> str:
    return f"\x1b[1m{text}\x1b[0m" if colour and text else text


def _dim(text: str, *, colour: bool) -> str:
    return f"\x1b[2m{text}\x1b[0m" if colour and text else text
