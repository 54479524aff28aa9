"""Where samples belong: what a model says of them, and what answers about pairs say of those around them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from coterie.corrections.relations import Relations
from coterie.methods.walks import Walk

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

# of the model's own clusters, beside one sample whose place is known
MODEL = 0.6
# of what is none of the groups there are: for a sample, and for one that is not of its likeliest group
NOWHERE, NEW = 0.3, 0.2
# how much more a group counts than one of a lower score
SHARPNESS = 2.0
# a component that is no group yet is taken for one from this belief on: those apart from it are not
TAKEN = 0.5


@dataclass(frozen=True)
class Beliefs:
    """Groups, and how firmly samples belong to them.

    Attributes
    ----------
    groups : list of list of int
        Rows that are known to be of each: those of the model's clusters first, then those that answers made.
    clusters : list of list of int
        The model's clusters that each group holds; none for a group that answers made.
    place : dict of int to int
        The group of each row that was asked about, or stands for a cluster; -1 while it is not known.
    own : dict of int to array of shape (g + 1,)
        Beliefs in groups of rows whose place is not known; the last entry: in none of them.
    found : dict of int to array of shape (g + 1,)
        The same of the groups that answers made: each may be one of the others.
    scores : float32 array of shape (n, g)
        How much what is known of each group says of each sample; >= 0.
    """

    groups: list[list[int]]
    clusters: list[list[int]]
    place: dict[int, int]
    own: dict[int, Floats]
    found: dict[int, Floats]
    scores: Floats

    @cached_property
    def shares(self) -> Floats:
        """Beliefs (n, g) in each group: with those in none of them, rows sum to 1."""
        found = _shares(self.scores)
        for row, group in self.place.items():
            found[row] = np.eye(len(self.groups))[group] if group >= 0 else self.own[row][:-1]
        return found

    def shares_of(self, row: int) -> Floats:
        """Beliefs (g,) of one row in each group."""
        if self.place.get(row, 0) < 0:
            return self.own[row][:-1]
        return _shares(self.scores[row])

    def by_others(self, row: int, own: float) -> Floats:
        """Beliefs (g,) of a row in each group, without what it says of itself; `own` is how much that is."""
        scores = self.scores[row].copy()
        if self.place.get(row, -1) >= 0:
            scores[self.place[row]] = max(0.0, scores[self.place[row]] - own)
        return _shares(scores)

    @property
    def labels(self) -> Ints:
        """The likeliest group (n,) of each sample."""
        found: Ints = self.shares.argmax(axis=1).astype(np.int64)
        return found


def _shares(scores: Floats) -> Floats:
    """Beliefs (..., g) from scores."""
    counted = scores**SHARPNESS
    return np.asarray(counted / (counted.sum(axis=-1, keepdims=True) + NOWHERE**SHARPNESS))


class Reader:
    """What answers say of all samples.

    Parameters
    ----------
    walk : Walk
    probabilities : array of shape (n, k)

    Attributes
    ----------
    anchors : dict of int to int
        For each cluster that the model uses, the row that stands for it.
    scale : float
        Samples of a usual cluster.
    """

    def __init__(self, walk: Walk, probabilities: Floats) -> None:
        self._walk = walk
        self._prior = walk.ends(probabilities)
        self._typical = self._prior * probabilities
        labels: Ints = probabilities.argmax(axis=1).astype(np.int64)
        self.scale = len(labels) / len(np.unique(labels))
        self._columns: dict[int, Floats] = {}
        self.anchor(labels)

    def anchor(self, labels: Ints) -> None:
        """Let the most typical sample of each cluster stand for it.

        Parameters
        ----------
        labels : int64 array of shape (n,)
            Columns of clusters; -1 is none.
        """
        self.anchors = {
            int(one): int(np.where(labels == one, self._typical[:, one], -1).argmax())
            for one in np.unique(labels[labels >= 0])
        }

    def column(self, row: int) -> Floats:
        """How much each sample (n,) takes after a row; about 1 across a cluster of usual size."""
        if row not in self._columns:
            self._columns[row] = self._walk.reach(row) * np.float32(self.scale)
        return self._columns[row]

    def read(self, said: Relations) -> Beliefs:
        """Beliefs from what was said of pairs.

        Components with a row that stands for a cluster are groups. Each other one is matched to the group
        that its rows most likely belong to and that nothing contradicts, or is a group of its own.
        """
        cluster_at = {row: cluster for cluster, row in self.anchors.items()}
        parts = {root: list(rows) for root, rows in said.components()}
        parts |= {row: [row] for row in cluster_at if said.root(row) not in parts}
        held = [root for root, rows in parts.items() if any(row in cluster_at for row in rows)]
        found = _Growing(len(self._prior))
        for root in held:
            clusters = [cluster_at[row] for row in parts[root] if row in cluster_at]
            scores = MODEL * self._prior[:, clusters].sum(axis=1) + self._sum(parts[root])
            found.add(root, parts[root], clusters, scores)
        first = np.stack(found.scores, axis=1)
        for root, rows in parts.items():
            if root not in found.taken:
                self._match(found, root, rows, first, said)
        return found.beliefs()

    def _match(self, found: _Growing, root: int, rows: list[int], first: Floats, said: Relations) -> None:
        """Find the place of rows that belong together and to no cluster that is known."""
        own = np.zeros(len(found.groups) + 1, dtype=np.float32)
        own[: first.shape[1]] = first[rows].mean(axis=0)
        for number in range(first.shape[1], len(found.groups)):
            own[number] = found.scores[number][rows].mean()
        apart = [found.taken[other] for other in said.apart_from(root) if other in found.taken]
        own[apart] = 0
        own[-1] = NEW
        own = own**SHARPNESS
        own /= own.sum()
        likeliest = int(own.argmax())
        if likeliest == len(found.groups):
            found.made[likeliest] = own
            found.add(root, rows, [], self._sum(rows))
            return
        if own[likeliest] >= TAKEN:
            found.taken[root] = likeliest
        column = self._sum(rows)
        for number in np.flatnonzero(own[:-1] > 0).tolist():
            found.scores[number] = found.scores[number] + own[number] * column
        found.open |= dict.fromkeys(rows, own)

    def _sum(self, rows: Iterable[int]) -> Floats:
        return np.asarray(sum(self.column(row) for row in rows), dtype=np.float32)


class _Growing:
    """Groups on their way."""

    def __init__(self, n: int) -> None:
        self.groups: list[list[int]] = []
        self.clusters: list[list[int]] = []
        self.scores: list[Floats] = []
        self.taken: dict[int, int] = {}
        self.open: dict[int, Floats] = {}
        self.made: dict[int, Floats] = {}

    def add(self, root: int, rows: list[int], clusters: list[int], scores: Floats) -> None:
        self.taken[root] = len(self.groups)
        self.groups.append(rows)
        self.clusters.append(clusters)
        self.scores.append(scores)

    def beliefs(self) -> Beliefs:
        place = {row: number for number, rows in enumerate(self.groups) for row in rows}
        place |= dict.fromkeys(self.open, -1)
        n_groups = len(self.groups)
        own = {row: _widened(shares, n_groups) for row, shares in self.open.items()}
        made = {group: _widened(shares, n_groups) for group, shares in self.made.items()}
        return Beliefs(self.groups, self.clusters, place, own, made, np.stack(self.scores, axis=1))


def _widened(shares: Floats, n_groups: int) -> Floats:
    """Beliefs in groups that were there earlier, as beliefs in all groups."""
    return np.concatenate([shares[:-1], np.zeros(n_groups + 1 - len(shares), np.float32), shares[-1:]])
