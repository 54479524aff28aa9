"""L2C's model for tables clusters one table; new rows join its clusters."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import ClusterMixin
from sklearn.utils import Tags

from coterie._errors import InputError
from coterie.data.arrays import SampleArray, ScaledSource, fit_scaling
from coterie.methods.base import AUTO, FloatArray, IntArray, NeuralEstimator
from coterie.methods.checks import as_random_state
from coterie.methods.clusterer import NeuralClusterer
from coterie.methods.l2c import L2C
from coterie.methods.noise import reach_limits, row_reach
from coterie.methods.table_rows import choose_count
from coterie.metrics import dominant_clusters
from coterie.nn import ClusterNetwork
from coterie.nn.nearest import NearestHead, build_nearest
from coterie.params import check_parameters, parameters
from coterie.params.table_clusterer import MOST_CLUSTERS, TableClustererParams


@parameters
class TableClusterer(TableClustererParams, ClusterMixin, NeuralClusterer):
    """
    ``L2C.from_pretrained("tables")`` clusters the table, or a random sample of a large one, in one pass. The
    samples that it saw are kept with their probabilities, and every other sample, of the table or new, takes
    over those of the nearest one. So new samples join the clusters of the old ones, which keep their numbers.
    A saved model holds these samples, standardised.

    Attributes
    ----------
    loss_ : float
        -log P(k) of the number of clusters.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from coterie import TableClusterer
    >>> X, _ = load_iris(return_X_y=True)
    >>> model = TableClusterer().fit(X)
    >>> model.n_clusters_ in (2, 3), bool((model.predict(X) == model.labels_).all())
    (True, True)
    """

    _saved_fields: ClassVar[tuple[str, ...]] = (
        *NeuralClusterer._saved_fields,
        *("n_kept_", "count_proba_"),
    )
    _loss_name: ClassVar[str] = "-log P(k)"

    def __dir__(self) -> list[str]:
        """Names without those of parameters that this class does not have."""
        return sorted(set(super().__dir__()) - set(self._without))

    def start_from(self, fitted: NeuralEstimator | None) -> Self:
        """Refuse a fitted estimator: nothing is trained.

        Parameters
        ----------
        fitted : None

        Returns
        -------
        self

        Raises
        ------
        InputError
            An estimator is given.
        """
        if fitted is not None:
            raise InputError(
                "fitted must be None: TableClusterer trains nothing that could start from weights"
            )
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = False
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Cluster a table.

        Parameters
        ----------
        X : array-like or data frame of shape (n, d)
            At least 2 samples. Columns of words, dates and gaps of a data frame become numbers.
        y : ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self

        Raises
        ------
        InputError, InputTypeError
            For input or parameters out of range.

        Warns
        -----
        UserWarning
            20 clusters were found, the largest number, and there may be more; or all samples are equal.
        """
        samples = self._check_samples(X, reset=True)
        check_parameters(self)
        self._check_table(samples)
        chosen = as_random_state(self.random_state).permutation(len(samples))[: self.max_set_size]
        self._keep(samples, np.sort(chosen))
        self._describe(samples)
        return self

    def _check_table(self, samples: SampleArray) -> None:
        if len(self.sample_shape_) != 1:
            raise InputError(f"X must have shape (n, d), got samples of shape {self.sample_shape_}")
        least = 2 if self.n_clusters == AUTO else max(2, int(self.n_clusters))
        if len(samples) < least:
            raise InputError(f"n_samples={len(samples)} must be >= {least}")

    def _keep(self, samples: SampleArray, rows: IntArray) -> None:
        """Cluster these rows by the shipped model and make a network of them."""
        model = L2C.from_pretrained("tables").set_params(
            max_set_size=self.max_set_size, threads=self.threads, device=self.device
        )
        count_proba, assignments = model.predict_all(np.asarray(samples[rows], dtype=np.float64))
        self.n_outputs_ = self._count(count_proba)
        self.count_proba_, self.n_kept_ = count_proba.tolist(), len(rows)
        self.scaling_ = fit_scaling(samples, True)
        self.max_pixels_ = None
        self.network_ = self._make_network(0)
        self.members_ = [self.network_]
        source = ScaledSource(samples, self.scaling_, torch.device("cpu"))
        _head(self.network_).keep(source.take(rows), torch.from_numpy(assignments[self.n_outputs_ - 1]))
        self.loss_ = float(-np.log(max(count_proba[self.n_outputs_ - 1], np.finfo(float).tiny)))
        self.history_ = [{"restart": 0, "epoch": 0, "loss": self.loss_}]
        self.runs_ = [{"restart": 0, "seed": 0, "loss": self.loss_, "chosen": True}]
        self.n_clusters_estimate_ = None

    def _count(self, count_proba: FloatArray) -> int:
        """The number of clusters that is asked for, or found."""
        if self.n_clusters != AUTO:
            return int(self.n_clusters)
        found = choose_count(count_proba)
        if found == MOST_CLUSTERS:
            warnings.warn(
                f"n_clusters: {found} clusters were found, the largest number that this method can find; "
                "there may be more",
                UserWarning,
                stacklevel=4,
            )
        return found

    def _describe(self, samples: SampleArray) -> None:
        """Labels, and what follows from them."""
        found = self._most_probable(samples)
        if self.noise:
            _head(self.network_).limit(reach_limits(self._reach(samples), found, self.n_outputs_))
        self.labels_ = self._mark(samples, found)
        self.n_clusters_ = len(np.unique(found))
        self.n_dominant_ = dominant_clusters(found, self.n_outputs_)

    def _make_network(self, seed: int) -> ClusterNetwork:
        """A network that keeps as many samples as the fit did, all 0 as yet."""
        return build_nearest(self.sample_shape_, self.n_kept_, self.n_outputs_).eval()

    def predict(self, X: Any) -> IntArray:
        """Cluster of the nearest sample that the model has kept.

        Parameters
        ----------
        X : array-like of shape (n, d)

        Returns
        -------
        int64 array of shape (n,), values from 0 to `n_outputs_` - 1; with noise=True also -1
        """
        found = super().predict(X)
        return self._mark(self._check_samples(X, reset=False), found)

    def _mark(self, samples: SampleArray, labels: IntArray) -> IntArray:
        """The labels with those of noise replaced by -1."""
        if not self.noise:
            return labels
        limits = _head(self.network_).limits.cpu().numpy()
        return np.where(self._reach(samples) > limits[labels], -1, labels)

    def _reach(self, samples: SampleArray) -> FloatArray:
        """Distance of each sample to its 8th nearest kept one."""
        return row_reach(self._embed(samples), _head(self.network_).samples.detach().cpu().numpy())


def _head(network: ClusterNetwork) -> NearestHead:
    head = network.head
    assert isinstance(head, NearestHead)
    return head
