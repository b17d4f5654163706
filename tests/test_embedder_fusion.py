"""Fusion's algebra: what must hold for any weights; drift's measures on numbers worked out by hand."""

from __future__ import annotations

import json
import math
import tomllib

import numpy as np
import pytest
import torch
from torch import Tensor

from data.errors import BadSettingsError, FusionMismatchError, ModelMismatchError
from embedder.fusion.drift import drift, linear_cka, mean_moved, recall_at
from embedder.fusion.fuse import combine_by_ties, fuse, trim
from embedder.fusion.recipe import FusionRecipe, Method, from_table
from embedder.fusion.task_vectors import sort_out

BOTH = pytest.mark.parametrize("method", list(Method))
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
SHAPES = {"layer.weight": (7, 5), "layer.bias": (5,), "scale": (), "kernel": (2, 3, 2, 2), "none": (0, 4)}


def model(seed: int, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """A base: tensors of many ranks, one empty, one of integers, a negative zero."""
    random = torch.Generator().manual_seed(seed)
    tensors = {name: torch.randn(shape, generator=random).to(dtype) for name, shape in SHAPES.items()}
    tensors["layer.bias"][0] = -0.0
    return tensors | {"positions": torch.arange(6)}


def trained(base: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(seed)
    return {
        name: tensor + (0.1 * torch.randn(tensor.shape, generator=random)).to(tensor.dtype)
        if tensor.is_floating_point()
        else tensor.clone()
        for name, tensor in base.items()
    }


def recipe(method: Method = Method.TASK_ARITHMETIC, **coefficients: float) -> FusionRecipe:
    return FusionRecipe(method=method, coefficients=coefficients)


def same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    assert list(one) == list(other)
    return all(
        one[name].dtype == other[name].dtype
        and one[name].shape == other[name].shape
        and one[name].reshape(-1).view(torch.uint8).equal(other[name].reshape(-1).view(torch.uint8))
        for name in one
    )


# The algebra


@BOTH
@DTYPES
def test_weight_0_gives_the_base_bit_for_bit(method: Method, dtype: torch.dtype) -> None:
    base = model(0, dtype)
    specialists = {"image": trained(base, 1), "audio": trained(base, 2)}
    assert same_bits(fuse(base, specialists, recipe(method, image=0, audio=0)), base)
    nothing = FusionRecipe(method=method, coefficients={"image": 1, "audio": 1}, scale=0)
    assert same_bits(fuse(base, specialists, nothing), base)


@BOTH
@DTYPES
def test_one_specialist_at_weight_1_gives_that_specialist(method: Method, dtype: torch.dtype) -> None:
    base = model(0, dtype)
    image = trained(base, 1)
    fused = fuse(base, {"image": image}, FusionRecipe(method=method, coefficients={"image": 1}, density=1))
    for name, tensor in image.items():
        assert fused[name].dtype == tensor.dtype
        precision = torch.finfo(dtype).eps if tensor.is_floating_point() else 0
        torch.testing.assert_close(fused[name], tensor, rtol=precision, atol=4 * precision)


@BOTH
def test_the_order_of_specialists_changes_no_bit(method: Method) -> None:
    base = model(0)
    specialists = {who: trained(base, seed) for seed, who in enumerate(["image", "audio", "video", "document"], 1)}
    coefficients = dict(zip(specialists, (0.3, 0.7, 0.11, 0.9), strict=True))
    forward = fuse(base, specialists, recipe(method, **coefficients))
    backward = fuse(base, dict(reversed(specialists.items())), recipe(method, **dict(reversed(coefficients.items()))))
    assert same_bits(forward, backward)


@BOTH
def test_inputs_are_left_alone_and_share_no_memory_with_the_result(method: Method) -> None:
    base = model(0)
    specialists = {"image": trained(base, 1), "audio": trained(base, 2)}
    specialists["audio"]["projectors.audio.weight"] = torch.ones(3)
    before = {who: {name: t.clone() for name, t in state.items()} for who, state in specialists.items()}
    mix = FusionRecipe(method=method, coefficients={"image": 0.5, "audio": 0}, copied={"audio": ["projectors.audio"]})
    for tensor in fuse(base, specialists, mix).values():
        tensor.zero_()
    assert same_bits(base, model(0))
    assert all(same_bits(specialists[who], before[who]) for who in specialists)


def test_task_arithmetic_is_linear_in_its_coefficients() -> None:
    base = model(0)
    specialists = {"image": trained(base, 1), "audio": trained(base, 2)}
    fused = fuse(base, specialists, recipe(image=0.3, audio=-0.5))
    for name in SHAPES:
        expected = base[name] + 0.3 * (specialists["image"][name] - base[name])
        expected -= 0.5 * (specialists["audio"][name] - base[name])
        torch.testing.assert_close(fused[name], expected, rtol=0, atol=1e-6)


def test_half_precision_is_summed_in_float32() -> None:
    """Eight changes of 1/4096 to a weight of 1, each lost in float16, together are two of its steps of 1/1024."""
    base = {"w": torch.ones(1, dtype=torch.float16)}
    image = {"w": torch.full((1,), 1 + 2**-10, dtype=torch.float16)}
    specialists = {f"image{number}": image for number in range(8)}
    fused = fuse(base, specialists, recipe(**dict.fromkeys(specialists, 0.25)))
    assert fused["w"].item() == 1 + 2 * 2**-10


# TIES, step by step


def test_trim_keeps_the_largest_share() -> None:
    delta = torch.tensor([[0.1, -5.0], [3.0, -0.2], [0.0, 1.0]])
    assert trim(delta, 0.5).tolist() == [[0, -5], [3, 0], [0, 1]]
    assert trim(delta, 0.01).tolist() == [[0, -5], [0, 0], [0, 0]]  # one at least
    assert trim(delta, 1.0).equal(delta)
    assert trim(torch.tensor([1.0, -1, 2, 1, 0]), 0.6).tolist() == [1, -1, 2, 0, 0]  # of equals the first
    assert trim(torch.zeros(4), 0.5).tolist() == [0, 0, 0, 0]
    assert trim(torch.tensor(-3.0), 0.2).item() == -3


def test_ties_elects_by_mass_and_averages_those_that_agree() -> None:
    image, audio = torch.tensor([2.0, 1.0, 1.0, 0.0]), torch.tensor([4.0, -3.0, -1.0, 0.0])
    even = combine_by_ties([image, audio], [0.5, 0.5], 1)
    assert even.tolist() == [3, -3, 1, 0]  # agree: the mean; differ: the heavier; equal mass: plus; none: zero
    uneven = combine_by_ties([image, audio], [4.0, 1.0], 1)
    torch.testing.assert_close(uneven, torch.tensor([12 / 5, 1, 1, 0]))
    torch.testing.assert_close(combine_by_ties([image, audio], [8.0, 2.0], 1), uneven)  # only ratios matter


# What cannot be fused


@BOTH
@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"layer.weight": torch.ones(5, 7)}, r"layer\.weight: shape \(5, 7\) in specialist 'audio', \(7, 5\)"),
        ({"layer.bias": torch.ones(1)}, r"layer\.bias: shape \(1,\)"),  # would broadcast
        ({"layer.bias": torch.ones(5).half()}, r"layer\.bias: dtype torch\.float16"),
        ({"positions": torch.arange(6) + 1}, "positions: torch.int64 tensor with other values in specialist 'audio'"),
        ({"positions": torch.arange(6).int()}, "positions: dtype torch.int32"),
        ({"layer.weight": torch.full((7, 5), math.nan)}, r"layer\.weight: not finite"),
        ({"lora.weight": torch.ones(1)}, r"lora\.weight: in specialist 'audio', but not in the base"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(method: Method, broken: dict[str, Tensor], said: str) -> None:
    base = model(0)
    specialists = {"image": trained(base, 1), "audio": trained(base, 2) | broken}
    with pytest.raises(FusionMismatchError, match=said):
        fuse(base, specialists, FusionRecipe(method=method, coefficients={"image": 1, "audio": 1}, density=1))


@pytest.mark.parametrize("density", [0.01, 0.2, 0.9])
def test_one_nan_among_many_is_not_trimmed_away(density: float) -> None:
    base = {"w": torch.zeros(100)}
    image = {"w": torch.arange(100.0).index_fill(0, torch.tensor([50]), math.nan)}
    with pytest.raises(FusionMismatchError, match="w: not finite"):
        fuse(base, {"image": image}, FusionRecipe(method=Method.TIES, coefficients={"image": 1}, density=density))


def test_a_missing_tensor_is_named_also_at_weight_0() -> None:
    base = model(0)
    audio = trained(base, 2)
    del audio["scale"]
    with pytest.raises(FusionMismatchError, match="scale: in the base, but not in specialist 'audio'"):
        fuse(base, {"image": trained(base, 1), "audio": audio}, recipe(image=1, audio=0))


def test_a_sum_that_overflows_is_named() -> None:
    base, image = ({"w": torch.full((2,), value, dtype=torch.float16)} for value in (60_000.0, 65_000.0))
    with pytest.raises(FusionMismatchError, match=r"w: not finite in torch\.float16"):
        fuse(base, {"image": image}, recipe(image=2))


def test_specialists_and_recipe_must_name_each_other() -> None:
    base = model(0)
    with pytest.raises(FusionMismatchError, match="'audio' has no specialist"):
        fuse(base, {"image": trained(base, 1)}, recipe(image=1, audio=1))
    with pytest.raises(FusionMismatchError, match="'image' has no coefficient"):
        fuse(base, {"image": trained(base, 1), "audio": trained(base, 2)}, recipe(audio=1))


# What is copied

AUDIO = {"projectors.audio.weight": torch.full((2,), 0.5), "towers.audio.steps": torch.tensor(9)}


def test_a_projector_is_copied_from_its_specialist_and_the_rest_is_fused() -> None:
    base = model(0) | {"projectors.audio.weight": torch.zeros(2)}
    image = trained(model(0), 1) | {"projectors.audio.weight": torch.zeros(2)}  # as in the base: not trained there
    audio = trained(model(0), 2) | AUDIO
    mix = FusionRecipe(
        method=Method.TASK_ARITHMETIC,
        coefficients={"image": 0.5, "audio": 0.5},
        copied={"audio": ["projectors.audio", "towers."]},
    )
    fused = fuse(base, {"image": image, "audio": audio}, mix)
    assert list(fused) == [*base, "towers.audio.steps"]
    assert all(fused[name].equal(tensor) for name, tensor in AUDIO.items())
    expected = base["layer.weight"] + 0.5 * (image["layer.weight"] + audio["layer.weight"] - 2 * base["layer.weight"])
    torch.testing.assert_close(fused["layer.weight"], expected)


def test_a_tensor_claimed_twice_is_named() -> None:
    base = model(0)
    specialists = {"image": base | AUDIO, "audio": base | AUDIO}
    with pytest.raises(FusionMismatchError, match=r"projectors\.audio\.weight: claimed by specialists"):
        sort_out(base, specialists, {"image": ["projectors"], "audio": ["projectors.audio", "towers"]})


def test_what_two_specialists_trained_is_not_dropped() -> None:
    base = model(0) | {"projectors.audio.weight": torch.zeros(2)}
    image = base | {"projectors.audio.weight": torch.ones(2)}
    with pytest.raises(FusionMismatchError, match="specialist 'image' has trained it too"):
        sort_out(base, {"image": image, "audio": base}, {"audio": ["projectors.audio"]})


def test_a_prefix_ends_at_a_dot_and_must_cover_something() -> None:
    base = model(0)
    audio = base | {"projectors.audio_2.weight": torch.ones(2)}
    with pytest.raises(FusionMismatchError, match=r"no tensor under 'projectors\.audio'"):
        sort_out(base, {"audio": audio}, {"audio": ["projectors.audio"]})
    whole = sort_out(base, {"audio": audio}, {"audio": ["projectors.audio_2.weight"]})
    assert [name for name, owner in whole.items() if owner] == ["projectors.audio_2.weight"]


# Recipes

TOML = """
method = "ties"
density = 0.3
lambda = 0.9
[coefficients]
image = 1
audio = 0.4
[copied]
audio = ["projectors.audio"]
"""


def test_a_recipe_reads_alike_from_toml_and_json() -> None:
    read = from_table(tomllib.loads(TOML), where="here")
    assert read == FusionRecipe(
        method=Method.TIES,
        coefficients={"image": 1.0, "audio": 0.4},
        density=0.3,
        scale=0.9,
        copied={"audio": ("projectors.audio",)},
    )
    assert from_table(json.loads(json.dumps(read.as_table())), where="here") == read
    plain = from_table({"method": "task_arithmetic", "coefficients": {"image": 0.4}}, where="here")
    assert plain == recipe(image=0.4)
    assert from_table(plain.as_table(), where="here") == plain


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TOML.replace("lambda", "lamda"), "unknown key 'lamda'"),
        (TOML.replace("ties", "slerp"), "method: unknown 'slerp'; known are task_arithmetic, ties"),
        (TOML.replace("ties", "task_arithmetic"), "density: task_arithmetic keeps every change"),
        (TOML.replace("0.3", "0"), "density: 0.0 is not a share"),
        (TOML.replace("0.3", "20"), "density: 20.0 is not a share"),
        (TOML.replace("0.9", "nan"), "lambda: nan is not finite"),
        (TOML.replace("0.9", "true"), "lambda: True is not a number"),
        (TOML.replace("0.4", "'0.4'"), r"coefficients\.audio: '0\.4' is not a number"),
        (TOML.replace("0.4", "inf"), r"coefficients\.audio: inf is not finite"),
        (TOML.replace("0.4", "-0.4"), r"coefficients\.audio: -0\.4 is negative"),
        (TOML.replace('["projectors.audio"]', '"projectors.audio"'), r"copied\.audio: .* is not a list"),
        (TOML.replace("projectors.audio", ""), r"copied\.audio: an empty prefix"),
        (TOML.replace("audio = [", "video = ["), r"copied\.video: specialist without a coefficient"),
        ('method = "ties"', "coefficients: missing"),
        ('method = "ties"\n[coefficients]', "coefficients: none given"),
        ('method = "ties"\ncoefficients = [0.4]', "coefficients: not a table"),
    ],
)
def test_a_bad_recipe_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(BadSettingsError, match=f"^recipe 'a': .*{said}"):
        from_table(tomllib.loads(text), where="recipe 'a'")


