"""The number of clusters without labels: restarts with too many outputs, and how many are left of them."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import adjusted_rand_score

from coterie.losses.ddc import gaussian_kernel
from coterie.metrics import dominant_clusters

# Restarts to count in, and their outputs at first: dominant clusters count up to about half of these.
PROBES = 5
FIRST_OUTPUTS = 20
MOST_OUTPUTS = 160
# Clusters of a larger cosine in the kernel are parts of one: parts of a Gaussian had 0.6 to 0.99, Gaussians
# apart 0.03 to 0.2, clusters of digits 0.1 to 0.35.
SAME_COSINE = 0.4
# Rows in the kernel.
KERNEL_ROWS = 1_000

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Probe:
    """One restart with too many outputs.

    Attributes
    ----------
    labels : int64 array of shape (n,)
    embedding : float array of shape (n, e)
    n_outputs : int
    loss : float
    """

    labels: IntArray
    embedding: npt.NDArray[Any]
    n_outputs: int
    loss: float


@dataclass(frozen=True)
class Level:
    """The outputs of a probe, merged.

    Attributes
    ----------
    cosine : float
        In the kernel, of the two clusters that were merged last; 1 where none were.
    groups : int64 array of shape (n_outputs,)
        Cluster that each output went to.
    """

    cosine: float
    groups: IntArray


def merge_levels(probe: Probe) -> list[Level]:
    """Merge the two clusters that are closest in the kernel, again and again, until one is left.

    The kernel is that of DDC (section 3.1.1 of arXiv:1902.04981) on the embedding, the closeness of two
    clusters the cosine of its Cauchy-Schwarz divergence (equation 3).

    Parameters
    ----------
    probe : Probe

    Returns
    -------
    list of Level
        The used clusters first, one cluster less in each entry. Outputs with too few rows to be among
        those in the kernel go with the first cluster.

    Examples
    --------
    >>> probe = Probe(np.arange(6) // 2, np.array([[0.0], [1], [2], [3], [90], [91]]), 3, 0.5)
    >>> [level.groups.tolist() for level in merge_levels(probe)]
    [[0, 1, 2], [0, 0, 1], [0, 0, 0]]
    """
    # every so many rows, cluster by cluster: each of some size has its share
    rows = np.argsort(probe.labels, kind="stable")[:: -(-len(probe.labels) // KERNEL_ROWS)]
    kernel = gaussian_kernel(torch.from_numpy(probe.embedding[rows]).double()).numpy()
    used, codes = np.unique(probe.labels[rows], return_inverse=True)
    members = np.eye(len(used))[codes]
    sums = members.T @ kernel @ members
    groups: IntArray = np.zeros(probe.n_outputs, dtype=np.int64)
    groups[used] = np.arange(len(used))
    levels = [Level(1.0, groups)]
    while len(sums) > 1:
        lengths = np.sqrt(sums.diagonal())
        cosines = np.triu(sums / lengths[:, None] / lengths, 1)
        first, second = divmod(int(cosines.argmax()), len(cosines))
        groups = groups.copy()
        groups[groups == second] = first
        groups[groups > second] -= 1
        levels.append(Level(float(cosines[first, second]), groups))
        sums[first] += sums[second]
        sums[:, first] += sums[:, second]
        sums = np.delete(np.delete(sums, second, 0), second, 1)
    return levels


def left_over(levels: Sequence[Level]) -> Level:
    """The last level before the first merge of two clusters that are no parts of one."""
    return list(itertools.takewhile(lambda level: level.cosine > SAME_COSINE, levels))[-1]


def estimate_n_clusters(
    train: Callable[[int], Sequence[Probe]], most: int, *, merges: bool
) -> dict[str, Any]:
    """Count the clusters that restarts with too many outputs find.

    Parameters
    ----------
    train : callable
        ``train(n_outputs)`` gives `PROBES` restarts.
    most : int
        Largest number of outputs that the data allow.
    merges : bool
        Count the clusters after merging parts of one; else as they are.

    Returns
    -------
    dict
        "n_clusters": the median over the restarts of their dominant clusters, those with at least
        n / n_outputs rows. "lowest", "highest": of these counts. "by_agreement": the second opinion, the
        number of clusters in which the restarts, merged until so many are left, agree most; "agreements" has
        the mean adjusted Rand index of two restarts for each number. "tried": a dict for each restart.

    Notes
    -----
    Where no output is left over, the outputs were too few, and twice as many are tried.

    Examples
    --------
    >>> rows = np.repeat([[0.0], [1], [50], [51], [100], [101]], 10, axis=0)
    >>> train = lambda n_outputs: [Probe(np.arange(60) // 10, rows, n_outputs, 0.1)] * PROBES
    >>> found = estimate_n_clusters(train, 10, merges=True)
    >>> found["n_clusters"], found["tried"][0]
    (3, {'n_outputs': 10, 'loss': 0.1, 'used': 6, 'left': 3, 'dominant': 3})
    """
    outputs = max(1, min(FIRST_OUTPUTS, most))
    tried: list[dict[str, Any]] = []
    while True:
        probes = train(outputs)
        levels = [merge_levels(probe) for probe in probes]
        rows = [_row(probe, each, merges) for probe, each in zip(probes, levels, strict=True)]
        tried += rows
        if 2 * outputs > min(most, MOST_OUTPUTS) or min(row["left"] for row in rows) < outputs:
            break
        outputs *= 2
    counts = [row["dominant"] for row in rows]
    agreements = _agreements(probes, levels)
    return {
        "n_clusters": max(1, statistics.median_low(counts)),
        "lowest": min(counts),
        "highest": max(counts),
        "by_agreement": _best(agreements),
        "agreements": agreements,
        "tried": tried,
    }


def _best(agreements: Sequence[dict[str, Any]]) -> int:
    """The number of clusters of largest agreement, of several the largest number."""
    return max(((row["agreement"], row["n_clusters"]) for row in agreements), default=(1.0, 1))[1]


def _row(probe: Probe, levels: Sequence[Level], merges: bool) -> dict[str, Any]:
    """What one restart says."""
    labels = left_over(levels).groups[probe.labels] if merges else probe.labels
    return {
        "n_outputs": probe.n_outputs,
        "loss": probe.loss,
        "used": len(np.unique(probe.labels)),
        "left": len(np.unique(labels)),
        "dominant": dominant_clusters(labels, probe.n_outputs),
    }


def _agreements(probes: Sequence[Probe], levels: Sequence[Sequence[Level]]) -> list[dict[str, Any]]:
    """Mean agreement of two restarts for each number of clusters, from 2 on, that all of them have."""
    most = min(len(each) for each in levels)
    table = []
    for k in range(2, most + 1):
        found = [each[-k].groups[probe.labels] for probe, each in zip(probes, levels, strict=True)]
        scores = [adjusted_rand_score(one, other) for one, other in itertools.combinations(found, 2)]
        table.append({"n_clusters": k, "agreement": float(np.mean(scores))})
    return table
