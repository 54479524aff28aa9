"""Associative deep clustering (ADC): a network and centroids, trained by walks between embeddings.

Haeusser, Plapp, Golkov, Aljalbout and Cremers, "Associative deep clustering: training a classification
network with no labels", GCPR 2018; "released code" is jplapp/associative_deep_clustering.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

import torch
from sklearn.base import ClusterMixin
from torch import Generator, Tensor
from torch.nn import functional

from coterie._errors import InputError
from coterie._types import Batch, Output
from coterie.data import Pairs
from coterie.data.arrays import SampleArray, count_distinct, data_digest
from coterie.data.augment import Augment, FeatureJitter
from coterie.data.batches import RowBatches, Sampler
from coterie.data.views import RECIPES, recipe_for
from coterie.engine.objective import Objective, OnEnter, Phase
from coterie.engine.recipe import Recipe
from coterie.losses.adc import norm, sparsity, transformation, visit, walker
from coterie.losses.ccl import ccl_matrix
from coterie.losses.numerics import steady_rows
from coterie.methods.adc_weights import Weights
from coterie.methods.associations import view_embeddings, view_visit, view_walker
from coterie.methods.base import Training
from coterie.methods.checks import check_pairs, pair_columns
from coterie.methods.clusterer import NeuralClusterer
from coterie.methods.kmeans_start import CentroidStart
from coterie.methods.starting_layer import StartingCentroids
from coterie.nn import CentroidNetwork, auto_backbone, build_centroid_network, channels_last
from coterie.params import parameters
from coterie.params.adc import ADCParams

PLATEAU_EPOCHS = 5
# MNIST at 14x14 and photographs at 16x16 are clustered in minutes; benchmarks/README.md has what was tried
USUAL_PIXELS = 16 * 16
# Views of features, whose scale is not known.
FEATURE_DROPOUT = 0.5


class ADCObjective(Objective):
    """The terms of equations 5-8 on a batch, its views and the network's centroids.

    Parameters
    ----------
    sampler : Sampler
    phases : tuple of Phase
    n_views : int
    per_cluster : int
        Centroids of each cluster.
    per_pair : bool
        Whether each pair of the transformation loss has its own cross entropy.

    Notes
    -----
    Where pairs are known, the associations are those of the rows that were drawn: the ends of few pairs,
    which come again and again, would be too large a share of them.

    Norm and absolute values are summed over plain rows, views and centroids, as in the released code: the
    paper's gamma is chosen for a sum, and a mean of that weight would do nothing.
    """

    def __init__(
        self, sampler: Sampler, phases: tuple[Phase, ...], n_views: int, per_cluster: int, per_pair: bool
    ) -> None:
        super().__init__(sampler, phases=phases)
        self.n_views = int(n_views)
        self._per_cluster = per_cluster
        self._per_pair = per_pair

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Every term that has a weight in some phase."""
        computed = {
            "view_walker": view_walker,
            "view_visit": view_visit,
            "norm": lambda output: norm(_all_embeddings(output), reduction="sum"),
            "sparsity": lambda output: sparsity(_all_embeddings(output), reduction="sum"),
            "centroid_walker": lambda output: walker(
                output["centroids"], output.embedding, self._centroid_labels(output)
            ),
            "centroid_visit": lambda output: visit(output["centroids"], output.embedding),
            "classification": lambda output: functional.cross_entropy(
                output["centroid_logits"], self._centroid_labels(output)
            ),
            "transformation": self._transformation,
        }
        drawn = output.first(batch.n_drawn)
        terms = {name: computed[name](drawn) for name in self.weights if name != "pairs"}
        if "pairs" in self.weights:
            assert batch.same is not None
            each = [ccl_matrix(steady_rows(one.prob), batch.same) for one in (output, *output.views)]
            terms["pairs"] = torch.stack(each).mean()
        return terms

    def _transformation(self, output: Output) -> Tensor:
        view = output.views[0]
        return transformation(output.embedding, view.embedding, output.logits, view.logits, self._per_pair)

    def _centroid_labels(self, output: Output) -> Tensor:
        clusters = torch.arange(output.logits.shape[1], device=output.logits.device)
        return clusters.repeat_interleave(self._per_cluster)


def _all_embeddings(output: Output) -> Tensor:
    return torch.cat([output.embedding, view_embeddings(output), output["centroids"]])