def test_a_recipe_is_a_table() -> None:
    with pytest.raises(BadSettingsError, match="not a table"):
        from_table([], where="here")


# Drift


def points(*rows: tuple[float, ...]) -> np.ndarray:
    return np.asarray(rows, dtype=np.float32)


AXES = points((1, 0), (0, 1), (-1, 0), (0, -1))


def test_nothing_moved_where_nothing_changed() -> None:
    found = drift(AXES, AXES, k=1)
    assert (found.moved, found.cka, found.recall_before, found.recall_after) == (0, pytest.approx(1), 1, 1)


def test_a_rotation_moves_all_and_keeps_their_structure() -> None:
    turned = AXES @ points((0, 1), (-1, 0))  # a quarter turn
    found = drift(AXES, turned, k=1)
    assert found.moved == 1  # every cosine is 0
    assert found.cka == pytest.approx(1)
    assert found.recall_after == 0  # each is now where its neighbour was


def test_moved_is_the_mean_of_one_minus_cosine_whatever_the_lengths() -> None:
    before, after = points((1, 0), (0, 2), (1, 0), (1, 0)), points((5, 0), (0, -1), (1, 1), (0, 0))
    assert mean_moved(before, after) == pytest.approx((0 + 2 + (1 - math.sqrt(0.5)) + 1) / 4)


