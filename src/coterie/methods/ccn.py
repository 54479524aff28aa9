"""Constrained clustering networks: NNclustering (KCL) and CCL, from labels or same/different pairs.

Hsu and Kira, "Neural network-based clustering using pairwise constraints", arXiv:1511.06321 (KCL);
Hsu, Lv, Schlosser, Odom and Kira, "A probabilistic constrained clustering for transfer learning and image
category discovery", arXiv:1806.11078 (CCL).
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils import Tags
from torch import Tensor
from torch.nn import functional

from coterie._checks import check_number
from coterie._errors import InputError, SimilarityWarning
from coterie._types import Batch, Output
from coterie.data import Pairs
from coterie.data.arrays import SampleArray, data_digest
from coterie.data.batches import LabelBatches, PairBatches, Sampler
from coterie.engine.objective import Modules, Objective, OnEnter
from coterie.engine.recipe import Recipe
from coterie.engine.training import FinishedRun
from coterie.losses.ccl import unchecked_ccl
from coterie.losses.inputs import check_margin
from coterie.losses.kcl import unchecked_kcl
from coterie.losses.pairs import DEFAULT_OPTIONS, PairOptions
from coterie.methods.base import AUTO, IntArray, NeuralClusterer, Training
from coterie.methods.checks import check_choice, check_labels, check_pairs, pair_columns, warn_of_classes
from coterie.methods.kmeans_start import KMeansHead
from coterie.methods.similarity import SimilarityNetwork
from coterie.methods.transfer import (
    PairLabeler,
    check_similarity,
    make_pair_labeler,
    similar_share,
    spectral_start,
    symmetric_odds,
)
from coterie.metrics import dominant_clusters


class PairObjective(Objective):
    """A pair loss on the softmax rows of a batch, with cross entropy on known labels where it has a weight.

    Parameters
    ----------
    sampler : LabelBatches or PairBatches
    loss : {"ccl", "kcl"}
    margin : float
        Of KCL.
    options : PairOptions
    cross_entropy_weight : float
    """

    def __init__(
        self, sampler: Sampler, loss: str, margin: float, options: PairOptions, cross_entropy_weight: float
    ) -> None:
        weights = {loss: 1.0}
        if cross_entropy_weight > 0:
            weights["cross_entropy"] = cross_entropy_weight
        super().__init__(sampler, weights)
        self._loss = loss
        self._margin = margin
        self._options = options

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The pair loss over the pairs known in the batch, and the cross entropy over its known labels."""
        terms = {self._loss: self._pair_loss(output.prob, _known(batch), batch.pair_weight)}
        if "cross_entropy" in self.weights:
            assert batch.labels is not None
            # no int(): reading the count would make a GPU wait
            counted = (batch.labels >= 0).sum().clamp_min(1)
            total = functional.cross_entropy(output.logits, batch.labels, ignore_index=-1, reduction="sum")
            terms["cross_entropy"] = total / counted
        return terms

    def _pair_loss(self, prob: Tensor, same: Tensor, weight: Tensor | None) -> Tensor:
        if self._loss == "kcl":
            return unchecked_kcl(prob, same, self._margin, self._options, weight)
        return unchecked_ccl(prob, same, self._options, weight)


class TransferObjective(PairObjective):
    """A pair loss whose pairs are what a similarity network says of each batch.

    The similarity network sees the same views as the clustering network, and its batch norm takes its
    statistics from them.

    Parameters
    ----------
    sampler : Sampler
    loss : {"ccl", "kcl"}
    margin : float
        Of KCL.
    options : PairOptions
    labeler : PairLabeler
    """

    auxiliary_training = True

    def __init__(
        self, sampler: Sampler, loss: str, margin: float, options: PairOptions, labeler: PairLabeler
    ) -> None:
        super().__init__(sampler, loss, margin, options, cross_entropy_weight=0.0)
        self.auxiliary = labeler.network
        self._labeler = labeler

    def targets(self, modules: Modules, samples: Tensor, output: Output, batch: Batch) -> Batch:
        """The batch with a label, and where wanted a weight, for every pair."""
        assert modules.auxiliary is not None
        odds = symmetric_odds(modules.auxiliary, samples)
        return Batch(batch.rows, same=self._labeler.same(odds), pair_weight=self._labeler.weight(odds))


def _known(batch: Batch) -> Tensor:
    """The pairs as given (b, b), or labels (b,) that stand for all pairs among them."""
    known = batch.same if batch.same is not None else batch.labels
    assert known is not None
    return known


