"""Gradients of pairs of sure rows, in float32, are those of float64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from coterie.losses.ccl import ccl_matrix
from coterie.losses.numerics import steady_rows
from coterie.losses.pairs import as_matrix


def gradient(logits: Tensor, same: Tensor, *, steady: bool) -> Tensor:
    """Of the CCL of softmax rows."""
    logits = logits.clone().requires_grad_()
    p = logits.softmax(1)
    loss = ccl_matrix(steady_rows(p) if steady else p, same)
    return torch.autograd.grad(loss, logits)[0]


def sure_logits(seed: int, size: float) -> Tensor:
    return size * torch.randn(24, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), size=st.sampled_from([0.1, 1.0, 4.0]))
def test_the_gradient_is_the_same_in_float64(seed: int, size: float) -> None:
    logits, same = sure_logits(seed, size), as_matrix(torch.arange(24) % 4)
    steady = gradient(logits, same, steady=True)
    torch.testing.assert_close(steady, gradient(logits, same, steady=False), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_gradient_of_sure_rows_keeps_its_digits(seed: int) -> None:
    """Held against the softmax's backward in float64, from the same float32 gradient of the rows."""
    logits, same = sure_logits(seed, 2.0).float(), as_matrix(torch.arange(24) % 4)
    logits[:6, 0] += 16  # dissimilar rows that are in one cluster for certain
    p = logits.softmax(1).requires_grad_()
    (of_rows,) = torch.autograd.grad(ccl_matrix(p, same), p)
    exact_p, exact = logits.double().softmax(1), of_rows.double()
    exact = exact_p * (exact - (exact * exact_p).sum(1, keepdim=True))

    def error(*, steady: bool) -> float:
        return float((gradient(logits, same, steady=steady) - exact)[:6].norm() / exact[:6].norm())

    assert error(steady=True) < 1e-5
    assert error(steady=False) > 1e-3


def test_a_row_without_gradient_is_left_alone() -> None:
    p = torch.tensor([[0.5, 0.5]])
    assert steady_rows(p) is p