def test_cka_by_hand() -> None:
    """Centred x = (-1, 0, 1), y = (1, -2, 1): orthogonal. z = (-1, -1, 2): (x.z)^2 / (x.x * z.z) = 9 / (2 * 6)."""
    x, y, z = points((0,), (1,), (2,)), points((1,), (-2,), (1,)), points((0,), (0,), (3,))
    assert linear_cka(x, y) == 0
    assert linear_cka(x, z) == pytest.approx(0.75)
    assert linear_cka(x, np.hstack([7 + 3 * x, 7 + 3 * x])) == pytest.approx(1)  # another width, shifted, scaled
    assert linear_cka(x, np.ones_like(x)) == 0  # a single point


def test_recall_counts_answers_among_the_nearest() -> None:
    answers = points((1, 0), (0, 1), (0.8, 0.6))
    questions = points((1, 0), (0.8, 0.6), (0, 1))  # the second and third ask for each other's answer
    assert recall_at(questions, answers, k=1) == pytest.approx(1 / 3)
    assert recall_at(questions, answers, k=2) == pytest.approx(2 / 3)  # the third's answer is second
    assert recall_at(questions, answers, k=3) == 1
    assert recall_at(answers, np.tile(answers[:1], (3, 1)), k=1) == 0  # all in one point: nothing is found


