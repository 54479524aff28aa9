"""k-means on what the method was given: how much was there without it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from coterie.data.arrays import SampleArray, row_parts, rows_in_memory
from coterie.data.labels import encode_labels
from coterie.metrics import clustering_accuracy, nmi

Ints = npt.NDArray[np.int64]
MOST_ROWS = 5000
# of `rows_in_memory`, where samples are large
MOST_PARTS = 4
RESTARTS = 3


def unit_rows(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Rows of length 1: k-means on an encoder's vectors is better so."""
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.maximum(lengths, 1e-12))


def kmeans_labels(values: npt.NDArray[Any], n_clusters: int, *, unit: bool) -> Ints:
    """Clusters of rows by k-means.

    Parameters
    ----------
    values : array of shape (n, ...)
    n_clusters : int
    unit : bool
        Whether rows are brought to length 1 first.

    Returns
    -------
    int64 array of shape (n,)

    Examples
    --------
    >>> kmeans_labels(np.array([[0.0], [0.1], [5.0]]), 2, unit=False).tolist()
    [0, 0, 1]
    """
    flat = np.asarray(values, dtype=np.float32).reshape(len(values), -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # there may be fewer distinct rows
        model = KMeans(min(n_clusters, len(flat)), n_init=RESTARTS, random_state=0)
        found = model.fit_predict(unit_rows(flat) if unit else flat)
    # numbered by first rows, so that they do not depend on the order of centres
    _, first, numbers = np.unique(found, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[numbers].astype(np.int64)


def kmeans_line(
    estimator: Any, samples: SampleArray, rows: Ints, labels: Ints, truth: npt.NDArray[Any] | None
) -> str:
    """What k-means with as many clusters finds on the same features, in a line.

    Parameters
    ----------
    estimator : NeuralClusterer
    samples : array of shape (n, ...)
    rows : int64 array of shape (m,)
        Those that were clustered.
    labels : int64 array of shape (m,)
        Their clusters.
    truth : array of shape (n,) or None
        Known labels, unknown ones as None or -1.
    """
    shape = samples.shape[1:]
    most = min(len(rows), MOST_ROWS, MOST_PARTS * rows_in_memory(shape))
    places = np.unique(np.linspace(0, len(rows) - 1, most).astype(np.int64))
    encoder = estimator.encoder_
    values = np.concatenate([_values(estimator, samples[part]) for part in row_parts(rows[places], shape)])
    found = kmeans_labels(values, estimator.n_outputs_, unit=encoder is not None)
    own = labels[places]
    shown = f" on {len(places):,} of the rows" if len(places) < len(rows) else ""
    return (
        f"k-means with {estimator.n_outputs_} clusters on the same {_features(encoder)}{shown}: agreement "
        f"with this clustering {clustering_accuracy(own, found):.3f} (NMI {nmi(own, found):.3f})"
        f"{_accuracies(own, found, truth, rows[places])}."
    )


def _values(estimator: Any, samples: SampleArray) -> npt.NDArray[np.float32]:
    """An encoder's vectors as they are; anything else as the network was given it."""
    values = np.asarray(samples)
    if estimator.encoder_ is None:
        scaling = estimator.scaling_
        values = (values.astype(np.float64) - scaling.offset) * scaling.factor
    return values.astype(np.float32)


def _features(encoder: Mapping[str, Any] | None) -> str:
    return "values" if encoder is None else f"vectors of {encoder['name']} ({encoder['source']})"


def _accuracies(own: Ints, found: Ints, truth: npt.NDArray[Any] | None, rows: Ints) -> str:
    if truth is None:
        return ""
    codes = encode_labels(truth)[0][rows]
    known = codes >= 0
    if not known.any():
        return ""
    scores = [float(clustering_accuracy(codes[known], one[known])) for one in (found, own)]
    return f"; accuracy of k-means {scores[0]:.3f}, of this clustering {scores[1]:.3f} on the same rows"
