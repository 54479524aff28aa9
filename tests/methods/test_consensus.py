"""The number of clusters to answer with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import adjusted_rand_score

from coterie.methods.consensus import agreement, choose_count


def parts(n: int = 40, most: int = 6) -> list[npt.NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    return [rng.dirichlet(np.ones(k), size=n) for k in range(1, most + 1)]


def test_agreement_is_the_adjusted_rand_index() -> None:
    labels = [part.argmax(axis=1) for part in parts()]
    expected = [[adjusted_rand_score(one, other) for other in labels] for one in labels]
    np.testing.assert_allclose(agreement(parts()), expected, atol=1e-12)


def test_a_sure_count_is_chosen() -> None:
    for k in range(1, 7):
        count_proba = np.zeros(6)
        count_proba[k - 1] = 1
        assert choose_count(count_proba, parts()) == k


def test_one_cluster_needs_certainty() -> None:
    for share, expected in ((0.8, 2), (0.95, 1)):
        count_proba = np.array([share, 1 - share, 0, 0, 0, 0])
        assert choose_count(count_proba, parts()) == expected


def test_clusterings_that_agree_win_over_a_single_more_probable_one() -> None:
    codes = np.repeat([0, 1, 2, 3], 10)
    other = np.arange(40) % 2
    nearly = np.where(np.arange(40) == 0, 4, codes)
    found = [
        np.eye(k)[one]
        for k, one in enumerate((0 * codes, other, np.minimum(codes, 2), codes, nearly), start=1)
    ]
    count_proba = np.array([0.0, 0.35, 0.05, 0.3, 0.3])
    assert count_proba.argmax() + 1 == 2
    assert choose_count(count_proba, found) in (4, 5)


@pytest.mark.parametrize("n", [1, 2])
def test_few_rows(n: int) -> None:
    assert choose_count(np.array([1.0, 0.0]), [np.ones((n, 1)), np.eye(2)[[0, 1][:n]]]) == 1
