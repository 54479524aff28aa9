"""Between which shares of wrong labels the true one most likely is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from coterie.methods.stopping import Calibration
from coterie.methods.ties import Ties

Floats = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]

# how often all that is not known is drawn, and for how many samples
_DRAWS, _MOST_ROWS = 200, 2000
# of the log odds of one group, beside all others
_OF_GROUP = 0.8
# of the draws, left out at both ends
_TAIL = 0.025


def wrong_interval(
    calibration: Calibration, beliefs: Floats, asked: Floats, groups: Ints, ties: Ties
) -> tuple[float, float]:
    """The shares of wrong labels between which 95 of 100 draws are.

    Drawn are the calibration, how much it differs from group to group, how often two groups are one, and
    which ones.

    Parameters
    ----------
    calibration : Calibration
    beliefs : array of shape (n,)
        How firmly each sample is believed to be of its group.
    asked : array of shape (n,)
        How likely the label is right where that was asked, else NaN.
    groups : int64 array of shape (n,)
    ties : Ties
    """
    rng = np.random.default_rng(0)
    rows = np.linspace(0, len(beliefs) - 1, min(len(beliefs), _MOST_ROWS)).astype(int)
    beliefs, asked, groups = beliefs[rows], asked[rows], groups[rows]
    apart = _OF_GROUP * rng.normal(size=(_DRAWS, len(ties.alike)))
    right = calibration.draws(beliefs, apart[:, groups], rng)
    right = np.where(np.isnan(asked), right, asked)
    rates = np.stack([rng.gamma(one, 1 / looked_at, size=_DRAWS) for one, looked_at in ties.known], axis=1)
    part = np.stack([ties.part_of(near, far).sum(axis=1) for near, far in rates])
    whole = rng.random(part.shape) >= part
    wrong = 1 - (right * whole[:, groups]).mean(axis=1)
    low, high = np.quantile(wrong, (_TAIL, 1 - _TAIL))
    return float(low), float(high)
