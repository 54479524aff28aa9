"""Features of an encoder: CCN, DDC and ADC begin with clusters and say which; L2C compares them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.cluster import KMeans

from coterie import ADC, CCN, DDC, L2C, CollapseWarning, InputError, Pairs, SelfDistillation, load, save
from coterie.data import Samples
from coterie.engine.recipe import Recipe
from coterie.methods.feature_starts import refine
from coterie.methods.on_features import with_unnamed
from coterie.methods.spread import is_learnt_better, label_graph, learn_groups, spread_groups
from coterie.methods.starting_layer import class_layer
from coterie.methods.supervision import Supervision
from coterie.metrics import clustering_accuracy, nmi
from coterie.nn import Features

Array = npt.NDArray[Any]
QUICK: dict[str, Any] = {"backbone": "features", "max_steps": 30, "random_state": 0, "threads": 1}


def curves(n: int = 300, k: int = 4, seed: int = 0) -> tuple[Array, Array]:
    """Features of k objects that turn: closed curves, each in its own two of many directions."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(k), n // k)
    angles = rng.uniform(0, 2 * np.pi, len(labels))
    planes = np.linalg.qr(rng.normal(size=(8 * k, 3 * k)))[0].T.reshape(k, 3, -1)
    circle = np.stack([0.25 + 0 * angles, np.cos(angles), np.sin(angles)], axis=1)
    X = np.einsum("nc,ncd->nd", circle, planes[labels]) + 0.02 * rng.normal(size=(len(labels), 8 * k))
    return X.astype(np.float32), labels


def few_labels(y: Array, n: int, seed: int = 0) -> Array:
    """Labels of n rows, -1 for the others."""
    known = np.full(len(y), -1)
    rows = np.random.default_rng(seed).choice(len(y), n, replace=False)
    known[rows] = y[rows]
    return known


def test_few_labels_are_spread_over_the_features(all_digits: tuple[Array, Array]) -> None:
    X, y = all_digits[0][:900], all_digits[1][:900]
    known = few_labels(y, 60)
    rest = known < 0
    model = CCN(10, **QUICK).fit(X, known)
    plain = CCN(10, head_init="random", max_steps=300, n_restarts=1, random_state=0).fit(X, known)
    assert clustering_accuracy(y[rest], model.labels_[rest]) > 0.9
    assert clustering_accuracy(y[rest], plain.labels_[rest]) < 0.9


def test_few_pairs_keep_the_clusters_of_the_features() -> None:
    X, y = curves()
    model = CCN(4, **QUICK).fit(X, pairs=Pairs.from_labels(y, 15, random_state=0))
    by_centers = KMeans(4, n_init=5, random_state=0).fit_predict(X)
    assert clustering_accuracy(y, model.labels_) > 0.97
    assert clustering_accuracy(y, by_centers) < 0.9


def test_pairs_that_name_every_cluster_are_labels() -> None:
    X, y = curves()
    known = few_labels(y, 40)
    rows = np.flatnonzero(known >= 0)
    one, other = np.triu_indices(len(rows), 1)
    i, j = rows[one], rows[other]
    model = CCN(4, backbone="features", random_state=0).fit(
        X, pairs=Pairs(i, j, np.where(y[i] == y[j], 1, -1))
    )
    labelled = CCN(4, backbone="features", random_state=0).fit(X, known)
    assert model.runs_[0]["steps"] == labelled.runs_[0]["steps"]
    assert clustering_accuracy(labelled.labels_, model.labels_) > 0.99


def test_classes_without_a_label_begin_with_clusters_of_the_features() -> None:
    X, y = curves()
    known = few_labels(np.where(y < 3, y, -1), 40)
    assert set(known) == {-1, 0, 1, 2}
    assert clustering_accuracy(y, CCN(4, **QUICK).fit(X, known).labels_) > 0.97


def test_more_classes_than_clusters() -> None:
    X, y = curves()
    with pytest.warns(UserWarning, match="n_clusters=2 must be >= 4"):
        model = CCN(2, **QUICK).fit(X, few_labels(y, 40))
    assert model.n_clusters_ == 2


def test_pairs_that_the_clusters_keep_anyhow_move_nothing() -> None:
    X, y = curves()
    pairs = Pairs.from_labels(y, 15, random_state=0)
    model = CCN(4, **QUICK | {"max_steps": None}).fit(X, pairs=pairs)
    assert model.runs_[0]["steps"] == 1
    assert CCN(4, **QUICK).fit(X, pairs=pairs).runs_[0]["steps"] == QUICK["max_steps"]


def test_each_broken_pair_asks_for_some_steps_up_to_the_usual_ones() -> None:
    pairs = Pairs(np.arange(40), np.arange(40) + 1, np.ones(40))
    recipe = Recipe("adam", learning_rate=1e-3, batch_size=10, max_epochs=50)

    def steps(n_broken: int) -> int:
        begun = np.concatenate([np.arange(n_broken + 1), np.full(40 - n_broken, n_broken)])
        return Supervision(None, pairs).shortened(recipe, 20, begun).total_steps(20)

    assert [steps(n_broken) for n_broken in (0, 1, 3, 30)] == [1, 100, 300, 1000]
    labels = Supervision(np.zeros(41, dtype=np.int64), None)
    assert labels.shortened(recipe, 20, np.arange(41)) == recipe