@dataclass(frozen=True)
class Preset:
    """A recipe, the weights of the terms and what else the paper and its code do differently.

    Attributes
    ----------
    recipe : Recipe
    weights : Weights
    n_views, per_cluster : int
    warm_up : (steps, share)
        Steps on views alone, and the largest share of the whole run that they may take; no steps: all terms
        from the start, and centroids without k-means.
    starts_head : bool
        Whether k-means sets the head too.
    resets_optimizer : bool
        Whether it starts again with the centroids.
    rounds : int
        How often k-means starts the centroids, at equal distances from the end of the warm-up. After all
        terms have shaped the embedding, k-means finds clusters there that it did not find before.
    per_pair : bool
        Whether each pair of the transformation loss has its own cross entropy, as in equation 4.
    close_centroids : bool
        Whether several centroids of a cluster begin around one centre, as in the released code.
    """

    recipe: Recipe
    weights: Weights
    n_views: int
    per_cluster: int
    warm_up: tuple[int, float]
    starts_head: bool = False
    resets_optimizer: bool = False
    rounds: int = 1
    per_pair: bool = True
    close_centroids: bool = False


# Of the weights of the network and of the head; biases and centroids have none.
_DECAY = ((r"backbone\..*weight", 1e-3), (r"head\.weight", 1e-4))
_PAPER_RECIPE = Recipe(
    "adam",
    learning_rate=8e-4,
    betas=(0.8, 0.9),
    batch_size=100,
    decay_by_name=_DECAY,
    max_epochs=1,
    # the paper never says how long it trains: three of its drops of the rate are seen through
    step_range=(30_000, 30_000),
    drop_every=10_000,
    drop_factor=1 / 3,
    warmup_steps=2_000,
)

_PAPER = Preset(_PAPER_RECIPE, Weights(), n_views=4, per_cluster=1, warm_up=(5_000, 0.5))
# From clusters of features, which stay as they are while centroids and head move. CIFAR-10 tuning images:
# k-means 0.744; as they begin 0.792, after 100 steps at 1e-4 0.794, 200 at 1e-3 0.789 (accuracy).
_FEATURES = Recipe("adam", learning_rate=1e-4, batch_size=100, max_epochs=10, step_range=(100, 100))

PRESET_OF = {
    "default": Preset(
        Recipe(
            "adam",
            learning_rate=8e-4,
            betas=(0.8, 0.9),
            batch_size=100,
            max_epochs=60,
            step_range=(1_600, 3_000),
            drops=(0.7, 0.85),
            drop_factor=1 / 3,
            warmup_steps=200,
        ),
        Weights(views_later=0.18),
        n_views=2,
        per_cluster=1,
        warm_up=(2_400, 3 / 8),
        starts_head=True,
        resets_optimizer=True,
        rounds=2,
    ),
    "paper": _PAPER,
    # section 3.5
    "paper-mnist": dataclasses.replace(
        _PAPER,
        recipe=dataclasses.replace(_PAPER_RECIPE, warmup_steps=1_000),
        weights=Weights(visit=0.8, view_visit=0.8),
    ),
    "code": Preset(
        dataclasses.replace(
            _PAPER_RECIPE,
            learning_rate=2e-4,
            step_range=(200_000, 200_000),
            drop_every=5_000,
            drop_factor=0.33,
            warmup_steps=1_000,
            warmup="logistic",
        ),
        Weights(
            visit=0.5,
            view_visit=1.0,
            norm=2e-4,
            transformation=0.0,
            classification=0.5,
            sparsity=2e-4,
        ),
        n_views=3,
        per_cluster=4,
        warm_up=(0, 0.0),
        per_pair=False,
        close_centroids=True,
    ),
}


@dataclass(frozen=True)
class _Finite:
    """A caller's views, held to finite values."""

    augment: Augment

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        views = self.augment(x, generator)
        if isinstance(views, Tensor) and not bool(views.isfinite().all()):
            raise InputError("augment must give finite values, got NaN or infinity")
        return views


