"""Which of several clusterings of fixed features to keep: the one whose clusters say most of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sparse
import torch
from torch import Tensor

from coterie.data import Pairs
from coterie.methods.neighbor_graphs import Ints, Points
from coterie.methods.starting_layer import StartingLayer
from coterie.nn import HeadsNetwork

_TINY = 1e-12


def information_of_clusters(labels: Ints, points: Points, near: Ints) -> float:
    """What clusters say of neighbors and of places, in nats.

    Parameters
    ----------
    labels : int64 array of shape (n,)
    points : float array of shape (n, d)
    near : int64 array of shape (n, m)
        Rows of the nearest neighbors of each point.

    Returns
    -------
    float
        The mutual information of a sample's cluster and its neighbor's, which prefers clusters along the
        graph, and the logarithm of the share of the variance that clusters leave, taken off, which prefers
        those around centers.

    Examples
    --------
    >>> points = np.array([[0.0, 0], [0, 1], [9, 0], [9, 1]], dtype=np.float32)
    >>> near = np.array([[1], [0], [3], [2]])
    >>> good, bad = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    >>> information_of_clusters(good, points, near) > information_of_clusters(bad, points, near)
    True
    """
    return _about_neighbors(labels, near) + _about_places(labels, points)


def _about_neighbors(labels: Ints, near: Ints) -> float:
    """Mutual information of the clusters (n,) of a sample and of one of its neighbors (n, m)."""
    if not near.shape[1]:
        return 0.0
    own, others = np.repeat(labels, near.shape[1]), labels[near].ravel()
    k = int(labels.max()) + 1
    counts = sparse.coo_matrix((np.ones(len(own)), (own, others)), shape=(k, k)).tocsr()
    joint = ((counts + counts.T) / (2 * len(own))).tocoo()
    shares = np.asarray(joint.sum(axis=1)).ravel()
    return float((joint.data * np.log(joint.data / (shares[joint.row] * shares[joint.col]))).sum())


def _about_places(labels: Ints, points: Points) -> float:
    """Logarithm of the variance of points (n, d) as a multiple of that within clusters (n,)."""
    member = sparse.csr_matrix((np.ones(len(labels)), (labels, np.arange(len(labels)))))
    sizes = np.maximum(np.asarray(member.sum(axis=1)), 1)
    within = np.square(points - (member @ points / sizes)[labels]).sum()
    return float(np.log(np.square(points - points.mean(axis=0)).sum() + _TINY) - np.log(within + _TINY))


@dataclass(frozen=True)
class HeadChoice:
    """Keeps the head whose clusters say most: trained, or as it began.

    A start that training has made worse is so taken up again. With pairs, those heads alone that keep most of
    them are compared. It seeds torch's generator.

    Attributes
    ----------
    points : float array of shape (n, d)
    near : int64 array of shape (n, m)
    start : StartingLayer
        Of all heads; on a trained backbone, it learns the clusterings again.
    pairs : Pairs or None
    """

    points: Points
    near: Ints
    start: StartingLayer
    pairs: Pairs | None = None

    def keep(self, network: HeadsNetwork, embedding: npt.NDArray[np.float32]) -> Mapping[str, str | bool]:
        """Predict by the best head, in place: its name in "head", and whether it is the trained one."""
        features = torch.from_numpy(embedding)
        torch.default_generator.manual_seed(0)  # the layer's components are found from random directions
        begun = _heads(self.start.layer(features), len(network.heads))
        trained = _heads(network.all_heads.state_dict(prefix="all_heads."), len(network.heads))
        found = [(head, True, part) for head, part in zip(network.heads, trained, strict=True)]
        found += [(head, False, part) for head, part in zip(network.heads, begun, strict=True)]
        head, is_trained, (weight, bias) = max(found, key=lambda one: self._score(features, one[2]))
        with torch.no_grad():
            network.head.weight.copy_(weight)
            network.head.bias.copy_(bias)
        return {"head": head, "trained": is_trained}

    def _score(self, features: Tensor, layer: tuple[Tensor, Tensor]) -> tuple[int, float]:
        """Pairs that a head keeps, and the information of its clusters."""
        weight, bias = (part.to(features.device) for part in layer)
        labels: Ints = (features @ weight.T + bias).argmax(dim=1).numpy()
        n_kept = 0 if self.pairs is None else int(pairs_kept(labels, self.pairs).sum())
        return n_kept, information_of_clusters(labels, self.points, self.near)


def pairs_kept(labels: Ints, pairs: Pairs) -> npt.NDArray[np.bool_]:
    """Which known pairs a clustering (n,) obeys.

    Examples
    --------
    >>> pairs_kept(np.array([0, 0, 1]), Pairs([0, 0, 1], [1, 2, 2], [1, -1, 1])).tolist()
    [True, True, False]
    """
    kept: npt.NDArray[np.bool_] = (labels[pairs.i] == labels[pairs.j]) == (pairs.same > 0)
    return kept


def best_of(clusterings: Mapping[str, Ints], points: Points, near: Ints) -> str:
    """The name of the clustering that says most of points (n, d)."""
    return max(clusterings, key=lambda name: information_of_clusters(clusterings[name], points, near))


def _heads(values: Mapping[str, Tensor], n_heads: int) -> Sequence[tuple[Tensor, Tensor]]:
    """Weight and bias of each head, of those of a layer of all."""
    weights, biases = (values[f"all_heads.{part}"].chunk(n_heads) for part in ("weight", "bias"))
    return list(zip(weights, biases, strict=True))
