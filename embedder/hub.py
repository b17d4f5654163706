"""Models of the hub, or of a folder, behind the face of every model: sentence-transformers does the loading.

EmbeddingGemma-2 runs through this file in the tests, tiny and with random weights. The other rows follow what their
authors and mteb publish; their code and weights were out of reach when this was written.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from data.errors import BadSettingsError, ModelMismatchError, OmniaError
from embedder.device import Device
from embedder.hub_folder import refuse_pickles
from embedder.hub_rows import HubRow
from embedder.segment import SAMPLE_RATE_HZ, Modality, Role, Segment

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

log = logging.getLogger(__name__)

Vectors = NDArray[np.float32]

_FILES = ("*.json", "*.jinja", "*.txt", "*.model", "*.safetensors", "README.md", "LICENSE*")
_SHORTEST_S = 0.25  # shorter sounds have fewer mel frames than the towers' convolutions need
_telling = Lock()
_silent = logging.getLogger(f"{__name__}.silent")  # for a table of tensors that the library shows people
_silent.disabled = True
_MEDIA = {Modality.WORDS: "text", Modality.SOUND: "audio"}
# Parts that no vector comes from, which many files are saved without.
_IDLE = frozenset({"pooler", "lm_head", "logit_scale", "logit_bias", "masked_spec_embed"})


def load_hub(device: Device, row: HubRow, *, trust_remote_code: bool = False) -> HubModel:
    """A row's model on a device.

    Args:
        trust_remote_code: whether the row may run code that comes with its weights, where it needs to.

    Raises:
        BadSettingsError: the model is neither on this machine nor to be had from the hub.
        ModelMismatchError: its files are damaged or incomplete, or not safetensors.
    """
    trusted = row.remote_code and trust_remote_code
    folder = fetch(row, with_code=trusted)
    if not (folder / "modules.json").is_file():  # the library would make up how to pool, without a word
        raise ModelMismatchError(f"model {row.name} does not say how it pools (no modules.json); name another commit")
    with loading(row):
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]
        with _missing_told(row) as missing:
            net = SentenceTransformer(
                str(folder),
                device=device.name,
                trust_remote_code=trusted,
                local_files_only=True,
                model_kwargs={"dtype": torch.bfloat16 if device.bf16 else torch.float32, "use_safetensors": True},
            )
        refuse_gaps(row, missing)
        if (net.max_seq_length or math.inf) > row.max_tokens:
            with suppress(AttributeError):  # a model that reads texts of any length has nothing to set
                net.max_seq_length = row.max_tokens
    for module in net.modules():
        if type(module).__name__ == row.bidirectional:
            # Transformers 5 no longer calls what this code overrides: without a word, padded inputs are read from
            # the left only, and differ from what they are alone (cosine 0.73).
            cast(Any, module).config.is_causal = False
    return HubModel(row, net)


class HubModel:
    """A sentence-transformers model that eats segments."""

    def __init__(self, row: HubRow, net: SentenceTransformer) -> None:
        self._row = row
        self._net = net
        self._special = special_tokens(getattr(net, "processor", None))  # a table of words has none

    def encode(self, segments: Sequence[Segment], role: Role) -> Vectors:
        """Segments of one modality to vectors (N, dim), in the order given; pictures and clips may be mixed."""
        places: dict[str, list[int]] = {}
        for place, segment in enumerate(segments):
            places.setdefault(medium(segment), []).append(place)
        vectors = np.empty((len(segments), self._row.dim), np.float32)
        for thing, mine in places.items():
            vectors[mine] = self._encode([segments[place] for place in mine], thing, role)
        return vectors

    def reads(self, text: str) -> bool:
        return True  # its tokens are made of bytes, so none is unknown

    def golden(self, modality: Modality) -> Vectors | None:
        return None

    def _encode(self, segments: Sequence[Segment], thing: str, role: Role) -> Vectors:
        """Segments of one medium to vectors (N, dim)."""
        if thing != "video" or self._row.video:
            return self._forward([self._item(segment, thing, role) for segment in segments], thing, role)
        means = [self._forward(list(self._frames(segment)), "image", role).mean(axis=0) for segment in segments]
        return cast(Vectors, np.stack(means))

    def _item(self, segment: Segment, thing: str, role: Role) -> Any:
        """A segment as the model's code wants it."""
        if thing == "text":
            text = plain(cast(str, segment.text), self._special)
            # Named, a passage that reads like a path or an address stays a text: nobody opens what lies behind it.
            return (self._row.prompts.get(role) or "") + text if self._row.bare else {"text": text}
        if thing == "audio":
            sound = fitting(cast(Vectors, segment.sound), longest_s=self._row.sound_s)
            return sound if self._row.bare else {"audio": {"array": sound, "sampling_rate": SAMPLE_RATE_HZ}}
        if thing == "image":
            image = next(iter(self._frames(segment)))
            return image if self._row.bare else {"image": image}
        if self._row.bare:
            return spread(cast("NDArray[np.uint8]", segment.pixels), self._row.frames)
        return {"video": list(self._frames(segment))}

    def _frames(self, segment: Segment) -> Iterator[Any]:
        """The frames of a picture or a clip as PIL images, at most as many as the model takes."""
        from PIL import Image

        for frame in spread(cast("NDArray[np.uint8]", segment.pixels), self._row.frames):
            yield Image.fromarray(frame)

    def _forward(self, items: list[Any], thing: str, role: Role) -> Vectors:
        prompt = self._row.prompts.get(role)
        if prompt is None:
            prompt = self._net.prompts.get(role.value) or ""
        options: dict[str, Any] = {"task": self._row.task} if self._row.task else {}
        if not self._row.bare:
            options["processing_kwargs"] = {"video": {"do_sample_frames": False}}  # the reader chose the frames
        found = self._net.encode(
            items,
            prompt="" if self._row.bare and thing == "text" else prompt,
            batch_size=1 if thing == "audio" and self._row.sounds_alone else len(items),
            show_progress_bar=False,
            convert_to_tensor=True,
            **options,
        )
        vectors: Vectors = found.float().cpu().numpy()
        check_width(vectors, self._row)
        return vectors


