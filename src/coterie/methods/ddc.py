"""Deep divergence-based clustering (DDC), and its vote over several runs (DDC-VOTE).

Kampffmeyer, Løkse, Bianchi, Livi, Salberg and Jenssen, "Deep divergence-based approach to clustering",
Neural Networks 2019 (arXiv:1902.04981); "released code" is DanielTrosten/mvc, of the same group.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from sklearn.base import ClusterMixin
from torch import Tensor

from coterie._checks import check_number
from coterie._errors import CollapseWarning, InputError
from coterie._types import Batch, Output
from coterie.data import Pairs
from coterie.data.arrays import SampleArray, count_distinct, data_digest
from coterie.data.augment import Augment
from coterie.data.batches import RowBatches, Sampler
from coterie.data.views import recipe_for
from coterie.engine.objective import Objective, Phase
from coterie.engine.recipe import Recipe
from coterie.losses.adc import norm
from coterie.losses.ccl import ccl_matrix
from coterie.losses.ddc import BANDWIDTH_RULES, DIVERGENCES, REDUCTIONS, DDCOptions, ddc_terms
from coterie.losses.pairs import full_precision
from coterie.methods.associations import view_embeddings, view_visit, view_walker
from coterie.methods.base import NeuralClusterer, Training
from coterie.methods.checks import check_choice, check_pairs, check_weights, pair_columns
from coterie.methods.kmeans_start import UnequalHead
from coterie.nn import ClusterNetwork, auto_backbone, build_network, channels_last

TERMS = ("divergence", "orthogonality", "corners")
WEIGHTS = (*TERMS, "pairs")
# Sides of images that the paper's convolutions take by default.
SMALLEST_IMAGE, LARGEST_IMAGE = 8, 64
# A divergence compares the rows of each cluster with each other: a batch needs two of each.
ROWS_A_CLUSTER = 2
# Where clusters may be unequal: share of the steps for views alone, views of each row, weights of its terms.
VIEWS_SHARE = 0.6
N_VIEWS = 2
VIEW_TERMS = {"view_walker": 1.0, "view_visit": 0.3, "norm": 1e-5}


class DDCObjective(Objective):
    """The three terms of equation 4 on a batch, and the likelihood of its pairs where some are known.

    Parameters
    ----------
    sampler : Sampler
    phases : sequence of Phase
        Those of clusters that may be unequal begin with views alone, `VIEW_TERMS`.
    options : DDCOptions
    """

    def __init__(self, sampler: Sampler, phases: Sequence[Phase], options: DDCOptions) -> None:
        super().__init__(sampler, phases=phases)
        self._options = options
        self.n_views = N_VIEWS if VIEW_TERMS.keys() <= self.weights.keys() else None

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Every term, those of weight zero too: their course is worth a look."""
        prob = output.prob
        with full_precision(prob):
            drawn = output.first(batch.n_drawn)  # the ends of few pairs would be too large a share
            terms = ddc_terms(drawn.embedding.float(), drawn.prob.float(), self._options)
            if "pairs" in self.weights:
                assert batch.same is not None
                terms["pairs"] = ccl_matrix(prob.float(), batch.same)
        if self.n_views:
            terms["view_walker"], terms["view_visit"] = view_walker(drawn), view_visit(drawn)
            terms["norm"] = norm(torch.cat([drawn.embedding, view_embeddings(drawn)]), reduction="sum")
        return terms


@dataclass(frozen=True)
class Preset:
    """A recipe for images and one for vectors, the network for vectors, and how the terms are computed."""

    images: Recipe
    vectors: Recipe
    vector_backbone: str
    options: DDCOptions


_PAPER = Recipe("adam", learning_rate=1e-3, batch_size=100, max_epochs=1, step_range=(70_000, 70_000))
_CODE = Recipe("adam", learning_rate=1e-3, batch_size=100, max_epochs=100, clip_norm=5.0)
_DEFAULT = Recipe(
    "adam",
    learning_rate=1e-3,
    batch_size=100,
    max_epochs=60,
    step_range=(100, 3_000),
    drops=(0.75,),
    patience=10,
)

PRESET_OF = {
    "default": Preset(_DEFAULT, _DEFAULT, "mlp", DDCOptions()),
    "paper": Preset(
        _PAPER,
        dataclasses.replace(_PAPER, learning_rate=1e-5),
        "ddc-mlp",
        DDCOptions(bandwidth_rule="distance", reduction="paper"),
    ),
    "code": Preset(_CODE, _CODE, "ddc-mlp", DDCOptions()),
}


