"""On a machine with an NVIDIA GPU: what it computes agrees with the processor. Elsewhere these are skipped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from data.records import Kind
from embedder.device import Device, pick_device
from embedder.embed import load_embedder
from embedder.hub import load_hub
from embedder.hub_folder import folder_row
from embedder.segment import Modality, Role, Segment, words
from embedder.selftest import golden_segments
from tests.test_embedder_hub import make_gemma

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU is here")


def _everything() -> list[Segment]:
    """Inputs of all modalities, texts of many lengths, pictures of several sizes and pages with words, mixed."""
    pictures = golden_segments(Modality.PIXELS)
    frames = [each.pixels for each in pictures if each.pixels is not None]
    shots = [replace(pictures[0], kind=Kind.VIDEO, pixels=np.concatenate([frame] * 3)) for frame in frames]
    cut = [replace(picture, pixels=frame[:, :90, :50]) for picture, frame in zip(pictures, frames, strict=True)]
    pages = [replace(picture, kind=Kind.DOCUMENT, text="the tides at the harbour " * 9) for picture in pictures]
    texts = [words("rain on a tin roof " * times) for times in (1, 2, 7, 40, 90)]
    return [*golden_segments(Modality.WORDS), *pictures, *shots, *cut, *pages, *texts, *golden_segments(Modality.SOUND)]


def test_auto_takes_the_gpu() -> None:
    assert pick_device("auto").name == "cuda:0"


@pytest.mark.parametrize("name", ["omnia-mini", "omnia-zero"])
def test_the_gpu_agrees_with_the_processor(name: str) -> None:
    segments = _everything()
    here, there = (load_embedder(name, device=device).embed(segments) for device in ("cpu", "cuda"))
    assert (here * there).sum(axis=1).min() > 0.99


@pytest.mark.parametrize("name", ["omnia-mini", "omnia-zero"])
def test_a_batch_is_as_one_by_one_on_the_gpu(name: str) -> None:
    embedder = load_embedder(name, device="cuda")
    segments = _everything()
    alone = np.concatenate([embedder.embed([segment]) for segment in segments])
    assert (embedder.embed(segments) * alone).sum(axis=1).min() > 0.999


def test_a_hub_model_on_the_gpu_agrees_with_the_processor(tmp_path: Path) -> None:
    row = folder_row(str(make_gemma(tmp_path / "gemma")))
    here, there = (load_hub(device, row) for device in (Device("cpu", bf16=False), pick_device("cuda")))
    for modality in Modality:
        shown = golden_segments(modality)
        for role in Role:
            pair = [model.encode(shown, role) for model in (here, there)]
            unit = [vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in pair]
            assert (unit[0] * unit[1]).sum(axis=1).min() > 0.98, (modality, role)