def test_recall_is_the_same_over_many_chunks() -> None:
    random = np.random.default_rng(0)
    answers = random.standard_normal((2500, 8)).astype(np.float32)
    questions = answers + random.standard_normal((2500, 8)).astype(np.float32) / 3
    ahead = [(answers @ q / np.linalg.norm(answers, axis=1)).argsort()[::-1] for q in questions]
    expected = np.mean([row in order[:5] for row, order in enumerate(ahead)])
    assert recall_at(questions, answers, k=5) == pytest.approx(expected)


def test_recall_is_told_before_and_after() -> None:
    captions = points((1, 0), (0, 1), (-1, 0), (0, 1))
    before, after = AXES, points((1, 0), (-1, 0), (0, 1), (0, -1))
    found = drift(before, after, questions=captions, k=1)
    assert (found.recall_before, found.recall_after) == (0.75, 0.25)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (AXES, AXES[:3], r"after: embeddings of shape \(3, 2\) beside \(4, 2\)"),
        (AXES[:1], AXES[:1], "two or more inputs"),
        (AXES, AXES * math.nan, "after: embeddings that are not finite"),
    ],
)
def test_embeddings_that_cannot_be_compared_are_refused(before: np.ndarray, after: np.ndarray, said: str) -> None:
    with pytest.raises(ModelMismatchError, match=said):
        drift(before, after)
