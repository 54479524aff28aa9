"""What the suites measure: which rows and draws, which baselines, which scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from benchmarks.estimators import HingeObjective, RecordedCCN
from benchmarks.suites import SUITES, Options, adc
from benchmarks.suites.from_labels import draw_rows
from benchmarks.suites.supervised import crop_and_flip

from benchmarks import datasets
from coterie import Pairs
from coterie._types import Batch, Output
from coterie.data.batches import PairBatches


def test_mnist_at_half_its_side() -> None:
    images = np.arange(32, dtype=np.uint8).reshape(2, 4, 4)
    split = datasets.Split("mnist", images, np.zeros(2, np.int64), images[:1], np.zeros(1, np.int64))
    halved = adc.halved("mnist14", split)
    assert halved.x_train.tolist() == [[[2, 4], [10, 12]], [[18, 20], [26, 28]]]
    assert halved.x_test.shape == (1, 2, 2)
    assert "shrunk to half their side" in halved.departures[-1]


def test_validation_split_never_shows_the_test_rows(mnist: Path) -> None:
    whole, validation = datasets.load("mnist"), datasets.load("mnist-validation")
    assert len(validation.x_train) + len(validation.x_test) == len(whole.x_train)
    joined = np.concatenate([validation.x_train, validation.x_test])
    np.testing.assert_array_equal(joined, whole.x_train)
    assert "validation" in validation.departures[0]


def test_reported_draws_were_not_tuned_on() -> None:
    # these have no draws of data to tune on; omniglot was tuned on background alphabets and reports others
    seeds_alone = {
        "step",
        "allocator",
        "pair-losses",
        "pair-head",
        "restarts",
        "augment",
        "omniglot",
        "memmap",
        "read-table",
        "start-up",
        "workers",
        "encoders",
        "ranks",
        "shards",
    }
    for suite in SUITES.values():
        if suite.name not in seeds_alone:
            assert min(suite.draws) >= 100


def test_noise_and_outputs_share_the_cases_of_pairs() -> None:
    cases = {suite: SUITES[suite].make_cases(Options()) for suite in ("pairs", "noise", "outputs")}
    for suite in ("noise", "outputs"):
        shared = [case for case in cases[suite] if case.suite == "pairs"]
        assert shared
        assert all(case in cases["pairs"] for case in shared)
    names = [case.name for case in cases["noise"]]
    assert len(set(names)) == len(names)


def test_draw_rows_takes_as_many_of_each_class() -> None:
    labels = np.repeat([0, 1, 2], [5, 9, 7])
    rows = draw_rows(labels, 4, 100)
    assert np.bincount(labels[rows]).tolist() == [4, 4, 4]
    np.testing.assert_array_equal(rows, draw_rows(labels, 4, 100))
    assert not np.array_equal(rows, draw_rows(labels, 4, 101))
    assert len(draw_rows(labels, 0, 100)) == len(labels)


def test_hinge_objective_is_torchs_on_distances() -> None:
    pairs = Pairs([0, 1, 2], [3, 4, 5], [1, -1, -1])
    objective = HingeObjective(PairBatches(pairs, 3), margin=1.0)
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)) / 4
    same = torch.zeros(6, 6, dtype=torch.int8)
    for i, j, kind in zip(pairs.i, pairs.j, pairs.same, strict=True):
        same[i, j] = same[j, i] = int(kind)
    found = objective.terms(Output({"logits": logits}), Batch(torch.arange(6), same))["hinge"]
    distance = (logits[:3] - logits[3:]).norm(dim=1)
    expected = torch.nn.functional.hinge_embedding_loss(distance, torch.tensor([1.0, -1.0, -1.0]))
    torch.testing.assert_close(found, expected)


def test_restarts_put_the_chosen_weights_back() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 5)), rng.integers(0, 3, 60)
    model = RecordedCCN(n_clusters=3, n_restarts=3, max_steps=5, over_clustering=True, random_state=0)
    model.fit(x, y)
    chosen = model.predict_proba(x)
    rows = [model.predict_proba(x) for _ in model.each_restart()]
    index = next(one["restart"] for one in model.runs_ if one["chosen"])
    np.testing.assert_array_equal(rows[index], chosen)
    assert not np.array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(model.predict_proba(x), chosen)


def test_crop_and_flip_moves_whole_images() -> None:
    image = torch.arange(32.0 * 32).reshape(1, 1, 32, 32).expand(64, 3, 32, 32)
    views = crop_and_flip(image, torch.Generator().manual_seed(0))
    assert views.shape == image.shape
    centre = views[:, :, 8:24, 8:24]
    steps = centre[:, :, :, 1:] - centre[:, :, :, :-1]
    assert np.unique(steps.numpy()).tolist() == [-1.0, 1.0]
    assert np.unique((centre[:, :, 1:] - centre[:, :, :-1]).numpy()).tolist() == [32.0]
