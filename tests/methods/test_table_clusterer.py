"""TableClusterer: what is found, that new rows change nothing, noise, files, and bad input."""

from __future__ import annotations

import inspect
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import SkipTestWarning
from sklearn.utils.estimator_checks import check_estimator

import coterie
from coterie import InputError, InputTypeError, TableClusterer
from coterie.methods.clusterer import NeuralClusterer
from coterie.metrics import clustering_accuracy
from coterie.params.table_clusterer import TableClustererParams

Array = npt.NDArray[Any]


def clouds(n: int = 210, k: int = 3, seed: int = 0) -> tuple[Array, Array]:
    """k round clouds far from each other, in four columns of different units."""
    X, y = make_blobs(n, 4, centers=12 * np.eye(k, 4), random_state=seed)
    return X * [1, 1000, 0.01, 1] + [0, 5e4, 0, -3], y


@pytest.mark.parametrize("k", [2, 3, 4])
def test_the_number_of_clusters_is_found(k: int) -> None:
    X, y = clouds(k=k)
    model = TableClusterer(random_state=0).fit(X)
    assert model.n_clusters_ == model.n_outputs_ == k
    assert clustering_accuracy(y, model.labels_) > 0.97
    assert np.sum(model.count_proba_) == pytest.approx(1)
    assert model.loss_ == pytest.approx(-np.log(model.count_proba_[k - 1]))


@pytest.mark.parametrize("k", [1, 2, 5, 20])
def test_the_number_of_clusters_can_be_given(k: int) -> None:
    X, _ = clouds()
    model = TableClusterer(k, random_state=0).fit(X)
    assert model.n_outputs_ == k
    assert model.predict_proba(X).shape == (len(X), k)


def test_rows_of_the_fit_keep_their_clusters() -> None:
    X, y = clouds(600)
    model = TableClusterer(random_state=0, max_set_size=200).fit(X)
    assert np.array_equal(model.predict(X), model.labels_)
    assert np.array_equal(model.predict(X[::-1][:9]), model.labels_[::-1][:9])
    others, truth = clouds(300, seed=5)
    assert clustering_accuracy(np.append(y, truth), np.append(model.labels_, model.predict(others))) > 0.97


