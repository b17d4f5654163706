"""Omnia inside mteb: an embedder as one of its models.

Only `embedder/mteb_tasks.py` imports this module, and only when a benchmark is run: mteb is an optional package.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from datasets import Audio, Video
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models import ModelMeta
from mteb.models.model_meta import ScoringFunction
from mteb.types import PromptType
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from data.errors import UnsupportedMediaError
from data.records import Evidence, Kind
from embedder.media import audio, ffmpeg, image, ocr, open_source, read
from embedder.media.passages import passages
from embedder.segment import PAGE_CHARACTERS, SAMPLE_RATE_HZ, Modality, Role, Segment, words

if TYPE_CHECKING:
    from embedder.embed import Embedder

Vectors = NDArray[np.float32]
Sound = NDArray[np.float32]

_TAKES = {Modality.WORDS: ("text",), Modality.PIXELS: ("image", "video"), Modality.SOUND: ("audio",)}
_PAGES = "DocumentUnderstanding"  # the type of mteb's tasks whose pictures are pages
_NO_TEXT = "."  # for an empty text: every item must have a vector


class CosineModel:
    """What mteb asks of every model beside its vectors."""

    def __init__(self, name: str, revision: str, dim: int, modalities: Iterable[Modality]) -> None:
        self.mteb_model_meta = ModelMeta(
            loader=None,
            name=name,
            revision=revision,
            release_date=None,
            languages=None,
            n_parameters=None,
            memory_usage_mb=None,
            max_tokens=None,
            embed_dim=dim,
            license=None,
            open_weights=None,
            public_training_code=None,
            public_training_data=None,
            framework=["PyTorch"],
            similarity_fn_name=ScoringFunction.COSINE,
            use_instructions=None,
            training_datasets=None,
            modalities=cast("Any", [taken for modality in sorted(modalities) for taken in _TAKES[modality]]),
        )

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Tensor:
        """Cosines (N, M) of vectors (N, D) and (M, D)."""
        return _unit(embeddings1) @ _unit(embeddings2).T

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Tensor:
        """Cosines (N,) of vectors (N, D) and (N, D)."""
        return (_unit(embeddings1) * _unit(embeddings2)).sum(dim=1)


class EmbedderModel(CosineModel):
    """An embedder as a model of mteb.

    Files are decoded by the readers of the product. An item of several parts (a caption with its picture, a film of
    many shots, a long sound) has one vector: the mean of those of its parts.

    Args:
        read_pages: have the words on pages read, as an ingest does; without it a page is its picture alone.
    """

    def __init__(self, embedder: Embedder, *, read_pages: bool = False) -> None:
        row = embedder.row
        name = row.name if row.hub is not None and not row.hub.folder else f"omnia/{Path(row.name).name}"
        revision = row.fingerprint.replace("/", "__") + ("-pages-read" if read_pages else "")
        super().__init__(name, revision, row.dim, row.modalities)
        self._embedder = embedder
        self._read_pages = read_pages

    def encode(
        self,
        inputs: DataLoader[Any],
        *,
        task_metadata: TaskMetadata,
        hf_split: str,
        hf_subset: str,
        prompt_type: PromptType | None = None,
        **_options: Any,
    ) -> Vectors:
        """Vectors (N, D) of unit norm of the items of a loader, in its order.

        Args:
            prompt_type: on which side of a search they stand; documents where a task has no sides.

        Raises:
            MediaError: an item cannot be decoded, or holds nothing that the model takes in.
            EmbeddingFailedError: or embedded.
        """
        role = Role.QUERY if prompt_type is PromptType.query else Role.DOCUMENT
        pages = task_metadata.type == _PAGES
        vectors = [np.empty((0, self._embedder.row.dim), np.float32)]
        for batch in _undecoded(inputs):
            takes = self._embedder.row.takes
            parts = ([*self._parts(item, pages=pages)] for item in _items(batch))
            items = [[part for part in each if takes(part.modality)] for each in parts]
            if not all(items):
                raise UnsupportedMediaError(f"an item of {task_metadata.name}", "nothing in it to embed")
            vectors.append(self._means(items, role))
        return np.concatenate(vectors)

    def _means(self, items: list[list[Segment]], role: Role) -> Vectors:
        """Of the parts of each item, (B, D)."""
        vectors = self._embedder.embed([part for parts in items for part in parts], role)
        ends = np.cumsum([len(parts) for parts in items])[:-1]
        means = np.stack([part.mean(axis=0) for part in np.split(vectors, ends)])  # (B, D)
        # Two parts may be opposite, which leaves nothing to scale.
        return cast(Vectors, means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12))

    def _parts(self, item: Mapping[str, Any], *, pages: bool) -> Iterator[Segment]:
        text = item.get("text")
        if text is not None and (text.strip() or len(item) == 1):
            yield words(text.strip() or _NO_TEXT)
        if "image" in item:
            yield from self._page(item["image"]) if pages else _picture(item["image"])
        if "video" in item:
            with _file(item["video"], "video") as path:
                # A reader gives the shots first: what comes after them is not even decoded.
                yield from takewhile(lambda part: part.evidence is Evidence.SEEN, read(path))
        if "audio" in item:
            for window in _windows(item["audio"]):
                yield Segment(kind=Kind.AUDIO, evidence=Evidence.HEARD, sound=window)

    def _page(self, picture: Image.Image) -> Iterator[Segment]:
        (page,) = _picture(picture)
        page = replace(page, kind=Kind.DOCUMENT)
        said = ocr.words(image.fitted(_flat(picture), image.READ_SIDE)) if self._read_pages else ""
        yield replace(page, text=said[:PAGE_CHARACTERS]) if said else page
        for passage in passages(said):
            yield Segment(kind=Kind.DOCUMENT, evidence=Evidence.WRITTEN, text=passage.text)


def _undecoded(inputs: DataLoader[Any]) -> DataLoader[Any]:
    """The same loader, with sounds and films as files, which the product's readers decode."""
    dataset: Any = inputs.dataset
    for column, feature in getattr(dataset, "features", {}).items():
        if isinstance(feature, (Audio, Video)):
            dataset = dataset.cast_column(column, type(feature)(decode=False))
    if dataset is inputs.dataset:
        return inputs
    return DataLoader(dataset, batch_size=inputs.batch_size, collate_fn=inputs.collate_fn)


