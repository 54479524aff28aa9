"""L2C: a network that is itself the clustering algorithm.

Meier, Elezi, Amirian, Dürr and Stadelmann, "Learning neural models for end-to-end clustering", ANNPR 2018
(arXiv:1807.04001).
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Self, cast

import numpy as np
import torch
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from coterie._checks import check_value
from coterie._errors import InputError
from coterie._types import Batch, Output
from coterie.data.arrays import SampleArray, data_digest
from coterie.data.augment import Augment, SignedPermutation, is_by_rows
from coterie.data.readers import Samples
from coterie.data.sets import GivenSets, SetBatches, fitting_set_size
from coterie.engine.objective import Objective
from coterie.engine.recipe import Recipe
from coterie.engine.storage import read_tensors
from coterie.losses.l2c import class_weights, l2c_terms, pair_cross_entropy, same_matrices, true_counts
from coterie.methods.base import AUTO, FloatArray, IntArray, NeuralEstimator, Training
from coterie.methods.checks import check_labels
from coterie.methods.embedded import embed_x
from coterie.methods.from_file import from_file
from coterie.methods.given_sets import check_groups, check_sets
from coterie.methods.noise import find_noise
from coterie.methods.one_set import cluster_set, set_points
from coterie.methods.samples import change_values
from coterie.methods.table_rows import choose_count, table_rows
from coterie.methods.tables import frame_values
from coterie.nn import channels_last
from coterie.nn.set_network import SetNetwork, build_set_network
from coterie.params import Range, parameters
from coterie.params.l2c import L2CParams

SetSampler = SetBatches | GivenSets
PRETRAINED = ("points2d", "points2d-10", "tables")
# The paper's sizes of sets and batches: n = 72, N = 200 for points and n = 20, N = 25 for images and audio.
VECTOR_SET, IMAGE_SET = 72, 20
_PAPER_SETS = {1: 200, 2: 25, 3: 25}
_DEFAULT_SETS = {1: 32, 2: 16, 3: 16}
STEPS_PER_EPOCH = 100

DEFAULT = Recipe(
    "adam", learning_rate=1e-3, batch_size=32, max_epochs=12, drops=(0.5, 0.75, 0.9), drop_factor=0.3
)
# rho as in Keras, where the paper's network was trained
PAPER = Recipe("adadelta", learning_rate=5.0, rho=0.95, batch_size=200, max_epochs=1000)


class L2CObjective(Objective):
    """The loss of section 3.2 over a batch of sets, and a cross entropy of pair logits where there are any.

    Parameters
    ----------
    sampler : SetBatches or GivenSets
    max_clusters : int
    weight : float
        Lambda, of the assignment term.
    pair_weight : float
        Of the cross entropy of pair logits; 0: the paper's loss alone.
    """

    def __init__(self, sampler: SetSampler, max_clusters: int, weight: float, pair_weight: float) -> None:
        weights = {"count": 1.0, "assignment": weight}
        super().__init__(sampler, weights | ({"pair": pair_weight} if pair_weight > 0 else {}))
        self._widths = list(range(1, max_clusters + 1))
        self._class_weights = class_weights(sampler.same_prior)

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Count, assignment and pair terms, means over the sets of the batch."""
        if batch.same is None:
            assert batch.labels is not None
            same = same_matrices(batch.labels)
        else:
            same = batch.same
        parts = torch.split(output["assignments"], self._widths, dim=2)
        terms = l2c_terms(
            output["count_logits"].softmax(dim=1), parts, same, true_counts(same), self._class_weights, 1.0
        )
        del terms["total"]
        if "pair" in self.weights:
            terms["pair"] = pair_cross_entropy(output["pair_logits"], same)
        return terms


@dataclasses.dataclass(frozen=True)
class _ViewsOfSamples:
    """Random views of the samples of sets (b, n, ...), each by itself."""

    augment: Augment

    @property
    def by_rows(self) -> bool:
        return is_by_rows(self.augment)

    def __call__(self, sets: Tensor, generator: torch.Generator) -> Tensor:
        return self.augment(sets.flatten(0, 1), generator).reshape(sets.shape)


