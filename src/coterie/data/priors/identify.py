"""The rule of what can be identified: parts that overlap too much count as one cluster.

The nearest neighbours of a row, seven or as many as its part has, vote for parts. Each vote is divided by
the size of its part, so that small parts count as much as large ones. For two parts a and b, the confusion is
the share of votes that rows of a give to b among those they give to a or b, averaged with the same share of
b. It estimates the error of a classifier that knows all labels but the row's own, with both parts equally
probable. A clustering knows no labels, so it cannot separate what this classifier cannot.
Parts whose confusion is above a threshold are joined, directly or through others. The default, 0.22, is
the confusion of two equal Gaussian parts whose centres are two standard deviations apart, where their mixture
ceases to have two modes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from coterie.data.priors.columns import standardise
from coterie.data.priors.mixtures import Labels, Points

THRESHOLD = 0.22
NEIGHBOURS = 7


def merge_confused(points: Points, labels: Labels, threshold: float = THRESHOLD) -> Labels:
    """Join the parts of a table that neighbours confuse, and number the clusters 0..k-1.

    Parameters
    ----------
    points : float array of shape (n, d)
        Columns are standardised first.
    labels : int64 array of shape (n,)
        Parts; negative: outliers, which do not vote and stay -1.
    threshold : float, default=0.22
        Largest confusion of two parts that stay two clusters.

    Returns
    -------
    int64 array of shape (n,)

    Examples
    --------
    >>> points = np.array([[0.0], [0.1], [0.2], [0.3], [5.0], [5.1], [5.2]])
    >>> merge_confused(points, np.array([0, 1, 0, 1, 2, 2, 2])).tolist()
    [0, 0, 0, 0, 1, 1, 1]
    """
    known = labels >= 0
    codes, parts = np.unique(labels[known], return_inverse=True)
    joined = confusion(standardise(points)[known], parts, len(codes)) > threshold
    _, clusters = connected_components(csr_matrix(joined), directed=False)
    found = np.full(len(labels), -1, dtype=np.int64)
    found[known] = clusters[parts]
    return found


def confusion(points: Points, parts: Labels, n_parts: int) -> npt.NDArray[np.float64]:
    """Confusion (n_parts, n_parts) of parts 0..n_parts-1, symmetric, in [0, 1]; the diagonal is 0."""
    sizes = np.bincount(parts, minlength=n_parts)
    n_neighbours = min(NEIGHBOURS, len(points) - 1)
    near = cKDTree(points).query(points, n_neighbours + 1)[1].reshape(len(points), -1)[:, 1:]
    # a part of few rows has no more neighbours of its own than that: further ones would say nothing
    asked = np.arange(near.shape[1]) < (sizes[parts] - 1)[:, None]
    # a row's own part lacks the row itself
    held = sizes[parts[near]] - (parts[near] == parts[:, None])
    votes = np.zeros((n_parts, n_parts))
    np.add.at(votes, (np.repeat(parts, near.shape[1]), parts[near].ravel()), (asked / held).ravel())
    own = votes.diagonal()
    share = votes / (votes + own[:, None] + 1e-12)
    np.fill_diagonal(share, 0)
    return np.asarray((share + share.T) / 2)
