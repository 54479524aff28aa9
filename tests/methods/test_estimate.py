"""How much is still wrong, and whether what is said of it holds."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs

from coterie.corrections.relations import Link, Relations
from coterie.methods.beliefs import Reader
from coterie.methods.labeling_session import LabelingSession
from coterie.methods.pools import near_samples
from coterie.methods.ties import find_ties
from coterie.methods.walks import Walk
from coterie.metrics import clustering_accuracy

CENTERS = np.array([(-30, 0), (-15, 0), (0, 0), (15, 0), (30, 0), (45, 0)])


def blobs(parts: list[int], spread: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Blobs in a row, and the class that each is part of."""
    X, blob = make_blobs(360, centers=CENTERS[: len(parts)], cluster_std=spread, random_state=seed)
    return X, np.array(parts)[blob]


def by_k_means(X: np.ndarray, k: int) -> LabelingSession:
    model = KMeans(k, n_init=3, random_state=0).fit(X)
    squares = model.transform(X) ** 2
    odds = np.exp((squares.min(axis=1, keepdims=True) - squares) / np.median(squares.min(axis=1)))
    return LabelingSession(odds / odds.sum(axis=1, keepdims=True), near_samples(X))


@pytest.mark.parametrize("seed", range(3))
def test_far_clusters_of_one_class_are_found(seed: int) -> None:
    X, y = blobs([0, 1, 2, 0, 1, 0], 1, seed)  # blobs of one class do not touch
    session = by_k_means(X, 6)
    for _ in range(40):
        if (question := session.next()) is None:
            break
        session.take(bool(y[question[0]] == y[question[1]]))
    assert clustering_accuracy(y, session.labels) > 0.99
    assert session.share_wrong < 0.05


KINDS = [
    ([0, 1, 2, 3, 4, 5], 1),
    ([0, 1, 2, 3, 4, 5], 7),
    ([0, 1, 0, 2, 0, 3], 1),
    ([0, 1, 2, 3, 3, 3], 2),
    ([0, 0, 1, 1], 5),
    ([0, 1, 2, 3, 4, 0], 4),
]


def test_what_is_said_holds_at_nine_of_ten_stops() -> None:
    held, widths = [], []
    for seed, (parts, spread) in enumerate(KINDS):
        X, y = blobs(parts, spread, seed)
        session = by_k_means(X, len(set(parts)))
        for number in range(60):
            if number % 3 == 0:
                wrong = 1 - clustering_accuracy(y, session.labels)
                low, high = session.wrong_interval
                held.append(low - 0.005 <= wrong <= high + 0.005)
                widths.append((number, high - low))
            if (question := session.next()) is None:
                break
            session.take(bool(y[question[0]] == y[question[1]]))
    assert np.mean(held) >= 0.9
    first, last = (np.mean([width for number, width in widths if number == at]) for at in (0, 57))
    assert last < 0.6 * first


def test_answers_about_two_groups_count_for_all_others() -> None:
    X, y = blobs([0, 1, 2, 3, 4, 5], 1, 0)
    reader = Reader(Walk(near_samples(X), np.eye(6)[y]), np.eye(6, dtype=np.float32)[y])
    before = find_ties(reader, reader.read(Relations()), Relations(), (0, 0))
    assert before.is_far(0, 1)
    one = Relations()
    one.add(Link(reader.anchors[0], reader.anchors[1], True, 1))
    merged = find_ties(reader, reader.read(one), one, (0, 1))
    other = Relations()
    other.add(Link(reader.anchors[0], reader.anchors[1], False, 1))
    apart = find_ties(reader, reader.read(other), other, (0, 0))
    assert merged.rates[1] > before.rates[1] > apart.rates[1]
    assert merged.rates[0] == before.rates[0]  # of groups that are alike nothing was said
    assert before.one()[0, 1] > 0
    assert apart.one()[0, 1] == 0
    assert (before.part_of(*before.rates).sum(axis=1) < 1).all()
    np.testing.assert_allclose(before.one(), before.one().T)


@pytest.mark.parametrize("seed", range(3))
def test_right_answers_make_many_small_clusters_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(60), 6)
    session = by_k_means(rng.normal(size=(60, 32))[y] + 0.7 * rng.normal(size=(len(y), 32)), 60)
    errors = [1 - clustering_accuracy(y, session.labels)]
    for _ in range(100):
        i, j = session.next() or (0, 0)
        session.take(bool(y[i] == y[j]))
        errors.append(1 - clustering_accuracy(y, session.labels))
    assert max(errors) <= errors[0] + 0.01
    assert errors[-1] < 0.6 * errors[0]


def test_groups_beyond_the_number_of_clusters_may_be_part_of_others() -> None:
    X, y = blobs([0, 1, 2, 3, 4, 5], 1, 0)
    reader = Reader(Walk(near_samples(X), np.eye(6)[y]), np.eye(6, dtype=np.float32)[y])
    said = Relations()
    before = find_ties(reader, reader.read(said), said, (0, 0)).rates[1]
    stray = next(row for row in np.flatnonzero(y == 0).tolist() if row != reader.anchors[0])
    for number, anchor in enumerate(reader.anchors.values(), start=1):
        said.add(Link(stray, anchor, False, number))
    beliefs = reader.read(said)
    assert len(beliefs.groups) == 7
    assert find_ties(reader, beliefs, said, (0, 0)).rates[1] > before + 0.1