@dataclass(frozen=True)
class Preset:
    """A recipe, and what the released code does to the loss beside the paper's equation.

    `after_another` is the share of the rate where another method's clusters are the start: what pairs alone
    would not have found is soon undone by the rate that finds clusters from nothing.
    """

    recipe: Recipe
    options: PairOptions = DEFAULT_OPTIONS
    drop_last: bool = False
    after_another: float = 1.0


# The paper names neither rate nor length of training; those of its Torch7 code stand in both presets.
_TORCH7 = Recipe(
    "sgd",
    learning_rate=0.01,
    momentum=0.9,
    weight_decay=5e-4,
    batch_size=32,
    max_epochs=100,
    drops=(0.25, 0.5, 0.75),
    drop_factor=0.5,
)
_CCL_PAPER = Recipe("sgd", learning_rate=0.1, batch_size=100, max_epochs=30, drops=(1 / 3, 2 / 3))
_CCL_CODE = Recipe("adam", learning_rate=1e-3, batch_size=100, max_epochs=30, drops=(1 / 3, 2 / 3))
_FROM_LABELS = Recipe(
    "adam",
    learning_rate=1e-3,
    batch_size=100,
    max_epochs=60,
    step_range=(600, 12_000),
    drops=(0.5, 0.75),
    patience=10,
)
# The Torch7 code's rate and decay for a sum over 16 pairs, restated for a mean, so that they stay right when
# the batch size is another.
_SUMMED = 16
_FROM_PAIRS = Recipe(
    "sgd",
    learning_rate=0.01 * _SUMMED,
    momentum=0.9,
    weight_decay=5e-4 / _SUMMED,
    batch_size=32,
    max_epochs=60,
    step_range=(1_500, 4_500),
    drops=(0.25, 0.5, 0.75),
    drop_factor=0.5,
)

# Noise on vectors holds an MLP back less than jittered images do a LeNet, hence the decay; the batch: ACC on
# digits from 500 pairs, mean of 5 draws, was 0.81 with 32 samples and 0.84 with 100 (KCL; CCL 0.76, 0.81).
_FROM_VECTOR_PAIRS = dataclasses.replace(_FROM_PAIRS, batch_size=100, weight_decay=5e-3 / _SUMMED)

# From many pairs a larger batch averages wrong ones out, and at a quarter of the rate fewer classes are told
# apart by mixtures of clusters where there are more clusters than classes: MNIST, 12,000 pairs, 100 outputs,
# held out from training, NMI 0.85 at the full rate, 0.92 at a quarter.
_KCL_FROM_MANY_PAIRS = dataclasses.replace(
    _FROM_PAIRS, batch_size=100, max_epochs=16, learning_rate=_FROM_PAIRS.learning_rate / 4
)
# CCL: 0.93 with the steps of KCL, after which two classes share a cluster, 0.96 with Adam's.
_CCL_FROM_MANY_PAIRS = Recipe(
    "adam", learning_rate=1e-3, batch_size=100, max_epochs=16, step_range=(1_500, 4_500), drops=(0.5, 0.75)
)
MANY_PAIRS = 5_000

# Epochs, rate and its drop are those of the paper's supplement and code.
_TRANSFER = Recipe("adam", learning_rate=1e-3, batch_size=100, max_epochs=150, drops=(2 / 3,))
TRANSFER = {
    "default": Preset(dataclasses.replace(_TRANSFER, step_range=(600, 6_000))),
    "paper": Preset(_TRANSFER),
    "code": Preset(_TRANSFER, PairOptions(include_self=True, eps=1e-7)),
}

PAPER_AND_CODE = {
    ("paper", "kcl"): Preset(_TORCH7, PairOptions("sum")),
    ("code", "kcl"): Preset(_TORCH7, PairOptions("sum", eps=1e-35), drop_last=True),
    ("paper", "ccl"): Preset(_CCL_PAPER),
    ("code", "ccl"): Preset(_CCL_CODE, PairOptions(include_self=True, eps=1e-7)),
}
# after_another: digits, 50 answers to `coterie label` after DDC (0.88) and ADC (0.97), each standing for its
# neighbours: 0.40 and 0.10 at the whole rate, 0.88 and 0.88 at a hundredth; 100 (62,000 pairs) after ADC:
# 0.66 and, at a tenth, 0.98. From labels, or after another CCN, the whole rate is better.
DEFAULTS = {
    ("labels", "kcl"): Preset(_FROM_LABELS),
    ("labels", "ccl"): Preset(_FROM_LABELS),
    ("pairs of images", "kcl"): Preset(_FROM_PAIRS, after_another=0.01),
    ("pairs of images", "ccl"): Preset(_FROM_PAIRS, after_another=0.01),
    ("many pairs of images", "kcl"): Preset(_KCL_FROM_MANY_PAIRS, after_another=0.1),
    ("many pairs of images", "ccl"): Preset(_CCL_FROM_MANY_PAIRS, after_another=0.1),
    ("pairs of vectors", "kcl"): Preset(_FROM_VECTOR_PAIRS, after_another=0.01),
    ("pairs of vectors", "ccl"): Preset(_FROM_VECTOR_PAIRS, after_another=0.01),
}

