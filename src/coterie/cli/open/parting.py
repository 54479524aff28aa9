"""Parts of a cluster, to be looked at before it is split."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.cluster.vq import kmeans2

Ints = npt.NDArray[np.int64]
_STARTS = 8


def split_points(points: npt.NDArray[np.float32], n_parts: int) -> Ints:
    """The best of a few runs of k-means.

    Examples
    --------
    >>> found = split_points(np.array([[0.0], [0.1], [5.0], [5.1]], dtype=np.float32), 2)
    >>> bool(found[0] == found[1] != found[2] == found[3])
    True
    """
    best: tuple[float, Ints] | None = None
    for seed in range(_STARTS):
        with np.errstate(all="ignore"):
            centers, found = kmeans2(
                points, n_parts, minit="++", seed=seed, missing="warn", check_finite=False
            )
        error = float(((points - centers[found]) ** 2).sum())
        if best is None or error < best[0]:
            best = error, found.astype(np.int64)
    assert best is not None, "there is at least one start"
    return best[1]
