"""The network for tables: what changes its clustering and what does not, sizes, gradients, features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from torch import Tensor

from coterie.nn.set_table import TableAttention
from coterie.nn.table_features import (
    PAIR_FEATURES,
    SMALL,
    column_cells,
    log_distances,
    pair_features,
    row_profiles,
    standard_columns,
    whitened,
)

K = 4


def network() -> TableAttention:
    torch.manual_seed(0)
    return TableAttention(K, width=16, depth=2, heads=4).eval()


def tables(n: int = 30, d: int = 5) -> Tensor:
    rng = np.random.default_rng(0)
    centres = 4 * rng.normal(size=(2, 3, d))
    rows = centres[:, rng.integers(3, size=n)] + rng.normal(size=(2, n, d))
    return torch.from_numpy(rows).float()


def outputs(inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    with torch.inference_mode():
        count, assignments, pairs = network()(inputs)
    return count, assignments, pairs


def test_outputs_are_probabilities_of_every_k() -> None:
    count, assignments, pairs = outputs(tables())
    assert count.shape == (2, K)
    assert pairs.shape == (2, 30, 30)
    for part in torch.split(assignments, [1, 2, 3, 4], dim=2):
        torch.testing.assert_close(part.sum(dim=2), torch.ones(2, 30))
    torch.testing.assert_close(pairs, pairs.mT)


def test_the_order_of_rows_changes_nothing() -> None:
    order = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    before, after = outputs(tables()), outputs(tables()[:, order])
    torch.testing.assert_close(after[2], before[2][:, order][:, :, order], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("change", ["columns", "shift", "scale", "constant"])
def test_columns_may_be_changed(change: str) -> None:
    inputs = tables()
    changed = {
        "columns": inputs[:, :, [3, 1, 0, 4, 2]],
        "shift": inputs + torch.tensor([5.0, -3.0, 0.0, 8.0, 1.0]),
        "scale": inputs * torch.tensor([2.0, 0.01, 1.0, 100.0, 7.0]),
        "constant": torch.nn.functional.pad(inputs, (0, 3), value=0.7),
    }[change]
    for before, after in zip(outputs(inputs), outputs(changed), strict=True):
        torch.testing.assert_close(after, before, atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("seed", range(5))
def test_features_are_the_same_at_any_scale(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(1, 40, 6)) * 10.0 ** rng.integers(-2, 3, size=(1, 40, 1))
    rows[:, :10] = rows[:, 10:20]  # equal rows: ties in every hierarchy
    rows = np.round(rows, 2)
    before, after = (
        pair_features(standard_columns(torch.from_numpy(one).float())[0] / 6**0.5)
        for one in (rows, rows * 10.0 ** rng.uniform(-3, 3, size=6))
    )
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(other, one, atol=1e-3, rtol=1e-3)


def test_equal_rows_are_at_the_least_distance() -> None:
    items = 30 * torch.randn(1, 8, 12, generator=torch.Generator().manual_seed(0))
    logs = log_distances(items[:, [0, 1, 2, 3, 4, 5, 6, 7, 0, 1]])
    least = torch.tensor(SMALL).log() / 2
    assert bool((logs[0].diagonal() == least).all())
    assert logs[0, 0, 8] == logs[0, 9, 1] == least


@pytest.mark.parametrize(("n", "d"), [(2, 1), (3, 2), (4, 64), (50, 1)])
def test_small_and_wide_tables(n: int, d: int) -> None:
    assert all(bool(one.isfinite().all()) for one in outputs(tables(n, d)))


def test_equal_rows_and_empty_tables_stay_finite() -> None:
    for inputs in (torch.zeros(1, 6, 3), torch.ones(1, 6, 3), tables()[:, [0, 0, 0, 1, 1]]):
        assert all(bool(one.isfinite().all()) for one in outputs(inputs))


def test_every_weight_learns() -> None:
    model = network().train()
    count, assignments, pairs = model(tables())
    (count.square().sum() + assignments.square().sum() + pairs.square().sum()).backward()
    without = [name for name, one in model.named_parameters() if one.grad is None or not one.grad.any()]
    assert without == []


def test_half_precision_agrees() -> None:
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        count, _, pairs = network()(tables())
    assert count.dtype == pairs.dtype == torch.float32
    torch.testing.assert_close(count, outputs(tables())[0], atol=0.1, rtol=0.1)


def test_standard_columns_mark_constant_ones() -> None:
    inputs = torch.stack([torch.arange(5.0), torch.full((5,), 0.1), torch.zeros(5)], dim=1).unsqueeze(0)
    standard, used = standard_columns(inputs)
    assert used.tolist() == [[True, False, False]]
    torch.testing.assert_close(standard[0, :, 0].square().mean(), torch.tensor(1.0))
    assert not standard[0, :, 1:].any()


def test_pair_features_are_those_of_the_hierarchies() -> None:
    items = tables(20, 3)[:1]
    features, profiles, heights = pair_features(items)
    assert features.shape == (1, 20, 20, PAIR_FEATURES)
    assert heights.shape == (1, 4, 19)
    torch.testing.assert_close(profiles, row_profiles(log_distances(items)))
    ward = linkage(items[0].numpy(), "ward")
    np.testing.assert_allclose(heights[0, 3], np.log(ward[::-1, 2] * 20**-0.5), atol=1e-3)
    parted = features[0, :, :, -1].exp().round()
    for k in (2, 3, 5):
        labels = fcluster(ward, k, "maxclust")
        apart = labels[:, None] != labels
        assert np.array_equal((parted <= k).numpy() & ~np.eye(20, dtype=bool), apart)


def test_whitening_levels_the_directions() -> None:
    stretched = torch.randn(1, 400, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([10.0, 3.0])
    values = torch.linalg.eigvalsh(whitened(stretched)[0].T.cov())
    assert 0.5 < float(values[0] / values[1]) <= 1


def test_cells_know_ranks_and_equal_values() -> None:
    cells = column_cells(torch.tensor([0.0, 1.0, 1.0, 2.0]).view(1, 4, 1))
    assert cells[0, :, 0, 1].tolist() == [-0.75, 0.0, 0.0, 0.75]
