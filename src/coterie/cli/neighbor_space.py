"""Rows of a data set as points whose neighbor_space means likeness."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError
from coterie.data.arrays import SampleArray, fit_scaling
from coterie.methods.base import NeuralEstimator

# pixels of larger samples lie far apart for reasons that mean nothing
LARGEST_ITEM = 1024


class NeighborSpace:
    """Small samples themselves, scaled; of larger ones the embedding of a run.

    On shrunk MNIST images, questions and neighbours chosen by pixels gave a lower error than by the embedding
    of a first run, whose clusters are to correct.

    Parameters
    ----------
    samples : array or DatasetRows of shape (n, ...)
    fitted : NeuralEstimator or None
        The run.

    Raises
    ------
    InputError
        The samples are large, and there is no run.
    """

    def __init__(self, samples: SampleArray, fitted: NeuralEstimator | None) -> None:
        self._items = samples
        self._run = None
        size = int(np.prod(samples.shape[1:]))
        if size <= LARGEST_ITEM:
            self._scaling = fitted.scaling_ if fitted else fit_scaling(samples, standardise=True)
        elif fitted is None:
            raise InputError(
                f"--neighbors: samples must have at most {LARGEST_ITEM:,} numbers, got {size:,}; give "
                "--init RUN, and neighbors are found in the embedding of that run"
            )
        else:
            self._run = fitted

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Points of some rows, of shape (len(rows), e)."""
        values = np.asarray(self._items[rows])
        if self._run is not None:
            return np.asarray(self._run.transform(values), dtype=np.float64)
        scaled = (values.astype(np.float64) - self._scaling.offset) * self._scaling.factor
        return np.asarray(scaled).reshape(len(rows), -1)
