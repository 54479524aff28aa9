"""Output layers that begin with clusters of the embedding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from coterie.methods.kmeans_start import KMeansHead, UnequalHead
from coterie.metrics import clustering_accuracy


def unequal() -> tuple[Tensor, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Two clusters of many points, and two of few that are close to each other."""
    draws = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), [1_000, 1_000, 60, 60])
    centres, spreads = (
        np.array([[0.0, 6.0], [0.0, -6.0], [-1.5, 0.0], [1.5, 0.0]]),
        np.array([1.0, 1.0, 0.3, 0.3]),
    )
    points = centres[truth] + draws.normal(size=(len(truth), 2)) * spreads[truth, None]
    return torch.from_numpy(points).float(), truth


def assigned(start: KMeansHead | UnequalHead, points: Tensor) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    values = start(lambda: points, 0)
    return (points @ values["head.weight"].T + values["head.bias"]).argmax(dim=1).numpy()


def test_small_clusters_are_found_beside_large_ones() -> None:
    points, truth = unequal()
    assert clustering_accuracy(truth, assigned(UnequalHead(4), points)) > 0.99
    assert clustering_accuracy(truth, assigned(KMeansHead(4), points)) < 0.8


@pytest.mark.parametrize(
    "points", [torch.zeros(30, 3), torch.eye(2), torch.randn(26, 1)], ids=["same", "two", "few"]
)
@pytest.mark.parametrize("n_clusters", [1, 2])
def test_few_or_equal_points(points: Tensor, n_clusters: int) -> None:
    values = UnequalHead(n_clusters)(lambda: points, 0)
    assert values["head.weight"].shape == (n_clusters, points.shape[1])
    assert all(bool(value.isfinite().all()) for value in values.values())
