"""ADC's losses against numbers from the authors' code (float64), by gradient checks and at extremes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from coterie._errors import InputError, InputTypeError
from coterie.losses import adc
from coterie.losses.adc import norm, sparsity, transformation, visit, walker

ORACLE = json.loads((Path(__file__).parent / "adc.json").read_text())
CASES = ORACLE["walker_visit"]


def double(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def close(actual: Any, expected: Any) -> None:
    torch.testing.assert_close(
        torch.as_tensor(actual, dtype=torch.float64), double(expected), rtol=1e-9, atol=1e-9
    )


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_walker_and_visit_equal_the_released_code(case: dict[str, Any]) -> None:
    a, b = double(case["a"]).requires_grad_(), double(case["b"]).requires_grad_()
    expected = case["expected"]
    values = {"walker": walker(a, b, torch.tensor(case["labels"])), "visit": visit(a, b)}
    for name, value in values.items():
        close(value.detach(), expected[name])
        for gradient, of in zip(torch.autograd.grad(value, (a, b)), "ab", strict=True):
            close(gradient, expected[f"grad_{name}_{of}"])


@pytest.mark.parametrize("case", CASES[:2], ids=lambda case: case["name"])
def test_without_eps_the_paper_s_values(case: dict[str, Any]) -> None:
    a, b, labels = double(case["a"]), double(case["b"]), torch.tensor(case["labels"])
    close(walker(a, b, labels, eps=0), case["no_eps"]["walker_mean_over_rows_no_eps"])
    close(visit(a, b, eps=0), case["no_eps"]["visit_no_eps"])


@pytest.mark.parametrize(("per_pair", "name"), [(True, "per_pair"), (False, "code")])
def test_transformation_equals_the_vectors(per_pair: bool, name: str) -> None:
    case = ORACLE["transformation"]
    expected = case["reexpressed_float64"]
    leaves = [double(case[leaf]).requires_grad_() for leaf in expected["grad_order"]]
    value = transformation(leaves[0], leaves[1], leaves[2], leaves[3], per_pair)
    close(value.detach(), expected[f"{name}_loss"])
    for gradient, of in zip(torch.autograd.grad(value, leaves), expected[f"{name}_grads"], strict=True):
        close(gradient, of)


def test_transformation_by_hand() -> None:
    z = double([[2.0, 0.0]])
    z_aug = double([[0.0, 1.0]])
    even, sure = double([[0.0, 0.0]]), double([[math.log(3.0), 0.0]])
    h = [
        [math.log(2), -(math.log(0.75) + math.log(0.25)) / 2],
        [math.log(2), -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))],
    ]
    similarity = [[4.0, 0.0], [0.0, 1.0]]
    pairs = [abs(1 - similarity[i][j] - h[i][j]) for i in range(2) for j in range(2)]
    close(transformation(z, z_aug, even, sure), sum(pairs) / 4)
    mean = sum(h[0] + h[1]) / 4
    scalar = [abs(1 - similarity[i][j] - mean) for i in range(2) for j in range(2)]
    close(transformation(z, z_aug, even, sure, per_pair=False), sum(scalar) / 4)


def test_norm_and_sparsity_equal_the_vectors() -> None:
    z = double(ORACLE["norm"]["emb"])
    close(norm(z), ORACLE["norm"]["norm_mean"])
    close(norm(z, reduction="sum"), 5 * ORACLE["norm"]["norm_mean"])
    assert float(sparsity(z, reduction="sum")) == pytest.approx(
        ORACLE["norm"]["official_l1_weight1"], rel=1e-6
    )
    close(sparsity(z), float(z.abs().sum()) / 5)


def test_walks_by_hand() -> None:
    a, b = double([[1.0], [0.0]]), double([[1.0], [0.0]])
    p = 1 / (1 + math.exp(-1))
    # P_ab and P_ba both have the rows (p, 1 - p) and (1/2, 1/2)
    there_and_back = [p * p + (1 - p) / 2, (1 - p) / 2 + 1 / 4]
    by_hand = -(math.log(there_and_back[0]) + math.log(there_and_back[1])) / 2
    close(walker(a, b, torch.tensor([5, 9]), eps=0), by_hand)
    visited = (p + 0.5) / 2
    close(visit(a, b, eps=0), -(math.log(visited) + math.log(1 - visited)) / 2)


def test_one_label_for_all_costs_no_walk_its_end() -> None:
    a, b = 5 * torch.eye(3, dtype=torch.float64), 5 * torch.eye(3, dtype=torch.float64)
    apart, alike = walker(a, b, torch.arange(3)), walker(a, b, torch.zeros(3, dtype=torch.int64))
    assert float(apart) < 0.1
    assert float(alike) > 1.0
    blurred = torch.zeros_like(a)
    close(walker(blurred, blurred, torch.zeros(3, dtype=torch.int64)), math.log(3))


FUNCTIONS: list[tuple[str, Callable[..., Tensor], list[tuple[int, int]]]] = [
    ("walker", lambda a, b: walker(a, b, torch.tensor([0, 1, 1])), [(3, 4), (5, 4)]),
    ("visit", visit, [(3, 4), (5, 4)]),
    ("norm", norm, [(3, 4)]),
    ("norm-sum", lambda z: norm(z, reduction="sum"), [(3, 4)]),
    ("sparsity", sparsity, [(3, 4)]),
]


@pytest.mark.parametrize(
    ("function", "shapes"), [row[1:] for row in FUNCTIONS], ids=[f[0] for f in FUNCTIONS]
)
def test_gradients(function: Callable[..., Tensor], shapes: list[tuple[int, int]]) -> None:
    leaves = [draw(*shape, seed=number).requires_grad_() for number, shape in enumerate(shapes)]
    assert torch.autograd.gradcheck(function, leaves)


@pytest.mark.parametrize("per_pair", [True, False])
def test_gradients_of_the_transformation(per_pair: bool) -> None:
    z, z_aug = draw(3, 4).requires_grad_(), draw(3, 4, seed=1).requires_grad_()
    logits, logits_aug = draw(3, 2, seed=2), draw(3, 2, seed=3)
    assert torch.autograd.gradcheck(
        lambda a, b: transformation(a, b, logits, logits_aug, per_pair), (z, z_aug)
    )


def test_targets_of_the_transformation_are_constants() -> None:
    logits = double([[0.0, 0.0], [0.0, 0.0]]).requires_grad_()
    z = torch.zeros(2, 3, dtype=torch.float64)
    value = transformation(z, z, logits, logits.detach())
    (gradient,) = torch.autograd.grad(value, logits)
    # with even targets an even prediction is the minimum of the cross entropy: nothing pulls
    close(gradient, [[0.0, 0.0], [0.0, 0.0]])


EXTREMES = {
    "one-hot": torch.eye(6),
    "identical": torch.ones(6, 6),
    "zero": torch.zeros(6, 6),
    "plateaued": 1e3 * torch.eye(6),
    "opposite": 1e3 * torch.cat([torch.eye(6)[:3], -torch.eye(6)[:3]]),
    "long": 1e8 * torch.eye(6),
}


@pytest.mark.parametrize("rows", EXTREMES.values(), ids=EXTREMES.keys())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_extreme_rows_are_finite(rows: Tensor, dtype: torch.dtype) -> None:
    a, b = rows.to(dtype).requires_grad_(), rows.flip(0).to(dtype).requires_grad_()
    labels = torch.arange(6) // 2
    values = [walker(a, b, labels), visit(a, b), norm(a), sparsity(a), transformation(a, b, a, b)]
    for value in values:
        assert value.isfinite()
        for gradient in torch.autograd.grad(value, (a, b), allow_unused=True):
            assert gradient is None or bool(gradient.isfinite().all())


def test_half_precision_is_computed_in_float32() -> None:
    a, b = draw(3, 4).bfloat16(), draw(5, 4, seed=1).bfloat16()
    labels = torch.arange(3)
    assert walker(a, b, labels).dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = walker(a.float(), b.float(), labels)
    assert torch.equal(inside, walker(a.float(), b.float(), labels))


A, B, Y = torch.zeros(2, 3), torch.zeros(4, 3), torch.tensor([0, 1])
BAD: list[tuple[Callable[[], Tensor], type[Exception], str]] = [
    (lambda: walker([[0.0]], B, Y), InputTypeError, "a must be a torch tensor, got list"),  # type: ignore[arg-type]
    (lambda: walker(A.long(), B, Y), InputTypeError, "a must have a float dtype, got torch.int64"),
    (lambda: walker(A, B[0], Y), InputError, r"b must have two axes.* got shape \(3,\)"),
    (lambda: visit(A[:0], B), InputError, r"a must have two axes.* got shape \(0, 3\)"),
    (lambda: visit(A, B[:, :2]), InputError, "a and b must have the same width, got 3 and 2"),
    (lambda: walker(A, B, [0, 1]), InputTypeError, "labels must be a torch tensor, got list"),  # type: ignore[arg-type]
    (lambda: walker(A, B, Y.float()), InputTypeError, "labels must have an integer dtype, got torch.float32"),
    (lambda: walker(A, B, torch.arange(3)), InputError, r"labels must have shape \(2,\).*got \(3,\)"),
    (lambda: walker(A, B, Y, eps=-1.0), InputError, "eps must be a finite number >= 0, got -1.0"),
    (lambda: visit(A, B, eps=math.nan), InputError, "eps must be a finite number >= 0, got nan"),
    (lambda: norm(A, reduction="max"), InputError, "reduction must be .* got 'max'"),
    (lambda: sparsity(A, reduction=""), InputError, "reduction must be .* got ''"),
    (lambda: norm(A[0]), InputError, r"z must have two axes.* got shape \(3,\)"),
    (lambda: transformation(A, A, A, A[:, :2]), InputError, "logits and logits_aug must have the same width"),
    (lambda: transformation(A, B, A, A), InputError, "same number of rows, got 2, 4, 2, 2"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[row[2] for row in BAD])
def test_bad_input(call: Callable[[], Tensor], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_eps_is_the_released_code_s() -> None:
    assert adc.EPS == 1e-8
