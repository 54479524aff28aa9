"""Which groups are one: what is known before any answer, and what answers about two groups show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coterie.corrections.relations import Relations
from coterie.methods.beliefs import Beliefs, Reader

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

# of how alike two groups are: half as likely one as they can be
_ALIKE = 0.5
# pairs of groups that are one, of so many: what is known before the first answer
ONE, OF_GROUPS = 1.0, 8.0
# how alike two groups were that are one now
ONE_ALIKE = 0.5


@dataclass(frozen=True)
class Ties:
    """What speaks for two groups being one.

    Attributes
    ----------
    alike : array of shape (g, g)
        From the beliefs that two groups share; two that share none may be one too.
    own : array of shape (g, g)
        Odds of a group that answers made, which may be part of another one.
    open : bool array of shape (g, g)
        Whether the second group is larger than the first, and not known to differ from it.
    n_one, exposure : float
        Pairs of groups that are one; how alike all pairs are of which it is known.
    """

    alike: Floats
    own: Floats
    open: Flags
    n_one: float
    exposure: float

    @property
    def rate(self) -> float:
        """Odds of two groups being one, beside how alike they are, as answers have shown."""
        return self.n_one / self.exposure

    def part_of(self, rate: float) -> Floats:
        """How likely each group (g, g) is part of each larger one; rows sum to less than 1."""
        odds = np.where(self.open, rate * self.alike + self.own, 0)
        return np.asarray(odds / (1 + odds.sum(axis=1, keepdims=True)), dtype=np.float32)

    def one(self) -> Floats:
        """How likely each two groups (g, g) are one."""
        found = self.part_of(self.rate)
        return np.asarray(found + found.T)


def find_ties(reader: Reader, beliefs: Beliefs, said: Relations, n_one: int) -> Ties:
    """What speaks for two groups being one.

    Parameters
    ----------
    reader : Reader
    beliefs : Beliefs
    said : Relations
    n_one : int
        Pairs of the model's clusters that were asked about and are one.
    """
    alike, apart = _alike(_unsettled(reader, beliefs)), _apart(beliefs, said)
    of_model = np.array([bool(clusters) for clusters in beliefs.clusters])
    told = np.triu(apart) & of_model & of_model[:, None]
    own = np.zeros_like(alike)
    for group, shares in beliefs.found.items():
        own[group] = np.maximum(own[group], shares[:-1])
        own[:, group] = own[group]
    order = np.argsort(-beliefs.shares.sum(axis=0), kind="stable").argsort()
    larger = order[None] < order[:, None]
    exposure = OF_GROUPS + float(alike[told].sum()) + ONE_ALIKE * n_one
    return Ties(alike, own, larger & ~apart, ONE + n_one, exposure)


def _alike(shares: Floats) -> Floats:
    overlap = shares.T @ shares
    own = np.maximum(overlap.diagonal(), 1e-9)
    alike = overlap / np.minimum(own[:, None], own[None])
    return np.asarray(alike / (alike + _ALIKE) + 1 / max(1, len(own) - 1), dtype=np.float32)


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
