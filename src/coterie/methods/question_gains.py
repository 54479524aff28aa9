"""Which question helps most: about a sample, about two clusters, or an earlier one that may be wrong.

A question about a sample is as in Xiong, Azimi and Fern, "Active learning of constraints for semi-supervised
clustering" (TKDE 2014): it is compared with the likeliest group, and with further ones until its place is
known. Here groups are the model's clusters to begin with, so that nothing has to be asked to know them; two
of them may be one, and part of one may be none of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coterie.corrections.relations import Relations
from coterie.methods.beliefs import Beliefs, Reader
from coterie.methods.walks import Walk

Floats = npt.NDArray[np.float32]
Question = tuple[int, int]

# of how alike two groups are: half as likely one as they can be
_ALIKE = 0.5
# groups that are one, of so many: what is known before the first answer
ONE, OF_GROUPS = 1.0, 8.0


@dataclass(frozen=True)
class Proposal:
    """A question, and how many samples its answer is expected to put right.

    Attributes
    ----------
    question : (int, int)
    gain : float
    mass : float
        Samples that follow the answer.
    expected : float
        How likely the two belong together.
    groups : bool
        Whether the question is about two groups.
    """

    question: Question
    gain: float
    mass: float
    expected: float
    groups: bool = False


@dataclass(frozen=True)
class Outlook:
    """What questions about samples would help.

    Attributes
    ----------
    beliefs : Beliefs
    right : array of shape (n,)
        How likely each label is right.
    follow : array of shape (n,)
        How many samples would take after each, were its place known.
    """

    beliefs: Beliefs
    right: Floats
    follow: Floats

    @property
    def gains(self) -> Floats:
        """Samples (n,) that a question about each is expected to put right."""
        wrong = 1 - self.right
        return np.asarray(wrong / (1 + wrong) * self.follow)


@dataclass
class Known:
    """What was asked.

    Attributes
    ----------
    said : Relations
    asked : set of frozenset of int
        Pairs of rows, also those nobody was sure of.
    groups_one, groups_asked : int
        Pairs of groups that are one, and of which it is known.
    """

    said: Relations
    asked: set[frozenset[int]]
    groups_one: int = 0
    groups_asked: int = 0

    def is_open(self, row: int, rows: Sequence[int]) -> bool:
        """Whether a row can be compared with rows that belong together."""
        if self.said.relation(row, rows[0]) != 0:
            return False
        return not any(frozenset((row, other)) in self.asked for other in rows)


class Chooser:
    """Questions about the samples of a reader.

    Parameters
    ----------
    walk : Walk
    reader : Reader
    """

    def __init__(self, walk: Walk, reader: Reader) -> None:
        self._walk, self._reader = walk, reader

    def follow(self, beliefs: Beliefs) -> Floats:
        """How many samples (n,) would take after each, were its place known."""
        eased = 1 / (1 + beliefs.evidence.max(axis=1))
        return np.asarray(self._walk.visits(eased) * self._reader.scale, dtype=np.float32)

    def best_row(self, outlook: Outlook, known: Known, aside: Collection[int]) -> Proposal | None:
        """The sample whose place would help most, compared with the likeliest group.

        Parameters
        ----------
        outlook : Outlook
        known : Known
        aside : collection of int
            Rows that nobody was sure of.
        """
        gains = outlook.gains
        gains[[*outlook.beliefs.place, *aside]] = 0
        for row in np.argsort(-gains, kind="stable").tolist():
            if gains[row] <= 0:
                break
            found = self.of_row(outlook, row, known)
            if found is not None:
                return found
        return None

    def of_row(self, outlook: Outlook, row: int, known: Known) -> Proposal | None:
        """A comparison of one sample with the likeliest group that it can be compared with."""
        beliefs = outlook.beliefs
        shares = beliefs.shares_of(row)
        for group in np.argsort(-shares, kind="stable").tolist():
            rows = beliefs.groups[group]
            if row in rows or not known.is_open(row, rows):
                continue
            near = np.array([self._reader.column(other)[row] for other in rows])
            return Proposal(
                (row, rows[int(near.argmax())]),
                gain=float(outlook.gains[row]),
                mass=float(outlook.follow[row]),
                expected=float(shares[group]),
            )
        return None

    def best_groups(self, beliefs: Beliefs, known: Known) -> Proposal | None:
        """The two groups that may be one and are of many samples, by rows that stand for them."""
        shares = beliefs.shares
        one, sizes = self.likely_one(beliefs, known), shares.sum(axis=0)
        smaller = np.minimum(sizes[:, None], sizes[None])
        gains = smaller * one
        ones, others = np.triu_indices(len(sizes), 1)
        for at in np.argsort(-gains[ones, others], kind="stable").tolist():
            a, b = int(ones[at]), int(others[at])
            if all(known.is_open(row, beliefs.groups[b]) for row in beliefs.groups[a]):
                question = self._typical(beliefs, a), self._typical(beliefs, b)
                gain, mass, expected = float(gains[a, b]), float(smaller[a, b]), float(one[a, b])
                return Proposal(question, gain, mass, expected, groups=True)
        return None

    def likely_one(self, beliefs: Beliefs, known: Known) -> Floats:
        """How likely each two groups (g, g) are one, from the beliefs that they share."""
        shares = self._unsettled(beliefs)
        overlap = shares.T @ shares
        own = np.maximum(overlap.diagonal(), 1e-9)
        alike = overlap / np.minimum(own[:, None], own[None])
        rate = (ONE + known.groups_one) / (OF_GROUPS + known.groups_asked)
        found = np.asarray(rate * alike / (alike + _ALIKE), dtype=np.float32)
        for group, own in beliefs.found.items():
            found[group] = found[:, group] = np.maximum(found[group], own[:-1])
        np.fill_diagonal(found, 0)
        for group, rows in enumerate(beliefs.groups):
            others = [beliefs.place[root] for root in known.said.apart_from(rows[0])]
            found[group, [other for other in others if other >= 0]] = 0
        return found

    def _unsettled(self, beliefs: Beliefs) -> Floats:
        """Beliefs (n, g) in which rows that stand for a cluster alone are where all others place them.

        A cluster whose samples have all gone to another one is known by that.
        """
        shares = beliefs.shares.copy()
        for group, rows in enumerate(beliefs.groups):
            if len(rows) == 1 and beliefs.clusters[group]:
                shares[rows[0]] = beliefs.by_others(rows[0], float(self._reader.column(rows[0])[rows[0]]))
        return shares

    def _typical(self, beliefs: Beliefs, group: int) -> int:
        rows = beliefs.groups[group]
        return rows[int(beliefs.evidence[rows, group].argmax())]