@parameters
class L2C(L2CParams, NeuralEstimator):
    """
    One pass over a set gives P(k), the probabilities of the numbers of clusters, and for every k the
    probabilities P(l | x_i, k) of the clusters. Training needs only to know which samples of a set are of the
    same group (section 3.2 of arXiv:1807.04001); the groups themselves may be others than those it is used
    on.

    Attributes
    ----------
    network_ : nn.Module
        Maps scaled sets (b, n, ...) to count logits and assignments.
    n_outputs_ : int
        Labels that `predict` may give: `max_clusters`.

    Examples
    --------
    >>> from coterie import L2C
    >>> from coterie.data.shapes2d import shapes2d
    >>> points, labels = shapes2d(1, random_state=1)
    >>> model = L2C.from_pretrained("points2d")
    >>> model.predict(points[0]).shape, model.predict_count_proba(points[0]).shape
    ((72,), (5,))
    """

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        # a sample's cluster depends on its set: the tag leaves out the checks of predict on parts of X
        tags.non_deterministic = True
        return tags

    @classmethod
    def from_pretrained(cls, name: str) -> Self:
        """A trained model that comes with the library.

        Parameters
        ----------
        name : {"points2d", "points2d-10", "tables"}
            For 2-D points of any position and scale, in rings, moons, Gaussians and the like: "points2d" for
            up to 5 clusters, trained on sets of 72; "points2d-10" for up to 10, trained on sets of several
            sizes. "tables": for tables with any number of columns, up to 20 clusters.

        Returns
        -------
        L2C
            Fitted.

        Examples
        --------
        >>> L2C.from_pretrained("points2d").max_clusters
        5
        """
        check_value("name", name, PRETRAINED, (), Range())
        source = resources.files("coterie") / "pretrained" / f"{name}.safetensors"
        with resources.as_file(source) as path:
            tensors, meta = read_tensors(path, "model")
        return cast(Self, from_file(cls, tensors, meta, None))

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn to cluster from labelled groups; the training sets are drawn from them.

        Parameters
        ----------
        X : array-like of shape (n, d), (n, h, w) or (n, c, h, w), or map-style data set
            Float or uint8.
        y : array-like of shape (n,)
            Groups, labels of any type; -1, None and NaN are unknown, and such samples are not used.

        Returns
        -------
        self

        Raises
        ------
        InputError, InputTypeError
            For input or parameters out of range.
        """
        samples = self._check_samples(X, reset=True)
        self._find_features()
        if y is None:
            raise InputError(
                "L2C requires y to be passed, but the target y is None; pass the groups to learn from as y"
            )
        codes, _ = check_labels(y, len(samples))
        self._check_training(len(samples))
        recipe = self._choose_recipe()
        sampler = SetBatches(
            codes,
            self._fit_set_size(codes),
            recipe.batch_size,
            max_clusters=self.max_clusters,
            n_steps=STEPS_PER_EPOCH,
        )
        return self._learn(samples, sampler, recipe, data_digest(codes))

    def fit_sets(self, sets: Sequence[tuple[Any, Any]]) -> Self:
        """Learn to cluster from whole sets, each with its own labels or with same/different alone.

        Parameters
        ----------
        sets : sequence of (X, known)
            X of shape (n, ...), the samples of one set, n at least 2 and of any size from set to set; `known`
            either their labels (n,), unknown ones -1, None or NaN, which mean nothing beyond the set, or a
            symmetric matrix (n, n) of 1 (same group), -1 (different) and 0 (unknown).

        Returns
        -------
        self

        Raises
        ------
        InputError, InputTypeError
            For input or parameters out of range; the message names the set.

        Examples
        --------
        >>> from coterie.data.shapes2d import shapes2d
        >>> sets = list(zip(*shapes2d(40, 20, random_state=0)))
        >>> model = L2C(max_steps=2, random_state=0).fit_sets(sets)
        >>> model.predict(sets[0][0]).shape
        (20,)
        """
        parts, known = check_sets(sets)
        samples = self._check_samples(np.concatenate(parts), reset=True)
        self._find_features()
        self._check_training(len(samples))
        for number, one in enumerate(known):
            check_groups(number, one, self.max_clusters)
        recipe = self._choose_recipe()
        sampler = GivenSets(known, recipe.batch_size)
        if self.network == "lstm" and sampler.smallest_batch < 2:
            raise InputError(
                "sets must hold at least two sets of each size with network='lstm', "
                "whose batch norm takes statistics over sets"
            )
        return self._learn(samples, sampler, recipe, data_digest(*known))

    def predict(self, X: Any) -> IntArray:
        """Cluster one set with its most probable number of clusters.

        With network="table", that is the most probable number of at least 2, and 1 only where its probability
        is above 0.75.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            A set of at least 2 samples, of groups never seen before.

        Returns
        -------
        int64 array of shape (n,), values in 0..max_clusters-1
            They mean nothing beyond this set. With noise=True, -1 for noise.

        Warns
        -----
        UserWarning
            The largest number of clusters is the most probable one, and there may be more; or all samples are
            equal.
        """
        labels: IntArray = self.predict_proba(X).argmax(axis=1)
        if self.noise:
            points = set_points(self, self._check_samples(X, reset=False))
            labels[find_noise(points, labels, self.max_set_size)] = -1
        return labels

    def predict_proba(self, X: Any) -> FloatArray:
        """Probabilities P(l | x_i, k) for the most probable number of clusters k of one set.

        Parameters
        ----------
        X : array-like of shape (n, ...)

        Returns
        -------
        float64 array of shape (n, k)
            Rows in [0, 1] that sum to 1.
        """
        count_proba, assignments = self.predict_all(X)
        k = choose_count(count_proba) if self.network == "table" else int(count_proba.argmax()) + 1
        if k == self.max_clusters > 1:
            warnings.warn(
                f"max_clusters: {k} clusters are the most probable number and the largest possible one; "
                "there may be more: use a model of larger max_clusters",
                UserWarning,
                stacklevel=3,
            )
        return assignments[k - 1]

    def predict_count_proba(self, X: Any) -> FloatArray:
        """P(k), the probability of each number of clusters of one set.

        Parameters
        ----------
        X : array-like of shape (n, ...)

        Returns
        -------
        float64 array of shape (max_clusters,)
            For k = 1..max_clusters; 0 above the number of samples. The sum is 1.
        """
        return self.predict_all(X)[0]

    def predict_all(self, X: Any) -> tuple[FloatArray, list[FloatArray]]:
        """P(k) and the clustering for every k, all from one pass over the set.

        Parameters
        ----------
        X : array-like of shape (n, ...)

        Returns
        -------
        count_proba : float64 array of shape (max_clusters,)
        assignments : list of float64 arrays
            The k-th of shape (n, k), P(l | x_i, k).
        """
        check_is_fitted(self, "network_")
        samples = self._check_samples(X, reset=False)
        if len(samples) < 2:
            raise InputError("n_samples=1 must be >= 2: a set needs two samples")
        count_proba, assignments = cluster_set(self, samples)
        count_proba[len(samples) :] = 0
        if bool((samples[:] == samples[:1]).all()):
            warnings.warn("X: all samples are equal, and so there is one cluster", UserWarning, stacklevel=3)
            count_proba[1:] = 0
        count_proba /= count_proba.sum()
        return count_proba.numpy(), [part.numpy() for part in assignments]

    def _check_samples(self, X: Any, *, reset: bool) -> SampleArray:
        if isinstance(self.network, str) and self.network == "table":  # parameters are not checked as yet
            # a table network clusters any rows of numbers, whatever it was trained on
            X = X.X if isinstance(X, Samples) and not reset else embed_x(self, X, reset)
            X = change_values(lambda values: table_rows(frame_values(values)), X)
        return super()._check_samples(X, reset=reset)

    def _make_network(self, seed: int) -> SetNetwork:
        """A fresh float32 network for samples as in ``fit``, its weights a function of the seed alone."""
        network = build_set_network(
            self._choose_backbone(lambda shape: AUTO),
            self.sample_shape_,
            self.max_clusters,
            seed,
            kind=self.network,
            distance=self.distance,
            n_samples=self._set_size,
            rescale=self.rescale,
            size=self.size,
        )
        return channels_last(network.float())

    def _find_features(self) -> None:
        """Of features, the default attention network looks at distances and angles alone."""
        super()._find_features()
        self._on_features &= self.network == "attention" and self.preset == "default"

    @property
    def n_outputs_(self) -> int:
        """Labels that `predict` may give."""
        return self.max_clusters

    @property
    def _n_features_out(self) -> int:
        """Width of a sample's embedding, for the names of `transform`'s columns."""
        return int(self.network_.backbone.out_features)

    @property
    def _set_size(self) -> int:
        if self.set_size is not None:
            return self.set_size
        return VECTOR_SET if len(self.sample_shape_) == 1 else IMAGE_SET

    def _fit_set_size(self, codes: IntArray) -> int:
        """The size of training sets; the paper's follows what the groups hold."""
        if self.set_size is not None or self.distance != "implicit":  # distances are as wide as a set
            return self._set_size
        size = fitting_set_size(codes, self._set_size, self.max_clusters)
        if size < self._set_size:
            warnings.warn(
                f"set_size=None uses sets of {size} samples: the largest max_clusters={self.max_clusters} "
                f"groups of y hold fewer than {self._set_size}; label more samples, or pass set_size",
                UserWarning,
                stacklevel=3,
            )
        return size

    def _choose_recipe(self) -> Recipe:
        recipe, sets = (DEFAULT, _DEFAULT_SETS) if self.preset == "default" else (PAPER, _PAPER_SETS)
        return self._override(dataclasses.replace(recipe, batch_size=sets.get(len(self.sample_shape_), 16)))

    def _learn(self, samples: SampleArray, sampler: SetSampler, recipe: Recipe, supervision: str) -> Self:
        pair_weight = self.pair_weight if self.network != "lstm" else 0.0
        objective = L2CObjective(sampler, self.max_clusters, self.weight, pair_weight)
        on_features = self._on_features and self.augment == AUTO
        wanted = self.preset == "default" and len(self.sample_shape_) > 1
        views = SignedPermutation() if on_features else self._choose_augment(wanted)
        augment = None if views is None else _ViewsOfSamples(views)
        return self._train(samples, Training(objective, recipe, self._restarts_or(1), augment, supervision))

    def _describe(self, samples: SampleArray) -> None:
        """Nothing follows from the training samples: other sets are what the model is for."""

    def _outputs(self, network: Any, rows: Tensor) -> Mapping[str, Tensor]:
        return {"embedding": network.embed(rows)}
