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
from coterie.methods.ties import Ties
from coterie.methods.walks import Walk

Floats = npt.NDArray[np.float32]
Question = tuple[int, int]


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
    far : bool
        Whether these are not alike.
    """

    question: Question
    gain: float
    mass: float
    expected: float
    groups: bool = False
    far: bool = False


@dataclass(frozen=True)
class Outlook:
    """What questions would help.

    Attributes
    ----------
    beliefs : Beliefs
    right : array of shape (n,)
        How likely each label is right.
    follow : array of shape (n,)
        How many samples would take after each, were its place known.
    ties : Ties
    """

    beliefs: Beliefs
    right: Floats
    follow: Floats
    ties: Ties

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
    near_one, far_one : int
        Pairs of groups that were found to be one: alike, and far from each other.
    """

    said: Relations
    asked: set[frozenset[int]]
    near_one: int = 0
    far_one: int = 0

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
        eased = 1 / (1 + beliefs.scores.max(axis=1))
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

    def best_groups(self, outlook: Outlook, known: Known) -> Proposal | None:
        """The two groups that may be one and are of many samples, by rows that stand for them."""
        beliefs, one = outlook.beliefs, outlook.ties.one()
        sizes = beliefs.shares.sum(axis=0)
        smaller = np.minimum(sizes[:, None], sizes[None])
        gains = smaller * one
        ones, others = np.triu_indices(len(sizes), 1)
        for at in np.argsort(-gains[ones, others], kind="stable").tolist():
            a, b = int(ones[at]), int(others[at])
            if all(known.is_open(row, beliefs.groups[b]) for row in beliefs.groups[a]):
                ends = self._typical(beliefs, a), self._typical(beliefs, b)
                question = min(ends), max(ends)  # whatever the order in which the groups became known
                gain, mass, expected = float(gains[a, b]), float(smaller[a, b]), float(one[a, b])
                far = outlook.ties.is_far(a, b)
                return Proposal(question, gain, mass, expected, groups=True, far=far)
        return None

    def _typical(self, beliefs: Beliefs, group: int) -> int:
        rows = beliefs.groups[group]
        return rows[int(beliefs.scores[rows, group].argmax())]
