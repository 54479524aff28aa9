"""What was said as pairs of samples, for the next fit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from coterie.corrections.relations import Node, Relations, cluster_node
from coterie.corrections.shown import ASIDE, Scores, Shown

Ints = npt.NDArray[np.int64]

# samples that stand for a cluster, its most certain ones
_EXEMPLARS = 3


def hard_pairs(relations: Relations, scores: Scores, shown: Shown) -> tuple[Ints, Ints, Ints]:
    """Pairs that the shown clustering honours, and so none contradicts another.

    A statement about a cluster becomes pairs with samples that stand for it: its most certain ones.

    Parameters
    ----------
    relations : Relations
    scores : Scores
    shown : Shown
        As `show` makes it of both.

    Returns
    -------
    i, j, same : int64 arrays of shape (m,)
        `same` is 1 or -1. Each pair once.

    Examples
    --------
    >>> from coterie.corrections.relations import Link
    >>> from coterie.corrections.shown import show
    >>> said = Relations()
    >>> said.add(Link(0, 1, True, 1))
    >>> scores = Scores((0,), np.ones((2, 1), dtype=np.float32))
    >>> [ends.tolist() for ends in hard_pairs(said, scores, show(scores, said))]
    [[0], [1], [1]]
    """
    found: dict[tuple[int, int], int] = {}
    for a, b, same in _related(relations, _exemplars(relations, scores, shown)):
        together = shown.labels[a] == shown.labels[b]
        # samples put aside are in no cluster, so that those of one fit cannot keep them apart
        if a != b and (shown.labels[a] != ASIDE or shown.labels[b] != ASIDE) and together == (same == 1):
            found[min(a, b), max(a, b)] = same
    ends = np.array(list(found), dtype=np.int64).reshape(-1, 2)
    return ends[:, 0], ends[:, 1], np.array(list(found.values()), dtype=np.int64)


def _exemplars(relations: Relations, scores: Scores, shown: Shown) -> dict[int, list[int]]:
    """The most certain samples of each cluster; also of those that were merged, as the fit has them."""
    of_fit = np.array(scores.clusters, dtype=np.int64)[scores.values.argmax(axis=1)]
    order = np.argsort(-np.where(shown.said, 0.0, shown.certainty), kind="stable")
    found: dict[int, list[int]] = {}
    for cluster in {*scores.clusters, *shown.clusters}:
        node = relations.cluster_of(cluster_node(cluster))
        assert node is not None, "a cluster is in its own component"
        members = order[shown.labels[order] == cluster_node(node)]
        own = members[of_fit[members] == cluster]
        found[cluster] = (own if len(own) else members)[:_EXEMPLARS].tolist()
    return found


def _related(relations: Relations, exemplars: dict[int, list[int]]) -> Iterator[tuple[int, int, int]]:
    """Pairs of samples that statements relate, with samples that stand for clusters: (i, j, same)."""
    components = dict(relations.components())
    standing = {root: _standing(nodes, exemplars) for root, nodes in components.items()}
    for root, nodes in components.items():
        for node in nodes:
            own = exemplars.get(cluster_node(node), []) if node < 0 else [node]
            yield from ((one, other, 1) for one in own for other in standing[root])
        for far in relations.apart_from(root):
            if far > root:
                yield from ((one, other, -1) for one in standing[root] for other in standing[far])


def _standing(nodes: list[Node], exemplars: dict[int, list[int]]) -> list[int]:
    """A few samples for a component: of its clusters their exemplars, else its first samples."""
    of_clusters = [row for node in nodes if node < 0 for row in exemplars.get(cluster_node(node), [])]
    return of_clusters or [node for node in nodes if node >= 0][:_EXEMPLARS]
