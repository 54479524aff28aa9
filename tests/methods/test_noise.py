"""Which rows of a clustering are noise."""

from __future__ import annotations

import numpy as np
import pytest

from coterie.methods.noise import find_noise


def clusters(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A dense and a sparse cluster."""
    rng = np.random.default_rng(seed)
    points = np.concatenate([rng.uniform(size=(200, 2)), 10 + 8 * rng.uniform(size=(200, 2))])
    return points, np.repeat([0, 1], 200)


@pytest.mark.parametrize("seed", range(3))
def test_a_row_is_compared_with_its_own_cluster(seed: int) -> None:
    points, labels = clusters(seed)
    assert not find_noise(points, labels, 1000)[200:].any()
    far = np.array([[2.5, 2.5], [-1.5, -1.5]])
    noise = find_noise(np.concatenate([points, far]), np.append(labels, [0, 0]), 1000)
    assert noise[400:].all()
    assert noise[:400].mean() < 0.02


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
def test_scale_and_order_change_nothing(factor: float) -> None:
    points, labels = clusters(0)
    points[0] = [4.0, 4.0]
    order = np.random.default_rng(1).permutation(400)
    plain = find_noise(points, labels, 1000)
    assert plain[0]
    assert np.array_equal(find_noise(points[order] * factor, labels[order], 1000), plain[order])


def test_equal_rows_make_no_noise_of_the_others() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([np.zeros((60, 2)), rng.uniform(size=(40, 2))])
    noise = find_noise(points, np.zeros(100, dtype=np.int64), 1000)
    assert not noise[:60].any()
    assert noise.mean() < 0.05
    assert not find_noise(np.zeros((30, 2)), np.zeros(30, dtype=np.int64), 1000).any()


@pytest.mark.parametrize("n", [2, 3, 8, 9])
def test_tiny_tables_have_no_noise(n: int) -> None:
    points = np.random.default_rng(0).normal(size=(n, 2))
    assert not find_noise(points, np.zeros(n, dtype=np.int64), 1000).any()


def test_large_tables_are_compared_with_a_sample() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(size=(20_000, 2))
    points[:5] = [[3.0, 3.0], [-3.0, 0.0], [0.0, 4.0], [5.0, 0.0], [-2.0, -2.0]]
    noise = find_noise(points, np.zeros(20_000, dtype=np.int64), 500)
    assert noise[:5].all()
    assert noise[5:].mean() < 0.01
