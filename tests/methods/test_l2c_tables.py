"""L2C.from_pretrained("tables"): any number of columns, what changes nothing, bad input, speed."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.metrics import adjusted_rand_score

from coterie import L2C, InputError, InputTypeError
from coterie.data.readers import Samples

pytestmark = pytest.mark.filterwarnings("ignore:max_clusters")


@pytest.fixture(scope="module")
def model() -> L2C:
    return L2C.from_pretrained("tables")


def blobs(n: int = 120, d: int = 4, k: int = 3) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    y = rng.integers(k, size=n)
    return 6 * rng.normal(size=(k, d))[y] + rng.normal(size=(n, d)), y


@pytest.mark.parametrize("d", [2, 3, 10, 40, 100])
def test_blobs_of_any_width_are_found(model: L2C, d: int) -> None:
    X, y = blobs(d=d)
    assert adjusted_rand_score(y, model.predict(X)) > 0.95


def test_outputs_have_their_shapes(model: L2C) -> None:
    X, _ = blobs()
    count_proba, parts = model.predict_all(X)
    assert count_proba.shape == (20,)
    assert count_proba.sum() == pytest.approx(1)
    assert [part.shape for part in parts] == [(120, k) for k in range(1, 21)]
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)


def test_orders_shifts_and_scales_change_nothing(model: L2C) -> None:
    X, _ = blobs()
    plain, labels = model.predict_count_proba(X), model.predict(X)
    rows = np.random.default_rng(1).permutation(120)
    changes = [
        (X[rows], labels[rows]),
        (X[:, [2, 0, 3, 1]], labels),
        (np.add(X, [1e6, -3.0, 0.0, 50.0]), labels),
        (X * [1e-9, 3.0, 1e9, 1.0], labels),
        (np.column_stack([X, np.ones(120)]), labels),
        (np.asfortranarray(X), labels),
        (X[::-1], labels[::-1]),
    ]
    for changed, expected in changes:
        np.testing.assert_allclose(model.predict_count_proba(changed), plain, atol=5e-3)
        assert adjusted_rand_score(expected, model.predict(changed)) > 0.99


def test_a_turn_changes_little(model: L2C) -> None:
    X, _ = blobs()
    turn, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(4, 4)))
    assert adjusted_rand_score(model.predict(X), model.predict(X @ turn)) > 0.9


def test_gaps_and_data_frames(model: L2C) -> None:
    X, y = blobs()
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame.iloc[::17, 1] = np.nan
    assert adjusted_rand_score(y, model.predict(frame)) > 0.9


@pytest.mark.parametrize("modality", ["table", "vectors"])
def test_what_a_reader_gives_is_clustered(model: L2C, modality: str) -> None:
    X, _ = blobs()
    assert np.array_equal(model.predict(Samples(X, modality=modality)), model.predict(X))
    with pytest.raises(InputError, match="Expected 2D array"):
        model.predict(Samples(np.zeros((5, 8, 8)), modality="image"))


def test_iris_has_two_or_three_clusters(model: L2C) -> None:
    X, y = load_iris(return_X_y=True)
    found = model.predict(X)
    assert 2 <= len(np.unique(found)) <= 3
    assert adjusted_rand_score(y, found) > 0.5


def test_one_column(model: L2C) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=100)
    assert adjusted_rand_score(y, model.predict((10 * y + rng.normal(size=100))[:, None])) > 0.95


@pytest.mark.parametrize("X", [np.ones((10, 3)), np.full((10, 3), np.nan)])
def test_equal_rows_are_one_cluster_with_a_warning(model: L2C, X: Any) -> None:
    with pytest.warns(UserWarning, match="all samples are equal"):
        assert set(model.predict(X)) == {0}


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        ([[1.0, 2.0]], InputError, "n_samples=1 must be >= 2"),
        ([[1.0, np.inf], [0.0, 1.0]], InputError, "X must be finite or NaN, got inf in row 0, column 1"),
        ([["a"], ["b"]], InputTypeError, "X must be a table of numbers"),
        (np.zeros((0, 2)), InputError, "at least one row"),
        ([1.0, 2.0], InputError, "Expected 2D array"),
    ],
)
def test_bad_tables(model: L2C, X: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        model.predict(X)


def test_ten_thousand_columns(model: L2C) -> None:
    X, y = blobs(n=60, d=10_000)
    assert adjusted_rand_score(y, model.predict(X)) > 0.9


def test_large_tables_are_merged(model: L2C) -> None:
    X, y = blobs(n=2500)
    assert adjusted_rand_score(y, model.predict(X)) > 0.95


def test_a_thousand_rows_take_two_seconds(model: L2C) -> None:
    X, _ = blobs(n=1000, d=16)

    def seconds() -> float:
        start = time.process_time()
        model.predict_all(X)
        return time.process_time() - start

    # on a machine that is busy with other work, once in three times
    assert any(seconds() < 2 for _ in range(3))


def test_the_network_can_be_trained_on_groups() -> None:
    X, y = blobs(n=60, d=70)
    trained = L2C(max_clusters=3, network="table", size="small", set_size=12, batch_size=2, max_steps=2)
    trained.set_params(random_state=0).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert trained.predict_all(X[:, :5])[1][2].shape == (60, 3)


def test_k_beyond_the_maximum_draws_a_warning(model: L2C) -> None:
    rng = np.random.default_rng(0)
    X = np.repeat(30 * rng.normal(size=(30, 10)), 20, axis=0) + rng.normal(size=(600, 10))
    with pytest.warns(UserWarning, match="max_clusters: 20 clusters are the most probable number"):
        assert len(np.unique(model.predict(X))) <= 20


def test_a_hundred_thousand_rows_follow_a_sample(model: L2C) -> None:
    X, y = blobs(n=100_000, d=5)
    start = time.process_time()
    found = model.predict(X)
    assert time.process_time() - start < 60
    assert adjusted_rand_score(y, found) > 0.95


@pytest.mark.parametrize("n", [150, 3000])
def test_outliers_are_noise_where_it_is_asked_for(n: int) -> None:
    model = L2C.from_pretrained("tables").set_params(noise=True)
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=n)
    X = np.array([[0.0, 0.0], [12.0, 0.0], [0.0, 12.0]])[y] + rng.normal(size=(n, 2))
    X[:5] = [[25.0, 25.0], [-14.0, -3.0], [6.0, -15.0], [30.0, 3.0], [-10.0, 22.0]]
    found = model.predict(X)
    assert (found[:5] == -1).all()
    assert (found[5:] == -1).mean() < 0.03
    assert adjusted_rand_score(y[5:], found[5:]) > 0.9
    assert -1 not in model.set_params(noise=False).predict(X)