def test_auto_counts_communities() -> None:
    X, y = curves(400)
    model = CCN("auto", **QUICK).fit(X, pairs=Pairs.from_labels(y, 20, random_state=0))
    assert model.n_clusters_estimate_ is not None
    assert model.n_outputs_ == model.n_clusters_estimate_["n_clusters"]
    assert 4 <= model.n_outputs_ <= 12


def test_named_samples_keep_their_names() -> None:
    X, y = curves()
    named = few_labels(y, 20)
    wrong = named.copy()
    first = np.flatnonzero(named == 0)[0]
    wrong[first] = 1
    for labels in (refine(y, X, wrong), spread_groups(X, wrong, 4)):
        assert labels[first] == 1
        np.testing.assert_array_equal(labels[wrong >= 0], wrong[wrong >= 0])


def unequal() -> tuple[Array, Array]:
    """Two classes that touch, one ten times as large as the other, in two of 40 columns."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [1000, 100])
    X = rng.normal(size=(1100, 40)) * np.r_[3.0, np.ones(39)]
    X[:, 0] += 9 * y
    return X.astype(np.float32), y


def test_labels_of_clusters_of_unequal_size_are_learnt() -> None:
    X, y = unequal()
    known = np.full(len(y), -1)
    known[::20] = y[::20]
    rest = known < 0
    assert is_learnt_better(X, label_graph(X), known, seed=0)
    spread, learnt = spread_groups(X, known, 2), learn_groups(X, known)
    assert (spread[rest] == y[rest]).mean() < 0.85
    assert (learnt[rest] == y[rest]).mean() > 0.9
    model = CCN(2, **QUICK).fit(X, known)
    assert clustering_accuracy(y[rest], model.labels_[rest]) > 0.9


def test_labels_spread_along_curves_and_where_none_can_be_held_out() -> None:
    X, y = curves()
    assert not is_learnt_better(X, label_graph(X), few_labels(y, 20), seed=0)
    one_each = np.full(len(y), -1)
    for label in range(4):
        one_each[np.flatnonzero(y == label)[0]] = label
    assert not is_learnt_better(X, label_graph(X), one_each, seed=0)


def test_parts_of_a_named_class_are_no_class_of_their_own() -> None:
    codes, found = np.array([0, 0, 1, -1, -1]), np.array([0, 1, 2, 2, 3])
    # clusters 0 and 1 are parts of the first class; 3 alone has no label
    assert with_unnamed(codes, found, 4).tolist() == [0, 0, 1, -1, 2]


def test_a_stray_label_leaves_a_class_that_no_label_names() -> None:
    found = np.repeat([0, 1, 2], 100)
    codes = np.full(300, -1)
    codes[:10], codes[100:110], codes[200] = 0, 1, 1
    named = with_unnamed(codes, found, 3)
    assert (named[201:] == 2).all()
    assert named[200] == 1


def test_a_hidden_layer_begins_with_clusters_too() -> None:
    X, y = curves()
    model = CCN(4, hidden_features=16, **QUICK).fit(X, few_labels(y, 40))
    assert clustering_accuracy(y, model.labels_) > 0.5


def test_one_named_cluster_takes_all_samples() -> None:
    X, _ = curves()
    named = np.full(len(X), -1)
    named[3] = 0
    assert (learn_groups(X, named) == 0).all()


def test_a_layer_for_clusters_of_unequal_size_keeps_them() -> None:
    X, y = (torch.from_numpy(each) for each in unequal())
    X = X - X.mean(dim=0)
    even, sized = (class_layer(X, y, 2, is_sized) for is_sized in (False, True))
    found = [(X @ weight.T + bias).argmax(dim=1) for weight, bias in (even, sized)]
    wrong = [int((labels != y).sum()) for labels in found]
    assert wrong[1] < wrong[0]


def test_what_the_output_layer_begins_with_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = curves()
    CCN(4, **QUICK, verbose=1).fit(X, few_labels(y, 40))
    assert "the output layer begins with 40 labels, spread over the graph" in capsys.readouterr().err
    CCN(4, **QUICK, verbose=1).fit(X, pairs=Pairs.from_labels(y, 15, random_state=0))
    assert "the output layer begins with clusters of the samples" in capsys.readouterr().err
    CCN(4, **QUICK).fit(X, few_labels(y, 40))
    assert not capsys.readouterr().err


def encoded(X: Array) -> Samples:
    """Rows as an encoder's vectors."""
    metadata = {"name": "of-a-test", "modality": "image", "licence": "MIT", "source": "", "fingerprint": "a"}
    return Samples(X, how={"encoder": metadata | {"width": X.shape[1]}}, modality="image")


