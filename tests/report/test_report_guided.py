"""Guided back-propagation: by hand on a small network, per cluster, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from torch import nn

from coterie import CCN, DDC, InputError
from coterie.report.guided import guided_backpropagation


def fitted(method: Any = DDC, **params: Any) -> tuple[Any, Any]:
    X = np.random.default_rng(0).normal(size=(40, 8, 8)).astype(np.float32)
    settings = {"n_clusters": 3, "n_restarts": 1, "max_steps": 3, "over_clustering": True, "random_state": 0}
    return method(**(settings | params)).fit(X, np.arange(40) % 3), X


class Small(nn.Module):
    """One hidden ReLU layer with weights of both signs."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 2, bias=False)
        self.relu = nn.ReLU()
        self.out_features = 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.relu(self.first(x.flatten(1)))
        return hidden


def test_negative_gradients_stop_at_the_relu() -> None:
    X = np.array([[1.0, 2.0], [3.0, 1.0], [2.0, 2.0], [1.0, 1.0]], dtype=np.float32)
    model = CCN(n_clusters=2, backbone=Small(), scale=False, max_steps=1, over_clustering=True, n_restarts=1)
    model.fit(X, [0, 0, 1, 1])
    with torch.no_grad():
        model.network_.backbone.module.first.weight.copy_(torch.tensor([[1.0, 0.5], [2.0, 1.0]]))
        model.network_.head.weight.copy_(torch.tensor([[3.0, -1.0], [-1.0, 1.0]]))
    # logit 0: hidden unit 0 speaks for it, 3 * (1, 0.5); unit 1 against it and is left out
    np.testing.assert_allclose(
        guided_backpropagation(model, X, cluster=0), np.tile([3.0, 1.5], (4, 1)), rtol=1e-6
    )
    np.testing.assert_allclose(
        guided_backpropagation(model, X, cluster=1), np.tile([2.0, 1.0], (4, 1)), rtol=1e-6
    )


def test_each_row_s_own_cluster_by_default() -> None:
    model, X = fitted()
    own = guided_backpropagation(model, X)
    assert own.shape == X.shape
    assert own.dtype == np.float32
    assert np.abs(own).max() > 0
    each = np.stack([guided_backpropagation(model, X, cluster) for cluster in range(3)])
    np.testing.assert_allclose(own, each[model.predict(X), np.arange(len(X))], rtol=1e-5, atol=1e-7)


def test_the_network_is_left_as_it_was() -> None:
    model, X = fitted()
    before = model.predict_proba(X)
    guided_backpropagation(model, X)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert not any(module._backward_hooks for module in model.network_.modules())
    assert all(parameter.grad is None for parameter in model.network_.parameters())


def test_what_is_refused() -> None:
    model, X = fitted()
    with pytest.raises(InputError, match=r"cluster must be an int in \[0, 2\], got 3"):
        guided_backpropagation(model, X, cluster=3)
    with pytest.raises(InputError, match="X must hold samples of shape"):
        guided_backpropagation(model, X[:, :4])
    with pytest.raises(NotFittedError):
        guided_backpropagation(DDC(), X)
    tanh = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.Tanh())
    with pytest.raises(InputError, match="must have a network with ReLU layers"):
        guided_backpropagation(fitted(CCN, backbone=tanh)[0], X)
