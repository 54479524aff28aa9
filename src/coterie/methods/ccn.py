"""Constrained clustering networks: NNclustering (KCL) and CCL, from labels or same/different pairs.

Hsu and Kira, "Neural network-based clustering using pairwise constraints", arXiv:1511.06321 (KCL);
Hsu, Lv, Schlosser, Odom and Kira, "A probabilistic constrained clustering for transfer learning and image
category discovery", arXiv:1806.11078 (CCL).
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils import Tags

from coterie._errors import InputError, SimilarityWarning
from coterie.data import Pairs
from coterie.data.arrays import SampleArray, data_digest
from coterie.data.augment import Augment
from coterie.data.batches import LabelBatches, PairBatches, Sampler
from coterie.engine.objective import OnEnter
from coterie.engine.recipe import Recipe
from coterie.engine.training import FinishedRun
from coterie.losses.inputs import check_margin
from coterie.methods.base import AUTO, IntArray, Training
from coterie.methods.ccn_presets import (
    CROPS,
    DEFAULTS,
    HIDDEN_FEATURES,
    IN_METRIC,
    MANY_PAIRS,
    PAPER_AND_CODE,
    TRANSFER,
    Preset,
)
from coterie.methods.checks import check_labels, check_pairs, warn_of_classes
from coterie.methods.clusterer import NeuralClusterer
from coterie.methods.kmeans_start import KMeansHead
from coterie.methods.pair_objectives import PairObjective, TransferObjective
from coterie.methods.similarity import SimilarityNetwork
from coterie.methods.supervision import Supervision
from coterie.methods.transfer import (
    check_similarity,
    look_at_answers,
    make_pair_labeler,
    spectral_start,
)
from coterie.metrics import dominant_clusters
from coterie.nn import ClusterNetwork, build_network, channels_last
from coterie.params import parameters
from coterie.params.ccn import CCNParams

if TYPE_CHECKING:
    from coterie.methods.on_features import Beginning


@parameters
class CCN(CCNParams, NeuralClusterer):
    """
    The network's softmax output is the clustering. It is trained on pairs alone: similar pairs are to get
    the same distribution over clusters and dissimilar pairs different ones (KCL, eqs. 1-5 of
    arXiv:1511.06321), or the likelihood of the pairs is maximised (CCL, eqs. 1-3 of arXiv:1806.11078). Rows
    about which nothing is known do not take part in training and are clustered like new ones.

    Where nothing is known of X at all, a `SimilarityNetwork` trained on other classes may say which of its
    samples belong together: the classes of X are discovered (transfer across tasks, arXiv:1806.11078).

    Attributes
    ----------
    history_, runs_ : list of dict
        One entry per epoch, and one per restart. After a fit with a similarity network, each of several
        restarts has its own "n_clusters" and "n_dominant", whose spread is the estimate's.
    classes_ : array
        Distinct known labels; only after a fit with y.
    hidden_features_ : int
        Width of the layer between features and outputs; 0: none.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from coterie import CCN, Pairs
    >>> X, y = load_digits(return_X_y=True)
    >>> pairs = Pairs.from_labels(y, 500, random_state=0)
    >>> model = CCN(n_clusters=10, n_restarts=1, max_steps=100, random_state=0).fit(X, pairs=pairs)
    >>> model.predict_proba(X[:2]).shape
    (2, 10)
    """

    _saved_fields = (*NeuralClusterer._saved_fields, "hidden_features_")
    # its pairs have said what belongs together
    _merges_outputs = False
    _usual_pixels = 32 * 32

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
            X is scaled as its samples were. If it is a metric of features, the fit begins with clusters in
            this metric, and only pairs count on which they and the network agree; with over_clustering, these
            clusters are counted, and n_clusters is their largest number.

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
        is_released = similarity is not None and self.preset != "default"
        self.hidden_features_ = self._width_or(HIDDEN_FEATURES if is_released else 0)
        if similarity is not None:
            return self._fit_transfer(samples, y, pairs, similarity)
        supervision = self._check_supervision(len(samples), y, pairs)
        self._find_features()
        self._on_features = self._on_features or self._knows_too_little(supervision)
        begun = self._begin(samples, codes=supervision.codes, pairs=supervision.pairs)
        if begun is None:
            self._choose_n_outputs(samples, len(samples) // 2, y=y, pairs=pairs)
        elif begun.named is not None:
            # CIFAR-10 tuning images, 200 chosen pairs: ACC 0.845, as pairs 0.836
            supervision = Supervision(begun.named, None)
        is_gentle = begun is not None or (self.head_init == AUTO and self._is_gentle())
        preset = self._choose_preset("clusters" if is_gentle else self._kind_of(supervision))
        recipe = self._override(preset.recipe)
        sampler = self._make_sampler(supervision, recipe, preset.drop_last)
        if begun is not None and self.max_steps is None and self.max_epochs is None:
            recipe = supervision.shortened(recipe, sampler.n_steps, begun.labels)
        objective = PairObjective(
            sampler,
            self.loss,
            self.margin,
            dataclasses.replace(preset.options, kind_weights=self._kind_weights(supervision)),
            self.cross_entropy_weight,
        )
        n_restarts = self._restarts_or(5 if supervision.is_small and not is_gentle else 1)
        wanted = self.preset == "default" and supervision.is_small and not is_gentle
        augment = self._choose_augment(wanted)
        if begun is not None:
            _start_with(objective, begun.layer)
        elif self.head_init == "k-means":
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
            raise InputError("fit needs one of y, pairs and similarity")
        if self.cross_entropy_weight > 0:
            raise InputError("cross_entropy_weight must be 0 with similarity, which needs no labels")
        check_similarity(similarity, samples, self.sample_shape_)
        is_metric = similarity._is_gentle()
        self._on_features = self.backbone == "features" or (self.backbone == AUTO and is_metric)
        begins = self.preset == "default" or self.head_init == "clusters"
        begun = self._begin(samples, metric=similarity if is_metric else None) if begins else None
        if begun is None:
            self._choose_n_outputs(samples, len(samples) // 2, similarity=similarity)
        preset = TRANSFER[self.preset] if begun is None else IN_METRIC
        recipe = self._override(preset.recipe)
        if len(samples) < recipe.batch_size and not is_metric:
            warnings.warn(
                f"X has n_samples={len(samples)}, fewer than batch_size={recipe.batch_size}: the similarity "
                "network computes its batch statistics from these few samples",
                SimilarityWarning,
                stacklevel=3,
            )
        # no label is known: all rows are drawn alike
        clusters = np.zeros(len(samples), dtype=np.int64) if begun is None else begun.labels
        sampler = LabelBatches(clusters, recipe.batch_size)
        argmax, weighted = self.preset != "default", self.pair_weight == "confidence"
        labeler = make_pair_labeler(similarity, argmax=argmax, weighted=weighted)
        share = look_at_answers(similarity, labeler, samples, sampler)
        weights = _kind_weights(share) if self.pair_weight == "balanced" else None
        options = dataclasses.replace(preset.options, kind_weights=weights)
        objective = TransferObjective(
            sampler, self.loss, self.margin, options, labeler, agree=begun is not None
        )
        if begun is not None:
            _start_with(objective, begun.layer)
        elif self.head_init == "k-means":
            _start_with(objective, KMeansHead(self.n_outputs_))
        elif self.head_init == "similarity":
            _start_with(objective, spectral_start(similarity, labeler, samples, self.n_outputs_))
        n_restarts = self._restarts_or(1)
        state = labeler.network.state_dict().values()
        supervision = data_digest(*(np.atleast_1d(value.cpu().numpy()) for value in state))
        training = Training(objective, recipe, n_restarts, self._transfer_views(), supervision)
        # each restart says how many clusters it finds
        return self._train(
            samples, dataclasses.replace(training, keep=n_restarts, scaling=similarity.scaling_)
        )

    def _begin(self, samples: SampleArray, **known: Any) -> Beginning | None:
        """The clusters that the output layer continues; None where a fit begins otherwise."""
        if self.head_init not in (AUTO, "clusters"):
            return None
        return self._begin_on_features(samples, **known, wanted=self.head_init == "clusters")

    def _knows_too_little(self, supervision: Supervision) -> bool:
        """Whether too little is known of samples for anything but their own clusters to begin with."""
        is_open = self.backbone == AUTO and self.head_init in (AUTO, "clusters") and self._start is None
        is_told = isinstance(self.n_clusters, int | np.integer) and not self.over_clustering
        is_usual = is_open and is_told and self.preset == "default" and self.cross_entropy_weight == 0
        of_images = len(self.sample_shape_) > 1
        return is_usual and supervision.is_too_little(int(self.n_clusters), of_images=of_images)

    def _transfer_views(self) -> Augment | None:
        """The views of each batch, which the similarity network sees too."""
        if self.preset != "default" and self.augment == AUTO and self.modality_ == "image":
            return CROPS
        return self._choose_augment(wanted=not self._is_gentle())

    def _make_network(self, seed: int) -> ClusterNetwork:
        """A fresh float32 network for samples as in ``fit``, its weights a function of the seed alone."""
        network = build_network(
            self._choose_backbone(), self.sample_shape_, self.n_outputs_, seed, self.hidden_features_
        )
        return channels_last(network.float())

    def _width_or(self, usual: int) -> int:
        """Width of the layer between features and outputs; with "auto" the usual one."""
        return usual if self.hidden_features == AUTO else int(self.hidden_features)

    def _describe_restarts(self, samples: SampleArray, kept: Sequence[FinishedRun]) -> None:
        """Clusters of each kept restart, used and dominant, into its entry of `runs_`."""
        of_restart = {info["restart"]: info for info in self.runs_}
        for run in kept:
            network = self._load_network(run.state, next(self.network_.parameters()).device)
            labels = self._labels_by(samples, network)
            of_restart[run.index]["n_clusters"] = len(np.unique(labels))
            of_restart[run.index]["n_dominant"] = dominant_clusters(labels, self.n_outputs_)

    def _check_own(self) -> None:
        check_margin(self.margin)
        if self.n_clusters == AUTO and self.cross_entropy_weight > 0:
            raise InputError(
                "n_clusters must be a number with cross_entropy_weight above 0, where clusters are classes, "
                f'got "{AUTO}"'
            )

    def _check_supervision(self, n_samples: int, y: Any, pairs: Pairs | None) -> Supervision:
        """Exactly one source of similarity; y together with pairs only for the cross entropy."""
        if self.head_init == "similarity":
            raise InputError('head_init="similarity" needs similarity in fit')
        if self.pair_weight == "confidence":
            raise InputError('pair_weight="confidence" needs similarity in fit')
        if y is None and pairs is None:
            raise InputError(
                "CCN requires y to be passed, but the target y is None; pass labels of some rows as y, "
                "pairs=Pairs(...), or similarity=SimilarityNetwork(...).fit(...)"
            )
        if pairs is not None:
            check_pairs(pairs, n_samples, self.n_clusters)
        combined = self.cross_entropy_weight > 0
        if y is not None and pairs is not None and not combined:
            raise InputError("fit takes one of y and pairs; both only with cross_entropy_weight above 0")
        if y is None and combined:
            raise InputError("cross_entropy_weight above 0 needs labels of some rows, got y=None")
        return Supervision(self._check_labels(n_samples, y) if y is not None else None, pairs)

    def _check_labels(self, n_samples: int, y: Any) -> npt.NDArray[np.int64]:
        codes, self.classes_ = check_labels(y, n_samples)
        if self.cross_entropy_weight > 0 and len(self.classes_) > int(self.n_clusters):
            raise InputError(
                f"n_clusters={self.n_clusters} must be >= {len(self.classes_)}, the number of classes of "
                "y, with cross_entropy_weight above 0"
            )
        warn_of_classes(self.classes_, self.n_clusters)
        return codes

    def _choose_preset(self, kind: str) -> Preset:
        if self.preset != "default":
            return PAPER_AND_CODE[self.preset, self.loss]
        preset = DEFAULTS[kind, self.loss]
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

    def _kind_of(self, supervision: Supervision) -> str:
        """What is known, by the kinds of the default presets."""
        if supervision.pairs is None:
            return "labels"
        if len(self.sample_shape_) == 1:
            return "pairs of vectors"
        return "many pairs of images" if supervision.pairs.n_pairs > MANY_PAIRS else "pairs of images"

    def _make_sampler(self, supervision: Supervision, recipe: Recipe, drop_last: bool) -> Sampler:
        if supervision.pairs is None:
            assert supervision.codes is not None
            return LabelBatches(supervision.codes, recipe.batch_size, drop_last=drop_last)
        return PairBatches(
            supervision.pairs, max(1, recipe.batch_size // 2), drop_last=drop_last, labels=supervision.codes
        )

    def _kind_weights(self, supervision: Supervision) -> tuple[float, float] | None:
        """Weights under which both kinds of pairs weigh the same in total."""
        return None if self.pair_weight is None else _kind_weights(supervision.similar_share)


def _start_with(objective: PairObjective, head: OnEnter) -> None:
    """Let the one phase of an objective begin with an output layer."""
    (phase,) = objective.phases
    objective.phases = (dataclasses.replace(phase, on_enter=head),)


def _kind_weights(similar_share: float) -> tuple[float, float] | None:
    """Weights under which both kinds of pairs weigh the same; None if there is only one kind."""
    if similar_share in (0.0, 1.0):
        return None
    return 0.5 / similar_share, 0.5 / (1.0 - similar_share)
