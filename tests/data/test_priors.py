"""The prior of synthetic tables: what it promises of every table, and the rule of what is identifiable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from coterie import InputError, InputTypeError
from coterie.data.priors import merge_confused, synthetic_tables
from coterie.data.priors.columns import add_outliers, bend_columns, embed, warp, widen
from coterie.data.priors.mixtures import directions, mixture
from coterie.data.priors.scenes import scene
from coterie.data.priors.tables import _choose_sizes


def test_every_table_is_standard_and_its_clusters_are_numbered() -> None:
    tables = synthetic_tables(100, 80, n_clusters=(1, 8), random_state=0)
    for X, labels in tables:
        assert X.dtype == np.float32
        assert X.shape[0] == len(labels) == 80
        assert 2 <= X.shape[1] <= 16
        assert np.isfinite(X).all()
        np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-4)
        spread = X.std(axis=0)
        assert np.all((np.abs(spread - 1) < 1e-3) | (spread == 0))
        assert np.unique(labels[labels >= 0]).tolist() == list(range(labels.max() + 1))
        assert np.bincount(labels[labels >= 0]).min() >= 2


def test_tables_differ_in_columns_clusters_and_outliers() -> None:
    tables = synthetic_tables(200, 80, n_columns=(2, 30), n_clusters=(1, 10), random_state=1)
    columns = np.array([table.X.shape[1] for table in tables])
    counts = np.array([table.labels.max() + 1 for table in tables])
    assert 0.3 < np.mean(columns == 2) < 0.65
    assert columns.max() > 20
    assert set(range(2, 9)) <= set(counts.tolist())
    assert np.mean(counts == 1) < 0.1
    assert 0.05 < np.mean([(table.labels < 0).any() for table in tables]) < 0.35


def test_clusters_can_be_told_apart_by_who_knows_the_labels() -> None:
    scores = []
    for X, labels in synthetic_tables(40, 150, n_clusters=(2, 8), random_state=2):
        known = labels >= 0
        train = np.arange(150) % 2 == 0
        model = KNeighborsClassifier(5).fit(X[known & train], labels[known & train])
        scores.append(model.score(X[known & ~train], labels[known & ~train]))
    assert np.mean(scores) > 0.9


def test_the_same_seed_gives_the_same_tables() -> None:
    first, again = (synthetic_tables(4, 60, random_state=5) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.X, other.X)
        assert np.array_equal(one.labels, other.labels)
    assert not np.array_equal(first[0].labels, synthetic_tables(1, 60, random_state=6)[0].labels)


def test_parts_that_overlap_count_as_one() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 100)
    centres = np.array([[0.0, 0.0], [0.5, 0.0], [9.0, 0.0]])
    points = centres[labels] + rng.normal(size=(300, 2))
    merged = merge_confused(points, labels)
    assert merged.max() == 1
    assert len(np.unique(merged[labels < 2])) == 1
    assert np.array_equal(merge_confused(points, labels, threshold=1.0), labels)


def test_a_small_part_beside_a_large_one_stays() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], [200, 6])
    points = np.where(labels[:, None] == 0, 0, 6) + rng.normal(size=(206, 2))
    assert merge_confused(points, labels).max() == 1


def test_outliers_keep_their_mark_and_do_not_vote() -> None:
    points = np.array([[0.0], [0.1], [0.2], [0.25], [5.0], [5.1], [5.2], [2.5]])
    labels = np.array([0, 0, 0, 0, 1, 1, 1, -1])
    assert merge_confused(points, labels).tolist() == labels.tolist()


@pytest.mark.parametrize("d", [2, 3])
def test_figures_of_a_scene_keep_clear_of_each_other(d: int) -> None:
    for seed in range(10):
        points, labels = scene(np.random.default_rng(seed), np.array([30, 30, 30]), d)
        assert points.shape == (90, d)
        gaps = np.linalg.norm(points[labels == 0][:, None] - points[labels != 0], axis=2)
        assert gaps.min() > 0.005


def test_mixtures_and_directions_have_their_sizes() -> None:
    rng = np.random.default_rng(0)
    for draw in (mixture, directions):
        points, labels = draw(rng, np.array([10, 20, 5]), 8)
        assert points.shape == (35, 8)
        assert np.bincount(labels).tolist() == [10, 20, 5]


def test_directions_are_of_four_kinds() -> None:
    """Unit vectors and others, activations and others."""
    rng = np.random.default_rng(0)
    kinds = set()
    for _ in range(20):
        points, _ = directions(rng, np.array([10, 20, 5]), 70)
        lengths = np.linalg.norm(points, axis=1)
        kinds.add((bool(np.allclose(lengths, 1)), bool((points >= 0).all())))
        assert np.isfinite(points).all()
    assert len(kinds) == 4


def test_columns_are_changed_as_said() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(50, 3))
    assert warp(rng, points).shape == bend_columns(rng, points).shape == (50, 3)
    assert embed(rng, points, 7).shape == (50, 7)
    assert widen(rng, points, 4).shape == (50, 7)
    labels = np.repeat([0, 1], 25)
    marked = add_outliers(rng, points.copy(), labels, 0.9)
    assert np.bincount(marked[marked >= 0]).min() >= 2
    assert np.array_equal(marked[marked >= 0], labels[marked >= 0])


def test_sizes_are_whole_and_reach_far_ratios() -> None:
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(300):
        sizes = _choose_sizes(rng, 400, 5)
        assert sizes.sum() == 400
        assert sizes.min() >= 3
        ratios.append(sizes.max() / sizes.min())
    assert max(ratios) > 10
    assert min(ratios) < 1.2


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"n_tables": 0}, InputError, "n_tables must be an int >= 1"),
        ({"n_rows": 59}, InputError, "n_rows must be an int >= 60"),
        ({"n_columns": (3, 2)}, InputError, "n_columns"),
        ({"n_clusters": 4}, InputError, "n_clusters must be a smallest and a largest number"),
        ({"n_tables": 2.5}, InputTypeError, "n_tables"),
    ],
)
def test_bad_numbers_are_named(arguments: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        synthetic_tables(**({"n_tables": 1} | arguments))
