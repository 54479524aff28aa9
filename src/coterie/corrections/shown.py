"""The clustering that is shown and written: what a fit found, and over it what a person has said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coterie.corrections.journal import Entry
from coterie.corrections.relations import Node, Relations, cluster_node
from coterie.corrections.statements import FIT, SPLIT, Rows, silenced

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

# of samples that were said to belong to none of the clusters that a fit would give them
ASIDE = -1
# a cluster needs more of what remains possible, for a sample that may not be where its fit had put it
_LIKELY = 0.5


@dataclass(frozen=True)
class Scores:
    """What a fit says.

    Attributes
    ----------
    clusters : tuple of int
        Id of the cluster of each column, all different.
    values : float array of shape (n, k)
        Probabilities.
    """

    clusters: tuple[int, ...]
    values: Floats


@dataclass(frozen=True)
class Shown:
    """A clustering that no statement contradicts.

    Attributes
    ----------
    labels : int64 array of shape (n,)
        Ids of clusters; -1 for samples that were put aside.
    certainty : float32 array of shape (n,)
        Probability of the cluster by the fit; 1 where it was said.
    said : bool array of shape (n,)
        Samples that a statement names.
    clusters : tuple of int
        Ids that samples may have, sorted; some may have none.
    """

    labels: Ints
    certainty: Floats
    said: npt.NDArray[np.bool_]
    clusters: tuple[int, ...]


def parts_of(entries: Iterable[Entry], rows: Rows) -> list[tuple[Ints, int]]:
    """Parts of clusters that were split since the last fit, which knows the earlier ones: rows and id."""
    held = list(entries)
    quiet = silenced(held)
    last = max((place for place, entry in enumerate(held) if entry.do == FIT), default=-1)
    found = []
    for entry in held[last + 1 :]:
        if entry.do == SPLIT and quiet.get(entry.number, frozenset()) is not None:
            for part in entry.what["parts"]:
                known = [rows[name] for name in part["rows"] if name in rows]
                found.append((np.array(known, dtype=np.int64), int(part["cluster"])))
    return found


def show(scores: Scores, relations: Relations, parts: Sequence[tuple[Ints, int]] = ()) -> Shown:
    """Let statements overrule what a fit says.

    Parameters
    ----------
    scores : Scores
    relations : Relations
    parts : sequence of (int64 array, int)
        Rows of parts of split clusters, and their ids.

    Returns
    -------
    Shown
        Samples that a statement joins to a cluster are there; samples that are joined to each other are
        together, in the likeliest cluster that they are not known to differ from; -1 if none is likely.

    Examples
    --------
    >>> from coterie.corrections.relations import Link
    >>> said = Relations()
    >>> said.add(Link(0, cluster_node(0), False, 1))
    >>> show(Scores((0, 1), np.array([[0.9, 0.1], [0.8, 0.2]], dtype=np.float32)), said).labels
    array([1, 0])
    """
    joined = [_canonical(relations, cluster) for cluster in scores.clusters]
    ids = sorted({*joined, *(_canonical(relations, cluster) for _, cluster in parts), *_spoken_of(relations)})
    place = {cluster: number for number, cluster in enumerate(ids)}
    values = np.zeros((len(scores.values), len(ids)), dtype=np.float32)
    for column, cluster in enumerate(joined):
        values[:, place[cluster]] += scores.values[:, column]
    likeliest = values.argmax(axis=1)
    certainty = values[np.arange(len(values)), likeliest]
    labels = np.array(ids, dtype=np.int64)[likeliest]
    labels[certainty <= 0] = ASIDE  # the fit calls them noise
    for rows, cluster in parts:
        labels[rows] = _canonical(relations, cluster)
    said = np.zeros(len(labels), dtype=bool)
    for members, label in _settled(relations, values, place, labels):
        labels[members], said[members], certainty[members] = label, True, 1.0
    return Shown(labels, certainty, said, tuple(ids))


def _canonical(relations: Relations, cluster: int) -> int:
    node = relations.cluster_of(cluster_node(cluster))
    assert node is not None, "a cluster is in its own component"
    return cluster_node(node)


def _spoken_of(relations: Relations) -> set[int]:
    """Clusters to which statements join samples."""
    found = set()
    for root, nodes in relations.components():
        cluster = relations.cluster_of(root)
        if cluster is not None and any(node >= 0 for node in nodes):
            found.add(cluster_node(cluster))
    return found


def _settled(
    relations: Relations, values: Floats, place: dict[int, int], labels: Ints
) -> Iterable[tuple[list[int], int]]:
    """Rows of each component, and the cluster that is shown for them."""
    chosen: dict[Node, int] = {}
    free: list[tuple[Node, list[int]]] = []
    for root, nodes in relations.components():
        rows = [node for node in nodes if node >= 0]
        cluster = relations.cluster_of(root)
        if cluster is not None:
            chosen[root] = cluster_node(cluster)
            if rows:
                yield rows, chosen[root]
        elif rows:
            free.append((root, rows))
    # the surest first: of two that differ, the other one has to go
    free.sort(key=lambda one: -float(values[one[1]].sum(axis=0).max()))
    for root, rows in free:
        excluded = {chosen[other] for other in relations.apart_from(root) if other in chosen} - {ASIDE}
        chosen[root] = _likeliest(values[rows], labels[rows], place, excluded)
        yield rows, chosen[root]


def _likeliest(values: Floats, labels: Ints, place: dict[int, int], excluded: set[int]) -> int:
    """The cluster of some rows that are together, none of those excluded."""
    votes = values.sum(axis=0, dtype=np.float64)
    for row, label in zip(values, labels.tolist(), strict=True):
        if row[place[label]] < row.max():  # of a part that a person made, which no fit knows yet
            votes[place[label]] += 1.0
    ids = list(place)
    barred = [place[cluster] for cluster in excluded if cluster in place]
    votes[barred] = 0.0
    best = int(votes.argmax())
    if votes[best] <= 0 or (barred and votes[best] <= _LIKELY * votes.sum()):
        return ASIDE
    return ids[best]
