"""The number of clusters: merging in the kernel, counts of restarts, what the estimators do with them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from tests.engine.pools import InThisProcess, MakePool, OfAnother

import coterie
from coterie import ADC, CCN, DDC, InputError, InputTypeError, Pairs
from coterie.methods.count import (
    FIRST_OUTPUTS,
    PROBES,
    Probe,
    estimate_n_clusters,
    left_over,
    merge_levels,
)
from coterie.methods.probing import train_probes

QUICK: dict[str, Any] = {"n_clusters": "auto", "n_restarts": 1, "random_state": 0, "threads": 1}


def blobs(k: int, n: int = 160) -> tuple[Any, Any]:
    x, y = make_blobs(n, n_features=10, centers=k, random_state=k)
    return x, y


@pytest.fixture
def three_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer restarts, for tests that train them."""
    monkeypatch.setattr("coterie.methods.probing.PROBES", 3)


def parts_of_points(k: int, parts: int) -> Callable[[int, int], Probe]:
    """Restarts that split each of k groups of rows into so many parts, each restart elsewhere."""
    truth = np.repeat(np.arange(k), 60)

    def train(n_outputs: int, number: int) -> Probe:
        draws = np.random.default_rng(number)
        spread = draws.permuted(np.tile(np.arange(60), (k, 1)), axis=1).ravel()
        labels = (truth * parts + spread * parts // 60) % n_outputs
        embedding = 100.0 * np.eye(k)[truth] + 0.1 * spread[:, None]
        return Probe(labels, embedding, n_outputs, 0.1 * number)

    return train


def test_the_closest_in_the_kernel_are_merged_first() -> None:
    probe = Probe(np.array([0, 0, 1, 1, 3, 3]), np.array([[0.0], [1], [0.2], [1.2], [40], [41]]), 5, 0.0)
    levels = merge_levels(probe)
    assert [len(set(level.groups[probe.labels].tolist())) for level in levels] == [3, 2, 1]
    assert levels[1].groups.tolist() == [0, 0, 0, 1, 0]
    assert levels[1].cosine > 0.4 > levels[2].cosine
    assert left_over(levels) is levels[1]


def estimate(train: Callable[[int, int], Probe], most: int, *, merges: bool) -> dict[str, Any]:
    return estimate_n_clusters(
        lambda n_outputs: [train(n_outputs, number) for number in range(PROBES)], most, merges=merges
    )


def test_merging_stops_before_the_first_merge_of_clusters_apart() -> None:
    far = Probe(np.arange(6) // 2, np.repeat([[0.0], [50], [100]], 2, axis=0), 3, 0.0)
    levels = merge_levels(far)
    assert left_over(levels) is levels[0]


def test_a_cluster_of_few_rows_is_no_obstacle() -> None:
    labels = np.zeros(5000, dtype=np.int64)
    labels[2500:] = 1
    labels[-1] = 2
    levels = merge_levels(Probe(labels, labels[:, None].astype(np.float64), 3, 0.0))
    assert len(levels) in (2, 3)
    assert levels[-1].groups.tolist() == [0, 0, 0]


@pytest.mark.parametrize(("k", "parts"), [(2, 5), (3, 4), (6, 3), (8, 1)])
def test_parts_of_clusters_are_counted_once(k: int, parts: int) -> None:
    found = estimate(parts_of_points(k, parts), 90, merges=True)
    assert (found["n_clusters"], found["lowest"], found["highest"]) == (k, k, k)
    assert found["by_agreement"] == k
    assert max(row["agreement"] for row in found["agreements"]) == 1.0
    assert len(found["tried"]) == PROBES
    assert {row["used"] for row in found["tried"]} == {k * parts}


def test_without_merging_parts_count() -> None:
    found = estimate(parts_of_points(3, 4), 90, merges=False)
    assert found["n_clusters"] == 12


def test_where_no_output_is_left_over_more_are_tried() -> None:
    found = estimate(parts_of_points(30, 1), 900, merges=True)
    assert found["n_clusters"] == 30
    assert [row["n_outputs"] for row in found["tried"]] == [FIRST_OUTPUTS] * PROBES + [40] * PROBES


@pytest.mark.parametrize("most", [1, 3, 30])
def test_no_more_outputs_than_the_data_allow(most: int) -> None:
    found = estimate(parts_of_points(30, 1), most, merges=True)
    assert {row["n_outputs"] for row in found["tried"]} == {min(most, FIRST_OUTPUTS)}
    assert 1 <= found["n_clusters"] <= most


def test_outputs_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.methods.count.MOST_OUTPUTS", 40)

    def all_used(n_outputs: int, number: int) -> Probe:
        labels = np.arange(160) % n_outputs
        return Probe(labels, np.eye(n_outputs)[labels], n_outputs, 0.0)

    found = estimate(all_used, 10_000, merges=True)
    assert max(row["n_outputs"] for row in found["tried"]) == 40


def test_the_spread_is_that_of_the_restarts() -> None:
    def train(n_outputs: int, number: int) -> Probe:
        return parts_of_points((2, 3, 3, 4, 5)[number], 1)(n_outputs, number)

    def same_rows(n_outputs: int, number: int) -> Probe:
        probe = train(n_outputs, number)
        rows = np.linspace(0, len(probe.labels) - 1, 120).astype(int)
        return Probe(probe.labels[rows], probe.embedding[rows], n_outputs, 0.0)

    found = estimate(same_rows, 60, merges=True)
    assert (found["n_clusters"], found["lowest"], found["highest"]) == (3, 2, 5)


@pytest.mark.usefixtures("three_probes")
def test_ddc_finds_the_number_of_blobs(tmp_path: Path) -> None:
    x, _ = blobs(4)
    model = DDC(**QUICK, max_steps=40).fit(x)
    estimate = model.n_clusters_estimate_
    assert estimate is not None
    assert (estimate["n_clusters"], model.n_outputs_, model.n_clusters) == (4, 4, "auto")
    assert model.predict_proba(x).shape == (160, 4)
    # what follows is the fit with that number
    np.testing.assert_array_equal(
        DDC(**(QUICK | {"n_clusters": 4}), max_steps=40).fit(x).labels_, model.labels_
    )
    coterie.save(model, tmp_path / "model")
    loaded: Any = coterie.load(tmp_path / "model")
    assert (loaded.n_clusters_estimate_, loaded.n_outputs_) == (estimate, 4)
    np.testing.assert_array_equal(loaded.predict(x), model.labels_)


@pytest.mark.usefixtures("three_probes")
def test_ccn_finds_the_number_in_pairs() -> None:
    x, y = blobs(4)
    model = CCN(**QUICK, max_steps=40).fit(x, pairs=Pairs.from_labels(y, 300, random_state=0))
    assert model.n_outputs_ == 4


@pytest.mark.usefixtures("three_probes")
def test_adc_finds_the_number_of_blobs() -> None:
    x, _ = blobs(4)
    assert ADC(**QUICK, max_steps=40).fit(x).n_outputs_ == 4


def test_a_number_given_is_not_estimated() -> None:
    x, _ = blobs(2, 60)
    model = DDC(**(QUICK | {"n_clusters": 3}), max_steps=2, over_clustering=True).fit(x)
    assert (model.n_clusters_estimate_, model.n_outputs_) == (None, 3)


def test_a_stopped_estimate_goes_on(tmp_path: Path) -> None:
    x, _ = blobs(3, 60)
    changes: dict[str, Any] = {"max_steps": 4, "over_clustering": True}
    first = DDC(**QUICK, **changes, checkpoint_dir=str(tmp_path)).fit(x)
    names = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert names == [f"20-outputs-{number}" for number in range(PROBES)]
    again = DDC(**QUICK, **changes, checkpoint_dir=str(tmp_path)).fit(x)
    assert again.n_clusters_estimate_ == first.n_clusters_estimate_
    np.testing.assert_array_equal(again.labels_, first.labels_)


@pytest.mark.parametrize("method", [DDC, CCN])
def test_workers_count_to_the_same_result(
    method: Any, tmp_path: Path, lasting_pool: MakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = blobs(3, 60)
    known = {"pairs": Pairs.from_labels(y, 100, random_state=0)}
    settings = QUICK | {"max_steps": 4, "over_clustering": True}
    alone = method(**settings).fit(x, **known)
    used = []

    def spied(shared: object, n_workers: int) -> OfAnother:
        used.append(n_workers)
        return lasting_pool(shared, n_workers)

    monkeypatch.setattr("coterie.methods.probing.WORTH_SECONDS", 0.0)
    monkeypatch.setattr("coterie.methods.probing.Pool", spied)
    beside = method(**settings, n_jobs=2, checkpoint_dir=str(tmp_path)).fit(x, **known)
    # the restarts that were saved serve a fit in one process
    again = method(**settings, checkpoint_dir=str(tmp_path)).fit(x, **known)
    assert used == [2]
    for model in (beside, again):
        assert model.n_clusters_estimate_ == alone.n_clusters_estimate_
        np.testing.assert_array_equal(model.labels_, alone.labels_)


def test_a_generator_is_used_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    x, _ = blobs(3, 60)
    monkeypatch.setattr("coterie.methods.probing.WORTH_SECONDS", 0.0)
    monkeypatch.setattr("coterie.methods.probing.Pool", InThisProcess)
    settings = QUICK | {"max_steps": 2, "over_clustering": True}
    one, two = (
        DDC(**settings | {"random_state": np.random.RandomState(5)}, n_jobs=n_jobs).fit(x)
        for n_jobs in (1, 2)
    )
    assert one.n_clusters_estimate_ == two.n_clusters_estimate_


def test_workers_warn_as_one_process_does(lasting_pool: MakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(number: int) -> Probe:
        warnings.warn(f"restart {number}", stacklevel=1)
        return Probe(np.zeros(2, dtype=np.int64), np.zeros((2, 1)), 1, float(number))

    monkeypatch.setattr("coterie.methods.probing.WORTH_SECONDS", 0.0)
    monkeypatch.setattr("coterie.methods.probing.Pool", lasting_pool)
    with pytest.warns(UserWarning, match="restart") as warned:
        probes = train_probes(train, train, lambda: 2)
    assert [probe.loss for probe in probes] == list(range(PROBES))
    assert [str(one.message) for one in warned] == [f"restart {number}" for number in range(PROBES)]


def test_a_generator_serves_all_restarts() -> None:
    x, _ = blobs(3, 60)
    settings = QUICK | {"max_steps": 3, "over_clustering": True}
    fits = [DDC(**(settings | {"random_state": np.random.RandomState(5)})).fit(x) for _ in range(2)]
    losses = [[row["loss"] for row in (model.n_clusters_estimate_ or {})["tried"]] for model in fits]
    assert losses[0] == losses[1]
    assert len(set(losses[0])) == PROBES


@pytest.mark.parametrize("wrong", ["many", "10"])
@pytest.mark.parametrize("method", [ADC, CCN, DDC])
def test_another_word_is_refused(method: Any, wrong: str) -> None:
    x, y = blobs(2, 40)
    with pytest.raises(InputTypeError, match="n_clusters must be an int >= 1 or 'auto'"):
        method(n_clusters=wrong).fit(x, y)


def test_cross_entropy_needs_a_number() -> None:
    x, y = blobs(2, 40)
    with pytest.raises(InputError, match="clusters are classes"):
        CCN(n_clusters="auto", cross_entropy_weight=1.0).fit(x, y)
