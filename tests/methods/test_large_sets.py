"""Merging of overlapping subsets: right clusterings merge to the right one, wrong ones are outvoted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from coterie.methods.large_sets import merge_subsets
from coterie.metrics import clustering_accuracy


def oracle(truth: Tensor, wrong: float = 0.0) -> object:
    """Clusters subsets by the truth, numbered differently in each; a share of the samples at random."""
    generator = torch.Generator().manual_seed(1)
    k = int(truth.max()) + 1

    def cluster(rows: Tensor) -> tuple[Tensor, list[Tensor]]:
        labels = truth[rows]
        noise = torch.rand(rows.shape, generator=generator) < wrong
        labels = torch.where(noise, torch.randint(k, rows.shape, generator=generator), labels)
        turned = torch.stack([torch.randperm(k, generator=generator)[one] for one in labels])
        return torch.eye(2)[[1] * len(rows)], [torch.ones(*rows.shape, 1), torch.eye(k)[turned]]

    return cluster


@pytest.mark.parametrize("n", [60, 61, 400, 1003])
def test_subsets_of_the_truth_merge_to_the_truth(n: int) -> None:
    truth = torch.randint(4, (n,), generator=torch.Generator().manual_seed(0))
    count_proba, parts = merge_subsets(oracle(truth), n, 50)  # type: ignore[arg-type]
    assert count_proba.tolist() == [0, 1]
    assert parts[1].shape == (n, 4)
    torch.testing.assert_close(parts[1].sum(dim=1), torch.ones(n).double())
    assert clustering_accuracy(truth, parts[1].argmax(dim=1)) == 1.0


def test_errors_stay_where_they_are() -> None:
    truth = torch.randint(3, (2000,), generator=torch.Generator().manual_seed(0))
    _, parts = merge_subsets(oracle(truth, wrong=0.15), 2000, 100)  # type: ignore[arg-type]
    # 10% of the samples come out wrong of their subset
    assert clustering_accuracy(truth, parts[1].argmax(dim=1)) > 0.88


def test_the_same_seed_merges_the_same() -> None:
    truth = torch.arange(300) % 3
    first, second = (merge_subsets(oracle(truth), 300, 40)[1][1] for _ in range(2))  # type: ignore[arg-type]
    assert torch.equal(first, second)
