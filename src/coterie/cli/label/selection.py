"""Which question helps most: about rows that stand for many others and of which the run is unsure.

The rule is point-wise, as in Xiong, Azimi and Fern, "Active learning of constraints for semi-supervised
clustering" (TKDE 2014): a row is chosen, and compared with one group after the other, the likeliest first,
until its place is known. Each such row then is related to all others that were asked about, so that n answers
hold far more information than n pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans

from coterie.cli.label.answers import Answers

Floats = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]

# rows from which representatives are taken, and representatives: several for each cluster
_MOST_ROWS = 20_000
_PER_CLUSTER = 10
_FEWEST = 60


@dataclass(frozen=True)
class Candidates:
    """Rows that stand for the data.

    Attributes
    ----------
    rows : int64 array of shape (m,)
        Row numbers in the data.
    weight : array of shape (m,)
        Share of the data that each stands for.
    probabilities : array of shape (m, k)
    points : array of shape (m, e)
        Where neighbor_space means likeness.
    """

    rows: Ints
    weight: Floats
    probabilities: Floats
    points: Floats


class Points(Protocol):
    """An array of points (n, e), or what gives some of its rows."""

    def __getitem__(self, rows: Ints, /) -> Floats: ...


def representatives(probabilities: Floats, points: Points, asked: Sequence[int] = ()) -> Candidates:
    """Rows near the centres of a fine k-means clustering of the points.

    Parameters
    ----------
    probabilities : array of shape (n, k)
    points : Points
        Where neighbor_space means likeness, for each of the n rows.
    asked : sequence of int
        Rows of earlier answers: they stand for nothing themselves, but others are compared with them.
    """
    n, k = probabilities.shape
    drawn = np.random.default_rng(0).choice(n, min(n, _MOST_ROWS), replace=False)
    earlier = np.array(sorted(set(asked)), dtype=np.int64)
    pool = np.concatenate([earlier, np.setdiff1d(drawn, earlier)])
    scaled = _scaled(points[pool])
    m = min(len(pool), max(_FEWEST, _PER_CLUSTER * k))
    cells = KMeans(m, n_init=1, random_state=0).fit(scaled)
    distance = np.linalg.norm(scaled - cells.cluster_centers_[cells.labels_], axis=1)
    order = np.lexsort((distance, cells.labels_))
    _, first = np.unique(cells.labels_[order], return_index=True)
    nearest = order[first]
    weight = np.bincount(cells.labels_)[cells.labels_[nearest]] / len(pool)
    known = np.setdiff1d(np.arange(len(earlier)), nearest)
    chosen = np.concatenate([nearest, known])
    weight = np.concatenate([weight, np.zeros(len(known))])
    return Candidates(pool[chosen], weight, probabilities[pool[chosen]], scaled[chosen])


def next_question(candidates: Candidates, answers: Answers) -> tuple[int, int] | None:
    """The pair of rows to ask about next, or None where nothing is left to ask.

    Parameters
    ----------
    candidates : Candidates
    answers : Answers
        So far.

    Returns
    -------
    (int, int) or None
        Row numbers: one row, and one of the group that it most likely belongs to.
    """
    place = {int(row): at for at, row in enumerate(candidates.rows)}
    groups = [group for group in answers.groups() if any(row in place for row in group)]
    under_way = [group[0] for group in reversed(groups) if len(group) == 1]
    for row in [row for row in under_way if row in place]:
        others = [group for group in groups if row not in group]
        asked = _likeliest(candidates, answers, place, row, others)
        if asked is not None:
            return row, asked
    placed = [place[row] for group in groups for row in group if row in place]
    if not placed:
        return _first_question(candidates, answers)
    for at in _most_useful(candidates, placed):
        row = int(candidates.rows[at])
        asked = _likeliest(candidates, answers, place, row, groups)
        if asked is not None:
            return row, asked
    return None


def _first_question(candidates: Candidates, answers: Answers) -> tuple[int, int] | None:
    """Two rows that stand for many and are unlike each other."""
    start = int(np.argmax(candidates.weight))
    first = int(candidates.rows[start])
    others = (int(candidates.rows[at]) for at in _most_useful(candidates, [start]))
    return next(((row, first) for row in others if not answers.was_skipped(row, first)), None)


def _most_useful(candidates: Candidates, placed: list[int]) -> list[int]:
    """Candidates without a place, best first: unsure, standing for many, and unlike those with a place."""
    probabilities = candidates.probabilities
    entropy = -(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(axis=1)
    unsure = 0.25 + entropy / np.log(max(2, probabilities.shape[1]))
    gaps = np.linalg.norm(candidates.points[:, None] - candidates.points[placed][None], axis=2).min(axis=1)
    score = candidates.weight * unsure * gaps
    score[placed] = 0.0
    order = np.argsort(-score, kind="stable")
    return [int(at) for at in order if score[at] > 0]


def _likeliest(
    candidates: Candidates, answers: Answers, place: dict[int, int], row: int, groups: list[list[int]]
) -> int | None:
    """The row to compare with: nearest of the likeliest group whose relation to `row` is not known."""
    own = place[row]
    best: tuple[float, int] | None = None
    for group in groups:
        members = [member for member in group if member in place]
        open_members = [
            member
            for member in members
            if answers.relation(row, member) == 0 and not answers.was_skipped(row, member)
        ]
        if not open_members or any(answers.was_skipped(row, member) for member in members):
            continue
        at = np.array([place[member] for member in open_members])
        likeness = _likeness(candidates, own, at)
        top = int(likeness.argmax())
        if best is None or likeness[top] > best[0]:
            best = float(likeness[top]), open_members[top]
    return None if best is None else best[1]


def _likeness(candidates: Candidates, own: int, others: Ints) -> Floats:
    """How likely rows share a group: by the run's clusters, which may be too sure, and by neighbor_space."""
    same = candidates.probabilities[others] @ candidates.probabilities[own]
    distance = ((candidates.points[others] - candidates.points[own]) ** 2).sum(axis=1)
    typical = 2 * candidates.points.var(axis=0).sum()
    return np.asarray(same + np.exp(-4 * distance / max(typical, 1e-12)))


def _scaled(points: Floats) -> Floats:
    centred = np.asarray(points, dtype=np.float64).reshape(len(points), -1)
    centred = centred - centred.mean(axis=0)
    return np.asarray(centred / max(float(centred.std()), 1e-12))
