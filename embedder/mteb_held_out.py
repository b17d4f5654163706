"""Held-out media as retrieval tasks of mteb, whose numbers are those of `evaluate.matrix`.

Only `embedder/mteb_tasks.py` imports this module, and only when a benchmark is run: mteb is an optional package.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from datasets import Dataset
from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.abstasks.retrieval_dataset_loaders import RetrievalSplitData
from mteb.abstasks.task_metadata import TaskCategory, TaskMetadata
from mteb.types import PromptType
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from embedder.evaluate import captions_found, itself, same
from embedder.mteb_model import CosineModel
from embedder.segment import Modality

if TYPE_CHECKING:
    from embedder.evaluate import Exhibit

Vectors = NDArray[np.float32]

_LETTER = {"text": "t", "image": "i", "document": "i", "video": "v", "audio": "a"}  # as mteb writes categories
_SPLIT = "test"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """Media or captions that look for others, as one retrieval task.

    Args:
        category: of mteb, "t2i" for texts that look for pictures.
        queries: (Q, D) of unit norm, `asked` their texts where they are texts.
        candidates: (N, D) of unit norm, `shown` their texts where they are texts.
        right: (Q, N) which candidates a query should find; queries without any are left out.
        itself: (Q, N) candidates that are the query and so no answer, at most one each.
    """

    name: str
    category: str
    queries: Vectors
    candidates: Vectors
    right: NDArray[np.bool_]
    itself: NDArray[np.bool_] | None = None
    asked: tuple[str, ...] | None = None
    shown: tuple[str, ...] | None = None

    @property
    def shown_ids(self) -> list[str]:
        return [f"c{number}" for number in range(len(self.candidates))]

    @property
    def asked_ids(self) -> list[str]:
        """A query that is also a candidate has that one's id: mteb then leaves it out of the answers."""
        ids = [f"q{number}" for number in range(len(self.queries))]
        for query, candidate in [] if self.itself is None else np.argwhere(self.itself):
            ids[query] = f"c{candidate}"
        return ids


def questions(exhibits: Mapping[str, Exhibit]) -> Iterator[Question]:
    """Every kind by every kind, text included: the cells of `evaluate.matrix`, by the same rules."""
    for name, shown in exhibits.items():
        right = same(shown, shown)
        first, fitting = captions_found(shown)
        yield Question(
            name=_title("text", name),
            category=_category("text", name),
            queries=shown.texts,
            candidates=shown.vectors,
            right=right,
            asked=shown.captions,
        )
        yield Question(
            name=_title(name, "text"),
            category=_category(name, "text"),
            queries=shown.vectors,
            candidates=shown.texts[first],
            right=fitting,
            shown=tuple(shown.captions[medium] for medium in first),
        )
    for (name, asked), (other, shown) in product(exhibits.items(), repeat=2):
        no_answer = itself(asked, shown)
        yield Question(
            name=_title(name, other),
            category=_category(name, other),
            queries=asked.vectors,
            candidates=shown.vectors,
            right=same(asked, shown) & ~no_answer,
            itself=no_answer,
        )


class HeldOut(AbsTaskRetrieval):
    """A question as a task of mteb, its data made in memory.

    hit_rate_at_k of its results is what `evaluate.Recall` calls recall (mteb's recall is the share of right answers
    that were found), and ndcg_at_10 is its ndcg.
    """

    ignore_identical_ids = True

    def __init__(self, question: Question) -> None:
        self.metadata = TaskMetadata(
            name=question.name,
            description=f"{question.name}: media that were never trained on.",
            dataset={"path": "omnia/held-out", "revision": _digest(question.right)},
            type="Any2AnyRetrieval",
            category=cast(TaskCategory, question.category),
            modalities=cast("Any", sorted({_modality(letter) for letter in question.category if letter != "2"})),
            eval_splits=[_SPLIT],
            eval_langs=["eng-Latn"],
            main_score="ndcg_at_10",
        )
        super().__init__()
        ids = question.shown_ids
        self.dataset = {
            "default": {
                _SPLIT: RetrievalSplitData(
                    corpus=_rows(ids, question.shown),
                    queries=_rows(question.asked_ids, question.asked),
                    relevant_docs={
                        query: {ids[place]: 1 for place in np.flatnonzero(right)}
                        for query, right in zip(question.asked_ids, question.right, strict=True)
                    },
                    top_ranked=None,
                )
            }
        }
        self.data_loaded = True


class KnownVectors(CosineModel):
    """A model of mteb that looks up the vectors of a question by the ids of its items."""

    def __init__(self, question: Question, *, name: str, revision: str) -> None:
        super().__init__(name, revision, question.candidates.shape[1], Modality)
        self._queries = dict(zip(question.asked_ids, question.queries, strict=True))
        self._candidates = dict(zip(question.shown_ids, question.candidates, strict=True))

    def encode(self, inputs: DataLoader[Any], *, prompt_type: PromptType | None = None, **_options: Any) -> Vectors:
        """Vectors (N, D) of the items of a loader, in its order."""
        known = self._queries if prompt_type is PromptType.query else self._candidates
        return np.stack([known[name] for batch in inputs for name in batch["id"]])


def digest(exhibits: Mapping[str, Exhibit]) -> str:
    """Twelve letters that change with any vector."""
    return _digest(*(array for shown in exhibits.values() for array in (shown.vectors, shown.texts)))


def _rows(ids: list[str], texts: tuple[str, ...] | None) -> Dataset:
    return Dataset.from_dict({"id": ids} if texts is None else {"id": ids, "text": list(texts)})


def _title(asked: str, shown: str) -> str:
    return f"Omnia{asked.title()}To{shown.title()}Retrieval"


def _category(asked: str, shown: str) -> str:
    return f"{_LETTER[asked]}2{_LETTER[shown]}"


def _modality(letter: str) -> str:
    return {"t": "text", "i": "image", "v": "video", "a": "audio"}[letter]


def _digest(*arrays: NDArray[Any]) -> str:
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:12]
