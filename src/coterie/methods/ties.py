"""Which groups are one: what is known before any answer, and what answers about two groups show."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coterie.corrections.relations import Relations
from coterie.methods.beliefs import Beliefs, Reader

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

# of how alike two groups are: half as likely one as they can be
_ALIKE = 0.5
# pairs of groups that are one, of so many: what is known before the first answer, of groups that are alike
NEAR_ONE, OF_NEAR = 1.0, 8.0
# and of those that are not
FAR_ONE, OF_FAR = 0.25, 12.0
# of the groups beyond the model's number of clusters, those that are expected to be part of another one
EXCESS = 0.5
# how alike two groups were that are one now
ONE_ALIKE = 0.5
# two groups that are less alike are far from each other
NEAR = 0.1


@dataclass(frozen=True)
class Ties:
    """What speaks for two groups being one.

    Attributes
    ----------
    alike : array of shape (g, g)
        From the beliefs that two groups share.
    own : array of shape (g, g)
        Odds of a group that answers made, which may be part of another one.
    open : bool array of shape (g, g)
        Whether the second group is larger than the first, and not known to differ from it.
    known : ((float, float), (float, float))
        Of groups that are alike, and of those that are not: how many pairs are one, and of how many it is
        known, each counted by how alike it is, or by its share of all others.
    """

    alike: Floats
    own: Floats
    open: Flags
    known: tuple[tuple[float, float], tuple[float, float]]

    @property
    def rates(self) -> tuple[float, float]:
        """Odds of two groups being one, as answers have shown: beside how alike they are, and far apart."""
        near, far = (one / looked_at for one, looked_at in self.known)
        return near, far

    def is_far(self, group: int, other: int) -> bool:
        """Whether nothing but chance speaks for two groups being one."""
        return bool(self.alike[group, other] < NEAR)

    def part_of(self, near: float, far: float) -> Floats:
        """How likely each group (g, g) is part of each larger one; rows sum to less than 1."""
        odds = near * self.alike + far / max(1, len(self.alike) - 1) + self.own
        odds = np.where(self.open, odds, 0)
        return np.asarray(odds / (1 + odds.sum(axis=1, keepdims=True)), dtype=np.float32)

    def one(self) -> Floats:
        """How likely each two groups (g, g) are one, for questions: a rate that is hardly known may be high.

        That of groups that are far from each other is taken to be one standard deviation above its mean.
        """
        far, looked_at = self.known[1]
        found = self.part_of(self.rates[0], (far + math.sqrt(far)) / looked_at)
        return np.asarray(found + found.T)


def find_ties(reader: Reader, beliefs: Beliefs, said: Relations, n_one: tuple[int, int]) -> Ties:
    """What speaks for two groups being one.

    Parameters
    ----------
    reader : Reader
    beliefs : Beliefs
    said : Relations
    n_one : (int, int)
        Pairs of the model's clusters that were asked about and are one: alike, and far from each other.
    """
    alike, apart = _alike(_unsettled(reader, beliefs)), _apart(beliefs, said)
    of_model = np.array([bool(clusters) for clusters in beliefs.clusters])
    differ = np.triu(apart) & of_model & of_model[:, None]
    own = np.zeros_like(alike)
    for group, shares in beliefs.found.items():
        own[group] = np.maximum(own[group], shares[:-1])
        own[:, group] = own[group]
    order = np.argsort(-beliefs.shares.sum(axis=0), kind="stable").argsort()
    larger = order[None] < order[:, None]
    near, far = n_one
    others = max(1, len(alike) - 1)
    looked_at = (
        OF_NEAR + float(alike[differ].sum()) + ONE_ALIKE * near,
        OF_FAR + (float(differ.sum()) + far) / others,
    )
    far_one = FAR_ONE + OF_FAR * _share_in_excess(len(alike), len(reader.anchors)) + far
    return Ties(alike, own, larger & ~apart, ((NEAR_ONE + near, looked_at[0]), (far_one, looked_at[1])))


def _share_in_excess(n_groups: int, n_clusters: int) -> float:
    """Odds of each group being one with any other, if half of those beyond the number of clusters are."""
    return 2 * EXCESS * max(0, n_groups - n_clusters) / n_groups


def _alike(shares: Floats) -> Floats:
    overlap = shares.T @ shares
    own = np.maximum(overlap.diagonal(), 1e-9)
    alike = overlap / np.minimum(own[:, None], own[None])
    return np.asarray(alike / (alike + _ALIKE), dtype=np.float32)


def _unsettled(reader: Reader, beliefs: Beliefs) -> Floats:
    """Beliefs (n, g) in which rows that stand for a cluster alone are where all others place them.

    A cluster whose samples have all gone to another one is known by that.
    """
    shares = beliefs.shares.copy()
    for group, rows in enumerate(beliefs.groups):
        if len(rows) == 1 and beliefs.clusters[group]:
            shares[rows[0]] = beliefs.by_others(rows[0], float(reader.column(rows[0])[rows[0]]))
    return shares


def _apart(beliefs: Beliefs, said: Relations) -> Flags:
    """Which groups (g, g) are known to differ."""
    found = np.zeros((len(beliefs.groups),) * 2, dtype=bool)
    for group, rows in enumerate(beliefs.groups):
        others = [beliefs.place[root] for root in said.apart_from(rows[0])]
        found[group, [other for other in others if other >= 0]] = True
    return found
