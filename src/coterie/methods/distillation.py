"""Self-distillation on features: heads learn from neighbors, from a teacher and from what it is sure of.

Adaloglou, Michels, Kalisch and Kollmann, "Exploring the limits of deep image clustering using pretrained
models", BMVC 2023 (TEMI, arXiv:2303.17896); Van Gansbeke, Vandenhende, Georgoulis, Proesmans and Van Gool,
"SCAN: learning to classify images without labels", ECCV 2020 (arXiv:2005.12320).
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from sklearn.base import ClusterMixin
from torch import Tensor, nn

from coterie._errors import InputError
from coterie._types import Batch, Output
from coterie.data import Pairs
from coterie.data.arrays import SampleArray, data_digest
from coterie.data.neighbor_batches import NeighborBatches
from coterie.engine.objective import Modules, Objective, Phase
from coterie.engine.recipe import Recipe
from coterie.engine.runtime import own_random_numbers
from coterie.losses.ccl import ccl_matrix
from coterie.losses.distillation import confident_labels, neighbor_information, self_label
from coterie.losses.pairs import full_precision
from coterie.methods.base import AUTO, Training
from coterie.methods.checks import check_pairs, pair_columns
from coterie.methods.clusterer import NeuralClusterer
from coterie.methods.feature_points import feature_points
from coterie.methods.feature_starts import (
    HEADS,
    nearest_neighbors,
    starting_clusters,
    usual_neighbors,
)
from coterie.methods.head_choice import HeadChoice
from coterie.methods.known_groups import named_groups
from coterie.methods.neighbor_graphs import Ints, Points
from coterie.methods.on_features import check_distinct, count_if_asked
from coterie.methods.spread import spread_groups
from coterie.methods.starting_layer import StartingLayer
from coterie.nn import HeadsNetwork, Network, build_heads_network, channels_last
from coterie.nn.backbone import flat_size
from coterie.nn.features import WIDE
from coterie.params import parameters
from coterie.params.distillation import SelfDistillationParams

DROPOUT, SMOOTHING = 0.5, 0.1
# share of a batch whose labels the teacher is taken to be sure of
SURE = 0.7
# share of the teacher's weights that is kept in a step
KEEP = 0.99
WEIGHTS = {"self_label": 1.0, "neighbors": 1.0}
# a larger one, 5, takes whole clusters apart for a few pairs that disagree with the features
PAIRS_WEIGHT = 1.0
RECIPE = Recipe("adam", learning_rate=5e-3, batch_size=256, max_epochs=20, step_range=(150, 300))


class DistillationObjective(Objective):
    """Each head learns its teacher's sure labels, and to give neighbors the same cluster.

    Parameters
    ----------
    sampler : NeighborBatches
    start : StartingLayer
        Where the heads begin; the teacher takes it over before anything is learnt.
    has_pairs : bool
    """

    needs = frozenset({"logits"})

    def __init__(self, sampler: NeighborBatches, start: StartingLayer, *, has_pairs: bool) -> None:
        weights = WEIGHTS | ({"pairs": PAIRS_WEIGHT} if has_pairs else {})
        begin = Phase("start", 1, dict.fromkeys(weights, 0.0), start)
        super().__init__(sampler, phases=(begin, Phase("distillation", None, weights)))

    def make_auxiliary(self, network: Network) -> nn.Module:
        """The teacher, whose weights follow the network's."""
        return copy.deepcopy(network)

    def after_step(self, modules: Modules, step: int) -> None:
        """Move the teacher a little towards the network; all the way after the step of the start."""
        assert modules.auxiliary is not None
        share = 1.0 if step == 1 else 1 - KEEP
        ours = modules.network.state_dict()
        for name, value in modules.auxiliary.state_dict().items():
            if value.is_floating_point():
                value.lerp_(ours[name], share)

    def targets(self, modules: Modules, samples: Tensor, output: Output, batch: Batch) -> Batch:
        """The batch with what each of the teacher's heads says of it."""
        assert isinstance(modules.auxiliary, HeadsNetwork)
        said = modules.auxiliary.named(modules.auxiliary(samples))
        heads = modules.auxiliary.heads
        taught = {f"taught/{head}": said[f"logits/{head}"].float().softmax(dim=1) for head in heads}
        return dataclasses.replace(batch, targets=taught)

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The terms of one head."""
        assert batch.neighbors is not None
        taught = batch.targets["taught"]
        with full_precision(output.logits):
            logits = output.logits.float()
            prob = logits.softmax(dim=1)
            labels, sure = confident_labels(taught, SURE)
            near, shares = taught[batch.neighbors], taught.mean(dim=0)
            terms = {
                "self_label": self_label(logits, labels, sure, smoothing=SMOOTHING),
                "neighbors": -neighbor_information(prob[: batch.n_drawn], near, shares, beta=1.0).mean(),
            }
            if batch.same is not None:
                terms["pairs"] = ccl_matrix(prob, batch.same)
        return terms


@parameters
class SelfDistillation(SelfDistillationParams, ClusterMixin, NeuralClusterer):
    """
    Made for features of a pretrained encoder. Four clusterings are the start: around centers (k-means),
    along the graph of nearest neighbors (spectral), by diffusion on it, and by merging (Ward). Each is
    continued by a linear head, which learns from a teacher, the moving average of its weights: the labels of
    the samples that the teacher is sure of (section 2.3 of SCAN), and the information that a sample's cluster
    has about its neighbor's (equation 4 of TEMI). Of the heads before and after training, the one is kept
    whose clusters have most information about neighbors and about the position of samples; `runs_` names it.
    With pairs, only the heads that keep most of them are compared. In a vote, or from given clusters, it is
    the trained head of lowest loss.

    Attributes
    ----------
    network_ : nn.Module
        Maps scaled samples to (embedding, logits, logits of each head).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from coterie import SelfDistillation
    >>> X, _ = load_digits(return_X_y=True)
    >>> model = SelfDistillation(n_clusters=10, max_steps=40, random_state=0).fit(X)
    >>> model.predict_proba(X[:2]).shape, model.runs_[0]["head"] in ("diffusion", "graph", "ward", "centers")
    ((2, 10), True)
    """

    def fit(self, X: Any, y: Any = None, *, pairs: Pairs | None = None) -> Self:
        """Cluster X.

        Parameters
        ----------
        X : array-like of shape (n, d), (n, h, w) or (n, c, h, w), or map-style data set
            Features; samples of more than one axis are flattened.
        y : ignored
            Present for scikit-learn's conventions.
        pairs : Pairs, optional
            Rows of X known to belong together or apart; their likelihood (CCL) becomes one more term. If they
            name every cluster (`n_clusters` groups known to be mutually different), these groups are the
            start, spread over the neighbor graph.

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
            A cluster is used by no row, or some rows are zero in every feature.
        """
        samples = self._check_samples(X, reset=True)
        self._check_common(len(samples))
        self._check_neighbors(len(samples))
        if pairs is not None:
            check_pairs(pairs, len(samples), self.n_clusters)
        # counted among the features, which the network below gives
        self.n_outputs_ = 1 if self.n_clusters == AUTO else int(self.n_clusters)
        check_distinct(samples, self.n_outputs_)
        seed = int(self.random_state) if isinstance(self.random_state, int | np.integer) else 0
        points = feature_points(self, samples, seed)
        self.n_clusters_estimate_ = count_if_asked(self.n_clusters, points, seed)
        if self.n_clusters_estimate_ is not None:
            self.n_outputs_ = self.n_clusters_estimate_["n_clusters"]
        clusters, are_found = self._clusters(samples, points, seed, pairs)
        labels = [clusters[head] for head in HEADS]
        is_given = self._given is not None
        start = StartingLayer(labels, self.n_outputs_, self._normalises(), "all_heads", is_given)
        recipe = self._override(RECIPE)
        near = nearest_neighbors(points, self._choose_neighbors(len(samples)))
        sampler = NeighborBatches(near, recipe.batch_size, pairs=pairs)
        objective = DistillationObjective(sampler, start, has_pairs=pairs is not None)
        augment = self._choose_augment(wanted=False)
        given = () if self._given is None else (self._given,)
        supervision = data_digest(*pair_columns(pairs), *given)
        self._choice = HeadChoice(points, near, start, pairs) if are_found else None
        self._train(samples, Training(objective, recipe, self._restarts_or(1), augment, supervision))
        self._choice = None
        return self

    def _describe(self, samples: SampleArray) -> None:
        """Predict by the head that says most; members of a vote, which begin alike, by the trained ones."""
        if self._choice is not None and len(self.members_) == 1:
            assert isinstance(self.network_, HeadsNetwork)
            assert self._team is not None
            found = self._embed(samples)
            (chosen,) = (info for info in self.runs_ if info["chosen"])
            with own_random_numbers(self._team):
                chosen |= self._choice.keep(self.network_, found)
        super()._describe(samples)

    def begin_with(self, labels: Any) -> Self:
        """Let `fit` begin with given clusters of its samples. Not a parameter; `clone` drops it.

        Parameters
        ----------
        labels : array-like of int of shape (n,), values from 0 to n_clusters - 1
            One per row of the X of `fit`; None: it finds its own clusters.

        Returns
        -------
        self

        Examples
        --------
        >>> import numpy as np
        >>> X, labels = np.repeat(np.eye(2), 10, axis=0), np.repeat([1, 0], 10)
        >>> model = SelfDistillation(n_clusters=2, max_steps=40, random_state=0).begin_with(labels)
        >>> bool((model.fit(X).labels_ == labels).all())
        True
        """
        self._given = None if labels is None else np.asarray(labels, dtype=np.int64)
        return self

    def _check_given(self, given: Ints, n_samples: int) -> Ints:
        if given.shape != (n_samples,) or given.min() < 0 or given.max() >= self.n_outputs_:
            raise InputError(
                f"begin_with: labels must have shape ({n_samples},) and values in 0..{self.n_outputs_ - 1}, "
                f"got shape {given.shape} and {given.min(initial=0)}..{given.max(initial=0)}"
            )
        return given

    def _make_network(self, seed: int) -> HeadsNetwork:
        """A fresh float32 network for samples as in ``fit``, its weights a function of the seed alone."""
        backbone = "features" if self._normalises() else self._choose_backbone()
        network = build_heads_network(
            backbone, self.sample_shape_, self.n_outputs_, seed, heads=HEADS, dropout=self._choose_dropout()
        )
        return channels_last(network.float())

    def _choose_dropout(self) -> float:
        """None of few features: each says too much."""
        is_narrow = self._normalises() and flat_size(self.sample_shape_) < WIDE
        return 0.0 if is_narrow else DROPOUT

    def _normalises(self) -> bool:
        """Whether the network only normalises features."""
        return isinstance(self.backbone, str) and self.backbone in (AUTO, "features")

    def _check_neighbors(self, n_samples: int) -> None:
        if self.n_neighbors != AUTO and int(self.n_neighbors) >= n_samples:
            raise InputError(f"n_neighbors={self.n_neighbors} must be < n_samples={n_samples}")

    def _choose_neighbors(self, n_samples: int) -> int:
        if self.n_neighbors == AUTO:
            return usual_neighbors(n_samples, self.n_outputs_)
        return int(self.n_neighbors)

    def _clusters(
        self, samples: SampleArray, points: Points, seed: int, pairs: Pairs | None
    ) -> tuple[Mapping[str, Ints], bool]:
        """Where each head begins, and whether with four clusterings that were found, not with known ones."""
        if self._given is not None:
            return dict.fromkeys(HEADS, self._check_given(self._given, len(samples))), False
        start = self._start
        if isinstance(start, NeuralClusterer) and start.n_outputs_ == self.n_outputs_:
            return dict.fromkeys(HEADS, start._most_probable(samples)), False
        named = None if pairs is None else named_groups(pairs, len(points), self.n_outputs_)
        if named is not None:
            return dict.fromkeys(HEADS, spread_groups(points, named, self.n_outputs_)), False
        return starting_clusters(points, self.n_outputs_, seed), True
