"""Which question helps most: about rows that stand for many others and of which the run is unsure.

The rule is point-wise, as in Xiong, Azimi and Fern, "Active learning of constraints for semi-supervised
clustering" (TKDE 2014): a row is chosen, and compared with one group after the other, the likeliest first,
until its place is known. Each such row then is related to all others that were asked about, so that n answers
hold far more information than n pairs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie.corrections.relations import Relations

Floats = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]


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


class Known:
    """What was said of samples, as the rule looks at it.

    Parameters
    ----------
    relations : Relations
    skipped : iterable of (int, int)
        Questions that somebody did not want to answer.
    """

    def __init__(self, relations: Relations, skipped: Iterable[tuple[int, int]] = ()) -> None:
        self._relations = relations
        self._skipped = {frozenset(pair) for pair in skipped}

    def groups(self) -> list[list[int]]:
        """Rows that belong together, one list for each group, in the order of their first mention."""
        found = ([node for node in nodes if node >= 0] for _, nodes in self._relations.components())
        return [rows for rows in found if rows]

    def relation(self, i: int, j: int) -> int:
        """1 or -1 if what was said determines whether two rows belong together, else 0."""
        return self._relations.relation(i, j)

    def was_skipped(self, i: int, j: int) -> bool:
        """Whether somebody did not want to answer this question."""
        return frozenset((i, j)) in self._skipped


def next_question(candidates: Candidates, known: Known) -> tuple[int, int] | None:
    """The pair of rows to ask about next, or None where nothing is left to ask.

    Parameters
    ----------
    candidates : Candidates
    known : Known

    Returns
    -------
    (int, int) or None
        Row numbers: one row, and one of the group that it most likely belongs to.
    """
    place = {int(row): at for at, row in enumerate(candidates.rows)}
    groups = [group for group in known.groups() if any(row in place for row in group)]
    under_way = [group[0] for group in reversed(groups) if len(group) == 1]
    for row in [row for row in under_way if row in place]:
        others = [group for group in groups if row not in group]
        asked = _likeliest(candidates, known, place, row, others)
        if asked is not None:
            return row, asked
    placed = [place[row] for group in groups for row in group if row in place]
    if not placed:
        return _first_question(candidates, known)
    for at in _most_useful(candidates, placed):
        row = int(candidates.rows[at])
        asked = _likeliest(candidates, known, place, row, groups)
        if asked is not None:
            return row, asked
    return None


def _first_question(candidates: Candidates, known: Known) -> tuple[int, int] | None:
    """Two rows that stand for many and are unlike each other."""
    start = int(np.argmax(candidates.weight))
    first = int(candidates.rows[start])
    others = (int(candidates.rows[at]) for at in _most_useful(candidates, [start]))
    return next(((row, first) for row in others if not known.was_skipped(row, first)), None)


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
    candidates: Candidates, known: Known, place: dict[int, int], row: int, groups: list[list[int]]
) -> int | None:
    """The row to compare with: nearest of the likeliest group whose relation to `row` is not known."""
    own = place[row]
    best: tuple[float, int] | None = None
    for group in groups:
        members = [member for member in group if member in place]
        open_members = [
            member
            for member in members
            if known.relation(row, member) == 0 and not known.was_skipped(row, member)
        ]
        if not open_members or any(known.was_skipped(row, member) for member in members):
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