@pytest.mark.parametrize("kind", [CCN, DDC, ADC])
def test_vectors_of_an_encoder_are_features(kind: Any, tmp_path: Path) -> None:
    X, y = curves()
    told = {"y": few_labels(y, 40)} if kind is CCN else {}
    model = kind(4, max_steps=20, random_state=0).fit(encoded(X), **told)
    assert isinstance(model.network_.backbone, Features)
    assert model._on_features
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(X), model.labels_)
    assert again._on_features
    # a network that is asked for is taken
    own = kind(4, max_steps=3, random_state=0, backbone="mlp").fit(encoded(X), **told)
    assert not own._on_features


def test_a_fit_from_another_one_goes_on_with_its_clusters() -> None:
    X, y = curves()
    first = SelfDistillation(4, max_steps=60, random_state=0).fit(X)
    again = CCN(4, **QUICK).start_from(first).fit(X, pairs=Pairs.from_labels(y, 10, random_state=0))
    assert (again.labels_ == first.labels_).mean() > 0.97


@pytest.mark.parametrize("kind", ["equal", "two", "lone", "line", "zeros"])
@pytest.mark.parametrize("method", [CCN, DDC, ADC])
@pytest.mark.parametrize("n", [2, 3, 8, 30])
def test_odd_features_give_clusters_or_a_clear_error(method: Any, kind: str, n: int) -> None:
    """Fewer samples than neighbors, clusters of one sample, equal and zero rows, more clusters than rows."""
    rng = np.random.default_rng(n)
    X = {
        "equal": np.full((n, 6), 2.5),
        "two": np.eye(6)[np.arange(n) % 2],
        "lone": np.concatenate([np.ones((n - 1, 6)), -np.ones((1, 6))]),
        "line": np.arange(1.0, n + 1)[:, None] * rng.normal(size=(1, 6)),
        "zeros": np.concatenate([np.zeros((n - 1, 6)), rng.normal(size=(1, 6))]),
    }[kind]
    told = {"y": np.r_[0, 0, np.full(n - 2, -1)]} if method is CCN else {}
    distinct = len(np.unique(X, axis=0))
    for k in sorted({1, 2, n}):
        model = method(k, over_clustering=True, **QUICK | {"max_steps": 2})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CollapseWarning)
            if k > distinct:
                with pytest.raises(InputError, match=f"n_clusters={k} must be <= .*{distinct}"):
                    model.fit(X, **told)
            else:
                labels = model.fit(X, **told).labels_
                assert labels.shape == (n,)
                assert set(labels) <= set(range(k))
                assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("method", [CCN, DDC, ADC])
def test_samples_without_a_direction_are_counted(method: Any) -> None:
    X, y = curves(200)
    X[:3] = 0
    told = {"y": few_labels(y, 40)} if method is CCN else {}
    with pytest.warns(CollapseWarning, match="X has 3 samples that are 0 in every feature"):
        method(4, **QUICK).fit(X, **told)


def directions(n_groups: int, n_each: int, width: int = 48) -> tuple[Array, Array]:
    """Features of groups around random directions."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(n_groups), n_each)
    centers = rng.normal(size=(n_groups, width))
    X = centers[y] / np.linalg.norm(centers[y], axis=1, keepdims=True)
    return (X + 0.8 * rng.normal(size=X.shape) / np.sqrt(width)).astype(np.float32), y


@pytest.mark.filterwarnings("ignore:max_clusters. 4 clusters are the most probable:UserWarning")
def test_what_a_set_network_learns_from_angles_holds_for_unseen_groups() -> None:
    X, y = directions(80, 6)
    quick: dict[str, Any] = QUICK | {"size": "small", "set_size": 16, "batch_size": 8, "max_steps": 150}
    lost = {}
    for augment in ("auto", "none"):
        # two fits: how much one of them loses depends on the rounding of the processor
        settings = quick | {"augment": augment}
        scores = [scores_of_sets(X, y, settings | {"random_state": seed}) for seed in (0, 1)]
        seen, unseen = np.mean(scores, axis=0)
        lost[augment] = seen - unseen
        assert unseen > 0.7
    # single features say of the sixty groups what they do not say of others
    assert lost["auto"] < lost["none"] - 0.05


def scores_of_sets(X: Array, y: Array, settings: dict[str, Any]) -> tuple[float, float]:
    """Mean score on sets of four of the sixty groups in the fit, and of the others."""
    model = L2C(4, **settings).fit(X[y < 60], y[y < 60])
    rng = np.random.default_rng(0)
    means = []
    for groups in (np.arange(60), np.arange(60, 80)):
        chosen = [np.isin(y, rng.choice(groups, 4, replace=False)) for _ in range(20)]
        means.append(float(np.mean([nmi(y[rows], model.predict(X[rows])) for rows in chosen])))
    return means[0], means[1]


def test_a_set_network_takes_vectors_of_an_encoder_for_features(tmp_path: Path) -> None:
    X, y = directions(12, 6)
    quick: dict[str, Any] = {"set_size": 16, "batch_size": 4, "max_steps": 2, "random_state": 0}
    model = L2C(4, **quick).fit(encoded(X), y)
    assert isinstance(model.network_.backbone, Features)
    assert model.scaling_.factor == 1
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_count_proba(X[:20]), model.predict_count_proba(X[:20]))
    assert not isinstance(L2C(4, **quick).fit(X, y).network_.backbone, Features)