HEAD_INITS = ("random", "k-means", "similarity")

# With this little supervision the start decides: the best of five by loss, as in the paper.
FEW_PAIRS = 20_000
FEW_LABELS = 5_000


@dataclass(frozen=True)
class _Supervision:
    """What is known beside X: codes of labels, pairs, or both."""

    codes: IntArray | None
    pairs: Pairs | None

    @property
    def is_small(self) -> bool:
        if self.pairs is not None:
            return self.pairs.n_pairs <= FEW_PAIRS
        assert self.codes is not None
        return int((self.codes >= 0).sum()) <= FEW_LABELS

    @property
    def similar_share(self) -> float:
        """Fraction of the known pairs that are similar."""
        if self.pairs is not None:
            return self.pairs.n_similar / self.pairs.n_pairs
        assert self.codes is not None
        counts = np.bincount(self.codes[self.codes >= 0])
        total = int(counts.sum())
        return float((counts * (counts - 1)).sum()) / max(1, total * (total - 1))

    def digest(self) -> str:
        return data_digest(self.codes, *pair_columns(self.pairs))


class CCN(NeuralClusterer):
    """Constrained clustering network: clusters from labels of some rows, from pairs or by transfer.

    The network's softmax output is the clustering. It is trained on pairs alone: similar pairs are to get
    the same distribution over clusters and dissimilar pairs different ones (KCL, eqs. 1-5 of
    arXiv:1511.06321), or the likelihood of the pairs is maximised (CCL, eqs. 1-3 of arXiv:1806.11078). Rows
    about which nothing is known do not take part in training and are clustered like new ones.

    Where nothing is known of X at all, a `SimilarityNetwork` trained on other classes may say which of its
    samples belong together: the classes of X are discovered (transfer across tasks, arXiv:1806.11078).

    Parameters
    ----------
    n_clusters : int or "auto", default=8
        Number of outputs, at least 1 and at most the number of rows. "auto": counted in restarts with 20
        outputs and more, which cost five runs; see `n_clusters_estimate_`. Not with cross entropy.
    loss : {"ccl", "kcl"}, default="ccl"
        The pair loss.
    margin : float, default=2.0
        Of KCL: the divergence beyond which a dissimilar pair costs nothing; above 0.
    pair_weight : None, "balanced" or "confidence", default=None
        "balanced" lets all similar pairs together weigh as much as all dissimilar ones. "confidence", with a
        similarity network: each pair weighs as much as the network is sure of it, which the paper does not.
    cross_entropy_weight : float, default=0.0
        Weight of a cross entropy on known labels beside the pair loss (section 2 of arXiv:1511.06321); the
        clusters then are the classes in sorted order. Only with it may `fit` take both y and pairs.
    n_restarts : int or "auto", default="auto"
        Runs from different starts, of which the one of lowest loss is kept. "auto": 5 with at most 20,000
        pairs or 5,000 labels, else 1; 1 with a similarity network or after `start_from`.
    restarts : {"auto", "sequential", "stacked", "successive-halving"}, default="auto"
        How they run: one after another; all at once with stacked weights; or by successive halving: after
        1/16, 1/8 and 1/4 of the steps the worse half is dropped, down to three. "auto" stacks where that was
        faster and all have batches of one size: on an accelerator, and on a CPU small networks without
        convolutions. A restart that ends in a single cluster is replaced.
    vote : int, default=0
        0: the best restart alone. 3 or more: as many of the best restarts, aligned to the best one, vote for
        the cluster of each sample (DDC-VOTE); probabilities are then shares of votes, and ties go to the best
        restart. With "auto" as `n_restarts`, at least `vote` restarts run.
    backbone : "auto", str, nn.Module or callable, default="auto"
        Network below the softmax layer: chosen from the shape of X, a name, a module (copied, its weights
        kept) or a callable that gives a fresh module for each restart.
    preset : {"default", "paper", "code"}, default="default"
        Optimisation as tuned here (larger batches above 5,000 pairs), as in the loss's paper, or as in its
        released code.
    batch_size : int or None, default=None
        Samples a step, at least 2; None takes the preset's. A step from pairs takes half as many pairs.
    learning_rate : float or None, default=None
        The highest one, before it drops; None takes the preset's, of which a hundredth from pairs (a tenth
        from more than 5,000) where `start_from` was given clusters of another method.
    max_epochs : int or None, default=None
        Passes over the known labels or pairs; None takes the preset's.
    max_steps : int or None, default=None
        Optimisation steps of one restart; overrides `max_epochs`.
    augment : "auto", "none" or callable, default="auto"
        Random views of each training batch, drawn anew at every step. "auto": with a similarity network, and
        with the default preset and little supervision (as for `n_restarts`), small rotations, zooms and
        shifts of images and noise on vectors; else none. A callable maps a scaled batch and a torch.Generator
        to a batch of that shape.
    scale : bool, default=True
        Standardise X by statistics of the training data; uint8 is divided by 255 in any case.
    over_clustering : bool, default=False
        `n_clusters` is an upper bound: unused clusters are no reason for a warning.
    head_init : {"random", "k-means", "similarity"}, default="random"
        Where the clusters begin. "k-means": the output layer starts such that each sample is in the cluster
        that k-means on the embeddings puts it into. For backbones that mean something before the training:
        "identity" on features, a trained module, or after `start_from`. "similarity": the same with the
        clusters that spectral clustering makes of what a similarity network says of all pairs.
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
        The objective in eval mode after training; it alone ranks restarts.
    history_, runs_ : list of dict
        One entry per epoch, and one per restart; after a fit with a similarity network and `over_clustering`
        each of several restarts has its own "n_clusters" and "n_dominant", whose spread is the estimate's.
    network_ : nn.Module
        Maps scaled samples to (embedding, logits).
    classes_ : array
        Distinct known labels; only after a fit with y.
    members_ : list of nn.Module
        The networks that vote, the best first, with the clusters of all named alike; without a vote, the best
        one alone.
    n_features_in_ : int
    sample_shape_ : tuple of int

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from coterie import CCN, Pairs
    >>> X, y = load_digits(return_X_y=True)
    >>> pairs = Pairs.from_labels(y, 500, random_state=0)
    >>> model = CCN(n_clusters=10, loss="kcl", n_restarts=2, random_state=0).fit(X, pairs=pairs)
    >>> model.predict_proba(X[:2]).shape
    (2, 10)
    """

    # its pairs have said what belongs together
    merges_outputs = False

    def __init__(  # noqa: PLR0913 - scikit-learn wants every parameter here
        self,
        n_clusters: int | str = 8,
        loss: str = "ccl",
        margin: float = 2.0,
        pair_weight: str | None = None,
        cross_entropy_weight: float = 0.0,
        n_restarts: int | str = "auto",
        restarts: str = "auto",
        vote: int = 0,
        backbone: Any = "auto",
        preset: str = "default",
        batch_size: int | None = None,
        learning_rate: float | None = None,
        max_epochs: int | None = None,
        max_steps: int | None = None,
        augment: Any = "auto",
        scale: bool = True,
        over_clustering: bool = False,
        head_init: str = "random",
        precision: str = "float32",
        threads: int | str = "auto",
        device: str = "auto",
        random_state: Any = None,
        checkpoint_dir: str | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.loss = loss
        self.margin = margin
        self.pair_weight = pair_weight
        self.cross_entropy_weight = cross_entropy_weight
        self.n_restarts = n_restarts
        self.restarts = restarts
        self.vote = vote
        self.backbone = backbone
        self.preset = preset
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.max_steps = max_steps
        self.augment = augment
        self.scale = scale
        self.over_clustering = over_clustering
        self.head_init = head_init
        self.precision = precision
        self.threads = threads
        self.device = device
        self.random_state = random_state
        self.checkpoint_dir = checkpoint_dir
        self.verbose = verbose

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        pairs: Pairs | None = None,
        similarity: SimilarityNetwork | None = None,
    ) -> Self:
        """Cluster X from labels of some of its rows, from pairs, or by what a similarity network says.

        Parameters
        ----------
        X : array-like of shape (n, d), (n, h, w) or (n, c, h, w), or map-style data set
            Float or uint8.
        y : array-like of shape (n,), optional
            Labels of any type; -1, None and NaN are unknown. All pairs of known labels in a batch are used.
        pairs : Pairs, optional
            Which rows of X belong together and which do not.
        similarity : SimilarityNetwork, optional
            Fitted on samples of the same shape; it is left as it is. The pairs of each batch get the labels
            that it gives them: from its threshold on, with the presets "paper" and "code" the likelier one.
            X is scaled as its samples were.

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
        self._check_own()
        if similarity is not None:
            return self._fit_transfer(samples, y, pairs, similarity)
        supervision = self._check_supervision(len(samples), y, pairs)
        self._choose_n_outputs(samples, len(samples) // 2, y=y, pairs=pairs)
        preset = self._choose_preset(supervision)
        recipe = self._override(preset.recipe)
        objective = PairObjective(
            self._make_sampler(supervision, recipe, preset.drop_last),
            self.loss,
            self.margin,
            dataclasses.replace(preset.options, kind_weights=self._kind_weights(supervision)),
            self.cross_entropy_weight,
        )
        n_restarts = self._restarts_or(5 if supervision.is_small else 1)
        augment = self._choose_augment(self.preset == "default" and supervision.is_small)
        if self.head_init == "k-means":
            _start_with(objective, KMeansHead(self.n_outputs_))
        return self._train(samples, Training(objective, recipe, n_restarts, augment, supervision.digest()))

    def fit_predict(
        self,
        X: Any,
        y: Any = None,
        *,
        pairs: Pairs | None = None,
        similarity: SimilarityNetwork | None = None,
    ) -> IntArray:
        """Fit and return the cluster of each row of X: see `fit`."""
        return self.fit(X, y, pairs=pairs, similarity=similarity).labels_

    def _fit_transfer(
        self, samples: SampleArray, y: Any, pairs: Pairs | None, similarity: SimilarityNetwork
    ) -> Self:
        """Cluster samples of which nothing is known but what a similarity network says."""
        if y is not None or pairs is not None:
            raise InputError("y, pairs, similarity: one of them is expected")
        if self.cross_entropy_weight > 0:
            raise InputError("cross_entropy_weight: above 0 with similarity; 0 is expected without labels")
        check_similarity(similarity, samples, self.sample_shape_)
        self._choose_n_outputs(samples, len(samples) // 2, similarity=similarity)
        preset = TRANSFER[self.preset]
        recipe = self._override(preset.recipe)
        if len(samples) < recipe.batch_size:
            warnings.warn(
                f"X: {len(samples)} rows are fewer than a batch of {recipe.batch_size}: the similarity "
                "network takes its batch statistics from these few",
                SimilarityWarning,
                stacklevel=3,
            )
        # no label is known: all rows are drawn alike
        sampler = LabelBatches(np.zeros(len(samples), dtype=np.int64), recipe.batch_size)
        argmax, weighted = self.preset != "default", self.pair_weight == "confidence"
        labeler = make_pair_labeler(similarity, argmax=argmax, weighted=weighted)
        share = similar_share(similarity, labeler, samples, sampler)
        weights = _kind_weights(share) if self.pair_weight == "balanced" else None
        options = dataclasses.replace(preset.options, kind_weights=weights)
        objective = TransferObjective(sampler, self.loss, self.margin, options, labeler)
        if self.head_init == "k-means":
            _start_with(objective, KMeansHead(self.n_outputs_))
        elif self.head_init == "similarity":
            _start_with(objective, spectral_start(similarity, labeler, samples, self.n_outputs_))
        n_restarts = self._restarts_or(1)
        state = labeler.network.state_dict().values()
        supervision = data_digest(*(np.atleast_1d(value.cpu().numpy()) for value in state))
        training = Training(objective, recipe, n_restarts, self._choose_augment(True), supervision)
        # each restart estimates the number of clusters
        keep = n_restarts if self.over_clustering else 1
        return self._train(samples, dataclasses.replace(training, keep=keep, scaling=similarity.scaling_))

    def _describe_restarts(self, samples: SampleArray, kept: Sequence[FinishedRun]) -> None:
        """Clusters of each kept restart, used and dominant, into its entry of `runs_`."""
        of_restart = {info["restart"]: info for info in self.runs_}
        for run in kept:
            network = self.load_network(run.state, next(self.network_.parameters()).device)
            labels = self._labels_by(samples, network)
            of_restart[run.index]["n_clusters"] = len(np.unique(labels))
            of_restart[run.index]["n_dominant"] = dominant_clusters(labels, self.n_outputs_)

    def _check_own(self) -> None:
        check_choice("loss", self.loss, ("ccl", "kcl"))
        check_choice("head_init", self.head_init, HEAD_INITS)
        check_margin(self.margin)
        check_choice("pair_weight", self.pair_weight, (None, "balanced", "confidence"))
        check_number("cross_entropy_weight", self.cross_entropy_weight, positive=False)
        if self.n_clusters == AUTO and self.cross_entropy_weight > 0:
            raise InputError(
                f'n_clusters: "{AUTO}" with cross_entropy_weight above 0, where clusters are classes; their '
                "number is expected"
            )

    def _check_supervision(self, n_samples: int, y: Any, pairs: Pairs | None) -> _Supervision:
        """Exactly one source of similarity; y beside pairs only for the cross entropy."""
        if self.head_init == "similarity":
            raise InputError('head_init: "similarity" is expected with similarity alone')
        if self.pair_weight == "confidence":
            raise InputError('pair_weight: "confidence" is expected with similarity alone')
        if y is None and pairs is None:
            raise InputError(
                "CCN requires y to be passed, but the target y is None; pass labels of some rows as y, "
                "pairs=Pairs(...), or similarity=SimilarityNetwork(...).fit(...)"
            )
        if pairs is not None:
            check_pairs(pairs, n_samples, self.n_clusters)
        combined = self.cross_entropy_weight > 0
        if y is not None and pairs is not None and not combined:
            raise InputError("y, pairs: one of them is expected; both only with cross_entropy_weight above 0")
        if y is None and combined:
            raise InputError("cross_entropy_weight: above 0, but y is None; labels of some rows are expected")
        return _Supervision(self._check_labels(n_samples, y) if y is not None else None, pairs)

    def _check_labels(self, n_samples: int, y: Any) -> npt.NDArray[np.int64]:
        codes, self.classes_ = check_labels(y, n_samples)
        if self.cross_entropy_weight > 0 and len(self.classes_) > int(self.n_clusters):
            raise InputError(
                f"n_clusters: {self.n_clusters}; at least the {len(self.classes_)} classes of y are expected "
                "with cross_entropy_weight above 0"
            )
        warn_of_classes(self.classes_, self.n_clusters)
        return codes

    def _choose_preset(self, supervision: _Supervision) -> Preset:
        if self.preset != "default":
            return PAPER_AND_CODE[self.preset, self.loss]
        preset = DEFAULTS[self._kind_of(supervision), self.loss]
        if not self._takes_over_clusters():
            return preset
        rate = preset.after_another * preset.recipe.learning_rate
        return dataclasses.replace(preset, recipe=dataclasses.replace(preset.recipe, learning_rate=rate))

    def _takes_over_clusters(self) -> bool:
        """Whether the fit begins with clusters that another method has found."""
        start = self._start
        if not isinstance(start, NeuralClusterer) or isinstance(start, CCN):
            return False
        return start.n_outputs_ == self.n_outputs_

    def _kind_of(self, supervision: _Supervision) -> str:
        """What is known, by the kinds of the default presets."""
        if supervision.pairs is None:
            return "labels"
        if len(self.sample_shape_) == 1:
            return "pairs of vectors"
        return "many pairs of images" if supervision.pairs.n_pairs > MANY_PAIRS else "pairs of images"

    def _make_sampler(self, supervision: _Supervision, recipe: Recipe, drop_last: bool) -> Sampler:
        if supervision.pairs is None:
            assert supervision.codes is not None
            return LabelBatches(supervision.codes, recipe.batch_size, drop_last=drop_last)
        return PairBatches(
            supervision.pairs, max(1, recipe.batch_size // 2), drop_last=drop_last, labels=supervision.codes
        )

    def _kind_weights(self, supervision: _Supervision) -> tuple[float, float] | None:
        """Weights under which both kinds of pairs weigh the same in total."""
        return None if self.pair_weight is None else _kind_weights(supervision.similar_share)


def _start_with(objective: PairObjective, head: OnEnter) -> None:
    """Let the one phase of an objective begin with an output layer."""
    (phase,) = objective.phases
    objective.phases = (dataclasses.replace(phase, on_enter=head),)


def _kind_weights(similar_share: float) -> tuple[float, float] | None:
    """Weights under which both kinds of pairs weigh the same; None where there is one kind."""
    if similar_share in (0.0, 1.0):
        return None
    return 0.5 / similar_share, 0.5 / (1.0 - similar_share)