@parameters
class ADC(ADCParams, ClusterMixin, NeuralClusterer):
    """
    A network and centroids are trained together: walks from the views of a sample over the batch are to come
    back to views of the same sample, walks from a centroid to the same centroid, and all samples are to be
    visited (eqs. 1-8 of Haeusser et al. 2018). Training starts on views alone; k-means on the embeddings
    then gives the first centroids, and with the default preset new ones half-way from there. The softmax
    output of a linear head, trained on the centroids, is the clustering.

    Attributes
    ----------
    network_ : nn.Module
        Maps scaled samples to (embedding, logits, centroids, logits of the centroids).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from coterie import ADC
    >>> X = load_digits().images[:200]
    >>> model = ADC(n_clusters=10, n_restarts=1, max_steps=20, random_state=0).fit(X)
    >>> model.predict_proba(X[:2]).shape, model.network_.centroids.shape
    ((2, 10), torch.Size([10, 128]))
    """

    _usual_pixels = USUAL_PIXELS

    def fit(self, X: Any, y: Any = None, *, pairs: Pairs | None = None) -> Self:
        """Cluster X.

        Parameters
        ----------
        X : array-like of shape (n, d), (n, h, w) or (n, c, h, w), or map-style data set
            Float or uint8.
        y : ignored
            Present for scikit-learn's conventions.
        pairs : Pairs, optional
            Rows of X known to belong together or apart; their likelihood (CCL) becomes one more term.

        Returns
        -------
        self

        Raises
        ------
        InputError, InputTypeError
            For input or parameters out of range; ConflictError where pairs contradict each other.
        """
        samples = self._check_samples(X, reset=True)
        self._check_common(len(samples))
        if pairs is not None:
            check_pairs(pairs, len(samples), self.n_clusters)
        self._find_features()
        begun = self._begin_on_features(samples, pairs=pairs)
        start = None if begun is None else StartingCentroids(begun.layer, self._per_cluster)
        if start is None:
            self._choose_n_outputs(samples, len(samples) // 2, pairs=pairs)
        self._check_rows(samples)
        preset = PRESET_OF[self.preset]
        recipe = self._override(_FEATURES if self._is_gentle() else preset.recipe)
        sampler = RowBatches(len(samples), recipe.batch_size, pairs=pairs)
        objective = ADCObjective(
            sampler,
            self._phases(recipe.total_steps(sampler.n_steps), has_pairs=pairs is not None, begin=start),
            self.n_views or preset.n_views,
            self._per_cluster,
            preset.per_pair,
        )
        n_restarts = self._restarts_or(1 if self._is_gentle() else 3)
        return self._train(
            samples, Training(objective, recipe, n_restarts, self._views(), data_digest(*pair_columns(pairs)))
        )

    def _make_network(self, seed: int) -> CentroidNetwork:
        """A fresh float32 network with centroids for samples as in ``fit``, a function of the seed alone."""
        usual = _default_backbone if self.preset == "default" else _auto_backbone
        backbone = self._choose_backbone(usual)
        close = PRESET_OF[self.preset].close_centroids
        network = build_centroid_network(
            backbone, self.sample_shape_, self.n_outputs_, seed, self._per_cluster, close
        )
        return channels_last(network.float())

    @property
    def _per_cluster(self) -> int:
        return self.centroids_per_cluster or PRESET_OF[self.preset].per_cluster

    def _check_rows(self, samples: SampleArray) -> None:
        distinct = count_distinct(samples, self.n_outputs_)
        if distinct < self.n_outputs_:
            raise InputError(
                f"n_clusters={self.n_outputs_} must be <= the number of distinct rows of X, {distinct}"
            )

    def _phases(self, total: int, *, has_pairs: bool, begin: OnEnter | None = None) -> tuple[Phase, ...]:
        """Views alone and then all terms, in rounds from k-means on, or all terms from the start."""
        preset = PRESET_OF[self.preset]
        weights = dataclasses.replace(preset.weights, **(self.weights or {}))
        steps, share = preset.warm_up
        warm_up = min(steps, round(share * total))
        clustering = weights.clustering(has_pairs)
        if not steps or self._is_gentle():
            return (Phase("clustering", None, clustering, begin),)
        patience = PLATEAU_EPOCHS if self.kmeans_start == "plateau" else None
        first = Phase("warm-up", warm_up, weights.warm_up(), patience=patience)
        start = CentroidStart(self.n_outputs_, self._per_cluster, preset.starts_head)
        rounds = min(preset.rounds, total - warm_up)
        lengths = [*[(total - warm_up) // rounds] * (rounds - 1), None]
        later = [Phase("clustering", each, clustering, start, preset.resets_optimizer) for each in lengths]
        return (first, *later) if warm_up else tuple(later)

    def _views(self) -> Augment:
        """The views asked for, as a callable."""
        if callable(self.augment):
            return _Finite(self.augment)
        if self.augment == "auto" and self._on_features:
            return FeatureJitter(noise=0.0, dropout=FEATURE_DROPOUT)
        views = recipe_for(self.augment, self.sample_shape_, self.modality_)
        if self.augment == "auto" and self.preset != "default" and views is RECIPES["digits"]:
            views = RECIPES["digits-paper"]
        return views or _Copies()


def _auto_backbone(sample_shape: tuple[int, ...]) -> str:
    """The paper's own network for images of 8 to 64 pixels, else what other methods take."""
    is_image = len(sample_shape) in (2, 3) and min(sample_shape[-2:]) >= 8 and max(sample_shape[-2:]) <= 64
    return "vcnn" if is_image else auto_backbone(sample_shape)


def _default_backbone(sample_shape: tuple[int, ...]) -> str:
    """A LeNet with batch norm for images with colours, which it clusters better in a third of the time."""
    if len(sample_shape) == 3 and sample_shape[0] > 1 and min(sample_shape[-2:]) >= 8:
        return "lenet-bn" if min(sample_shape[-2:]) >= 28 else "lenet-code"
    return _auto_backbone(sample_shape)


class _Copies:
    """Views that are the samples themselves."""

    by_rows = True

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        return x