@settings(max_examples=8, deadline=None)
@given(st.permutations(range(4)), st.integers(0, 1000), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_neither_order_nor_units_count(columns: list[int], seed: int, factor: float, shift: float) -> None:
    X, _ = clouds(90)
    order = np.random.default_rng(seed).permutation(len(X))
    plain = TableClusterer(noise=False).fit(X)
    other = TableClusterer(noise=False).fit(X[order][:, columns] * factor + shift)
    assert plain.n_clusters_ == other.n_clusters_
    assert clustering_accuracy(plain.labels_[order], other.labels_) == 1


def test_a_row_far_from_all_is_noise() -> None:
    X, _ = clouds()
    far = X.mean(axis=0) + 100 * X.std(axis=0)
    model = TableClusterer(random_state=0).fit(X)
    assert model.predict(far[None]).tolist() == [-1]
    assert (model.labels_ == -1).mean() < 0.03
    # a row of the fit too, and its most probable cluster stays what it was
    with_it = TableClusterer(random_state=0).fit(np.vstack([X, far]))
    assert with_it.labels_[-1] == -1
    assert with_it.predict_proba(far[None]).argmax() >= 0
    assert TableClusterer(noise=False, random_state=0).fit(X).predict(far[None])[0] >= 0


def test_words_and_gaps_of_a_frame() -> None:
    X, y = clouds()
    frame = pd.DataFrame(X, columns=list("abcd")).assign(colour=np.array(["red", "blue", "green"])[y])
    with pytest.warns(coterie._errors.ReadingNote, match="3 words became columns"):
        model = TableClusterer(random_state=0).fit(frame)
    assert clustering_accuracy(y, model.labels_) > 0.97
    assert np.array_equal(model.predict(frame[["colour", *"abcd"]].head(5)[frame.columns]), model.labels_[:5])


@pytest.mark.parametrize("noise", [True, False])
def test_a_saved_model_predicts_the_same(tmp_path: Path, noise: bool) -> None:
    X, _ = clouds()
    model = TableClusterer(noise=noise, random_state=0).fit(X)
    coterie.save(model, tmp_path / "model")
    others = np.vstack([clouds(50, seed=3)[0], X.mean(axis=0) + 100 * X.std(axis=0)])
    copied = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own bytes
    for again in (coterie.load(tmp_path / "model"), copied):
        assert again.get_params() == model.get_params()
        assert np.array_equal(again.labels_, model.labels_)
        assert np.array_equal(again.predict(others), model.predict(others))
        assert np.array_equal(again.predict_proba(others), model.predict_proba(others))


def test_scikit_learn_s_own_checks() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        warnings.simplefilter("ignore", UserWarning)
        checks = check_estimator(TableClusterer(), on_fail=None)
    assert len(checks) > 40
    assert {check["check_name"] for check in checks if check["status"] == "failed"} == set()


def test_its_parameters_are_those_that_do_something() -> None:
    accepted = set(inspect.signature(TableClusterer).parameters)
    assert accepted == set(TableClusterer().get_params())
    assert not accepted & set(TableClustererParams._without)
    assert {"n_clusters", "noise", "max_set_size", "random_state", "encoder"} <= accepted
    with pytest.raises(InputTypeError, match="has no parameter max_steps"):
        TableClusterer(max_steps=3)
    with pytest.raises(InputError, match="has no parameter n_restarts"):
        TableClusterer().set_params(n_restarts=3)
    # what the base classes read of the others are their defaults
    model: NeuralClusterer = TableClusterer()
    assert (model.vote, model.preset, model.n_restarts) == (0, "default", "auto")
    assert clone(TableClusterer(4, noise=False)).get_params()["n_clusters"] == 4


def test_large_tables_follow_a_sample() -> None:
    X, y = clouds(900)
    one, other = (TableClusterer(random_state=seed, max_set_size=300).fit(X) for seed in (0, 1))
    assert one.network_.head.samples.shape == (300, 4)
    assert min(clustering_accuracy(y, model.labels_) for model in (one, other)) > 0.97
    again = TableClusterer(random_state=0, max_set_size=300).fit(X)
    assert np.array_equal(one.labels_, again.labels_)
    assert not np.array_equal(one.network_.head.samples, other.network_.head.samples)


@pytest.mark.parametrize(
    ("X", "params", "said"),
    [
        (np.ones((1, 3)), {}, "n_samples=1 must be >= 2"),
        (np.ones((4, 3)), {"n_clusters": 5}, "n_samples=4 must be >= 5"),
        (np.ones((30, 3)), {"n_clusters": 21}, "n_clusters must be"),
        (np.ones((30, 3)), {"n_clusters": 0}, "n_clusters must be"),
        (np.ones((30, 3)), {"max_set_size": 19}, "max_set_size must be"),
        (np.ones((30, 3, 3)), {}, r"X must have shape \(n, d\)"),
        (np.full((30, 3), np.nan), {}, "X"),
        (np.array([[np.inf, 1.0]] * 30), {}, "X"),
        (np.empty((0, 3)), {}, "X"),
        (np.empty((30, 0)), {}, "X"),
    ],
)
def test_bad_input(X: Array, params: dict[str, Any], said: str) -> None:
    with pytest.raises((InputError, InputTypeError), match=said):
        TableClusterer(**params).fit(X)


@pytest.mark.filterwarnings("ignore:X. all samples are equal:UserWarning")
@pytest.mark.parametrize("X", [np.ones((30, 3)), np.arange(30.0)[:, None], np.eye(40, 300)])
def test_odd_tables_are_clustered(X: Array) -> None:
    model = TableClusterer(random_state=0).fit(X)
    assert model.labels_.shape == (len(X),)
    assert np.array_equal(model.predict(X), model.labels_)


def test_equal_rows_are_one_cluster() -> None:
    with pytest.warns(UserWarning, match="all samples are equal"):
        model = TableClusterer().fit(np.ones((30, 3)))
    assert model.n_clusters_ == 1
    assert set(model.labels_) == {0}


def test_it_starts_from_nothing() -> None:
    X, _ = clouds()
    model = TableClusterer(random_state=0).fit(X)
    with pytest.raises(InputError, match="trains nothing"):
        TableClusterer().start_from(model)
