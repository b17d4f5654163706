"""LCO-Embedding-Omni: asked to say the input in one word, what it is about to say is the vector (arXiv 2510.11693)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from embedder.device import Device
from embedder.hub import check_width, fetch, fitting, loading, medium, plain, refuse_gaps, special_tokens, spread
from embedder.hub_rows import HubRow
from embedder.segment import Modality, Role, Segment

if TYPE_CHECKING:
    import torch

Vectors = NDArray[np.float32]

_MAX_TEXT_TOKENS = 300  # of a passage, as its authors measure it
_PROCESSOR_NAMES = {"image": "images", "video": "videos", "audio": "audio"}


def load_lco(device: Device, row: HubRow, *, trust_remote_code: bool = False) -> LcoModel:
    """The model of a row on a device; it runs no code of its own, whatever is trusted.

    Raises:
        BadSettingsError: the model is neither on this machine nor to be had from the hub.
        ModelMismatchError: its files are damaged or incomplete, or not safetensors.
    """
    folder = fetch(row)
    with loading(row):
        import torch
        from transformers import Qwen2_5OmniProcessor, Qwen2_5OmniThinkerForConditionalGeneration
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]
        processor = Qwen2_5OmniProcessor.from_pretrained(str(folder), local_files_only=True)
        loaded: Any = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(
            str(folder),
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.bfloat16 if device.bf16 else torch.float32,
            output_loading_info=True,
        )
        net, told = loaded
        refuse_gaps(row, told["missing_keys"])
        net = net.to(device.name).eval()
    processor.tokenizer.padding_side = "left"  # so that the last token is a real one in every row
    net.lm_head.register_forward_pre_hook(_last_only)
    return LcoModel(row, net, processor)


class LcoModel:
    """Qwen2.5-Omni's thinker as an embedder; queries and documents are treated alike."""

    def __init__(self, row: HubRow, net: Any, processor: Any) -> None:
        self._row = row
        self._net = net
        self._processor = processor
        self._special = special_tokens(processor)

    def encode(self, segments: Sequence[Segment], role: Role) -> Vectors:
        """Segments of one modality to vectors (N, dim), in the order given; pictures and clips may be mixed."""
        places: dict[str, list[int]] = {}
        for place, segment in enumerate(segments):
            places.setdefault(medium(segment), []).append(place)
        vectors = np.empty((len(segments), self._row.dim), np.float32)
        for thing, mine in places.items():
            vectors[mine] = self._forward([segments[place] for place in mine], thing)
        return vectors

    def reads(self, text: str) -> bool:
        return True  # its tokens are made of bytes, so none is unknown

    def golden(self, modality: Modality) -> Vectors | None:
        return None

    def _forward(self, segments: Sequence[Segment], thing: str) -> Vectors:
        import torch

        asked = {"type": "text", "text": f"\nSummarize the above {thing} in one word:"}
        chats = [[{"role": "user", "content": [self._said(segment, thing), asked]}] for segment in segments]
        texts = self._processor.apply_chat_template(chats, tokenize=False, add_generation_prompt=True)
        media: dict[str, list[Any]] = {}
        if thing != "text":
            media[_PROCESSOR_NAMES[thing]] = [self._seen_or_heard(segment, thing) for segment in segments]
        inputs = self._processor(
            text=texts,
            **media,
            padding=True,
            return_tensors="pt",
            videos_kwargs={"do_sample_frames": False, "use_audio_in_video": False, "cap_pixels_per_frame": True},
        ).to(self._net.device)
        with torch.inference_mode():
            hidden = self._net(**inputs, output_hidden_states=True, return_dict=True).hidden_states[-1]  # (B, T, D)
        vectors: Vectors = hidden[:, -1].float().cpu().numpy()
        check_width(vectors, self._row)
        return vectors

    def _said(self, segment: Segment, thing: str) -> dict[str, str]:
        """What stands for a segment in the conversation: a placeholder, or a passage cut to what the model takes."""
        if thing != "text":
            return {"type": thing, thing: ""}
        text = plain(cast(str, segment.text), self._special)
        tokenizer = self._processor.tokenizer
        ids = tokenizer(text).input_ids
        return {
            "type": "text",
            "text": tokenizer.decode(ids[:_MAX_TEXT_TOKENS]) if len(ids) > _MAX_TEXT_TOKENS else text,
        }

    def _seen_or_heard(self, segment: Segment, thing: str) -> Any:
        """A PIL image, frames (T, H, W, 3) or a sound (samples,)."""
        from PIL import Image

        if thing == "audio":
            return fitting(cast(Vectors, segment.sound), longest_s=self._row.sound_s)
        frames = spread(cast("NDArray[np.uint8]", segment.pixels), self._row.frames)
        return frames if thing == "video" else Image.fromarray(frames[0])


def _last_only(_head: object, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
    """Only hidden states are wanted: spare the words' scores (B, T, 150,000) at all places but the last."""
    return (arguments[0][:, -1:],)
