"""Calibration of log odds on held-out pairs: a temperature, and the threshold of "similar"."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from coterie.methods.base import FloatArray

# Odds are never sharpened: where a few held-out pairs are all right, the best temperature would be 0.
_LOG_TEMPERATURES = (0.0, 5.0)


class Weighted:
    """Kinds of pairs, weighted so that a given share of the whole is similar; the mean weight is 1."""

    def __init__(self, same: npt.NDArray[np.bool_], share: float) -> None:
        self.same = same.astype(bool)
        found = float(same.mean())
        self.weight = np.where(same, share / max(found, 1e-12), (1 - share) / max(1 - found, 1e-12))

    def mean(self, values: npt.NDArray[Any]) -> float:
        return float((self.weight * values).mean())


def calibrate(odds: FloatArray, same: npt.NDArray[np.bool_], share: float) -> tuple[float, float]:
    """Temperature of least log loss, and the calibrated probability from which "similar" has the largest F1.

    Parameters
    ----------
    odds : float64 array of shape (m,)
        Log odds of "same".
    same : bool array of shape (m,)
    share : float
        Share of the pairs that is similar where the answers are used; both kinds are weighted to it.

    Returns
    -------
    temperature, threshold : float
        1 and 0.5 where all pairs are of one kind.

    Examples
    --------
    >>> import numpy as np
    >>> odds, same = np.array([-9.0, 9.0, -9.0, 9.0]), np.array([0, 1, 1, 0]) == 1
    >>> temperature, threshold = calibrate(odds, same, share=0.5)
    >>> temperature > 100
    True
    """
    if same.all() or not same.any():
        return 1.0, 0.5
    pairs = Weighted(same, share)
    found = minimize_scalar(
        lambda log_t: _log_loss(odds * np.exp(-log_t), pairs), bounds=_LOG_TEMPERATURES, method="bounded"
    )
    temperature = float(np.exp(found.x))
    order = np.argsort(-odds, kind="stable")
    hits = np.cumsum((pairs.weight * same)[order])
    f1 = 2 * hits / (np.cumsum(pairs.weight[order]) + hits[-1])
    # between equal odds no threshold can pass
    f1[:-1][np.diff(odds[order]) == 0] = -1
    best = int(f1.argmax())
    lowest = odds[order[best]]
    next_one = odds[order[best + 1]] if best + 1 < len(order) else lowest
    return temperature, float(_sigmoid((lowest + next_one) / 2 / temperature))


def _sigmoid(odds: Any) -> Any:
    return 0.5 * (1 + np.tanh(odds / 2))


def _log_loss(odds: FloatArray, pairs: Weighted) -> float:
    return pairs.mean(np.logaddexp(0, np.where(pairs.same, -odds, odds)))


def quality(odds: FloatArray, pairs: Weighted, threshold: float) -> dict[str, float]:
    """Log loss of calibrated odds, precision and recall of "similar" at the threshold."""
    called = _sigmoid(odds) >= threshold
    hits = pairs.mean(called & pairs.same)
    return {
        "log_loss": _log_loss(odds, pairs),
        "precision": hits / max(1e-12, pairs.mean(called)),
        "recall": hits / max(1e-12, pairs.mean(pairs.same)),
    }
