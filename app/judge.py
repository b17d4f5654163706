"""Judge: how well the search does by what people said of its results, for each pair of kinds."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.query import BadQueryError, FilePart, Query, SegmentPart
from app.verdicts import from_question
from data.errors import MediaError
from data.records import Kind

if TYPE_CHECKING:
    from app.search import SearchService
    from data.catalogue import Catalogue
    from data.records import Verdict
    from data.vectors import VectorStore

DEPTH = 10
_WORDS, _MIX = "text", "mix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well questions of one kind find files of another.

    Args:
        questions: that have something right of this kind.
        recall: share of what is right that is among the first DEPTH.
        ndcg: normalised discounted cumulative gain of the first DEPTH, binary gains.
        wrong: of what was said to be wrong, the share among the first DEPTH; None where nothing was.
    """

    questions: int
    recall: float
    ndcg: float
    wrong: float | None

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        shares = {"recall": self.recall, "ndcg": self.ndcg, "wrong": self.wrong}
        rounded = {name: None if share is None else round(share, 4) for name, share in shares.items()}
        return {"questions": self.questions, **rounded}

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Score:
        """What `to_json` gave.

        Raises:
            LookupError, TypeError, ValueError, OverflowError: that is not what it is.
        """
        wrong = None if told["wrong"] is None else float(told["wrong"])
        return cls(
            questions=int(told["questions"]), recall=float(told["recall"]), ndcg=float(told["ndcg"]), wrong=wrong
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """All of it.

    Args:
        pairs: "text → video" and its score.
        left_out: questions that cannot be asked any more, since a file of theirs has left.
    """

    pairs: Mapping[str, Score]
    left_out: int

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {"pairs": pairs_json(self.pairs), "left_out": self.left_out}


def pairs_json(pairs: Mapping[str, Score]) -> dict[str, Any]:
    """Pairs of kinds and their scores as JSON-ready values."""
    return {pair: score.to_json() for pair, score in pairs.items()}


def earlier(path: Path) -> dict[str, Score]:
    """The pairs of an answer of `judge --json` that was kept in a file.

    Raises:
        BadQueryError: it cannot be read, or holds something else.
    """
    try:
        pairs: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["pairs"]
        return {pair: Score.of_json(told) for pair, told in dict.items(pairs)}  # which takes nothing else
    except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "it holds something else"
        again = "make one with: python -m app judge --json > FILE"
        raise BadQueryError(f"{str(path)!r} is no answer of judge --json: {reason}; {again}") from error


def judge(service: SearchService, catalogue: Catalogue, store: VectorStore, verdicts: Sequence[Verdict]) -> Judged:
    """Ask every judged question again, without what was said of it, and score the answers.

    A question counts in each kind of file that holds something right for it, and is asked for that kind alone.
    """
    by_question: defaultdict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        by_question[verdict.question].append(verdict)
    found: defaultdict[str, list[tuple[float, float, float | None]]] = defaultdict(list)
    left_out = 0
    kinds = _kinds(catalogue, verdicts)
    for question, said in by_question.items():
        query = from_question(question, catalogue)
        try:
            asked = None if query is None else _asked_by(query, catalogue, store)
            if query is None or asked is None:
                left_out += 1
                continue
            for kind in sorted({kinds[one.content] for one in said if one.is_right and one.content in kinds}):
                right = {one.content for one in said if one.is_right and kinds.get(one.content) == kind}
                wrong = {one.content for one in said if not one.is_right and kinds.get(one.content) == kind}
                found[f"{asked} → {kind.value}"].append(_score(_first(service, query, kind), right, wrong))
        except (BadQueryError, MediaError):
            left_out += 1
    pairs = {pair: _mean(scores) for pair, scores in sorted(found.items())}
    return Judged(pairs=pairs, left_out=left_out)


def ndcg(first: Sequence[str], right: Set[str]) -> float:
    """Normalised discounted cumulative gain of the first DEPTH answers at most, binary gains."""
    gain = sum(1 / math.log2(place + 2) for place, answer in enumerate(first) if answer in right)
    return gain / sum(1 / math.log2(place + 2) for place in range(min(len(right), DEPTH)))


def _first(service: SearchService, query: Query, kind: Kind) -> list[str]:
    """The contents of the first DEPTH answers of a kind."""
    filters = replace(query.filters, kinds=frozenset({kind}))
    return [result.content for result in service.search(replace(query, filters=filters, limit=DEPTH)).results]


def _score(first: Sequence[str], right: set[str], wrong: set[str]) -> tuple[float, float, float | None]:
    among = set(first)
    recall = len(among & right) / min(len(right), DEPTH)
    return recall, ndcg(first, right), len(among & wrong) / len(wrong) if wrong else None


def _mean(scores: Sequence[tuple[float, float, float | None]]) -> Score:
    wrongs = [wrong for *_, wrong in scores if wrong is not None]
    return Score(
        questions=len(scores),
        recall=sum(recall for recall, *_ in scores) / len(scores),
        ndcg=sum(ndcg for _, ndcg, _ in scores) / len(scores),
        wrong=sum(wrongs) / len(wrongs) if wrongs else None,
    )


def _kinds(catalogue: Catalogue, verdicts: Sequence[Verdict]) -> dict[str, Kind]:
    files = catalogue.files_of([verdict.content for verdict in verdicts])
    return {content: found[0].kind for content, found in files.items() if found[0].kind is not None}


def _asked_by(query: Query, catalogue: Catalogue, store: VectorStore) -> str | None:
    """The kind of the examples, "text" where there are none; None where one has left the library."""
    kinds: set[str] = set()
    for part in query.parts:
        if isinstance(part, SegmentPart):
            records, _ = store.fetch([part.id])
            if not records:
                return None
            kinds.add(records[0].kind.value)
        elif isinstance(part, FilePart):
            kind = catalogue.files_of([part.content])[part.content][0].kind
            kinds.add(kind.value if kind else _MIX)
    return _WORDS if not kinds else kinds.pop() if len(kinds) == 1 else _MIX
