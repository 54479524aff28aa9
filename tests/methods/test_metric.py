"""Similarity networks on features: a metric learnt from known classes, in which new ones are discovered."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.cluster import KMeans
from tests.methods.test_similarity import groups

from coterie import CCN, InputError, Pairs, SimilarityNetwork, load, save
from coterie.methods.metric_start import SHRINKAGES, folds
from coterie.methods.scatter import Scatter, deviations
from coterie.metrics import clustering_accuracy
from coterie.nn import DistanceHead, Metric, build_metric_network, join_rows

Array = npt.NDArray[Any]
QUICK: dict[str, Any] = {"backbone": "features", "random_state": 0, "threads": 1}


def wide_groups(seed: int, n_classes: int, per_class: int) -> tuple[Array, Array]:
    """`groups` in 40 directions, of which 36 are noise that k-means follows."""
    X, y = groups(seed, n_classes, per_class)
    noise = np.random.default_rng(seed + 100).normal(size=(len(y), 24))
    return np.c_[X, 5 * noise].astype(np.float32), y


@pytest.mark.parametrize("make", [groups, wide_groups])
def test_known_classes_say_what_counts(make: Any) -> None:
    spn = SimilarityNetwork(**QUICK).fit(*make(0, 30, 30))
    new, truth = make(1, 6, 40)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CCN(6, **QUICK).fit(new[::4], similarity=spn)
    found = CCN(6, **QUICK).fit(new, similarity=spn)
    by_centers = KMeans(6, n_init=5, random_state=0).fit_predict(new)
    assert clustering_accuracy(truth, by_centers) < 0.5
    assert clustering_accuracy(truth, found.labels_) > 0.9
    more, classes = make(1, 6, 50)
    assert clustering_accuracy(classes, found.predict(more)) > 0.9


def test_pairs_say_it_too() -> None:
    X, y = groups(0, 30, 30)
    pairs = Pairs.from_labels(y, 4_000, random_state=0)
    spn = SimilarityNetwork(**QUICK).fit(X, pairs=pairs)
    new, truth = groups(1, 6, 40)
    assert clustering_accuracy(truth, CCN(6, **QUICK).fit(new, similarity=spn).labels_) > 0.9


def test_the_number_of_new_classes_is_counted_in_the_metric() -> None:
    spn = SimilarityNetwork(**QUICK).fit(*groups(0, 30, 30))
    new, _ = groups(1, 6, 40)
    assert 5 <= CCN("auto", **QUICK).fit(new, similarity=spn).n_outputs_ <= 7
    model = CCN(50, over_clustering=True, **QUICK).fit(new, similarity=spn)
    assert model.n_outputs_ == 50
    assert 5 <= model.n_clusters_ <= 7


def test_progress_says_where_the_clusters_are_from(capsys: pytest.CaptureFixture[str]) -> None:
    spn = SimilarityNetwork(**QUICK).fit(*groups(0, 30, 30))
    CCN(6, verbose=1, max_steps=2, **QUICK).fit(groups(1, 6, 40)[0], similarity=spn)
    assert "begins with clusters in the metric of the similarity network" in capsys.readouterr().err


def test_it_is_saved_and_continues_nothing(tmp_path: Path) -> None:
    X, y = wide_groups(0, 20, 20)
    spn = SimilarityNetwork(**QUICK).fit(X, y)
    i, j = np.random.default_rng(0).integers(len(X), size=(2, 3_000))
    told = spn.predict_proba_pairs(X, i, j)
    save(spn, tmp_path / "spn")
    np.testing.assert_array_equal(load(tmp_path / "spn").predict_proba_pairs(X, i, j), told)
    with pytest.raises(InputError, match="are features already"):
        spn.on_features()
    again = SimilarityNetwork(**QUICK).start_from(spn).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba_pairs(X, i, j), told)


@pytest.mark.parametrize("loss", ["ccl", "kcl"])
def test_training_keeps_the_clusters_that_the_metric_finds(loss: Literal["ccl", "kcl"]) -> None:
    spn = SimilarityNetwork(**QUICK).fit(*wide_groups(0, 30, 30))
    new, truth = wide_groups(1, 6, 40)
    begun, trained = (CCN(6, loss=loss, **QUICK, max_steps=n).fit(new, similarity=spn) for n in (1, 300))
    accuracy = [clustering_accuracy(truth, model.labels_) for model in (begun, trained)]
    assert accuracy[1] > accuracy[0] - 0.02


def test_pairs_and_labels_give_one_scatter() -> None:
    X, y = groups(0, 3, 4)
    i, j = np.triu_indices(len(y), 1)
    i, j = i[y[i] == y[j]], j[y[i] == y[j]]
    rows = torch.from_numpy(X).double()
    of_labels = deviations(rows, y.astype(np.int64))
    of_pairs = deviations(rows, Pairs(i, j, np.ones(len(i))))
    n = len(X) // 3
    scatter = of_pairs.T @ of_pairs / len(of_pairs)
    torch.testing.assert_close(of_labels.T @ of_labels / len(of_labels) * n / (n - 1), scatter)


def test_folds_hold_out_whole_classes() -> None:
    y = np.repeat(np.arange(5), 6)
    y[::7] = -1
    found = list(folds(y, 0))
    assert len(found) == 2  # of two classes each: the fifth alone has no dissimilar pair
    for fold in found:
        assert isinstance(fold.known, np.ndarray)
        assert not set(y[fold.i]) & set(fold.known)
        np.testing.assert_array_equal(fold.same, y[fold.i] == y[fold.j])
    assert not list(folds(np.array([0, 0, 1, 1]), 0))


def test_equal_samples_and_two_classes_are_no_error() -> None:
    X = np.repeat(np.eye(2, 40), 10, axis=0).astype(np.float32)
    spn = SimilarityNetwork(**QUICK).fit(X, np.repeat([0, 1], 10))
    same, other = spn.predict_proba_pairs(X, [0, 0], [1, 19])
    assert same > 0.9 > 0.1 > other
    assert np.isfinite(Scatter.of(torch.zeros(3, 4)).whitening(SHRINKAGES[0]).numpy()).all()


def test_new_samples_have_the_width_of_the_known_ones() -> None:
    spn = SimilarityNetwork(**QUICK).fit(*wide_groups(0, 20, 20))
    with pytest.raises(InputError, match="must hold samples of shape"):
        CCN(6, **QUICK).fit(groups(1, 6, 40)[0], similarity=spn)


def test_too_many_columns_are_refused() -> None:
    with pytest.raises(InputError, match="at most 4096 columns"):
        SimilarityNetwork(**QUICK).fit(np.ones((20, 4_097), dtype=np.float32), np.repeat([0, 1], 10))


def test_listed_pairs_are_those_of_the_matrix() -> None:
    network = build_metric_network((40,))
    embedding, odds = network(torch.randn(7, 40))
    i, j = torch.triu_indices(7, 7, 1)
    torch.testing.assert_close(network.head.listed(embedding, i, j), odds[i, j])
    torch.testing.assert_close(odds, odds.T)
    assert isinstance(network.backbone, Metric)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(7))
    head = join_rows(torch.nn.Sequential(DistanceHead(3)))[0]
    assert head.is_joint
