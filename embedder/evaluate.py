"""The any-to-any recall matrix: how well each kind of query finds each kind of medium, on what was never trained on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, product
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from embedder.model.backbone import DIM
from embedder.model.omni import OmniModel
from embedder.towers.words import padded, read_tokenizer

if TYPE_CHECKING:
    from embedder.training.cache import Shelf
    from embedder.training.mixture import Captions

Vectors = NDArray[np.float32]

DEPTHS = (1, 5, 10)
_BATCH = 64
_OF_EACH = ("vectors", "texts"), ("groups", "captions", "descriptions", "origins")  # what an exhibit has of each medium


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """How well some queries find the right ones among candidates.

    Args:
        recall: share of queries with a right one among the first 1, 5, 10.
        ndcg: normalised discounted cumulative gain of the first 10, binary gains (Järvelin and Kekäläinen 2002).
        chance: recall of a random order, at the same depths.
    """

    queries: int
    candidates: int
    recall: dict[int, float]
    ndcg: float
    chance: dict[int, float]


@dataclass(frozen=True, slots=True)
class Exhibit:
    """Tested media of one kind as vectors (N, D), with what each shows and the text that should find it.

    `origins` name what each was made from: the same for a picture and for a camera's move over it.
    """

    name: str
    vectors: Vectors
    groups: tuple[str, ...]
    captions: tuple[str, ...]
    texts: Vectors  # (N, D) of the captions, by the model that is tested
    descriptions: tuple[str, ...] = ()  # all captions of each medium as one text
    origins: tuple[str, ...] = ()


def measure(
    queries: Vectors, candidates: Vectors, right: NDArray[np.bool_], *, itself: NDArray[np.bool_] | None = None
) -> Recall:
    """Recall by cosine.

    Args:
        queries: (Q, D) of unit norm.
        candidates: (N, D) of unit norm.
        right: (Q, N) which candidates a query should find; queries without any are left out.
        itself: (Q, N) candidates that are the query and so no answer, at most one each.
    """
    asked = right.any(axis=1)
    scores, right = queries[asked] @ candidates.T, right[asked]
    if itself is not None:
        scores[itself[asked]] = -np.inf
    count, shown = right.shape
    if not count:
        nothing = dict.fromkeys(DEPTHS, 0.0)
        return Recall(queries=0, candidates=shown, recall=nothing, ndcg=0.0, chance=nothing)
    among = np.full(count, shown) if itself is None else shown - itself[asked].sum(axis=1)  # (Q,)
    order = np.argsort(-scores, axis=1, kind="stable")[:, : max(DEPTHS)]  # (Q, 10)
    found = np.take_along_axis(right, order, axis=1)
    gains = 1 / np.log2(np.arange(2, found.shape[1] + 2))
    wanted = right.sum(axis=1)
    ideal = np.array([gains[: min(number, len(gains))].sum() for number in wanted])
    return Recall(
        queries=count,
        candidates=shown,
        recall={k: round(float(found[:, :k].any(axis=1).mean()), 4) for k in DEPTHS},
        ndcg=round(float(((found * gains).sum(axis=1) / ideal).mean()), 4),
        chance={k: round(_by_chance(wanted, among, depth=k), 4) for k in DEPTHS},
    )


def _by_chance(wanted: NDArray[np.int_], among: NDArray[np.int_], *, depth: int) -> float:
    """Recall of a random order, by the hypergeometric law, for queries (Q,) that want so many of so many candidates."""
    missed = [
        comb(number - right, min(depth, number)) / comb(number, min(depth, number))
        for right, number in zip(wanted.tolist(), among.tolist(), strict=True)
    ]
    return float(np.mean([1 - share for share in missed]))


def exhibit(
    name: str,
    model: OmniModel,
    shown: Iterable[tuple[Shelf, Sequence[int]]],
    captions: Captions,
    *,
    words: bool = True,
    alone: bool = False,
) -> Exhibit:
    """Those rows of some shelves that are tested on.

    Args:
        alone: by what the backbone makes of the tokens, without what goes around it.
        words: whether the words on pages may be read.
    """
    parts = list(shown)
    entries = [shelf.entries[row] for shelf, rows in parts for row in rows]
    vectors = np.concatenate([embed_shelf(model, shelf, rows, words=words, alone=alone) for shelf, rows in parts])
    asked = tuple(entry.captions[0] for entry in entries)
    texts = embed_texts(model, [captions.ids[captions.number[text]] for text in asked])
    described = tuple(entry.described for entry in entries)
    groups = tuple(entry.group for entry in entries)
    origins = tuple(shelf.origin(row) for shelf, rows in parts for row in rows)
    return Exhibit(name, vectors, groups, asked, texts, described, origins)


def joined(name: str, parts: Sequence[Exhibit]) -> Exhibit:
    """Several exhibits as one."""
    arrays, names = _OF_EACH
    nothing = np.empty((0, DIM), np.float32)
    every: dict[str, Any] = {
        field: np.concatenate([nothing, *(getattr(part, field) for part in parts)]) for field in arrays
    }
    every |= {field: tuple(chain.from_iterable(getattr(part, field) for part in parts)) for field in names}
    return Exhibit(name, **every)


def picked(shown: Exhibit, rows: Sequence[int]) -> Exhibit:
    """Some media of an exhibit, in the order given."""
    arrays, names = _OF_EACH
    kept: dict[str, Any] = {field: getattr(shown, field)[list(rows)] for field in arrays}
    kept |= {field: tuple(of[row] for row in rows) if (of := getattr(shown, field)) else () for field in names}
    return replace(shown, **kept)


def draws(shown: Exhibit, size: int, *, times: int) -> Iterator[Exhibit]:
    """So many media of an exhibit, by chance, `times` over; the same ones in every run."""
    for number in range(times):
        rows = np.random.default_rng(number).permutation(len(shown.vectors))[:size]
        yield picked(shown, rows.tolist())


def narrowed(shown: Exhibit, width: int) -> Exhibit:
    """The same media and texts by the first so many numbers of their vectors, normalised anew."""
    vectors, texts = (
        each[:, :width] / np.linalg.norm(each[:, :width], axis=1, keepdims=True)
        for each in (shown.vectors, shown.texts)
    )
    return replace(shown, vectors=vectors, texts=texts)


def by_description(shown: Exhibit, model: OmniModel, captions: Captions) -> Exhibit:
    """The same media, asked for by all captions of each as one text."""
    texts = embed_texts(model, [captions.ids[captions.number[text]] for text in shown.descriptions])
    return replace(shown, captions=shown.descriptions, texts=texts)


def said_otherwise(model: OmniModel, shown: Iterable[tuple[Shelf, Sequence[int]]], captions: Captions) -> Exhibit:
    """Texts as media: the second caption of all that have two, to be found by the first."""
    parts = list(shown)
    found = [
        (shelf.entries[row], shelf.origin(row))
        for shelf, rows in parts
        for row in rows
        if shelf.entries[row].captions[1:]
    ]
    first, second = (
        embed_texts(model, [captions.ids[captions.number[entry.captions[number]]] for entry, _ in found])
        for number in (0, 1)
    )
    groups, origins = tuple(entry.group for entry, _ in found), tuple(origin for _, origin in found)
    return Exhibit("text", second, groups, tuple(entry.captions[0] for entry, _ in found), first, origins=origins)


def priors(shelf: Shelf, rows: Sequence[int], captions: Captions) -> Exhibit:
    """The same media by the training-free vectors alone."""
    entries = [shelf.entries[row] for row in rows]
    texts = captions.vectors[[captions.number[entry.captions[0]] for entry in entries]].cpu().numpy()
    return Exhibit(
        shelf.source,
        shelf.prior[list(rows), 0].astype(np.float32) @ captions.rotation,
        tuple(entry.group for entry in entries),
        tuple(entry.captions[0] for entry in entries),
        texts,
    )


def text_finds(shown: Exhibit) -> Recall:
    """Captions as queries; what shows the same, or has the same caption, is right."""
    return measure(shown.texts, shown.vectors, same(shown, shown))


def text_finds_among(shown: Exhibit, others: Exhibit, size: int) -> Recall:
    """Captions as queries for their media among `size` candidates: the media and as many others as are missing.

    Returns:
        The mean over fillings by consecutive portions of the others; of what is left over no filling is made.
    """
    missing = size - len(shown.vectors)
    assert 0 < missing <= len(others.vectors)
    right, alike = same(shown, shown), same(shown, others)
    return average(
        measure(
            shown.texts,
            np.concatenate([shown.vectors, others.vectors[at : at + missing]]),
            np.concatenate([right, alike[:, at : at + missing]], axis=1),
        )
        for at in range(0, len(others.vectors) - missing + 1, missing)
    )


def average(every: Iterable[Recall]) -> Recall:
    """The mean of the same question asked several times, each time among other candidates."""
    found = list(every)

    def mean(of: Sequence[float]) -> float:
        return round(float(np.mean(of)), 4)

    return Recall(
        queries=round(mean([each.queries for each in found])),
        candidates=round(mean([each.candidates for each in found])),
        recall={depth: mean([each.recall[depth] for each in found]) for depth in DEPTHS},
        ndcg=mean([each.ndcg for each in found]),
        chance={depth: mean([each.chance[depth] for each in found]) for depth in DEPTHS},
    )


def finds_text(shown: Exhibit) -> Recall:
    """Media as queries, captions as candidates, each caption once."""
    first, right = captions_found(shown)
    return measure(shown.vectors, shown.texts[first], right)


def finds(asked: Exhibit, shown: Exhibit) -> Recall:
    """Media as queries for media of another exhibit that show the same."""
    return measure(asked.vectors, shown.vectors, same(asked, shown))


def matrix(exhibits: Mapping[str, Exhibit]) -> dict[str, dict[str, Any]]:
    """Every kind by every kind, text included; a medium is not its own answer, nor is what it was made from."""
    table: dict[str, dict[str, Any]] = {"text": {}}
    for name, shown in exhibits.items():
        table["text"][name] = asdict(text_finds(shown))
        table.setdefault(name, {})["text"] = asdict(finds_text(shown))
    for (name, asked), (other, shown) in product(exhibits.items(), repeat=2):
        no_answer = itself(asked, shown)
        right = same(asked, shown) & ~no_answer
        table[name][other] = asdict(measure(asked.vectors, shown.vectors, right, itself=no_answer))
    return table


def itself(asked: Exhibit, shown: Exhibit) -> NDArray[np.bool_]:
    """(Q, N): which are the query itself, or were made from the same: a clip of it, at most one each."""
    if asked is shown:
        return np.eye(len(asked.vectors), dtype=bool)
    if not (asked.origins and shown.origins):
        return np.zeros((len(asked.vectors), len(shown.vectors)), dtype=bool)
    made_from: NDArray[np.bool_] = np.array(asked.origins)[:, None] == np.array(shown.origins)[None]
    return made_from


def captions_found(shown: Exhibit) -> tuple[NDArray[np.int_], NDArray[np.bool_]]:
    """Each caption once, in the order of the alphabet.

    Returns:
        (C,) the first medium that has each, and (N, C) which fit a medium: those of any medium that shows the same.
    """
    _, first, number = np.unique(np.array(shown.captions), return_index=True, return_inverse=True)
    alike = same(shown, shown)
    right = np.zeros((len(alike), len(first)), dtype=bool)
    for caption in range(len(first)):
        right[:, caption] = alike[:, number == caption].any(axis=1)
    return first, right


def same(asked: Exhibit, shown: Exhibit) -> NDArray[np.bool_]:
    """(Q, N): which show the same, or are described in the same words."""
    groups = np.array(asked.groups)[:, None] == np.array(shown.groups)[None]
    captions = np.array(asked.captions)[:, None] == np.array(shown.captions)[None]
    alike: NDArray[np.bool_] = groups | captions
    return alike


@torch.inference_mode()
def embed_shelf(
    model: OmniModel, shelf: Shelf, rows: Sequence[int], *, words: bool = True, alone: bool = False
) -> Vectors:
    """Media of a shelf, as they are, to unit vectors (N, D)."""
    device, vectors = model.rotation.device, np.empty((len(rows), DIM), np.float32)
    said = None
    if any(shelf.entries[row].words for row in rows):
        texts = [shelf.entries[row].words if words else "" for row in rows]
        said = [encoded.ids for encoded in read_tokenizer().encode_batch(texts)]
    for places in _batches([0] * len(rows) if said is None else list(map(len, said))):
        reading = shelf.reading([rows[place] for place in places]).to(device)
        read = None
        if said is not None:
            ids, mask = padded([said[place] for place in places])
            read = ids.to(device), mask.to(device)
        around = torch.zeros(len(places), 1, device=device) if alone else None
        vectors[places] = model.media(shelf.tower, reading, words=read, around=around).float().cpu().numpy()
    return vectors


@torch.inference_mode()
def embed_texts(model: OmniModel, ids: Sequence[Sequence[int]]) -> Vectors:
    """Tokenised texts to unit vectors (N, D)."""
    device, vectors = model.rotation.device, np.empty((len(ids), DIM), np.float32)
    for places in _batches(list(map(len, ids))):
        batch, mask = padded([ids[place] for place in places])
        vectors[places] = model.words(batch.to(device), mask.to(device)).float().cpu().numpy()
    return vectors


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Places of what is about as long, so that little of a batch is padding."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    return (order[start : start + _BATCH] for start in range(0, len(order), _BATCH))
