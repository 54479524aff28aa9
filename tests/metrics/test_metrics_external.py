"""Scores against classes: oracle values, known properties, label types, bad inputs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from coterie._errors import InputError, InputTypeError
from coterie.metrics import (
    balanced_accuracy,
    clustering_accuracy,
    contingency,
    dominant_clusters,
    map_clusters,
    mapped_accuracy,
    misclassification_rate,
    nmi,
    purity,
)

Score = Callable[[ArrayLike, ArrayLike], Any]
SETS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "metrics.json").read_text())["sets"]
SCORES: list[Score] = [balanced_accuracy, clustering_accuracy, nmi, purity, misclassification_rate]
labellings = st.integers(1, 25).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 4), min_size=n, max_size=n)] * 2)
)


@pytest.mark.parametrize("case", SETS)
def test_oracle_values(case: dict[str, Any]) -> None:
    y = case["y_true"], case["y_pred"]
    assert clustering_accuracy(*y) == pytest.approx(case["acc_hungarian"], abs=1e-12)
    assert misclassification_rate(*y) == pytest.approx(1 - case["acc_hungarian"], abs=1e-12)
    assert purity(*y) == pytest.approx(case["purity_correct"], abs=1e-12)
    assert nmi(*y) == pytest.approx(case["nmi_arithmetic"], abs=1e-12)
    assert nmi(*y, average="geometric") == pytest.approx(case["nmi_geometric"], abs=1e-12)
    assert nmi(*y, average="max") == pytest.approx(case["nmi_max"], abs=1e-12)


@given(labellings)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_accuracy_is_the_best_permutation(y: tuple[list[int], list[int]]) -> None:
    truth, found = (np.array(labels) for labels in y)
    best = max(float((np.array(order)[found] == truth).mean()) for order in permutations(range(5)))
    assert clustering_accuracy(truth, found) == pytest.approx(best, abs=1e-12)
    mapping = map_clusters(truth, found)
    assert mapped_accuracy(truth, found, mapping) == pytest.approx(best, abs=1e-12)
    assert len(mapping) == len(set(mapping.values())) == min(len(set(y[0])), len(set(y[1])))


@given(labellings)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_names_of_labels_do_not_matter(y: tuple[list[int], list[int]]) -> None:
    truth, found = y
    named = [f"class {label}" for label in truth], [10.0 - label for label in found]
    for score in SCORES:
        value = score(truth, found)
        assert 0.0 <= value <= 1.0
        assert isinstance(value, float)
        assert score(*named) == pytest.approx(value, abs=1e-12)
    assert purity(truth, found) >= clustering_accuracy(truth, found) - 1e-12
    table = contingency(truth, found)
    assert table.dtype == np.int64
    assert table.shape == (len(set(truth)), len(set(found)))
    assert table.sum() == len(truth)


def test_label_containers() -> None:
    truth, found = [0, 0, 1], [2, 2, 2]
    for make in (
        tuple,
        np.array,
        torch.tensor,
        lambda y: np.array(y, dtype=object),
        lambda y: np.array(y) == 1,
    ):
        assert clustering_accuracy(make(truth), make(found)) == pytest.approx(2 / 3)


def test_more_clusters_than_classes_are_errors() -> None:
    assert clustering_accuracy([0, 0, 0, 1, 1, 1], [0, 0, 1, 2, 2, 3]) == pytest.approx(4 / 6)
    assert purity([0, 0, 0, 1, 1, 1], [0, 0, 1, 2, 2, 3]) == 1.0


def test_misclassification_rate_is_not_the_greedy_one() -> None:
    # Greedy takes the 3 first and is left with 0; the best matching takes 2 + 2.
    truth, found = [0] * 5 + [1] * 2, [0] * 3 + [1] * 2 + [0] * 2
    assert misclassification_rate(truth, found) == pytest.approx(3 / 7)


def test_balanced_accuracy_counts_classes_alike() -> None:
    truth = np.array([0] * 8 + [1, 1])
    assert balanced_accuracy(truth, np.array([3] * 8 + [5, 5])) == 1.0
    assert balanced_accuracy(truth, np.zeros(10, dtype=np.int64)) == 0.5
    # one class in halves: matched by count its half would beat the small class, matched by share it does not
    assert balanced_accuracy(truth, np.array([0] * 5 + [1] * 3 + [1, 1])) == pytest.approx(0.8125)


def test_one_class_or_one_cluster() -> None:
    for average in ("arithmetic", "geometric", "max"):
        assert nmi([0, 0], [1, 1], average=average) == 1.0
        assert nmi([0, 0], [0, 1], average=average) == 0.0
        assert nmi([0, 1], [0, 0], average=average) == 0.0
        assert nmi([7], ["a"], average=average) == 1.0


def test_mapping_is_found_on_train_and_applied_to_test() -> None:
    mapping = map_clusters(["cat", "cat", "dog", "dog", "dog"], [3, 3, 0, 0, 8])
    assert mapping == {0: "dog", 3: "cat"}
    assert mapped_accuracy(["cat", "dog", "dog", "dog"], [3, 0, 8, 3], mapping) == 0.5
    assert mapped_accuracy(["bird"], [3], mapping) == 0.0


def test_dominant_clusters() -> None:
    assert dominant_clusters([0] * 5 + [1] * 4 + [2], 2) == 1
    assert dominant_clusters([0] * 5 + [1] * 5, 2) == 2
    assert dominant_clusters(["a"] * 50 + ["b"] * 49 + ["c"], 100) == 3
    assert dominant_clusters([0] * 4 + [1] * 3 + [2] * 3, 3) == 1
    assert dominant_clusters(np.arange(3) % 3, np.int64(3)) == 3  # type: ignore[arg-type]


BAD: list[tuple[Any, Any, type[Exception], str]] = [
    ([], [], InputError, r"y_true must be 1-D and not empty, got shape \(0,\)"),
    ([[0, 1]], [0, 1], InputError, r"y_true must be 1-D and not empty, got shape \(1, 2\)"),
    ([0, 1], 3, InputError, r"y_pred must be 1-D and not empty, got shape \(\)"),
    ([0, 1], [0, 1, 1], InputError, "y_true and y_pred must be equally long, got 2 and 3"),
    ([0.0, math.nan], [0, 1], InputError, "y_true must hold a label for every sample"),
    ([0, 1], np.array(["a", None], dtype=object), InputError, "y_pred must hold a label for every sample"),
    (
        np.array(["a", math.nan], dtype=object),
        [0, 1],
        InputError,
        "y_true must hold a label for every sample",
    ),
    (
        np.array(["a", 1], dtype=object),
        [0, 1],
        InputTypeError,
        "y_true must hold labels of one type, got int, str",
    ),
    ([1j, 2j], [0, 1], InputTypeError, "y_true must hold labels that sort, got complex"),
]


@pytest.mark.parametrize("score", [*SCORES, contingency, map_clusters])
@pytest.mark.parametrize(("truth", "found", "error", "message"), BAD, ids=[row[3] for row in BAD])
def test_bad_labels(score: Score, truth: Any, found: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        score(truth, found)


def test_bad_arguments() -> None:
    with pytest.raises(InputError, match=r'average must be "arithmetic", "geometric" or "max", got .min.'):
        nmi([0], [0], average="min")
    with pytest.raises(InputTypeError, match="n_clusters must be an integer, got float"):
        dominant_clusters([0], 2.0)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="n_clusters must be >= 1, got 0"):
        dominant_clusters([0], 0)
    with pytest.raises(InputError, match="labels must be 1-D and not empty"):
        dominant_clusters([], 2)
    with pytest.raises(InputTypeError, match="mapping must be a dict, cluster -> class, got list"):
        mapped_accuracy([0], [0], [0])  # type: ignore[arg-type]
