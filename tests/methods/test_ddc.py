"""DDC: what it finds, the vote, pairs, options, presets, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs, make_circles

import coterie
from coterie import DDC, CollapseWarning, InputError, Pairs
from coterie._types import Batch, Output
from coterie.data.batches import RowBatches
from coterie.engine.objective import Phase
from coterie.losses import ddc
from coterie.methods.ddc import LOSS_FORMS, DDCObjective
from coterie.metrics import align_clusters, clustering_accuracy, map_clusters
from coterie.nn import DDCConvolutions, DDCPerceptron
from coterie.params.ddc import TERMS

Digits = Any
QUICK: dict[str, Any] = {"n_clusters": 10, "n_restarts": 1, "max_steps": 20, "random_state": 0}


def make(**params: Any) -> DDC:
    return DDC(**({"over_clustering": True} | QUICK | params))


@pytest.fixture(scope="module")
def voted(all_digits: Digits) -> DDC:
    """Three of four short runs, so different that they often disagree."""
    X, _ = all_digits
    return make(n_restarts=4, vote=3, max_steps=40).fit(X[:300])


def test_a_ring_around_a_circle() -> None:
    X, y = make_circles(1000, factor=0.25, noise=0.05, random_state=0)
    model = DDC(n_clusters=2, n_restarts=1, max_steps=100, random_state=0).fit(X)
    assert clustering_accuracy(y, model.labels_) == 1.0
    new, truth = make_circles(300, factor=0.25, noise=0.05, random_state=1)
    assert clustering_accuracy(truth, model.predict(new)) == 1.0


def test_the_lowest_loss_is_kept(digits: Digits) -> None:
    X, _ = digits
    model = make(n_restarts=3).fit(X)
    losses = [run["loss"] for run in model.runs_]
    assert model.loss_ == min(losses)
    assert [run["chosen"] for run in model.runs_] == [loss == min(losses) for loss in losses]


def test_y_is_ignored(digits: Digits) -> None:
    X, y = digits
    np.testing.assert_array_equal(make().fit(X, y).labels_, make().fit(X).labels_)


def test_terms_add_up_to_the_loss(digits: Digits) -> None:
    X, _ = digits
    weights = {"orthogonality": 0.5, "corners": 0.0}
    epoch = make(weights=weights).fit(X).history_[-1]
    assert epoch["loss"] == pytest.approx(epoch["divergence"] + 0.5 * epoch["orthogonality"], rel=1e-5)
    assert epoch["corners"] > 0


@pytest.mark.parametrize(
    "params",
    [
        {"divergence": "kl"},
        {"kernel": "cosine"},
        {"balance": True},
        {"bandwidth": 0.3},
        {"loss_form": "paper"},
        {"weights": {"divergence": 0}},
    ],
    ids=str,
)
def test_options_change_what_is_learnt(params: dict[str, Any], digits: Digits) -> None:
    X, _ = digits
    plain, other = make().fit(X), make(**params).fit(X)
    assert np.isfinite(other.loss_)
    assert (other.predict_proba(X) != plain.predict_proba(X)).any()


# clusters of unequal size


def test_balance_learns_from_views_first(digits: Digits) -> None:
    X, _ = digits
    model = make(balance=True, max_steps=20).fit(X)
    assert {epoch["phase"] for epoch in model.history_} == {1, 2}
    assert [phase.steps for phase in model._phases(20, has_pairs=False)] == [12, None]
    assert [phase.steps for phase in model._phases(1, has_pairs=False)] == [0, None]
    assert "view_walker" in model.history_[0]
    assert "view_walker" not in make(max_steps=5).fit(X).history_[0]
    with pytest.raises(InputError, match='augment must be "auto" or a callable with balance'):
        make(balance=True, augment="none").fit(X)


def test_balance_finds_rare_digits(all_digits: Digits) -> None:
    counts = {0: 170, 1: 170, 2: 20, 6: 20}
    rows = np.concatenate([np.flatnonzero(all_digits[1] == digit)[:n] for digit, n in counts.items()])
    X, y = all_digits[0][rows].reshape(-1, 8, 8), all_digits[1][rows]

    def mean_recall(**params: Any) -> float:
        labels = make(n_clusters=4, max_steps=100, **params).fit(X).labels_
        found = np.vectorize(map_clusters(y, labels).get)(labels)
        return float(np.mean([(found[y == digit] == digit).mean() for digit in counts]))

    assert mean_recall(balance=True) > mean_recall() + 0.2


# vote


def test_members_are_aligned_and_vote(voted: DDC, all_digits: Digits) -> None:
    X = all_digits[0][:400]
    votes = []
    for member in voted.members_:
        alone = make().set_params(vote=0)
        alone.__dict__ |= {name: value for name, value in vars(voted).items() if name.endswith("_")}
        alone.network_, alone.members_ = member, [member]
        votes.append(alone.predict(X))
    for labels in votes[1:]:  # on the rows of the fit no renaming agrees better with the best run
        names = align_clusters(votes[0][:300], labels[:300], 10)
        agreeing = (names[labels[:300]] == votes[0][:300]).sum()
        assert (labels[:300] == votes[0][:300]).sum() == agreeing
    shares = voted.predict_proba(X)
    counts = (np.array(votes)[:, :, None] == np.arange(10)).mean(axis=0)
    np.testing.assert_allclose(shares, counts, rtol=0, atol=1e-8)
    tied = counts.max(axis=1) < 0.5
    assert tied.any()
    np.testing.assert_array_equal(voted.predict(X)[tied], votes[0][tied])
    np.testing.assert_array_equal(voted.predict(X)[~tied], counts[~tied].argmax(axis=1))


def test_the_vote_is_the_labels(voted: DDC, all_digits: Digits) -> None:
    X = all_digits[0][:300]
    np.testing.assert_array_equal(voted.labels_, voted.predict(X))
    assert len(voted.members_) == 3
    assert voted.members_[0] is voted.network_
    assert voted.loss_ == min(run["loss"] for run in voted.runs_)


def test_the_best_run_is_the_same_without_a_vote(voted: DDC, all_digits: Digits) -> None:
    X = all_digits[0][:300]
    best = make(n_restarts=4, max_steps=40).fit(X)
    np.testing.assert_array_equal(best.transform(X), voted.transform(X))


def test_saving_the_ensemble(voted: DDC, all_digits: Digits, tmp_path: Path) -> None:
    X = all_digits[0][:400]
    coterie.save(voted, tmp_path / "model")
    loaded: Any = coterie.load(tmp_path / "model")
    assert len(loaded.members_) == 3
    assert loaded.members_[0] is loaded.network_
    np.testing.assert_array_equal(loaded.predict_proba(X), voted.predict_proba(X))
    np.testing.assert_array_equal(loaded.transform(X), voted.transform(X))


def test_a_stopped_vote_goes_on(digits: Digits, tmp_path: Path) -> None:
    X, _ = digits
    model = make(n_restarts=3, vote=3, checkpoint_dir=str(tmp_path)).fit(X)
    again = make(n_restarts=3, vote=3, checkpoint_dir=str(tmp_path)).fit(X)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


# pairs


def test_pairs_are_learnt_beside_the_clusters(digits: Digits) -> None:
    X, y = digits
    pairs = Pairs.from_labels(y, 900, random_state=0)
    plain = make(max_steps=80).fit(X)
    told = make(max_steps=80).fit(X, pairs=pairs)
    assert "pairs" in told.history_[0]
    agreeing = [
        ((model.labels_[pairs.i] == model.labels_[pairs.j]) == (pairs.same == 1)).mean()
        for model in (plain, told)
    ]
    assert agreeing[1] > agreeing[0]


def test_pairs_are_checked(digits: Digits) -> None:
    X, _ = digits
    with pytest.raises(TypeError, match=r"pairs must be coterie\.Pairs, .* got list"):
        make().fit(X, pairs=[(0, 1)])  # type: ignore[arg-type]
    with pytest.raises(coterie.ConflictError):
        make().fit(X, pairs=Pairs([0, 1, 0], [1, 2, 2], [1, 1, -1]))


# networks and presets


def test_networks_of_presets_and_shapes(digits: Digits) -> None:
    X, _ = digits
    images = X.reshape(-1, 8, 8)
    short = {"max_steps": 2}
    assert isinstance(make(**short).fit(images).network_.backbone, DDCConvolutions)
    assert isinstance(make(preset="paper", **short).fit(X).network_.backbone, DDCPerceptron)
    assert isinstance(make(preset="code", **short).fit(X).network_.backbone, DDCPerceptron)
    assert make(**short).fit(X).transform(X).shape == (len(X), 128)
    assert make(**short).fit(X.reshape(-1, 4, 16)).transform(X.reshape(-1, 4, 16)).shape == (len(X), 128)


def test_the_paper_s_preset_is_the_paper_s(digits: Digits) -> None:
    X, _ = digits
    vectors = make(preset="paper").fit(X)
    images = make(preset="paper").fit(X.reshape(-1, 8, 8))
    assert vectors.history_[0]["learning_rate"] == 1e-5
    assert images.history_[0]["learning_rate"] == 1e-3
    literal = make(preset="paper", loss_form="paper").fit(X)
    assert vectors.history_[0]["orthogonality"] < 1  # a mean, as in the released code
    assert literal.history_[0]["orthogonality"] > 100  # a sum over 4,950 pairs


def test_the_paper_s_bandwidth_of_vectors_is_of_the_first_layer(digits: Digits) -> None:
    X, _ = digits
    networks = {preset: make(preset=preset).fit(X).network_ for preset in ("paper", "code")}
    assert "first" in networks["paper"].outputs
    assert "first" not in networks["code"].outputs
    assert "first" not in make(preset="paper").fit(X.reshape(-1, 8, 8)).network_.outputs
    hidden, logits, first = networks["paper"](torch.from_numpy(X[:50]).float())
    assert first.shape == (50, 200)
    output = Output({"embedding": hidden, "logits": logits, "first": first})
    options = LOSS_FORMS["code"]
    objective = DDCObjective(RowBatches(50, 50), (Phase("all", None, dict.fromkeys(TERMS, 1.0)),), options)
    found = objective.terms(output, Batch(torch.arange(50)))
    for name, value in ddc(hidden, output.prob, bandwidth_from=first).items():
        torch.testing.assert_close(found[name], value)
    assert not torch.equal(found["divergence"], ddc(hidden, output.prob)["divergence"])


def test_runs_by_the_paper_do_not_race(digits: Digits) -> None:
    X, _ = digits
    kinds = {
        preset: {run["how"] for run in make(preset=preset, n_restarts=4, max_steps=16).fit(X).runs_}
        for preset in ("default", "paper")
    }
    assert kinds["default"] == {"successive-halving"}
    assert "successive-halving" not in kinds["paper"]


def test_batches_hold_two_rows_of_each_cluster(digits: Digits) -> None:
    X, _ = digits
    assert len(make(n_clusters=60, max_epochs=2, max_steps=None).fit(X).history_) == 2
    with pytest.raises(ValueError, match="batch_size=19 must be >= 20, two rows for each of n_clusters=10"):
        make(batch_size=19).fit(X)


# degenerate input


def test_nearly_constant_rows_end_without_nan() -> None:
    X = np.zeros((60, 3))
    X[:4] = np.eye(4, 3)
    model = make(n_clusters=4, max_steps=50).fit(X)
    assert np.isfinite(model.predict_proba(X)).all()
    assert np.isfinite(model.loss_)


def test_duplicates_get_one_cluster() -> None:
    X = np.repeat(make_blobs(4, centers=4, random_state=0)[0], 25, axis=0)
    model = make(n_clusters=4, max_steps=100).fit(X)
    assert all(len(set(model.labels_[start : start + 25])) == 1 for start in range(0, 100, 25))


@pytest.mark.parametrize("X", [np.zeros((50, 3)), np.tile(np.arange(4.0).reshape(2, 2), (20, 1))])
def test_fewer_distinct_rows_than_clusters_are_refused(X: Any) -> None:
    with pytest.raises(ValueError, match=r"n_clusters=3 must be <= the number of distinct rows of X, [12]"):
        make(n_clusters=3).fit(X)


def test_one_cluster_warns(digits: Digits) -> None:
    X, _ = digits
    with pytest.warns(CollapseWarning, match="n_clusters=1 puts all rows into one cluster"):
        model = make(n_clusters=1).fit(X)
    assert not model.labels_.any()


def test_few_rows_warn(digits: Digits) -> None:
    X, _ = digits
    with pytest.warns(CollapseWarning, match="X has n_samples=15, fewer than two for each of n_clusters=10"):
        make().fit(X[:15])


def test_unused_clusters_warn(digits: Digits) -> None:
    X, _ = digits
    with pytest.warns(CollapseWarning, match="of n_clusters=10 clusters are used"):
        make(over_clustering=False, max_steps=1, weights={"orthogonality": 0}, n_clusters=10).fit(X[:30])


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"n_restarts": 2, "vote": 3}, ValueError, "vote=3 must be <= n_restarts=2"),
    ({"vote": 2}, ValueError, "vote must be 0 or at least 3, got 2"),
    ({"vote": "3"}, TypeError, "vote must be an int"),
    ({"n_clusters": 0}, ValueError, "n_clusters must be an int >= 1 or 'auto', got 0"),
    ({"n_clusters": 151}, ValueError, "n_clusters=151 must be <= n_samples=150"),
    ({"n_restarts": "many"}, TypeError, "n_restarts must be an int"),
    ({"divergence": "js"}, ValueError, "divergence must be 'cs' or 'kl', got 'js'"),
    ({"balance": "equal"}, ValueError, "balance must be True or False, got 'equal'"),
    ({"bandwidth": -1}, ValueError, "bandwidth must be a finite number > 0, got -1"),
    ({"loss_form": "mean"}, ValueError, "loss_form must be 'code' or 'paper', got 'mean'"),
    ({"weights": [1, 1, 1]}, TypeError, "weights must be a dict or None"),
    ({"weights": {"l1": 1}}, ValueError, "weights must have names among divergence, orthogonality, corners"),
    ({"weights": {"corners": -1}}, ValueError, r"weights\['corners'\] must be a finite number >= 0"),
    (
        {"weights": {"divergence": 0, "orthogonality": 0, "corners": 0}},
        ValueError,
        "weights must not all be 0: give one of divergence, orthogonality, corners",
    ),
]


@pytest.mark.parametrize(("params", "kind", "message"), BAD, ids=lambda value: str(value)[:40])
def test_bad_parameters(params: dict[str, Any], kind: type[Exception], message: str, digits: Digits) -> None:
    X, _ = digits
    with pytest.raises(kind, match=message):
        make(**params).fit(X)