class DDC(ClusterMixin, NeuralClusterer):
    """Deep divergence-based clustering: clusters without labels, from one network's features and outputs.

    The network's softmax output is the clustering. Clusters are to be far apart and compact in the kernel of
    the last hidden layer (Cauchy-Schwarz divergence), rows are to lie at right angles and at the corners of
    the simplex (eq. 4 of arXiv:1902.04981). Starts differ much, so that many are tried; the lowest training
    loss is kept, or the best few are put to the vote.

    Parameters
    ----------
    n_clusters : int or "auto", default=8
        Number of outputs, at least 1 and at most the number of distinct rows. "auto": counted in restarts
        with 20 outputs and more, which cost five runs; see `n_clusters_estimate_`.
    n_restarts : int or "auto", default="auto"
        Runs from different starts, of which those of lowest loss are kept; "auto" is 20, as in the paper, or
        1 after `start_from`.
    restarts : {"auto", "sequential", "stacked", "successive-halving"}, default="successive-halving"
        How they run. "successive-halving": after 1/16, 1/8 and 1/4 of the steps the worse half is dropped,
        down to three or as many as vote; one after another; all at once with stacked weights; or "auto", the
        faster of the last two. A restart that ends in a single cluster is replaced.
    vote : int, default=0
        0: the best restart alone. 3 or more: as many of the best restarts, aligned to the best one, vote for
        the cluster of each sample (DDC-VOTE); probabilities are then shares of votes, and ties go to the best
        restart. With "auto" as `n_restarts`, at least `vote` restarts run.
    weights : dict or None, default=None
        Weights of terms in place of 1, by name: divergence, orthogonality, corners, pairs.
    divergence : {"cs", "kl"}, default="cs"
        Cauchy-Schwarz, or the symmetrised Kullback-Leibler divergence.
    balance : bool, default=False
        Clusters may differ in size. Most steps then learn from views of each row alone; clusters begin as
        parts of the embedding that are merged whatever their sizes; and the orthogonality and the corner
        term, both smallest in clusters of equal size, give way to forms that do not depend on their sizes.
    bandwidth : float, default=0.15
        Factor of the median distance in the kernel's bandwidth; above 0.
    bandwidth_rule : {"squared", "distance"} or None, default=None
        How; see `coterie.losses.ddc`. None takes the preset's: "distance" in the paper, else "squared".
    reduction : {"mean", "paper"} or None, default=None
        Scale of the terms; see `coterie.losses.ddc`. None takes the preset's: "paper" in the paper, else
        "mean".
    backbone : "auto", str, nn.Module or callable, default="auto"
        Network below the softmax layer: chosen from the shape of X, a name, a module (copied, its weights
        kept) or a callable that gives a fresh module for each restart. "auto": for images of 8 to 64 pixels
        the paper's, "ddc-cnn"; for vectors the paper's, "ddc-mlp", where the preset is not the default, and
        else "mlp", whose batch norm throughout gave more accurate clusters of digits.
    preset : {"default", "paper", "code"}, default="default"
        Steps as tuned here for minutes on a CPU; those of the paper (70,000); or as the defaults of the
        released code (100 epochs, gradients clipped at a norm of 5).
    batch_size : int or None, default=None
        Rows a step, at least two for each cluster; None takes the preset's, 100, or two for each cluster
        where that is more. With pairs a step takes a quarter as many pairs too.
    learning_rate : float or None, default=None
        The highest one, before it drops; None takes the preset's.
    max_epochs : int or None, default=None
        Passes over the rows; None takes the preset's.
    max_steps : int or None, default=None
        Optimisation steps of one restart; overrides `max_epochs`.
    augment : "auto", "none" or callable, default="auto"
        Random views of each training batch in its place, drawn anew at every step; "auto" is "none", as in
        the paper. A callable maps a scaled batch and a torch.Generator to a batch of that shape.
    scale : bool, default=True
        Standardise X by statistics of the training data; uint8 is divided by 255 in any case.
    over_clustering : bool, default=False
        `n_clusters` is an upper bound: unused clusters are no reason for a warning.
    precision : {"float32", "bfloat16"}, default="float32"
        Of the products of training steps: "bfloat16" is faster on processors that have it, with other
        weights at the end; weights, losses and predictions are float32.
    threads : int or "auto", default="auto"
        Torch threads. "auto": one for small networks, whose steps a second thread slows down.
    device : str, default="auto"
        "auto" takes an accelerator where there is one.
    random_state : int, Generator, RandomState or None, default=None
    checkpoint_dir : str or None, default=None
        Folder for checkpoints. A fit that was stopped goes on from the last one, bitwise, when called again
        with the same arguments.
    verbose : int, default=0
        Above 0 a progress bar is shown on standard error.

    Attributes
    ----------
    labels_ : int64 array of shape (n,)
        Cluster of each row of X.
    n_clusters_ : int
        Clusters that are used.
    n_dominant_ : int
        Clusters with at least n / `n_outputs_` rows: an estimate of the number of clusters where `n_clusters`
        was chosen larger.
    n_outputs_ : int
        Columns of `predict_proba`: `n_clusters`, or its estimate.
    n_clusters_estimate_ : dict or None
        With "auto", the estimate with its spread, a second opinion and what was tried; see
        `coterie.methods.count.estimate_n_clusters`.
    loss_ : float
        The best run's objective in eval mode after training; it alone ranks restarts.
    history_, runs_ : list of dict
        One entry per epoch, and one per restart.
    network_ : nn.Module
        The best run's: maps scaled samples to (embedding, logits).
    members_ : list of nn.Module
        The networks that vote, the best first, the clusters of all of them named alike; without a vote the
        best alone.
    n_features_in_ : int
    sample_shape_ : tuple of int

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from coterie import DDC
    >>> X, _ = load_digits(return_X_y=True)
    >>> model = DDC(n_clusters=10, n_restarts=4, vote=3, max_steps=40, random_state=0).fit(X)
    >>> model.predict_proba(X[:2]).shape, len(model.runs_), len(model.members_)
    ((2, 10), 4, 3)
    """

    def __init__(  # noqa: PLR0913 - scikit-learn wants every parameter here
        self,
        n_clusters: int | str = 8,
        n_restarts: int | str = "auto",
        restarts: str = "successive-halving",
        vote: int = 0,
        weights: dict[str, float] | None = None,
        divergence: str = "cs",
        balance: bool = False,
        bandwidth: float = 0.15,
        bandwidth_rule: str | None = None,
        reduction: str | None = None,
        backbone: Any = "auto",
        preset: str = "default",
        batch_size: int | None = None,
        learning_rate: float | None = None,
        max_epochs: int | None = None,
        max_steps: int | None = None,
        augment: Any = "auto",
        scale: bool = True,
        over_clustering: bool = False,
        precision: str = "float32",
        threads: int | str = "auto",
        device: str = "auto",
        random_state: Any = None,
        checkpoint_dir: str | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.n_restarts = n_restarts
        self.restarts = restarts
        self.vote = vote
        self.weights = weights
        self.divergence = divergence
        self.balance = balance
        self.bandwidth = bandwidth
        self.bandwidth_rule = bandwidth_rule
        self.reduction = reduction
        self.backbone = backbone
        self.preset = preset
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.max_steps = max_steps
        self.augment = augment
        self.scale = scale
        self.over_clustering = over_clustering
        self.precision = precision
        self.threads = threads
        self.device = device
        self.random_state = random_state
        self.checkpoint_dir = checkpoint_dir
        self.verbose = verbose

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

        Warns
        -----
        CollapseWarning
            A cluster is used by no row, or X has fewer than two rows for each cluster, or n_clusters is 1.
        """
        samples = self._check_samples(X, reset=True)
        self._check_common(len(samples))
        n_restarts = self._restarts_or(20)
        self._check_own()
        if pairs is not None:
            check_pairs(pairs, len(samples), self.n_clusters)
        most = len(samples) if self.batch_size is None else min(len(samples), self.batch_size)
        self._choose_n_outputs(samples, most // ROWS_A_CLUSTER, pairs=pairs)
        self._check_rows(samples)
        preset = PRESET_OF[self.preset]
        recipe = self._recipe(preset)
        sampler = RowBatches(len(samples), recipe.batch_size, pairs=pairs)
        phases = self._phases(recipe.total_steps(sampler.n_steps), has_pairs=pairs is not None)
        objective = DDCObjective(sampler, phases, self._options(preset))
        training = Training(
            objective,
            recipe,
            n_restarts,
            self._choose_augment(wanted=False),
            data_digest(*pair_columns(pairs)),
        )
        return self._train(samples, training)

    def make_network(self, seed: int) -> ClusterNetwork:
        """A fresh float32 network for samples as in ``fit``, its weights a function of the seed alone."""
        backbone = self._own_backbone()
        if isinstance(backbone, str) and backbone == "auto":
            backbone = self._auto_backbone()
        return channels_last(build_network(backbone, self.sample_shape_, self.n_outputs_, seed).float())

    def _auto_backbone(self) -> str:
        """The paper's network for images it can take, else what other methods take."""
        shape = self.sample_shape_
        if len(shape) == 1:
            return PRESET_OF[self.preset].vector_backbone
        if len(shape) <= 3 and min(shape[-2:]) >= SMALLEST_IMAGE and max(shape[-2:]) <= LARGEST_IMAGE:
            return "ddc-cnn"
        return auto_backbone(shape)

    def _check_own(self) -> None:
        check_choice("divergence", self.divergence, DIVERGENCES)
        check_choice("balance", self.balance, (True, False))
        check_number("bandwidth", self.bandwidth, positive=True)
        check_choice("bandwidth_rule", self.bandwidth_rule, (*BANDWIDTH_RULES, None))
        check_choice("reduction", self.reduction, (*REDUCTIONS, None))
        check_weights(self.weights, WEIGHTS)
        if not any((self.weights or {}).get(name, 1.0) for name in TERMS):
            raise InputError(f"weights: all of {', '.join(TERMS)} are 0; one above 0 is expected")

    def _check_rows(self, samples: SampleArray) -> None:
        distinct = count_distinct(samples, self.n_outputs_)
        if distinct < self.n_outputs_:
            raise InputError(
                f"n_clusters: {self.n_outputs_} for {distinct} distinct rows; at most as many are expected"
            )
        needed = ROWS_A_CLUSTER * self.n_outputs_
        if self.batch_size is not None and self.batch_size < needed:
            raise InputError(
                f"batch_size: {self.batch_size} for n_clusters={self.n_outputs_}; at least two rows for each "
                f"cluster, {needed}, are expected"
            )
        if self.n_outputs_ == 1:
            _warn(
                "n_clusters=1: all rows are one cluster, there is nothing to separate and nothing is learnt"
            )
        elif len(samples) < needed:
            _warn(
                f"X has n_samples={len(samples)}, fewer than two for each of n_clusters={self.n_outputs_}: "
                "some clusters will hardly be used"
            )

    def _recipe(self, preset: Preset) -> Recipe:
        recipe = preset.vectors if len(self.sample_shape_) == 1 else preset.images
        batch_size = max(recipe.batch_size, ROWS_A_CLUSTER * self.n_outputs_)
        return self._override(dataclasses.replace(recipe, batch_size=batch_size))

    def _phases(self, total: int, *, has_pairs: bool) -> tuple[Phase, ...]:
        """The terms of equation 4; where clusters may be unequal, views alone before them."""
        names = WEIGHTS if has_pairs else TERMS
        weights = {name: float((self.weights or {}).get(name, 1.0)) for name in names}
        if not self.balance:
            return (Phase("clustering", None, weights),)
        views = Phase("views", min(total - 1, round(VIEWS_SHARE * total)), VIEW_TERMS)
        start = UnequalHead(self.n_outputs_)
        return views, Phase("clustering", None, weights, start, reset_optimizer=True)

    def _choose_augment(self, wanted: bool) -> Augment | None:
        """The caller's views, or those that an embedding for unequal clusters is learnt from."""
        if not self.balance or callable(self.augment):
            return super()._choose_augment(wanted)
        if self.augment == "none":
            raise InputError(
                'augment: "none" with balance, which learns from views; "auto" or a callable is expected'
            )
        return recipe_for("auto", self.sample_shape_, self.modality_)

    def _options(self, preset: Preset) -> DDCOptions:
        return DDCOptions(
            self.bandwidth,
            self.bandwidth_rule or preset.options.bandwidth_rule,
            self.reduction or preset.options.reduction,
            self.divergence,
            "free" if self.balance else "equal",
        )


def _warn(text: str) -> None:
    warnings.warn(text, CollapseWarning, stacklevel=4)
