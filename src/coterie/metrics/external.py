"""How well a clustering agrees with known classes, and how many clusters carry weight."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import normalized_mutual_info_score

from coterie._checks import check_choice
from coterie._errors import InputError, InputTypeError
from coterie.metrics.inputs import as_labels

_AVERAGES = ("arithmetic", "geometric", "max")


def contingency(y_true: ArrayLike, y_pred: ArrayLike) -> npt.NDArray[np.int64]:
    """Count the samples of every class in every cluster.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Classes, labels of any one type.
    y_pred : array-like of shape (n,)
        Clusters, labels of any one type.

    Returns
    -------
    int64 array of shape (n_classes, n_clusters)
        Rows and columns in sorted order of the labels that occur; the entries sum to n.

    Raises
    ------
    InputError, InputTypeError
        An argument is empty, not 1-D, holds NaN or labels that do not sort; or the lengths differ.

    Examples
    --------
    >>> contingency(["a", "a", "b"], [1, 1, 0])
    array([[0, 2],
           [1, 0]])
    """
    return _table(y_true, y_pred)[0]


def map_clusters(y_true: ArrayLike, y_pred: ArrayLike) -> dict[Any, Any]:
    """Match clusters to classes one to one so that most samples agree (Hungarian method).

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n,)
        Classes and clusters, labels of any one type each.

    Returns
    -------
    dict
        Cluster label -> class label, with min(n_classes, n_clusters) entries; other clusters have none.
        Ties go to the smaller labels.

    Raises
    ------
    InputError, InputTypeError
        As `contingency`.

    See Also
    --------
    mapped_accuracy : Applies a mapping to new data.

    Examples
    --------
    >>> map_clusters(["a", "a", "b"], [1, 1, 0])
    {0: 'b', 1: 'a'}
    """
    table, classes, clusters = _table(y_true, y_pred)
    rows, columns = linear_sum_assignment(table, maximize=True)
    pairs = sorted(zip(columns.tolist(), rows.tolist(), strict=True))
    names, values = clusters.tolist(), classes.tolist()
    return {names[column]: values[row] for column, row in pairs}


def mapped_accuracy(y_true: ArrayLike, y_pred: ArrayLike, mapping: dict[Any, Any]) -> float:
    """Share of samples whose cluster, under a mapping found elsewhere, is their class.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n,)
        Classes and clusters of, say, a test set.
    mapping : dict
        Cluster -> class, as `map_clusters` gives it on a training set. A cluster without an entry is an
        error for all its members.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    InputError, InputTypeError
        As `contingency`; or `mapping` is not a dict.

    Examples
    --------
    >>> mapped_accuracy(["a", "b", "b"], [1, 0, 1], {0: "b", 1: "a"})
    0.6666666666666666
    """
    if not isinstance(mapping, dict):
        raise InputTypeError(f"mapping must be a dict, cluster -> class, got {type(mapping).__name__}.")
    table, classes, clusters = _table(y_true, y_pred)
    row_of = {label: row for row, label in enumerate(classes.tolist())}
    hits = sum(
        int(table[row_of[mapping[label]], column])
        for column, label in enumerate(clusters.tolist())
        if label in mapping and mapping[label] in row_of
    )
    return hits / int(table.sum())


def clustering_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Share of samples that agree under the best one-to-one matching of clusters and classes.

    Equation 6 of Kampffmeyer et al. 2019 (DDC); the matching is found by the Hungarian method. With more
    clusters than classes the unmatched clusters count as errors; with fewer, the unmatched classes do.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n,)
        Classes and clusters, labels of any one type each.

    Returns
    -------
    float
        In (0, 1].

    Raises
    ------
    InputError, InputTypeError
        As `contingency`.

    Examples
    --------
    >>> clustering_accuracy([0, 0, 1, 1], [5, 5, 5, 2])
    0.75
    """
    table = contingency(y_true, y_pred)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum() / table.sum())


def balanced_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Mean over the classes of the share that lies in its cluster, under the best one-to-one matching.

    Small classes count as much as large ones. The matching maximises this mean, so that it may differ from
    that of `clustering_accuracy`.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n,)
        Classes and clusters, labels of any one type each.

    Returns
    -------
    float
        In (0, 1].

    Raises
    ------
    InputError, InputTypeError
        As `contingency`.

    Examples
    --------
    >>> balanced_accuracy(["a", "a", "a", "b"], [0, 0, 1, 1])
    0.8333333333333333
    """
    table = contingency(y_true, y_pred)
    shares = table / table.sum(axis=1, keepdims=True)
    rows, columns = linear_sum_assignment(shares, maximize=True)
    return float(shares[rows, columns].sum() / len(shares))


def misclassification_rate(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Share of samples that disagree under the best one-to-one matching: 1 - `clustering_accuracy`.

    The code released with learning2cluster matches greedily instead and so reports an upper bound of this
    value (0.60 where the best matching gives 0.45, on one case): never put the two in one column.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n,)
        Classes and clusters, labels of any one type each.

    Returns
    -------
    float
        In [0, 1).

    Raises
    ------
    InputError, InputTypeError
        As `contingency`.

    Examples
    --------
    >>> misclassification_rate([0, 0, 1, 1], [5, 5, 5, 2])
    0.25
    """
    return 1.0 - clustering_accuracy(y_true, y_pred)


