"""What answers say of all samples."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_blobs

from coterie.corrections.relations import Link, Relations
from coterie.methods.beliefs import Reader
from coterie.methods.labeling_session import LabelingSession
from coterie.methods.pools import near_samples
from coterie.methods.walks import Walk

X, Y = make_blobs([20, 20, 20], 2, centers=[(-9, 0), (0, 0), (9, 0)], cluster_std=0.5, random_state=0)


def reader(clusters: np.ndarray) -> Reader:
    probabilities = np.eye(int(clusters.max()) + 1, dtype=np.float32)[clusters]
    return Reader(Walk(near_samples(X), probabilities), probabilities)


def said(*answers: tuple[int, int, bool]) -> Relations:
    found = Relations()
    for number, (i, j, same) in enumerate(answers, start=1):
        found.add(Link(i, j, same, number))
    return found


def test_a_walk_ends_somewhere_and_visits_are_its_mirror() -> None:
    walk = Walk(near_samples(X), np.eye(3)[Y])
    np.testing.assert_allclose(walk.ends(np.ones(60)), 1, atol=1e-2)
    both = np.stack([walk.reach(row) for row in range(60)], axis=1)
    np.testing.assert_allclose(both.sum(axis=1), 1, atol=1e-2)
    np.testing.assert_allclose(walk.visits(np.ones(60)), both.sum(axis=0), atol=1e-2)
    assert both[Y == 0][:, Y != 0].max() < 1e-3


def test_without_answers_the_model_stands() -> None:
    beliefs = reader(Y).read(Relations())
    np.testing.assert_array_equal(beliefs.labels, Y)
    assert beliefs.clusters == [[0], [1], [2]]
    assert (beliefs.shares.sum(axis=1) <= 1 + 1e-6).all()


def test_one_answer_joins_two_clusters() -> None:
    halves = np.where(Y == 0, np.arange(60) % 2 * 3, Y)  # the first blob is in clusters 0 and 3
    found = reader(halves)
    beliefs = found.read(said((found.anchors[0], found.anchors[3], True)))
    assert sorted(map(sorted, beliefs.clusters)) == [[0, 3], [1], [2]]
    assert len(np.unique(beliefs.labels[Y == 0])) == 1


def test_one_answer_divides_a_cluster() -> None:
    found = reader(np.minimum(Y, 1))  # the second and the third blob are in cluster 1
    anchor = found.anchors[1]
    other = next(row for row in range(60) if Y[row] == 3 - Y[anchor])
    beliefs = found.read(said((other, anchor, False)))
    assert beliefs.clusters == [[1], [0], []]
    assert (beliefs.labels[Y[other] == Y] == 2).mean() > 0.8
    assert (beliefs.labels[Y[anchor] == Y] == 0).all()


def test_one_that_strayed_is_moved_alone() -> None:
    strayed = Y.copy()
    strayed[0] = (Y[0] + 1) % 3
    found = reader(strayed)
    beliefs = found.read(said((0, found.anchors[int(Y[0])], True)))
    np.testing.assert_array_equal(np.concatenate(beliefs.clusters)[beliefs.labels], Y)


@pytest.mark.parametrize("wrong", [0.0, 0.1])
def test_questions_put_a_clustering_right(wrong: float) -> None:
    halves = np.where(Y == 0, np.arange(60) % 2 * 2, np.minimum(Y, 1))
    session = LabelingSession(np.eye(3)[halves], near_samples(X))
    rng = np.random.default_rng(0)
    for _ in range(40):
        question = session.next()
        if question is None:
            break
        session.take(bool(Y[question[0]] == Y[question[1]]) != bool(rng.random() < wrong))
    groups = session.labels
    assert all(len(np.unique(groups[one == Y])) == 1 for one in range(3)) or wrong > 0
    share = np.mean([np.unique(groups[one == Y], return_counts=True)[1].max() for one in range(3)]) / 20
    assert share > 0.9
    assert len(np.unique(groups)) >= 3
    assert session.share_wrong < 0.2


def test_an_answer_needs_a_question() -> None:
    with pytest.raises(RuntimeError, match="next"):
        LabelingSession(np.eye(3)[Y], near_samples(X)).take(True)
