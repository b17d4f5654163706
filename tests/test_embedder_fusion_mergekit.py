"""Fusion agrees with mergekit 0.1.5, another implementation of task arithmetic and TIES.

`golden_fusion.safetensors` keeps what mergekit made of random_models(0). To make it anew, with mergekit installed:

    python -c "from tests.test_embedder_fusion_mergekit import write_golden; write_golden()"
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from embedder.fusion.fuse import fuse
from embedder.fusion.recipe import FusionRecipe, Method

GOLDEN = Path(__file__).parent / "golden_fusion.safetensors"
COEFFICIENTS = {"image": 0.6, "audio": 0.35, "document": 0.2}
SHAPES = {"layer.weight": (24, 16), "layer.bias": (33,), "kernel": (3, 5, 2)}
DENSITY, SCALE = 0.2, 0.9

Models = dict[str, dict[str, Tensor]]


def random_models(seed: int) -> Models:
    """A base and three specialists in float32: standard normal weights, changes of a tenth of that."""
    random = torch.Generator().manual_seed(seed)
    base = {name: torch.randn(shape, generator=random) for name, shape in SHAPES.items()}
    changed = {
        who: {name: tensor + 0.1 * torch.randn(tensor.shape, generator=random) for name, tensor in base.items()}
        for who in COEFFICIENTS
    }
    return {"base": base, **changed}


def ours(models: Models, method: Method, *, density: float = DENSITY) -> dict[str, Tensor]:
    recipe = FusionRecipe(method=method, coefficients=COEFFICIENTS, density=density, scale=SCALE)
    return fuse(models["base"], {who: models[who] for who in COEFFICIENTS}, recipe)


def theirs(models: Models, method: Method, *, density: float = DENSITY) -> dict[str, Tensor]:
    from mergekit.merge_methods import merge_state_dicts  # type: ignore[import-not-found,unused-ignore]

    parameters: dict[str, object] = {"weight": COEFFICIENTS, "lambda": SCALE}
    if method == Method.TIES:
        parameters["density"] = dict.fromkeys(COEFFICIENTS, density)
    merged: dict[str, Tensor] = merge_state_dicts(models, method.value, parameters=parameters, base="base")
    return merged


def write_golden() -> None:
    models = random_models(0)
    parts: Models = {**models, **{method.value: theirs(models, method) for method in Method}}
    tensors = {f"{part}/{name}": tensor for part, state in parts.items() for name, tensor in state.items()}
    save_file(tensors, GOLDEN, metadata={"made_by": "mergekit 0.1.5"})


@pytest.mark.parametrize("method", list(Method))
def test_fusion_gives_what_mergekit_gave(method: Method) -> None:
    parts: Models = {}
    for name, tensor in load_file(GOLDEN).items():
        part, _, name = name.partition("/")
        parts.setdefault(part, {})[name] = tensor
    fused = ours(parts, method)
    assert fused.keys() == parts[method.value].keys() == SHAPES.keys()
    for name, tensor in fused.items():
        torch.testing.assert_close(tensor, parts[method.value][name], rtol=0, atol=1e-5)