def purity(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Share of samples that belong to the commonest class of their cluster.

    It never falls when a cluster is split: clusters of one sample have purity 1.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n,)
        Classes and clusters, labels of any one type each.

    Returns
    -------
    float
        In (0, 1], at least `clustering_accuracy`.

    Raises
    ------
    InputError, InputTypeError
        As `contingency`.

    Examples
    --------
    >>> purity(["a", "a", "b", "b"], [0, 1, 2, 2])
    1.0
    """
    table = contingency(y_true, y_pred)
    return float(table.max(axis=0).sum() / table.sum())


def nmi(y_true: ArrayLike, y_pred: ArrayLike, *, average: str = "arithmetic") -> float:
    """Mutual information of classes and clusters over an average of their entropies.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n,)
        Classes and clusters, labels of any one type each.
    average : {"arithmetic", "geometric", "max"}
        "arithmetic" is equation 5 of Kampffmeyer et al. 2019 (DDC); "geometric" is the definition of
        Strehl and Ghosh 2002, used by the KCL paper and by learning2cluster.

    Returns
    -------
    float
        In [0, 1]. One class against one cluster is 1; one against several is 0 (as in scikit-learn).

    Raises
    ------
    InputError, InputTypeError
        As `contingency`; or `average` is none of the three.

    Examples
    --------
    >>> nmi(["a", "a", "b", "b"], [1, 1, 0, 0])
    1.0
    """
    check_choice("average", average, _AVERAGES)
    truth, found = _coded_pair(y_true, y_pred)
    score = normalized_mutual_info_score(truth[0], found[0], average_method=average)
    # sklearn's logarithms leave values such as 1.0000000000000002.
    return min(max(float(score), 0.0), 1.0)


def dominant_clusters(labels: ArrayLike, n_clusters: int) -> int:
    """Count the clusters that hold at least n / n_clusters samples (arXiv:1711.10125).

    With many more clusters than classes it estimates the number of classes. Near the true number it
    undercounts: even perfect clusters of a nearly balanced set are partly smaller than n / n_clusters.

    Parameters
    ----------
    labels : array-like of shape (n,)
        Cluster of each sample, labels of any one type.
    n_clusters : int >= 1
        Number of clusters the model was given, used or not.

    Returns
    -------
    int
        In [0, n_clusters] if `labels` holds no more than `n_clusters` clusters.

    Raises
    ------
    InputError, InputTypeError
        As `contingency`; or `n_clusters` is not an integer >= 1.

    Examples
    --------
    >>> dominant_clusters([0, 0, 0, 1, 1, 1, 2], n_clusters=5)
    2
    """
    if isinstance(n_clusters, bool) or not isinstance(n_clusters, int | np.integer):
        raise InputTypeError(f"n_clusters must be an integer, got {type(n_clusters).__name__}.")
    if n_clusters < 1:
        raise InputError(f"n_clusters must be >= 1, got {n_clusters}.")
    codes, _ = _coded(labels, "labels")
    # Whole numbers: a quotient such as n / 3 would be rounded at the very bound.
    return sum(count * int(n_clusters) >= len(codes) for count in np.bincount(codes).tolist())


_Coded = tuple[npt.NDArray[np.int64], npt.NDArray[Any]]


def _coded(labels: ArrayLike, name: str) -> _Coded:
    """Labels (n,) -> codes 0..m-1 of shape (n,) and the m sorted labels."""
    array = as_labels(name, labels)
    if array.ndim != 1 or array.size == 0:
        raise InputError(f"{name} must be 1-D and not empty, got shape {array.shape}.")
    if array.dtype.kind == "c":
        raise InputTypeError(f"{name} must hold labels that sort, got complex numbers.")
    missing = int((array != array).sum()) if array.dtype.kind in "fO" else 0
    if missing or (array.dtype.kind == "O" and any(label is None for label in array)):
        raise InputError(f"{name} must hold a label for every sample, got NaN or None.")
    try:
        values, codes = np.unique(array, return_inverse=True)
    except TypeError as error:
        kinds = sorted({type(label).__name__ for label in array})
        raise InputTypeError(f"{name} must hold labels of one type, got {', '.join(kinds)}.") from error
    return codes.astype(np.int64), values


def _coded_pair(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[_Coded, _Coded]:
    truth, found = _coded(y_true, "y_true"), _coded(y_pred, "y_pred")
    if len(truth[0]) != len(found[0]):
        raise InputError(f"y_true and y_pred must be equally long, got {len(truth[0])} and {len(found[0])}.")
    return truth, found


def _table(
    y_true: ArrayLike, y_pred: ArrayLike
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any], npt.NDArray[Any]]:
    """Counts (classes, clusters), the classes, the clusters."""
    (rows, classes), (columns, clusters) = _coded_pair(y_true, y_pred)
    flat = np.bincount(rows * len(clusters) + columns, minlength=len(classes) * len(clusters))
    return flat.reshape(len(classes), len(clusters)).astype(np.int64), classes, clusters