def _items(batch: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What a batch says of each item: text, image, audio and video, as far as there are any."""
    columns = [column for column in ("text", "image", "audio", "video") if column in batch]
    for values in zip(*(batch[column] for column in columns), strict=True):
        yield {column: value for column, value in zip(columns, values, strict=True) if value is not None}


def _picture(picture: Image.Image) -> Iterator[Segment]:
    yield Segment(kind=Kind.IMAGE, evidence=Evidence.SEEN, pixels=image.pixels(_flat(picture))[None])


def _flat(picture: Image.Image) -> Image.Image:
    return image.over_white(picture.convert("RGBA") if "transparency" in picture.info else picture)


def _windows(value: Any) -> list[Sound]:
    """A sound in equal parts of about ten seconds, (samples,) each."""
    if isinstance(value, Mapping) and value.get("array") is not None:
        sound = _resampled(np.asarray(value["array"], np.float32), int(value["sampling_rate"]))
    else:
        with _file(value, "sound") as path:
            source = open_source(path)
            stream = ffmpeg.probe(source).sound
            if stream is None:
                raise UnsupportedMediaError(path, "no sound in it")
            sound = np.concatenate([np.empty(0, np.float32), *ffmpeg.sound(source, stream)])  # (samples,)
    if not sound.size:
        raise UnsupportedMediaError("a sound", "no sample in it")
    return np.array_split(sound, max(1, round(sound.size / (audio.WINDOW_S * SAMPLE_RATE_HZ))))


def _resampled(sound: Sound, rate_hz: int) -> Sound:
    """Channels (C, samples) or one (samples,) at any rate to (samples,) at SAMPLE_RATE_HZ."""
    from torchaudio.functional import resample

    mono = sound.mean(axis=0) if sound.ndim > 1 else sound
    return cast(Sound, resample(torch.from_numpy(mono), rate_hz, SAMPLE_RATE_HZ).numpy())


@contextmanager
def _file(value: Any, what: str) -> Iterator[Path]:
    """A medium of a data set as a file; it comes as bytes or as a path."""
    if not isinstance(value, Mapping):
        raise UnsupportedMediaError(f"a {what}", f"it comes as {type(value).__name__}, not as a file")
    if value.get("bytes") is None:
        yield Path(value["path"])
        return
    with TemporaryDirectory(prefix="omnia-mteb-") as folder:
        path = Path(folder) / "medium"
        path.write_bytes(value["bytes"])
        yield path


def _unit(vectors: Any) -> Tensor:
    found = torch.as_tensor(vectors).float()
    return torch.nn.functional.normalize(found[None] if found.ndim == 1 else found, dim=-1)
