"""Aligning clusterings and voting: against brute force, ties, what is refused."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from coterie.metrics import align_clusters, vote_shares

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_alignment_is_the_best_of_all_permutations(k: int) -> None:
    for _ in range(20):
        reference, labels = RNG.integers(0, k, (2, 15))
        renamed = align_clusters(reference, labels, k)
        assert sorted(renamed) == list(range(k))
        agreeing = (renamed[labels] == reference).sum()
        assert agreeing == max((np.array(p)[labels] == reference).sum() for p in permutations(range(k)))


def test_permuted_labels_are_brought_back() -> None:
    reference = RNG.integers(0, 10, 500)
    permutation = RNG.permutation(10)
    renamed = align_clusters(reference, permutation[reference], 10)
    np.testing.assert_array_equal(renamed[permutation[reference]], reference)


def test_shares_are_counts_of_votes() -> None:
    votes = RNG.integers(0, 4, (3, 200))
    shares = vote_shares(list(votes), 4)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=0, atol=1e-15)
    counts = (votes[:, :, None] == np.arange(4)).mean(axis=0)
    np.testing.assert_allclose(shares, counts, rtol=0, atol=2e-9)


@pytest.mark.parametrize(
    ("votes", "winner"),
    [((2, 0, 1), 2), ((1, 0, 2), 1), ((2, 0, 0), 0), ((0, 1, 1, 0), 0), ((2, 1, 0, 0, 1), 1)],
)
def test_a_tie_goes_to_the_earliest_voter(votes: tuple[int, ...], winner: int) -> None:
    assert int(vote_shares([[vote] for vote in votes], 3).argmax()) == winner


def test_voting_does_not_depend_on_the_company() -> None:
    votes = RNG.integers(0, 4, (3, 50))
    whole = vote_shares(list(votes), 4)
    np.testing.assert_array_equal(vote_shares(list(votes[:, 7:8]), 4), whole[7:8])


@pytest.mark.parametrize(
    ("reference", "labels", "k", "message"),
    [
        ([0, 1], [0], 2, "equally long, got 2 and 1"),
        ([0, 2], [0, 1], 2, r"reference must be in 0\.\.1, got 0\.\.2"),
        ([0, 1], [-1, 1], 2, r"labels must be in 0\.\.1, got -1\.\.1"),
        ([], [], 2, "reference must be a 1-D array of whole numbers, not empty"),
        ([0.5], [1], 2, "whole numbers.* got float64"),
        ([0], [0], 0, r"n_clusters must be an int in \[1, 10000\]"),
        ([0], [0], 10**12, r"n_clusters must be an int in \[1, 10000\]"),
    ],
)
def test_bad_input_of_alignment(reference: Any, labels: Any, k: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        align_clusters(reference, labels, k)


def test_bad_input_of_votes() -> None:
    with pytest.raises(ValueError, match="at least one clustering"):
        vote_shares([], 2)
    with pytest.raises(ValueError, match="equally long, got 1, 2"):
        vote_shares([[0], [0, 1]], 2)
    with pytest.raises(ValueError, match=r"labelings must be in 0\.\.1, got 3\.\.3"):
        vote_shares([[3]], 2)
