"""What KCL and CCL have in common: pairs, options, numerics, blocks, input checks."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import grad, vmap
from torch.utils._python_dispatch import TorchDispatchMode

from coterie._errors import InputError, InputTypeError
from coterie.losses import ccl, kcl, pairs
from coterie.losses.ccl import ccl_blockwise, ccl_matrix
from coterie.losses.kcl import _ordered, kcl_blockwise, kcl_matrix
from coterie.losses.numerics import complement_floor, log_floored, probability_floor
from coterie.losses.pairs import PairOptions

Loss = Callable[..., Tensor]
LOSSES = [kcl, ccl]
OPTIONS: list[dict[str, Any]] = [
    {"reduction": reduction, "include_self": include_self, "eps": eps, "kind_weights": weights}
    for reduction, include_self, eps, weights in product(
        ("mean", "sum"), (False, True), (0.0, 1e-3), (None, (2.0, 0.25))
    )
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def draw(n: int, k: int, seed: int = 0, scale: float = 2.0) -> tuple[Tensor, Tensor]:
    """Logits (n, k) in float64 and labels (n,) with about a quarter unknown."""
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(n, k, generator=generator, dtype=torch.float64)
    return logits, torch.randint(-1, 3, (n,), generator=generator)


def matrix(labels: Tensor) -> Tensor:
    known = (labels[:, None] >= 0) & (labels >= 0)
    return torch.where(known, torch.where(labels[:, None] == labels, 1, -1), 0).to(torch.int8)


def brute_kind(loss: Loss, p: Tensor, q: Tensor, similar: bool, eps: float) -> Tensor:
    """One direction of one pair, from the equation; margin 2."""
    if loss is ccl:
        together = (p * q).sum()
        return -((together if similar else 1 - together) + eps).log()
    fixed, moving = p.detach() + eps, q + eps
    kl = (fixed * (fixed.log() - moving.log())).sum()
    return kl if similar else (2.0 - kl).clamp_min(0)


def brute(loss: Loss, p: Tensor, same: Tensor, option: dict[str, Any]) -> Tensor:
    """The loss by enumeration of its pairs."""
    n = len(p)
    ordered = [(i, j) for i in range(n) for j in range(n) if option["include_self"] or i != j]
    total, known = p.sum() * 0, 0
    for i, j in ordered:
        if same[i, j] != 0:
            similar = bool(same[i, j] == 1)
            weight = 1.0 if option["kind_weights"] is None else option["kind_weights"][0 if similar else 1]
            total = total + weight * brute_kind(loss, p[i], p[j], similar, option["eps"])
            known += 1
    if not option["include_self"]:
        known //= 2
        total = total / 2 if loss is ccl else total
    return total if option["reduction"] == "sum" else total / max(known, 1)


def value_and_gradient(function: Callable[[Tensor], Tensor], logits: Tensor) -> tuple[Tensor, Tensor]:
    leaf = logits.clone().requires_grad_()
    value = function(leaf.softmax(1))
    torch.autograd.backward(value)
    assert leaf.grad is not None
    return value.detach(), leaf.grad


def same_results(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], tolerance: float) -> None:
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_equals_enumeration(loss: Loss, option: dict[str, Any]) -> None:
    logits, labels = draw(9, 4)
    same = matrix(labels)
    same[1, 5] = same[5, 1] = 0
    expected = value_and_gradient(lambda p: brute(loss, p, same, option), logits)
    same_results(value_and_gradient(lambda p: loss(p, same, **option), logits), expected, 1e-11)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("option", OPTIONS, ids=str)
@pytest.mark.parametrize("form", ["labels", "matrix"])
def test_blocks_equal_dense(
    loss: Loss, option: dict[str, Any], form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits, labels = draw(23, 5, seed=1)
    same = labels if form == "labels" else matrix(labels)
    dense = value_and_gradient(lambda p: loss(p, same, **option), logits)
    monkeypatch.setattr(pairs, "DENSE_LIMIT", 0)
    monkeypatch.setattr(pairs, "BLOCK", 7)
    same_results(value_and_gradient(lambda p: loss(p, same, **option), logits), dense, 1e-12)
    with torch.no_grad():
        torch.testing.assert_close(loss(logits.softmax(1), same, **option), dense[0], rtol=1e-12, atol=1e-12)


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 6), st.sampled_from(LOSSES))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_properties(seed: int, n: int, k: int, loss: Loss) -> None:
    logits, labels = draw(n, k, seed)
    p, same = logits.softmax(1), matrix(labels)
    value = float(loss(p, same))
    rows, cols = torch.randperm(n), torch.randperm(k)
    expected = pytest.approx(value, rel=1e-9, abs=1e-12)
    assert value >= -1e-12
    assert float(loss(p[rows], same[rows][:, rows])) == expected
    assert float(loss(p[:, cols], same)) == expected
    assert float(loss(p, labels)) == expected
    assert float(loss(p, same.double())) == expected
    kept = labels >= 0
    if kept.any():
        assert float(loss(p[kept], labels[kept])) == expected


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("limit", [0, 2048])
def test_no_known_pair_is_a_zero_with_a_graph(
    loss: Loss, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "DENSE_LIMIT", limit)
    logits, _ = draw(4, 3)
    for same in (torch.zeros(4, 4), torch.eye(4), torch.full((4,), -1), torch.tensor([0, -1, -1, -1])):
        value, gradient = value_and_gradient(lambda p, same=same: loss(p, same), logits)  # type: ignore[misc]
        assert value == 0
        assert not gradient.any()


@pytest.mark.parametrize("loss", LOSSES)
def test_arguments_are_not_changed(loss: Loss) -> None:
    logits, labels = draw(5, 3)
    p, same = logits.softmax(1), matrix(labels)
    p_before, same_before = p.clone(), same.clone()
    loss(p, same, eps=0.1)
    assert torch.equal(p, p_before)
    assert torch.equal(same, same_before)


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_ccl_gradcheck(option: dict[str, Any]) -> None:
    logits, labels = draw(6, 3, scale=1.0)
    leaf, options = logits.requires_grad_(), PairOptions(**option)
    assert torch.autograd.gradcheck(lambda x: ccl_matrix(x.softmax(1), matrix(labels), options), leaf)
    assert torch.autograd.gradcheck(lambda x: ccl_blockwise(x.softmax(1), labels, options), leaf)


def test_ccl_second_derivative() -> None:
    logits, labels = draw(4, 3, scale=1.0)
    leaf = logits.requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: ccl_matrix(x.softmax(1), matrix(labels)), leaf)


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_kcl_gradcheck_in_its_second_argument(option: dict[str, Any]) -> None:
    logits, labels = draw(6, 3, scale=1.0)
    fixed, leaf, options = logits.softmax(1), logits.clone().requires_grad_(), PairOptions(**option)
    assert torch.autograd.gradcheck(
        lambda x: _ordered(fixed, x.softmax(1), matrix(labels), 2.0, options), leaf
    )


def test_kcl_first_argument_is_constant() -> None:
    logits, labels = draw(6, 3)
    first = logits.softmax(1).requires_grad_()
    second = logits.softmax(1).requires_grad_()
    torch.autograd.backward(_ordered(first, second, matrix(labels), 2.0, PairOptions()))
    assert first.grad is None
    assert second.grad is not None


def test_kcl_margin_bounds_the_push() -> None:
    p = torch.tensor([[0.99, 0.01], [0.01, 0.99]], requires_grad=True)
    loss = kcl(p, torch.tensor([0, 1]), margin=1.0)
    torch.autograd.backward(loss)
    assert p.grad is not None
    assert loss == 0
    assert not p.grad.any()


ROWS = {
    "one-hot": torch.eye(4).repeat(2, 1) * 1e4,
    "identical": torch.tensor([[0.3, -1.0, 2.0, 0.0]]).repeat(8, 1),
    "identical plateaued": torch.tensor([[1e4, -1e4, 0.0, 0.0]]).repeat(8, 1),
    "opposite": torch.tensor([[1e4, -1e4, -1e4, -1e4], [-1e4, 1e4, -1e4, -1e4]]).repeat(4, 1),
    "almost plateaued": torch.eye(4).repeat(2, 1) * 17.0,
    "denormal": torch.eye(4).repeat(2, 1) * 95.0,
    "uniform": torch.zeros(8, 4),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("include_self", [False, True])
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS.keys())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_extreme_rows_are_finite(loss: Loss, include_self: bool, rows: Tensor, dtype: torch.dtype) -> None:
    leaf = rows.to(dtype)
    for labels in (torch.arange(8), torch.zeros(8, dtype=torch.int64), torch.arange(8) // 2):
        value, gradient = value_and_gradient(
            lambda p, labels=labels: loss(p, labels, include_self=include_self),  # type: ignore[misc]
            leaf,
        )
        assert value.isfinite()
        assert gradient.isfinite().all()


@pytest.mark.parametrize("loss", LOSSES)
def test_a_wrong_saturated_pair_still_learns(loss: Loss) -> None:
    logits = torch.tensor([[40.0, 0.0], [0.0, 40.0]])
    _, gradient = value_and_gradient(lambda p: loss(p, torch.tensor([0, 0])), logits)
    assert float(gradient.abs().max()) > 0.1


@pytest.mark.parametrize("loss", LOSSES)
def test_half_precision_and_autocast_keep_float32(loss: Loss) -> None:
    logits, labels = draw(8, 4)
    p = logits.float().softmax(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(loss(p, labels), loss(p.clone(), labels))
        inside = loss(p, labels)
    assert torch.equal(inside, loss(p, labels))
    for low in (loss(p.bfloat16(), labels), loss(p.half(), labels)):
        assert low.dtype == torch.float32
        assert float(low) == pytest.approx(float(inside), rel=0.05)


@pytest.mark.parametrize("twin", [kcl_matrix, ccl_matrix])
def test_vmap_over_the_twins(twin: Loss) -> None:
    logits = torch.stack([draw(6, 3, seed)[0] for seed in range(3)])
    labels = torch.stack([draw(6, 3, seed)[1] for seed in range(3)])
    same = torch.stack([matrix(row) for row in labels])

    def of_logits(x: Tensor, s: Tensor) -> Tensor:
        return twin(x.softmax(1), s)

    expected = [value_and_gradient(lambda p, s=s: twin(p, s), x) for x, s in zip(logits, same, strict=True)]  # type: ignore[misc]
    torch.testing.assert_close(vmap(of_logits)(logits, same), torch.stack([value for value, _ in expected]))
    torch.testing.assert_close(vmap(grad(of_logits))(logits, same), torch.stack([g for _, g in expected]))
    shared = vmap(of_logits, in_dims=(0, None))(logits, same[0])
    torch.testing.assert_close(shared, torch.stack([of_logits(x, same[0]) for x in logits]))


class LargestTensor(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Remembers the most elements any operation gave back."""

    largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, Tensor):
                self.largest = max(self.largest, tensor.numel())
        return result