def fetch(row: HubRow, *, with_code: bool = False) -> Path:
    """The folder with a row's files, downloaded at its commit when they are not on this machine yet.

    Raises:
        BadSettingsError: the hub does not have it, does not give it, or cannot be reached.
        ModelMismatchError: it is no safetensors model.
    """
    if row.folder:
        return Path(row.folder)
    from httpx import HTTPError
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it announces every one of its retries
    patterns = [*_FILES, "*.py"] if with_code else list(_FILES)
    try:
        folder = Path(snapshot_download(row.name, revision=row.revision, allow_patterns=patterns))
    except GatedRepoError as error:
        raise BadSettingsError(
            f"model {row.name} is given out only to those who agree to its terms; do so on its page, then run: "
            "hf auth login"
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise BadSettingsError(
            f"the hub has no model {row.name} at commit {row.revision[:12]}…; name another commit: "
            f"--model {row.name}@COMMIT"
        ) from error
    except (HfHubHTTPError, HTTPError, OSError) as error:
        raise BadSettingsError(
            f"model {row.name} is not on this machine and the hub cannot be reached; go online once, give --model a "
            f"folder that holds it, or use the built-in model ({type(error).__name__})"
        ) from error
    refuse_pickles(folder)
    return folder


@contextmanager
def loading(row: HubRow) -> Iterator[None]:
    """Whatever the libraries, or the code of a model, raise while it is loaded becomes one line.

    Raises:
        ModelMismatchError: a file is damaged or missing, or a package that the model needs.
    """
    try:
        yield
    except OmniaError:
        raise
    except ImportError as error:
        raise ModelMismatchError(
            f"model {row.name} needs what is not installed: {_line(error)}; install that package, or a newer one, with "
            "pip, or choose another model"
        ) from error
    except SafetensorError as error:
        raise ModelMismatchError(f"weights of model {row.name} are damaged: {_line(error)}; get them again") from error
    except Exception as error:
        if isinstance(error, RuntimeError) and "out of memory" in str(error):
            raise BadSettingsError(
                f"model {row.name} does not fit into memory; choose a smaller one or --device cpu"
            ) from error
        raise ModelMismatchError(
            f"model {row.name} cannot be loaded: {_line(error)}; get its files again, or choose another model"
        ) from error


def refuse_gaps(row: HubRow, missing: Iterable[str]) -> None:
    """Refuse weights that lack tensors: the libraries fill those with random numbers, other ones in each process.

    Args:
        missing: names of tensors that no file held.

    Raises:
        ModelMismatchError: vectors would come out of one of them.
    """
    lacking = sorted(name for name in missing if _IDLE.isdisjoint(name.split(".")))
    if lacking:
        raise ModelMismatchError(
            f"weights of model {row.name} are incomplete: {lacking[0]!r} is missing"
            f"{f' with {len(lacking) - 1} other tensors' if lacking[1:] else ''}; get its files again"
        )


@contextmanager
def _missing_told(row: HubRow) -> Iterator[set[str]]:
    """The names of tensors that were in no file, told while a model loads: the library itself only warns of them.

    One model at a time: what the library tells does not say of which.

    Raises:
        ModelMismatchError: a tensor is not of the shape that the configuration says, or cannot be brought into it.
    """
    from transformers import modeling_utils

    library: Any = modeling_utils
    missing: set[str] = set()
    with _telling:
        report = library.log_state_dict_report

        def listen(*arguments: Any, loading_info: Any, **named: Any) -> None:
            missing.update(loading_info.missing_keys)
            wrong = [*(name for name, *_ in loading_info.mismatched_keys), *loading_info.conversion_errors]
            if wrong:
                raise ModelMismatchError(
                    f"weights of model {row.name} do not fit its configuration: {min(wrong)!r}"
                    f"{f' and {len(wrong) - 1} other tensors' if wrong[1:] else ''}; get its files again"
                )
            report(*arguments, loading_info=loading_info, **named | {"logger": _silent})

        library.log_state_dict_report = listen
        try:
            yield missing
        finally:
            library.log_state_dict_report = report


def medium(segment: Segment) -> str:
    """What a segment is to a model: text, image, video (more than one frame) or audio."""
    if segment.pixels is not None:
        return "image" if len(segment.pixels) == 1 else "video"
    return _MEDIA[segment.modality]


def special_tokens(processor: Any) -> tuple[str, ...]:
    """The words that steer a model, such as <|image|> and <eos>, longest first."""
    tokenizer = getattr(processor, "tokenizer", processor)
    found = set(getattr(tokenizer, "all_special_tokens", ()))
    names = ("image_token", "audio_token", "video_token")
    found |= {token for name in names if isinstance(token := getattr(processor, name, None), str)}
    return tuple(sorted(found, key=lambda token: (-len(token), token)))


def plain(text: str, special: Sequence[str]) -> str:
    """A text that steers nothing: a passage about models may well hold "<|image|>", which would ask for a picture."""
    for token in special:
        if len(token) > 1:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def fitting(sound: Vectors, *, longest_s: float) -> Vectors:
    """A sound (samples,) cut to what a model takes, or lengthened with silence to the least it needs."""
    cut = sound[: int(longest_s * SAMPLE_RATE_HZ)]
    missing = int(_SHORTEST_S * SAMPLE_RATE_HZ) - len(cut)
    return np.pad(cut, (0, missing)) if missing > 0 else cut


def spread(pixels: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """Frames (T, H, W, 3), evenly thinned out to at most `most`, first and last kept."""
    if len(pixels) <= most:
        return pixels
    return cast("NDArray[np.uint8]", pixels[np.linspace(0, len(pixels) - 1, most).round().astype(int)])


def check_width(vectors: Vectors, row: HubRow) -> None:
    """The output's width counts, not what a configuration says of it.

    Raises:
        ModelMismatchError: the two differ.
    """
    if vectors.shape[-1] != row.dim:
        remedy = (
            f"write truncate_dim {vectors.shape[-1]} into its config_sentence_transformers.json"
            if row.folder
            else "name the commit that Omnia pins"
        )
        raise ModelMismatchError(
            f"model {row.name} gives vectors of width {vectors.shape[-1]}, not the {row.dim} it promises; {remedy}"
        )


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
