"""Other rules that choose pairs of samples to ask about, written from their papers.

scikit-query 0.4.2 has FFQS, MinMax, NPU and AIPC too; its MinMax and NPU loop over all pairs of samples in
Python for each question, which is too slow for data sets of this size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier

Floats = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]

TREES, TREES_EVERY = 50, 10
FUZZY_STEPS, FUZZINESS = 100, 2.0
# as the paper of MinMax takes it
WIDTH_PERCENTILE = 20
_TINY = 1e-12


class SpentError(Exception):
    """No further question may be asked."""


@dataclass
class Teller:
    """Who answers: from the classes, some of the answers wrong.

    Attributes
    ----------
    y : int64 array of shape (n,)
    budget : int
    wrong : float
        Share of wrong answers.
    rng : numpy.random.Generator
    given : list of list of (int, int, bool)
        For each question, the pairs that a rule takes from its answer.
    clusterings : list of (int, int64 array)
        Number of questions, and the clustering that a rule had after them.
    """

    y: Ints
    budget: int
    wrong: float
    rng: np.random.Generator
    given: list[list[tuple[int, int, bool]]] = field(default_factory=list)
    clusterings: list[tuple[int, Ints]] = field(default_factory=list)

    def same(self, i: int, j: int) -> bool:
        """Whether two rows belong together."""
        if len(self.given) >= self.budget:
            raise SpentError
        answer = bool(self.y[i] == self.y[j]) != bool(self.rng.random() < self.wrong)
        self.given.append([(int(i), int(j), answer)])
        return answer


@dataclass(frozen=True)
class Start:
    """What a rule begins with.

    Attributes
    ----------
    points : float array of shape (n, d)
    probabilities : float array of shape (n, k)
    """

    points: Floats
    probabilities: Floats

    @property
    def n(self) -> int:
        return len(self.points)

    @property
    def n_clusters(self) -> int:
        return int(self.probabilities.shape[1])

    def distances(self, row: int) -> Floats:
        """From one row to all (n,)."""
        return np.asarray(np.linalg.norm(self.points - self.points[row], axis=1))


Rule = Callable[[Start, Teller], None]


def random_pairs(start: Start, teller: Teller) -> None:
    """Pairs drawn at random."""
    while True:
        i, j = teller.rng.choice(start.n, 2, replace=False)
        teller.same(i, j)


def ffqs(start: Start, teller: Teller) -> None:
    """Farthest first, then random samples against the groups, the nearest first.

    Basu, Banerjee and Mooney, "Active semi-supervision for pairwise constrained clustering" (SDM 2004).
    """
    groups, near = _explore(start, teller)
    rest = teller.rng.permutation(np.setdiff1d(np.arange(start.n), np.concatenate(groups)))
    for row in rest.tolist():
        _place(row, groups, near[row], teller)


def minmax(start: Start, teller: Teller) -> None:
    """Farthest first, then the sample that is least like any that has its place.

    Mallapragada, Jin and Jain, "Active query selection for semi-supervised clustering" (ICPR 2008).
    """
    groups, near = _explore(start, teller)
    sample = teller.rng.choice(start.n, min(start.n, 500), replace=False)
    lengths = np.linalg.norm(start.points[sample, None] - start.points[None, sample], axis=2)
    width = np.percentile(lengths[np.triu_indices(len(sample), 1)], WIDTH_PERCENTILE)
    while True:
        alike = np.exp(-(near**2) / (2 * width**2 + _TINY)).max(axis=1)
        alike[np.concatenate(groups)] = np.inf
        row = int(alike.argmin())
        if np.isinf(alike[row]):
            return
        number = _place(row, groups, near[row], teller)
        near[:, number] = np.minimum(near[:, number], start.distances(row))


def _explore(start: Start, teller: Teller) -> tuple[list[list[int]], Floats]:
    """Groups of samples that are far from each other, and the distance (n, k) of all to each group."""
    first = int(teller.rng.integers(start.n))
    groups = [[first]]
    near = np.full((start.n, start.n_clusters), np.inf)
    near[:, 0] = start.distances(first)
    while len(groups) < start.n_clusters:
        row = int(near.min(axis=1).argmax())
        number = _place(row, groups, near[row], teller)
        near[:, number] = np.minimum(near[:, number], start.distances(row))
    return groups, near


def _place(row: int, groups: list[list[int]], order: Floats, teller: Teller) -> int:
    """Compare a row with one group after the other, those of least `order` first; the number of its group."""
    for number in np.argsort(order[: len(groups)], kind="stable").tolist():
        if teller.same(row, groups[number][0]):
            groups[number].append(row)
            return int(number)
    if len(groups) < len(order):
        groups.append([row])
        return len(groups) - 1
    groups[int(order.argmin())].append(row)  # answers leave it no place
    return int(order.argmin())


def npu(start: Start, teller: Teller) -> None:
    """The most uncertain sample for each question that it takes, by the leaves of a forest of the partition.

    Xiong, Azimi and Fern, "Active learning of constraints for semi-supervised clustering" (TKDE 2014).
    """
    labels = start.probabilities.argmax(axis=1)
    groups = [[int(teller.rng.integers(start.n))]]
    leaves = np.empty((start.n, 0))
    while True:
        placed = np.concatenate(groups)
        if len(placed) % TREES_EVERY == 1 or not leaves.size:
            forest = RandomForestClassifier(TREES, random_state=int(teller.rng.integers(2**31)))
            leaves = forest.fit(start.points, labels).apply(start.points)
        shares = np.stack([_alike(leaves, rows) for rows in groups], axis=1) + _TINY
        shares /= shares.sum(axis=1, keepdims=True)
        falling = -np.sort(-shares, axis=1)
        questions = (falling * np.arange(1, len(groups) + 1)).sum(axis=1)
        unsure = -(shares * np.log2(shares)).sum(axis=1) / questions
        unsure[placed] = -np.inf
        row = int(unsure.argmax()) if len(groups) > 1 else int(teller.rng.integers(start.n))
        _place(row, groups, np.append(1 - shares[row], np.inf), teller)


def _alike(leaves: Floats, rows: list[int]) -> Floats:
    """The share of trees (n,) that put samples into one leaf with these rows."""
    return np.asarray(np.mean([(leaves == leaves[row]).mean(axis=1) for row in rows], axis=0))


def aipc(start: Start, teller: Teller) -> None:
    """Samples of most entropy against the second nearest of the medoids; "no" is taken for the nearest one.

    Zhong, Deng and Xu, "Active informative pairwise constraint formulation algorithm for constraint-based
    clustering" (IEEE Access 2019).
    """
    shares, lengths = _fuzzy_c_means(start.points, start.n_clusters, teller.rng)
    entropy = -(shares * np.log(shares + _TINY)).sum(axis=1)
    medoids = lengths.argmin(axis=0)
    for row in np.argsort(-entropy, kind="stable").tolist():
        ratio = np.log((shares[row] + _TINY) / (shares[medoids] + _TINY))
        apart = ((shares[row] - shares[medoids]) * ratio).sum(axis=1)
        nearest, second = medoids[np.argsort(apart, kind="stable")[:2]].tolist()
        if row not in (nearest, second) and not teller.same(row, second):
            teller.given[-1].append((row, nearest, True))


def _fuzzy_c_means(points: Floats, k: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Memberships (n, k), and distances (n, k) to the centres."""
    shares = rng.dirichlet(np.ones(k), len(points))
    lengths = shares
    for _ in range(FUZZY_STEPS):
        weights = shares**FUZZINESS
        centres = weights.T @ points / weights.sum(axis=0)[:, None]
        squares = (points**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1) - 2 * points @ centres.T
        lengths = np.sqrt(np.maximum(squares, _TINY))
        shares = lengths ** (-2 / (FUZZINESS - 1))
        shares /= shares.sum(axis=1, keepdims=True)
    return shares, lengths


