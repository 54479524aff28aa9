"""Output layers that begin with clusters of the embedding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from coterie.methods.kmeans_start import CentroidStart, KMeansHead, UnequalHead
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


def embeddings() -> tuple[Tensor, Tensor]:
    """Points around three corners, and the corner of each."""
    corner = torch.arange(60) % 3
    noise = torch.randn((60, 5), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return 4 * torch.eye(3, 5)[corner] + 0.1 * noise.float(), corner


def test_kmeans_start_gives_centres_and_a_head_that_agrees() -> None:
    points, corner = embeddings()
    values = CentroidStart(3)(lambda: points, 0)
    assert values["centroids"].shape == (3, 5)
    nearest = torch.cdist(points, values["centroids"]).argmin(dim=1)
    logits = points @ values["head.weight"].T + values["head.bias"]
    assert torch.equal(logits.argmax(dim=1), nearest)
    assert clustering_accuracy(corner.numpy(), nearest.numpy()) == 1
    sure = logits.softmax(dim=1).max(dim=1).values
    assert sure.min() > 0.5
    assert sure.max() < 0.7


def test_kmeans_start_of_the_paper_leaves_the_head() -> None:
    points, _ = embeddings()
    assert set(CentroidStart(3, starts_head=False)(lambda: points, 0)) == {"centroids"}


def test_kmeans_start_is_a_function_of_embeddings_and_seed() -> None:
    points, _ = embeddings()
    start = CentroidStart(3, per_cluster=2)
    first, again = start(lambda: points, 5), start(lambda: points, 5)
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_several_centroids_of_a_cluster_lie_around_its_centre() -> None:
    points, _ = embeddings()
    one = CentroidStart(3)(lambda: points, 0)["centroids"]
    several = CentroidStart(3, per_cluster=4)(lambda: points, 0)["centroids"].view(3, 4, 5)
    distances = (several - one[:, None]).norm(dim=2)
    assert 0 < distances.max() < 0.2
    assert len(torch.unique(several[0], dim=0)) > 1


def test_kmeans_start_of_identical_embeddings_is_finite() -> None:
    values = CentroidStart(3, per_cluster=2)(lambda: torch.ones(20, 4), 0)
    assert all(float(value.abs().max()) < 1e4 for value in values.values())