@pytest.mark.parametrize("twin", [kcl_blockwise, ccl_blockwise])
def test_labels_of_many_rows_are_never_expanded(twin: Loss) -> None:
    n, k = 4096, 10
    p = torch.randn(n, k, generator=torch.Generator().manual_seed(0)).softmax(1).requires_grad_()
    with LargestTensor() as mode:  # type: ignore[no-untyped-call]
        torch.autograd.backward(twin(p, torch.arange(n) % 10))
    assert p.grad is not None
    assert mode.largest <= max(pairs.BLOCK**2, n * k)


def test_many_rows_stay_in_little_memory() -> None:
    root = Path(__file__).parents[2]
    call = [sys.executable, "-m", "benchmarks.pair_losses", "--worker", "blocks", "kcl", "8192", "10"]
    done = subprocess.run(call, cwd=root, check=True, capture_output=True, text=True)
    # One dense float32 matrix of these pairs alone is 256 MiB; tensors kept per block once made half of it.
    assert json.loads(done.stdout)["growth_mib"] < 64


P = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
Y = torch.tensor([0, 1])
BAD: list[tuple[Any, Any, dict[str, Any], type[Exception], str]] = [
    ([[0.9, 0.1]], Y, {}, InputTypeError, "p must be a torch tensor, got list"),
    (
        torch.ones(2, 1, dtype=torch.int64),
        Y,
        {},
        InputTypeError,
        "p must have a float dtype, got torch.int64",
    ),
    (P[0], Y, {}, InputError, r"p must have shape \(n, k\).*got \(2,\)"),
    (P[:0], Y[:0], {}, InputError, r"p must have shape \(n, k\).*got \(0, 2\)"),
    (P * math.nan, Y, {}, InputError, "p must be finite"),
    (P / 0, Y, {}, InputError, "p must be finite"),
    (P * 2, Y, {}, InputError, "p must hold softmax rows"),
    (torch.tensor([[1.5, -0.5], [0.2, 0.8]]), Y, {}, InputError, "p must hold softmax rows"),
    (P, [0, 1], {}, InputTypeError, "same must be a torch tensor, got list"),
    (P, Y == 1, {}, InputTypeError, "same must have an integer or float dtype, got torch.bool"),
    (P, Y.to("meta"), {}, InputError, r"same must be on the device of p \(cpu\), got meta"),
    (P, torch.zeros(3), {}, InputError, r"same must have shape \(2, 2\) or \(2,\).*got \(3,\)"),
    (P, torch.zeros(2, 3), {}, InputError, r"same must have shape .* got \(2, 3\)"),
    (P, Y.float(), {}, InputTypeError, "same as labels .* integer dtype, got torch.float32"),
    (P, Y - 2, {}, InputError, r"same as labels \(n,\) must be >= -1 .* got -2"),
    (P, torch.full((2, 2), 2), {}, InputError, r"same must hold 1 .* got 2"),
    (P, torch.full((2, 2), math.nan), {}, InputError, r"same must hold 1 .* got nan"),
    (P, torch.tensor([[1, 1], [0, 1]]), {}, InputError, r"same must be symmetric, got same\[0, 1\] = 1 and"),
    (P, Y, {"reduction": "none"}, InputError, "reduction must be .* got 'none'"),
    (P, Y, {"include_self": 1}, InputTypeError, "include_self must be True or False, got 1"),
    (P, Y, {"eps": -1.0}, InputError, "eps must be a finite number >= 0, got -1.0"),
    (P, Y, {"eps": "small"}, InputTypeError, "eps must be a finite number >= 0, got 'small'"),
    (P, Y, {"kind_weights": 1.0}, InputTypeError, "kind_weights must be .* got float"),
    (P, Y, {"kind_weights": (1.0,)}, InputError, "kind_weights must hold 2 numbers .* got 1"),
    (P, Y, {"kind_weights": (1.0, -1.0)}, InputError, "kind_weights must be a finite number >= 0, got -1.0"),
]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("p", "same", "option", "error", "message"), BAD, ids=[row[4] for row in BAD])
def test_bad_input(
    loss: Loss, p: Any, same: Any, option: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        loss(p, same, **option)


@pytest.mark.parametrize("margin", [0.0, -1.0, math.inf, math.nan])
def test_bad_margin(margin: float) -> None:
    with pytest.raises(InputError, match="margin must be a finite number > 0"):
        kcl(P, Y, margin)


def test_log_floored() -> None:
    x = torch.tensor([-1.0, 0.0, 0.25, 2.0], dtype=torch.float64, requires_grad=True)
    y = log_floored(x, 0.5)
    torch.autograd.backward(y.sum())
    assert x.grad is not None
    assert y.tolist() == [math.log(0.5)] * 3 + [math.log(2.0)]
    assert x.grad.tolist() == [2.0, 2.0, 2.0, 0.5]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_floors_leave_room_for_sums(dtype: torch.dtype) -> None:
    limits = torch.finfo(dtype)
    assert limits.tiny < probability_floor(dtype)
    assert 1e9 / probability_floor(dtype) < limits.max
    assert complement_floor(dtype) == limits.eps
