"""A fit that begins with another's weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError

from coterie import CCN, DDC, InputError, Pairs
from coterie.methods.base import Training
from coterie.metrics import clustering_accuracy

Digits = Any
QUICK: dict[str, Any] = {"n_clusters": 10, "n_restarts": 1, "over_clustering": True, "random_state": 0}


def test_a_start_is_kept_where_training_hardly_moves(digits: Digits) -> None:
    X, y = digits
    first = CCN(**QUICK, max_steps=150).fit(X, y)
    pairs = Pairs.from_labels(y, 30, random_state=0)
    few: dict[str, Any] = {"max_steps": 1, "batch_size": 2}
    second = CCN(**QUICK, **few).start_from(first).fit(X, pairs=pairs)
    fresh = CCN(**QUICK, **few).fit(X, pairs=pairs)
    assert clustering_accuracy(y, second.labels_) > clustering_accuracy(y, first.labels_) - 0.05
    assert clustering_accuracy(y, fresh.labels_) < clustering_accuracy(y, second.labels_) - 0.2
    assert second.scaling_ is first.scaling_


def test_another_number_of_clusters_gets_a_fresh_last_layer(digits: Digits) -> None:
    X, y = digits
    first = CCN(**QUICK, max_steps=20).fit(X, y)
    params = QUICK | {"n_clusters": 12, "max_steps": 1}
    second: Any = CCN(**params).start_from(first)
    second.fit(X, y)
    assert second.predict_proba(X).shape == (150, 12)
    distance = np.abs(second.transform(X) - first.transform(X)).max()
    fresh: Any = CCN(**params).fit(X, y)
    assert distance < np.abs(fresh.transform(X) - first.transform(X)).max() / 3


def test_pairs_after_another_method_move_gently(digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rate that finds clusters from nothing would undo what was found without pairs."""
    X, y = digits
    params = QUICK | {"backbone": "mlp", "max_steps": 1}
    pairs = Pairs.from_labels(y, 30, random_state=0)
    found: Any = DDC(**params).fit(X)
    same: Any = CCN(**params).fit(X, pairs=pairs)
    plans: list[Training] = []
    monkeypatch.setattr(CCN, "_train", lambda model, samples, plan: plans.append(plan))
    CCN(**params).fit(X, pairs=pairs)
    CCN(**params).start_from(same).fit(X, pairs=pairs)
    CCN(**params).start_from(found).fit(X, pairs=pairs)
    CCN(**params, learning_rate=0.3).start_from(found).fit(X, pairs=pairs)
    CCN(**params).start_from(found).fit(X, y)
    CCN(**params | {"n_clusters": 11}).start_from(found).fit(X, pairs=pairs)  # its last layer is fresh
    rates = [plan.recipe.learning_rate for plan in plans]
    assert rates == pytest.approx([0.16, 0.16, 0.0016, 0.3, 0.001, 0.16], rel=1e-12)


def test_one_restart_where_all_begin_alike(digits: Digits) -> None:
    X, y = digits
    params = QUICK | {"n_restarts": "auto", "max_steps": 2}
    first: Any = CCN(**params).fit(X, y)
    second: Any = CCN(**params).start_from(first).fit(X, y)
    assert (len(first.runs_), len(second.runs_)) == (5, 1)


def test_no_parameter_and_undone_by_none(digits: Digits) -> None:
    X, y = digits
    first = CCN(**QUICK, max_steps=5).fit(X, y)
    started = CCN(**QUICK, max_steps=5).start_from(first)
    assert started.get_params() == first.get_params()
    for fresh in (clone(started), CCN(**QUICK, max_steps=5).start_from(first).start_from(None)):
        np.testing.assert_array_equal(fresh.fit(X, y).predict_proba(X), first.predict_proba(X))


def test_a_checkpoint_of_another_start_is_refused(digits: Digits, tmp_path: Path) -> None:
    X, y = digits
    params = QUICK | {"max_steps": 5}
    first = CCN(**params).fit(X, y)
    CCN(**params, checkpoint_dir=str(tmp_path)).fit(X, y)
    with pytest.raises(InputError, match="belongs to a fit with other parameters"):
        CCN(**params, checkpoint_dir=str(tmp_path)).start_from(first).fit(X, y)


def test_starts_that_do_not_fit(digits: Digits) -> None:
    X, y = digits
    with pytest.raises(NotFittedError):
        CCN().start_from(CCN())
    first = CCN(**QUICK, max_steps=5).fit(X, y)
    with pytest.raises(
        InputError, match=r"X must hold samples of the shape of start_from, \(64,\), got \(32,\)"
    ):
        CCN(**QUICK, max_steps=5).start_from(first).fit(X[:, :32], y)
    images = X.reshape(-1, 8, 8)
    other = CCN(**QUICK, max_steps=5).fit(images, y)
    names = r"start_from .* same form: backbone='lenet-code' has a .* its backbone='auto' lacks"
    with pytest.raises(InputError, match=names):
        CCN(**QUICK, max_steps=5, backbone="lenet-code").start_from(other).fit(images, y)


def test_clusters_begin_with_k_means(digits: Digits) -> None:
    """Where training hardly moves, k-means on given features is what comes out."""
    X, y = digits
    settings: dict[str, Any] = {"backbone": "identity", "max_steps": 1, "batch_size": 2}
    model = CCN(**QUICK, **settings, head_init="k-means").fit(
        X, pairs=Pairs.from_labels(y, 30, random_state=0)
    )
    scaled = model.transform(X)
    found = KMeans(10, n_init=10, random_state=0).fit_predict(scaled)
    assert clustering_accuracy(found, model.labels_) > 0.9
    proba = np.sort(model.predict_proba(X), axis=1)
    # sure, but not so much that nothing can be learned
    assert 0.5 < np.median(proba[:, -1]) < 0.999
    single: Any = CCN(**QUICK | {"n_clusters": 1}, **settings, head_init="k-means").fit(X, y)
    assert set(single.labels_) == {0}


def test_k_means_leaves_no_cluster_out_that_a_random_start_does() -> None:
    """Thirty classes, 150 steps: a random start puts classes together."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(30), 20)
    X = (rng.normal(size=(30, 40))[y] + 0.3 * rng.normal(size=(600, 40))).astype(np.float32)
    params = QUICK | {"n_clusters": 30, "backbone": "identity", "max_steps": 150}
    found = {
        init: clustering_accuracy(y, CCN(**params, head_init=init).fit(X, y).labels_)
        for init in ("random", "k-means")
    }
    assert found["k-means"] > 0.97
    assert found["k-means"] > found["random"] + 0.1


def test_restarts_in_a_stack_begin_with_k_means_too(digits: Digits) -> None:
    X, y = digits
    params = QUICK | {"n_restarts": 2, "backbone": "identity", "max_steps": 3, "head_init": "k-means"}
    stacked = CCN(**params, restarts="stacked").fit(X, y)
    in_turn = CCN(**params, restarts="sequential").fit(X, y)
    np.testing.assert_allclose(stacked.predict_proba(X), in_turn.predict_proba(X), rtol=0, atol=1e-5)


def test_bad_init(digits: Digits) -> None:
    X, y = digits
    with pytest.raises(
        InputError,
        match="head_init must be 'auto', 'random', 'k-means', 'clusters' or 'similarity', got 'kmeans'",
    ):
        CCN(**QUICK | {"head_init": "kmeans"}).fit(X, y)
