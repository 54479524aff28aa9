"""Self-distillation: better than centers where they are wrong, what it says of its choice, and bad input."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import make_moons

from coterie import CollapseWarning, InputError, Pairs, SelfDistillation
from coterie.data.neighbor_batches import NeighborBatches
from coterie.methods.community_count import count_communities
from coterie.methods.feature_starts import (
    agreed,
    nearest_neighbors,
    refine,
    starting_clusters,
    usual_neighbors,
)
from coterie.methods.head_choice import best_of, information_of_clusters
from coterie.methods.known_groups import are_labels, named_groups
from coterie.methods.neighbor_graphs import diffusion_map, neighbor_graph, self_tuned_graph, shared_graph
from coterie.methods.spread import spread_groups
from coterie.methods.starting_layer import class_layer
from coterie.metrics import clustering_accuracy, nmi
from coterie.nn import HeadsNetwork

Array = npt.NDArray[Any]
QUICK: dict[str, Any] = {"max_steps": 60, "random_state": 0}


def rings(n: int, k: int, seed: int) -> tuple[Array, Array]:
    """Features of k objects that turn: each is a closed curve in its own two of many directions."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(k), n // k)
    angles = rng.uniform(0, 2 * np.pi, len(labels))
    planes = np.linalg.qr(rng.normal(size=(8 * k, 3 * k)))[0].T.reshape(k, 3, -1)
    circle = np.stack([0.25 + 0 * angles, np.cos(angles), np.sin(angles)], axis=1)
    X = np.einsum("nc,ncd->nd", circle, planes[labels]) + 0.02 * rng.normal(size=(len(labels), 8 * k))
    return X.astype(np.float32), labels


