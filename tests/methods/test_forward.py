"""Clusters of many samples cost little more than the network, and are those of the probabilities."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie._errors import InputError
from coterie.methods.forward import _refuse_overflow, argmax, softmax


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), exponent=st.integers(-12, 3), digits=st.integers(0, 3))
def test_the_largest_logit_is_the_largest_probability(seed: int, exponent: int, digits: int) -> None:
    """Also where logits differ in their last digits alone."""
    rng = np.random.default_rng(seed)
    logits = (10.0**exponent * rng.standard_normal((50, 4))).astype(np.float32)
    near = logits.max(axis=1, keepdims=True) * np.float32(1 - 1.2e-7 * digits)
    found = {"logits": torch.from_numpy(np.where(rng.random((50, 4)) < 0.5, near, logits))}
    assert torch.equal(argmax(found), softmax(found).argmax(dim=1))


def test_tied_rows_take_the_first() -> None:
    assert argmax({"logits": torch.tensor([[0.0, 0.0], [1e-20, 2e-20], [3.0, 3.0]])}).tolist() == [0, 0, 0]


def test_finite_numbers_whose_sum_overflows_pass() -> None:
    _refuse_overflow({"embedding": torch.full((2, 3), 3e38), "logits": torch.zeros(2, 2)}, 0)


@pytest.mark.parametrize("value", [torch.inf, -torch.inf, torch.nan])
def test_a_number_that_is_not_finite_is_named_by_its_row(value: float) -> None:
    embedding = torch.zeros(4, 3)
    embedding[2, 1] = value
    with pytest.raises(InputError, match="row 12 gives"):
        _refuse_overflow({"embedding": embedding}, 10)
