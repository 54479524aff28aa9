"""How much is still wrong: chances that labels are right, as answers show, and what more would bring."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# shift and slope of the log odds, and what is added for samples that were chosen because they seemed wrong;
# how far each may be from that: few answers show too little to trust
_BEFORE, _SPREAD = (0.5, 1.0, -0.5), (1.5, 0.5, 1.0)
_FLATTEST, _STEPS = 0.05, 100
_SUREST = 0.999
_BINS = 10
# what more answers would bring is said after so many
FEWEST = 10


@dataclass(frozen=True)
class Calibration:
    """Log odds of beliefs, shifted and scaled.

    Attributes
    ----------
    shift, slope : float
    covariance : array of shape (2, 2)
        How far both may be from that.
    """

    shift: float
    slope: float
    covariance: Floats

    @classmethod
    def of(
        cls, beliefs: Floats, came_true: npt.NDArray[np.bool_], chosen: npt.NDArray[np.bool_]
    ) -> Calibration:
        """Fit the calibration that makes beliefs agree with the answers; with few answers it changes little.

        Platt, "Probabilistic outputs for support vector machines", 1999, with normal priors on all numbers.

        Parameters
        ----------
        beliefs : array of shape (m,)
        came_true : bool array of shape (m,)
        chosen : bool array of shape (m,)
            Whether a question was asked because its sample seemed wrong. Such samples are wrong more often
            than others of the same belief; how much more, answers about samples drawn at random show.

        Examples
        --------
        >>> drawn = np.zeros(40, dtype=bool)
        >>> found = Calibration.of(np.full(40, 0.9), np.arange(40) < 20, drawn)
        >>> bool(0.4 < found(np.array([0.9]))[0] < 0.6)
        True
        """
        columns = np.stack([np.ones(len(beliefs)), _log_odds(beliefs), chosen])
        before, precision = np.array(_BEFORE), np.diag(np.array(_SPREAD) ** -2.0)
        found = before.copy()
        # no curvature of the loss is larger, so that every step lowers it
        most = np.linalg.inv(columns @ columns.T / 4 + precision)
        for _ in range(_STEPS):
            expected = _chances(found @ columns)
            found = found - most @ (columns @ (expected - came_true) + precision @ (found - before))
        expected = _chances(found @ columns)
        curvature = (columns * (expected * (1 - expected))) @ columns.T + precision
        return cls(
            float(found[0]), max(_FLATTEST, float(found[1])), np.asarray(np.linalg.inv(curvature)[:2, :2])
        )

    def __call__(self, beliefs: npt.NDArray[np.floating]) -> Floats:
        """Calibrated beliefs."""
        return _chances(self.shift + self.slope * _log_odds(beliefs))

    def draws(self, beliefs: npt.NDArray[np.floating], added: Floats, rng: np.random.Generator) -> Floats:
        """Calibrated beliefs (d, m), by numbers drawn from all that the answers leave open.

        Parameters
        ----------
        beliefs : array of shape (m,)
        added : array of shape (d, m)
            To the log odds.
        rng : numpy.random.Generator
        """
        drawn = rng.multivariate_normal((self.shift, self.slope), self.covariance, size=len(added))
        slopes = np.maximum(drawn[:, 1:], _FLATTEST)
        return _chances(drawn[:, :1] + slopes * _log_odds(beliefs) + added)


def _chances(log_odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def _log_odds(beliefs: npt.NDArray[np.floating]) -> Floats:
    clipped = np.clip(np.asarray(beliefs, dtype=np.float64), 1 - _SUREST, _SUREST)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def calibration_error(beliefs: npt.NDArray[np.floating], came_true: npt.NDArray[np.bool_]) -> float:
    """Expected calibration error: ten bins of equal width, each weighted by its share.

    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI
    2015.

    Examples
    --------
    >>> round(calibration_error(np.array([0.9, 0.9, 0.2]), np.array([True, False, False])), 3)
    0.333
    """
    bins = np.minimum((beliefs * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, beliefs - came_true, minlength=_BINS)
    return float(np.abs(gaps).sum() / max(1, len(beliefs)))


def unassigned_curve(
    confidence: npt.NDArray[np.floating], certainty: npt.NDArray[np.floating] | None = None
) -> npt.NDArray[np.void]:
    """What leaving out the least certain samples costs.

    Parameters
    ----------
    confidence : array of shape (n,)
        How likely each label is right.
    certainty : array of shape (n,), optional
        What the threshold is compared with; by default the confidence.

    Returns
    -------
    structured array
        For thresholds 0, 0.05, ... 0.95 and 0.99: "threshold", "unassigned" (share of samples below it) and
        "wrong" (expected share of wrong labels among the others; 0 where none is left).

    Examples
    --------
    >>> curve = unassigned_curve(np.array([0.5, 1.0]))
    >>> curve[curve["threshold"] == 0.6].tolist()
    [(0.6, 0.5, 0.0)]
    """
    compared = confidence if certainty is None else certainty
    rows = []
    for threshold in [*np.arange(0, 20) / 20, 0.99]:
        kept = confidence[compared >= threshold]
        wrong = float((1 - kept).mean()) if len(kept) else 0.0
        rows.append((float(threshold), 1 - len(kept) / len(confidence), wrong))
    return np.array(rows, dtype=[("threshold", "f8"), ("unassigned", "f8"), ("wrong", "f8")])


def forecast(history: Sequence[float], n_more: int) -> float:
    """The share that will be wrong after more answers, if each takes as large a part of it as those before.

    Parameters
    ----------
    history : sequence of float
        The estimated share after each answer.
    n_more : int

    Examples
    --------
    >>> round(forecast([0.08, 0.04, 0.02], 1), 3)
    0.01
    """
    later = [max(share, 1e-9) for share in history[len(history) // 3 :]]
    if len(later) < 2:
        return history[-1]
    rate = max(0.0, np.log(later[0] / later[-1]) / (len(later) - 1))
    return float(history[-1] * np.exp(-rate * n_more))


def still_wrong(share: float, between: tuple[float, float]) -> str:
    """The share that is wrong, in words.

    Examples
    --------
    >>> still_wrong(0.081, (0.042, 0.163))
    'about 8.1% is still wrong (between 4% and 17%)'
    """
    low, high = math.floor(100 * between[0]), math.ceil(100 * between[1])
    return f"about {100 * share:.1f}% is still wrong (between {low}% and {high}%)"