def clouds(n: int, k: int, seed: int, spread: float = 1.0) -> tuple[Array, Array]:
    """Normal clouds, long in a few directions that all share."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(k), n // k)
    shape = np.where(np.arange(20) < 4, 3.0, 0.5) * spread
    X = rng.normal(size=(k, 20))[labels] * 1.5 + rng.normal(size=(len(labels), 20)) * shape
    return X.astype(np.float32), labels


def test_curves_are_followed_where_centers_cut_them() -> None:
    X, y = rings(300, 4, 0)
    model = SelfDistillation(4, **QUICK).fit(X)
    by_centers = KMeans(4, n_init=5, random_state=0).fit_predict(X)
    assert clustering_accuracy(y, model.labels_) > 0.98
    assert clustering_accuracy(y, by_centers) < 0.9


def test_long_clouds_are_told_apart() -> None:
    X, y = clouds(800, 8, 1)
    model = SelfDistillation(8, **QUICK).fit(X)
    by_centers = KMeans(8, n_init=5, random_state=0).fit_predict(X)
    assert nmi(y, model.labels_) > nmi(y, by_centers) + 0.1


def test_digits(all_digits: tuple[Array, Array]) -> None:
    X, y = all_digits[0][:900], all_digits[1][:900]
    model = SelfDistillation(10, **QUICK).fit(X)
    by_centers = KMeans(10, n_init=5, random_state=0).fit_predict(X)
    assert clustering_accuracy(y, model.labels_) > clustering_accuracy(y, by_centers) + 0.04


def test_the_head_that_is_named_predicts_with_pairs() -> None:
    X, y = clouds(300, 3, 0)
    X = np.concatenate([X, X[:, ::-1]], axis=1)
    model = SelfDistillation(3, **QUICK).fit(X, pairs=Pairs.from_labels(y, 5, random_state=0))
    head = model.runs_[0]["head"]
    assert head in ("diffusion", "graph", "ward", "centers")
    network = model.network_
    assert isinstance(network, HeadsNetwork)
    values = network.named(network(torch.from_numpy(X)))
    torch.testing.assert_close(values["logits"], values[f"logits/{head}"])


@pytest.mark.parametrize(("k", "size", "width"), [(60, 6, 64), (40, 5, 400), (25, 4, 32)])
def test_many_small_clusters_stay(k: int, size: int, width: int) -> None:
    """Groups on a sphere of fewer samples than the usual ten neighbors."""
    rng = np.random.default_rng(k)
    y = np.repeat(np.arange(k), size)
    X = (rng.normal(size=(k, width))[y] + 0.8 * rng.normal(size=(len(y), width))).astype(np.float32)
    model = SelfDistillation(k, **QUICK).fit(X)
    by_centers = KMeans(k, n_init=5, random_state=0).fit_predict(X)
    assert model.n_clusters_ == k
    assert clustering_accuracy(y, model.labels_) >= max(0.9, clustering_accuracy(y, by_centers))


@pytest.mark.parametrize(("k", "width"), [(5, 2), (12, 2), (6, 3), (20, 5), (8, 12)])
def test_few_columns_are_no_worse_than_by_centers(k: int, width: int) -> None:
    """Mixtures away from 0, whose direction says little, of sizes 1 to 3."""
    rng = np.random.default_rng(10 * k + width)
    y = np.repeat(np.arange(k), rng.integers(20, 60, k))
    centers = rng.uniform(-1, 1, size=(k, width)) * k ** (1 / width) * 2.5 + 4
    X = (centers[y] + 0.5 * rng.normal(size=(len(y), width))).astype(np.float32)
    by_centers = KMeans(k, n_init=10, random_state=0).fit_predict(X)
    model = SelfDistillation(k, **QUICK).fit(X)
    assert clustering_accuracy(y, model.labels_) > clustering_accuracy(y, by_centers) - 0.02


def test_pairs_are_learnt(all_digits: tuple[Array, Array]) -> None:
    X, y = all_digits[0][:400], all_digits[1][:400]
    pairs = Pairs.from_labels(y, 300, random_state=0)

    def kept(model: SelfDistillation) -> float:
        same = model.labels_[pairs.i] == model.labels_[pairs.j]
        return float((same == (pairs.same > 0)).mean())

    without, beside = (
        SelfDistillation(10, random_state=0, max_steps=300).fit(X, pairs=known) for known in (None, pairs)
    )
    assert kept(beside) > kept(without) + 0.02
    assert nmi(y, beside.labels_) > nmi(y, without.labels_)
    assert "pairs" in beside.history_[-1]


def test_a_start_from_a_fit_keeps_its_clusters() -> None:
    X, _ = clouds(300, 3, 0)
    first = SelfDistillation(3, **QUICK).fit(X)
    again = SelfDistillation(3, max_steps=5, random_state=5).start_from(first).fit(X)
    assert (again.labels_ == first.labels_).mean() > 0.97


def test_new_samples_join_the_clusters() -> None:
    X, y = rings(800, 4, 3)
    train = np.arange(len(X)) % 2 == 0
    model = SelfDistillation(4, **QUICK).fit(X[train])
    assert clustering_accuracy(y[~train], model.predict(X[~train])) > 0.97


def test_moons_and_images_run_too() -> None:
    X, _ = make_moons(200, noise=0.05, random_state=0)
    assert SelfDistillation(2, **QUICK).fit(X).predict(X).shape == (200,)
    images = np.random.default_rng(0).integers(0, 255, size=(60, 8, 8), dtype=np.uint8)
    assert SelfDistillation(3, max_steps=5, random_state=0).fit(images).transform(images).shape == (60, 64)


@pytest.mark.parametrize("value", [0.0, 1.0, -7.5])
def test_equal_samples(value: float) -> None:
    X = np.full((30, 5), value)
    with pytest.raises(InputError, match="n_clusters=3 must be <= 1, the number of distinct samples"):
        SelfDistillation(3).fit(X)


def test_constant_features_say_nothing() -> None:
    X, _ = rings(200, 4, 0)
    wide = np.concatenate([X, np.full((len(X), 3), 0.5, dtype=np.float32)], axis=1)
    assert (
        nmi(SelfDistillation(4, **QUICK).fit(X).labels_, SelfDistillation(4, **QUICK).fit(wide).labels_) > 0.9
    )


def test_samples_without_a_direction() -> None:
    X, _ = rings(200, 4, 0)
    X[:3] = 0
    with pytest.warns(CollapseWarning, match="X has 3 samples that are 0 in every feature"):
        SelfDistillation(4, max_steps=5).fit(X)


def test_too_many_neighbors() -> None:
    X, _ = rings(40, 4, 0)
    with pytest.raises(InputError, match="n_neighbors=40 must be < n_samples=40"):
        SelfDistillation(4, n_neighbors=40).fit(X)
    few = SelfDistillation(2, max_steps=5, over_clustering=True).fit(
        X[8:14]
    )  # fewer than the usual ten neighbors
    assert few.labels_.shape == (6,)


def test_clusters_of_one_sample() -> None:
    X, y = rings(90, 3, 0)
    lone = np.concatenate([X, -3 * X[:1] + 5])
    model = SelfDistillation(4, max_steps=60, over_clustering=True, random_state=0).fit(lone)
    assert clustering_accuracy(np.r_[y, 3], model.labels_) > 0.6
    every = SelfDistillation(6, max_steps=5, over_clustering=True).fit(X[::15])  # as many clusters as samples
    assert every.predict_proba(X).shape == (90, 6)


def test_a_discriminant_relabels_along_what_differs() -> None:
    X, y = clouds(600, 3, 5)
    start = KMeans(3, n_init=1, random_state=1).fit_predict(X).astype(np.int64)
    assert nmi(y, refine(start, X)) >= nmi(y, start)
    assert (refine(np.zeros(5, dtype=np.int64), X[:5]) == 0).all()


def test_agreement_of_clusterings_under_other_numbers() -> None:
    y = np.repeat(np.arange(4), 25)
    wrong = np.where(np.arange(100) % 10 == 0, (y + 1) % 4, y)
    found = agreed([y, 3 - y, (y + 2) % 4, wrong], 4, seed=0)
    assert clustering_accuracy(y, found) == 1.0


def test_a_layer_continues_a_clustering() -> None:
    X, y = rings(300, 3, 0)
    features = torch.from_numpy(X - X.mean(axis=0))
    weight, bias = class_layer(features, torch.from_numpy(y), 3)
    assert ((features @ weight.T + bias).argmax(dim=1).numpy() == y).mean() > 0.95


def test_a_layer_keeps_clusters_between_others() -> None:
    """On a line, regression on the labels gives the middle one of three to its neighbors."""
    y = np.repeat(np.arange(7), 20)
    line = (y - 3 + 0.1 * np.random.default_rng(0).normal(size=140))[:, None]
    features = torch.from_numpy((line - line.mean()).astype(np.float32))
    weight, bias = class_layer(features, torch.from_numpy(y), 8)
    assert (weight.shape, bias.shape) == ((8, 1), (8,))
    np.testing.assert_array_equal((features @ weight.T + bias).argmax(dim=1).numpy(), y)


@pytest.mark.parametrize(
    ("n_samples", "n_clusters", "wanted"),
    [(5000, 10, 10), (1500, 250, 3), (250, 50, 2), (3, 3, 2), (2, 1, 1)],
)
def test_neighbors_by_the_size_of_clusters(n_samples: int, n_clusters: int, wanted: int) -> None:
    assert usual_neighbors(n_samples, n_clusters) == wanted


def test_information_of_clusters() -> None:
    """Each of two parts: neighbors of clusters of equal size say log k, places the variance that is left."""
    y = np.repeat(np.arange(4), 10)
    points = (10.0 * y[:, None] + np.tile([-1.0, 1.0], 20)[:, None]).astype(np.float32)
    near = np.arange(40)[:, None] ^ 1  # of the same cluster
    right = information_of_clusters(y, points, near)
    assert right == pytest.approx(np.log(4) + np.log(126 / 1))
    assert information_of_clusters(np.zeros(40, dtype=np.int64), points, near) == pytest.approx(0, abs=1e-6)
    assert information_of_clusters(y // 2, points, near) < right
    assert best_of({"all": y * 0, "half": y // 2, "four": y}, points, near) == "four"


def test_training_that_spoils_a_start_is_taken_back() -> None:
    X, y = rings(300, 4, 0)
    model = SelfDistillation(4, learning_rate=10.0, max_steps=30, random_state=0).fit(X)
    assert clustering_accuracy(y, model.labels_) > 0.98
    (run,) = model.runs_
    assert run["trained"] is False
    np.testing.assert_array_equal(model.predict(X), model.labels_)


def test_starts_of_one_cluster_and_neighbors_of_none() -> None:
    X, _ = rings(30, 3, 0)
    assert all((labels == 0).all() for labels in starting_clusters(X, 1, 0).values())
    assert nearest_neighbors(X, 0).shape == (30, 0)


def test_batches_hold_a_neighbor_of_each_row_and_the_pairs() -> None:
    near = (np.arange(20)[:, None] + np.array([1, 2])) % 20
    pairs = Pairs([0, 5], [10, 15], [1, -1])
    batches = NeighborBatches(near, 6, pairs=pairs)
    plan = batches.plan(3, 1, 2)
    assert plan.neighbors is not None
    assert plan.same is not None
    drawn = plan.rows[: plan.n_drawn]
    assert np.isin((plan.rows[plan.neighbors] - drawn) % 20, [1, 2]).all()
    assert len(set(plan.rows.tolist())) == len(plan.rows)
    assert (plan.same == plan.same.T).all()
    assert np.abs(plan.same).sum() in (2, 4)
    again = batches.plan(3, 1, 2)
    np.testing.assert_array_equal(plan.rows, again.rows)
    seen = np.concatenate([one.rows[: one.n_drawn] for one in batches.evaluation_plans()])
    assert sorted(seen.tolist()) == list(range(20))


@pytest.mark.parametrize("k", [3, 5, 9])
def test_clusters_are_counted(k: int) -> None:
    """Clouds that stand apart, each of 60 samples, in several directions."""
    rng = np.random.default_rng(k)
    X = (6 * rng.normal(size=(k, 20)))[np.repeat(np.arange(k), 60)] + rng.normal(size=(60 * k, 20))
    model = SelfDistillation("auto", **QUICK).fit(X.astype(np.float32))
    estimate = model.n_clusters_estimate_
    assert estimate is not None
    assert model.n_outputs_ == estimate["n_clusters"] == k
    assert estimate["lowest"] <= k <= estimate["highest"]
    counted = [row["communities"] for row in estimate["tried"] if row["counts"]]
    assert (min(counted), max(counted)) == (estimate["lowest"], estimate["highest"])


@pytest.mark.parametrize(("k", "size"), [(30, 36), (40, 10), (60, 6), (100, 5)])
def test_small_clusters_are_counted(k: int, size: int) -> None:
    """Of fewer samples than the largest graph has neighbors: within a tenth."""
    rng = np.random.default_rng(k)
    points = rng.normal(size=(k, 40)).repeat(size, axis=0) + 0.5 * rng.normal(size=(k * size, 40))
    assert abs(count_communities(points.astype(np.float32), k * size // 2, 0)["n_clusters"] - k) <= k / 10


@pytest.mark.parametrize(("k", "size"), [(8, 12), (5, 9), (20, 14)])
def test_clusters_without_an_edge_between_them_are_counted(k: int, size: int) -> None:
    rng = np.random.default_rng(k)
    points = 5 * rng.normal(size=(k, 40)).repeat(size, axis=0) + 0.5 * rng.normal(size=(k * size, 40))
    assert count_communities(points.astype(np.float32), k * size // 2, 0)["n_clusters"] == k


def test_unequal_clusters_are_counted() -> None:
    rng = np.random.default_rng(0)
    sizes = np.linspace(6, 60, 30).astype(int)
    centers = rng.normal(size=(30, 40)).repeat(sizes, axis=0)
    points = (centers + 0.4 * rng.normal(size=centers.shape)).astype(np.float32)
    assert 27 <= count_communities(points, len(points) // 2, 0)["n_clusters"] <= 33


def test_equal_samples_are_one_cluster() -> None:
    model = SelfDistillation("auto", max_steps=2, random_state=0).fit(np.ones((30, 4), dtype=np.float32))
    assert (model.n_outputs_, model.labels_.tolist()) == (1, [0] * 30)


def test_graphs_of_neighbors() -> None:
    X, y = rings(120, 3, 0)
    plain, shared, tuned = neighbor_graph(X, 5), shared_graph(X, 5), self_tuned_graph(X, 5)
    for graph in (plain, shared, tuned):
        assert abs(graph - graph.T).max() < 1e-12
        assert graph.diagonal().max() == 0
        rows, columns = graph.nonzero()
        assert (y[rows] == y[columns]).mean() > 0.95
    assert set(plain.data) == {1.0}
    assert ((shared > 0) != (plain > 0)).nnz == 0
    assert shared.max() <= 5
    assert 0 < tuned.data.min() <= tuned.data.max() <= 1
    # a scale of its own: the same graph of the same points twice as far apart
    assert abs(self_tuned_graph(2 * X, 5) - tuned).max() < 1e-5


@pytest.mark.parametrize("n_vectors", [4, 30, 200])
def test_a_walk_tells_components_apart(n_vectors: int) -> None:
    X, y = rings(120, 4, 0)
    found = diffusion_map(neighbor_graph(X, 4), n_vectors, 0)
    assert found.shape == (120, min(n_vectors, 120))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    likeness = found @ found.T
    assert likeness[y[:, None] == y].mean() > likeness[y[:, None] != y].mean() + 0.3


@pytest.mark.usefixtures("few_starts")
@pytest.mark.parametrize("n", [2, 3, 5, 8, 30])
@pytest.mark.parametrize("kind", ["equal", "two", "lone", "line", "zeros"])
def test_odd_features_give_clusters_or_a_clear_error(n: int, kind: str) -> None:
    """Fewer samples than neighbors, clusters of one sample, equal and zero rows, more clusters than rows."""
    rng = np.random.default_rng(n)
    X = {
        "equal": np.full((n, 6), 2.5),
        "two": np.eye(6)[np.arange(n) % 2],
        "lone": np.concatenate([np.ones((n - 1, 6)), -np.ones((1, 6))]),
        "line": np.arange(1.0, n + 1)[:, None] * rng.normal(size=(1, 6)),
        "zeros": np.concatenate([np.zeros((n - 1, 6)), rng.normal(size=(1, 6))]),
    }[kind]
    distinct = len(np.unique(X, axis=0))
    for k in {1, 2, n}:
        model = SelfDistillation(k, max_steps=2, random_state=0, over_clustering=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CollapseWarning)
            if k > distinct:
                with pytest.raises(InputError, match=f"n_clusters={k} must be <= {distinct}"):
                    model.fit(X)
            else:
                labels = model.fit(X).labels_
                assert labels.shape == (n,)
                assert set(labels) <= set(range(k))
                assert np.isfinite(model.predict_proba(X)).all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        auto = SelfDistillation("auto", max_steps=2, random_state=0).fit(X)
    assert 1 <= auto.n_outputs_ <= max(1, n // 2)


def labelled_pairs(y: Array, known: Array) -> Pairs:
    """All pairs of some rows whose labels are known."""
    one, other = np.triu_indices(len(known), 1)
    i, j = known[one], known[other]
    return Pairs(i, j, np.where(y[i] == y[j], 1, -1))


def test_pairs_that_name_every_cluster_are_the_start(all_digits: tuple[Array, Array]) -> None:
    X, y = all_digits[0][:900], all_digits[1][:900]
    known = np.random.default_rng(0).choice(900, 60, replace=False)
    rest = np.setdiff1d(np.arange(900), known)
    model = SelfDistillation(10, **QUICK).fit(X, pairs=labelled_pairs(y, known))
    by_centers = KMeans(10, n_init=5, random_state=0).fit_predict(X)
    assert clustering_accuracy(y[rest], model.labels_[rest]) > 0.9
    assert clustering_accuracy(y[rest], by_centers[rest]) < 0.82


def test_groups_that_pairs_name() -> None:
    y = np.arange(30) % 3
    pairs = labelled_pairs(y, np.array([0, 1, 2, 3, 4, 5, 9]))
    named = named_groups(pairs, 30, 3)
    assert named is not None
    assert (named >= 0).sum() == 7
    assert len({(a, b) for a, b in zip(named.tolist(), y.tolist(), strict=True) if a >= 0}) == 3
    assert named_groups(pairs, 30, 4) is None  # there are three groups alone
    assert named_groups(Pairs([0], [3], [1]), 30, 2) is None
    assert named_groups(pairs, 30, 1) is None


def test_groups_that_stand_out_name_clusters_though_not_all_are_known_to_differ() -> None:
    similar = [(0, 1), (1, 2), (2, 3), (10, 11), (11, 12), (12, 13), (20, 21), (21, 22), (22, 23)]
    pairs = Pairs([*((i, j, 1) for i, j in similar), (0, 10, -1), (0, 25, -1)])
    named = named_groups(pairs, 30, 3)
    assert named is not None
    assert [len(set(named[start : start + 4].tolist())) for start in (0, 10, 20)] == [1, 1, 1]
    assert len(set(named[[0, 10, 20]].tolist())) == 3
    assert named[25] == -1
    assert are_labels(named, pairs)
    # with two more of the rest the fourth group is half as large as the others
    assert named_groups(Pairs([*((i, j, 1) for i, j in similar), (25, 26, 1)]), 30, 3) is None
    scattered = Pairs([*((i, j, 1) for i, j in similar), *((0, row, -1) for row in range(24, 30))])
    assert not are_labels(named, scattered)
    assert named_groups(Pairs([0, 2, 4], [1, 3, 5], [1, 1, 1]), 30, 3) is None  # of two samples each


def test_named_samples_keep_their_clusters() -> None:
    X, y = rings(200, 4, 0)
    named = np.full(200, -1)
    named[::20] = (y[::20] + 1) % 4
    found = spread_groups(X, named, 4)
    assert (found == (y + 1) % 4).mean() > 0.95
    assert (found[::20] == named[::20]).all()