def cobras(start: Start, teller: Teller) -> None:
    """Super-instances that are split, and merged into clusters, as answers about their medoids say.

    Van Craenendonck, Dumancic, Van Wolputte and Blockeel, "COBRAS: interactive clustering with pairwise
    queries" (IDA 2018). It looks at the points alone.
    """
    said: dict[frozenset[int], bool] = {}

    def same(i: int, j: int) -> bool:
        if frozenset((i, j)) not in said:
            said[frozenset((i, j))] = teller.same(i, j)
        return said[frozenset((i, j))]

    clusters = [[np.arange(start.n)]]
    while True:
        sizes = [(len(rows), c, s) for c, parts in enumerate(clusters) for s, rows in enumerate(parts)]
        _, at, number = max(sizes)
        rows = clusters[at].pop(number)
        if len(rows) == 1:
            return
        parts = _split(start, rows, _level(start, rows, same))
        if len(parts) == 1:
            return
        clusters = [one for one in clusters if one] + [[part] for part in parts]
        _merge(start, clusters, same)
        labels = np.empty(start.n, dtype=np.int64)
        for name, members in enumerate(clusters):
            labels[np.concatenate(members)] = name
        teller.clusterings.append((len(teller.given), labels))


def _medoid(start: Start, rows: Ints) -> int:
    middle = start.points[rows].mean(axis=0)
    return int(rows[np.linalg.norm(start.points[rows] - middle, axis=1).argmin()])


def _split(start: Start, rows: Ints, k: int) -> list[Ints]:
    labels = KMeans(min(k, len(rows)), n_init=1, random_state=0).fit_predict(start.points[rows])
    return [rows[labels == one] for one in np.unique(labels)]


def _level(start: Start, rows: Ints, same: Callable[[int, int], bool]) -> int:
    """Into how many parts: halves of halves, until the medoids of two are said to be the same."""
    level = 1
    while len(rows) > 1:
        halves = _split(start, rows, 2)
        if len(halves) == 1 or same(*(_medoid(start, half) for half in halves)):
            break
        level, rows = 2 * level, halves[0]
    return max(2, level)


def _merge(start: Start, clusters: list[list[Ints]], same: Callable[[int, int], bool]) -> None:
    """Join clusters, the nearest first, until all are said to differ."""
    merged = True
    while merged:
        merged = False
        medoids = [[_medoid(start, rows) for rows in parts] for parts in clusters]
        pairs = []
        for a in range(len(clusters)):
            for b in range(a):
                gaps = np.linalg.norm(
                    start.points[medoids[a]][:, None] - start.points[medoids[b]][None], axis=2
                )
                one, other = np.unravel_index(int(gaps.argmin()), gaps.shape)
                pairs.append((float(gaps.min()), b, a, medoids[a][one], medoids[b][other]))
        for _, b, a, i, j in sorted(pairs):
            if same(i, j):
                clusters[b] += clusters.pop(a)
                merged = True
                break


RULES: dict[str, Rule] = {
    "random": random_pairs,
    "ffqs": ffqs,
    "minmax": minmax,
    "npu": npu,
    "aipc": aipc,
    "cobras": cobras,
}
