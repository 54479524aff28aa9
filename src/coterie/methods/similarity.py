"""Similarity networks: from known classes to the question whether two samples are of one class.

Hsu, Lv and Kira, "Learning to cluster in order to transfer across domains and tasks", arXiv:1711.10125; Hsu,
Lv, Schlosser, Odom and Kira, "A probabilistic constrained clustering for transfer learning and image category
discovery", arXiv:1806.11078.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from coterie._errors import InputError, InputTypeError
from coterie._types import Batch, BatchPlan
from coterie.data import ClassBatches, PairBatches, Pairs
from coterie.data.arrays import SampleArray, ScaledSource, Scaling, data_digest
from coterie.data.batches import Sampler
from coterie.data.checks import as_array
from coterie.data.labels import similar_share
from coterie.engine.recipe import Recipe
from coterie.engine.runtime import choose_threads, torch_threads
from coterie.methods.base import FloatArray, NeuralEstimator, Training
from coterie.methods.calibration import Weighted, calibrate, quality
from coterie.methods.checks import check_labels, check_pairs
from coterie.methods.held_out import (
    HELD_OUT_SEED,
    Codes,
    check_classes,
    check_groups,
    hold_out,
    split_pairs,
    without_lone_classes,
)
from coterie.methods.metric_start import MetricStart, check_columns
from coterie.methods.similarity_objective import FEATURES, RECIPES, SimilarityObjective, known_pairs
from coterie.nn import (
    Network,
    PairNetwork,
    build_backbone,
    build_metric_network,
    build_pair_network,
    channels_last,
)
from coterie.nn.backbone import flat_size
from coterie.params import parameters
from coterie.params.similarity import SimilarityParams

# Held-out batches that the calibration looks at: 100 of 100 rows are half a million pairs.
CALIBRATION_BATCHES = 100


@parameters
class SimilarityNetwork(SimilarityParams, NeuralEstimator):
    """
    It is trained on the pairs of known classes and answers for samples of any class: with
    ``CCN.fit(X, similarity=...)`` it stands in for the labels that new data do not have. The features of both
    samples go side by side through Linear, batch norm, ReLU, Linear (the released code of arXiv:1806.11078,
    after arXiv:1711.10125), computed without concatenating them: `coterie.nn.PairHead`.

    On features of an encoder, or with ``backbone="features"``, it is a metric in place of that head: a linear
    map under which known classes vary alike in all directions (within-class covariance normalisation, Hatch,
    Kajarekar and Stolcke, Interspeech 2006), shrunk as held-out classes ask, and log odds that fall with the
    squared distance.

    Some classes are held out of the training. On their pairs a temperature is fitted, after which the
    probabilities are calibrated, and the threshold is chosen above which a pair counts as similar.

    Attributes
    ----------
    temperature_, threshold_ : float
        Temperature of the log odds in `predict_proba_pairs`, and the probability from which a pair is
        similar.
    batch_temperature_, batch_threshold_ : float
        The same if batch norm takes its statistics from the batch at hand, as `CCN` does with new data.
    report_ : dict
        On held-out pairs: how many, the share that is similar (weighted to that of the training batches), and
        of both ways the calibrated log loss, precision and recall of "similar".
    network_ : nn.Module
        Maps scaled samples (b, ...) to (embedding, log odds of all pairs (b, b)).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from coterie import SimilarityNetwork
    >>> X, y = load_digits(return_X_y=True)
    >>> known = y < 7
    >>> spn = SimilarityNetwork(max_steps=200, random_state=0).fit(X[known], y[known])
    >>> spn.predict_proba_pairs(X, [0, 0], [10, 1]).round() # 0 and 0, 0 and 1
    array([1., 0.])
    """

    _saved_fields = (
        *NeuralEstimator._saved_fields,
        "temperature_",
        "threshold_",
        "batch_temperature_",
        "batch_threshold_",
        "report_",
        "bytes_",
    )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def fit(self, X: Any, y: Any = None, *, pairs: Pairs | None = None, groups: Any = None) -> Self:
        """Learn from labels or from pairs which samples are of one class.

        Parameters
        ----------
        X : array-like of shape (n, d), (n, h, w) or (n, c, h, w), or map-style data set
            Float or uint8; images, or features of a trained network.
        y : array-like of shape (n,), optional
            Labels of any type; -1, None and NaN are unknown. At least 2 classes.
        pairs : Pairs, optional
            Which rows of X belong together and which do not, in place of labels.
        groups : array-like of shape (n,), optional
            What the classes of y are parts of, such as the alphabet of a character. A batch then holds the
            classes of one group, as it will where new samples are all of one group, and the network has to
            tell what differs within one and not what differs between two.

        Returns
        -------
        self

        Raises
        ------
        InputError, InputTypeError
            For input or parameters out of range.
        """
        samples = self._check_samples(X, reset=True)
        self._check_training(len(samples))
        self._find_features()
        if self._is_gentle():
            check_columns(flat_size(self.sample_shape_))
        recipe = self._override(FEATURES if self._is_gentle() else RECIPES[self.preset])
        known: Codes | Pairs
        if pairs is not None:
            if groups is not None:
                raise InputError("groups must be given with y, not with pairs")
            known, sampler, held, digest = self._from_pairs(len(samples), y, pairs, recipe)
        else:
            known, sampler, held, digest = self._from_labels(len(samples), y, groups, recipe)
        self._held_plans = held
        self.bytes_ = samples.dtype == np.uint8
        labels = sampler.plan(0, 0, 0).labels
        self._similar_share = None if labels is None else similar_share(labels)
        start = MetricStart(known) if self._is_gentle() else None
        augment = self._choose_augment(wanted=start is None)
        objective = SimilarityObjective(sampler, start)
        training = Training(objective, recipe, self._restarts_or(1), augment, digest)
        try:
            return self._train(samples, training)
        finally:
            del self._held_plans, self._similar_share

    def predict_proba_pairs(self, X: Any, i: npt.ArrayLike, j: npt.ArrayLike) -> FloatArray:
        """Calibrated probability that rows i and j of X are of one class.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Samples of the same shape as in ``fit``, of any class.
        i, j : int arrays of shape (m,)
            Row numbers of the two samples of each pair.

        Returns
        -------
        float64 array of shape (m,), in [0, 1]
            Similar from `threshold_` on.
        """
        check_is_fitted(self, "network_")
        samples = self._check_samples(X, reset=False)
        first, second = _check_rows("i", i, len(samples)), _check_rows("j", j, len(samples))
        if len(first) != len(second):
            raise InputError(f"i and j must have the same length, got {len(first)} and {len(second)}")
        embedding = torch.from_numpy(self._embed(samples))
        head, device = self.network_.head, next(self.network_.parameters()).device
        with torch.inference_mode():
            odds = head.listed(embedding.to(device), first.to(device), second.to(device)).cpu().double()
        proba: FloatArray = torch.sigmoid(odds / self.temperature_).numpy()
        return proba

    def on_features(self) -> SimilarityNetwork:
        """The same network for samples of which the features are there already.

        Clustering features that were computed once costs a fraction of clustering images. Batch statistics
        then are those of the head alone.

        Returns
        -------
        SimilarityNetwork
            Fitted, for X as `transform` gives it; it shares no memory with this one.

        Raises
        ------
        InputError
            The samples of this network are features already.
        """
        check_is_fitted(self, "network_")
        if self._is_gentle():
            raise InputError("on_features: the samples of this network are features already; use it as it is")
        twin = SimilarityNetwork(**self.get_params() | {"backbone": "identity", "scale": False})
        for name in (*self._saved_fields, "network_"):
            setattr(twin, name, copy.deepcopy(getattr(self, name)))
        width = self.network_.head.in_features
        twin.sample_shape_, twin.n_features_in_ = (width,), width
        twin.modality_, twin.table_steps_ = "vectors", None
        twin.scaling_ = Scaling(np.zeros(()), np.ones(()))
        twin.bytes_ = False
        twin.network_.backbone = build_backbone("identity", twin.sample_shape_)
        return twin

    def _make_network(self, seed: int) -> PairNetwork:
        """A fresh float32 network for samples as in ``fit``, its weights a function of the seed alone."""
        if self._is_gentle():
            return build_metric_network(self.sample_shape_)
        network = build_pair_network(
            self._choose_backbone(), self.sample_shape_, self.hidden_features, self.symmetric, seed
        )
        return channels_last(network.float())

    def _first_network(self, seed: int) -> Any:
        """A metric is computed: it continues nothing."""
        return self._make_network(seed) if self._is_gentle() else super()._first_network(seed)

    def _outputs(self, network: Network, rows: Tensor) -> Mapping[str, Tensor]:
        """The embedding alone: all pairs of a large batch would be many."""
        assert isinstance(network, PairNetwork)
        return {"embedding": network.embed(rows)}

    def _from_labels(
        self, n_samples: int, y: Any, groups: Any, recipe: Recipe
    ) -> tuple[Codes, Sampler, list[BatchPlan], str]:
        """Classes to train on, batches of them and of those that are held out, and a digest."""
        if y is None:
            raise InputError(
                "SimilarityNetwork requires y to be passed, but the target y is None; pass labels as y, or "
                "pairs=Pairs(...)"
            )
        codes, classes = check_labels(y, n_samples)
        check_classes(codes, classes)
        of_row = None
        if groups is not None:
            of_row = check_groups(groups, codes, classes)
            codes = without_lone_classes(codes, of_row)
        held = hold_out(codes, self.held_out, of_row)
        known = np.where(held, -1, codes)
        return (
            known,
            self._batches(known, of_row, recipe),
            list(self._calibration_plans(np.where(held, codes, -1), of_row, recipe)),
            data_digest(codes) if of_row is None else data_digest(codes, of_row),
        )

    def _batches(self, codes: Codes, groups: Codes | None, recipe: Recipe) -> ClassBatches:
        n_classes = max(2, recipe.batch_size // self.samples_per_class)
        return ClassBatches(codes, n_classes, self.samples_per_class, groups=groups)

    def _calibration_plans(self, codes: Codes, groups: Codes | None, recipe: Recipe) -> Iterator[BatchPlan]:
        """Held-out batches made like those of the training."""
        if (codes >= 0).any():
            batches = self._batches(codes, groups, recipe)
            for step in range(min(CALIBRATION_BATCHES, 2 * batches.n_steps)):
                epoch, position = divmod(step, batches.n_steps)
                yield batches.plan(HELD_OUT_SEED, epoch, position)

    def _from_pairs(
        self, n_samples: int, y: Any, pairs: Pairs, recipe: Recipe
    ) -> tuple[Pairs, Sampler, list[BatchPlan], str]:
        """The same of pairs."""
        if y is not None:
            raise InputError("fit takes one of y and pairs")
        check_pairs(pairs, n_samples)
        if not (pairs.n_similar and pairs.n_dissimilar):
            raise InputError(
                f"pairs must hold both kinds, got {pairs.n_similar} similar and {pairs.n_dissimilar} "
                "dissimilar"
            )
        size = max(1, recipe.batch_size // 2)
        train, held = split_pairs(pairs, self.held_out)
        plans = [] if held is None else list(PairBatches(held, size).evaluation_plans())
        digest = data_digest(pairs.i, pairs.j, pairs.same)
        return train, PairBatches(train, size), plans[:CALIBRATION_BATCHES], digest

    def _describe(self, samples: SampleArray) -> None:
        """Temperature and threshold from held-out pairs, with stored and with batch statistics."""
        self.temperature_ = self.batch_temperature_ = 1.0
        self.threshold_ = self.batch_threshold_ = 0.5
        self.report_: dict[str, float] = {"pairs": 0}
        if not self._held_plans:
            return
        adapted = copy.deepcopy(self.network_).train()
        odds, same = self._held_out_odds(samples, self.network_)
        share = self._similar_share if self._similar_share is not None else float(same.mean())
        self.temperature_, self.threshold_ = calibrate(odds, same, share)
        self.report_ |= {"pairs": len(same), "similar": share}
        self.report_ |= quality(odds / self.temperature_, Weighted(same, share), self.threshold_)
        odds, same = self._held_out_odds(samples, adapted)
        self.batch_temperature_, self.batch_threshold_ = calibrate(odds, same, share)
        found = quality(odds / self.batch_temperature_, Weighted(same, share), self.batch_threshold_)
        self.report_ |= {f"batch_{name}": value for name, value in found.items()}

    def _held_out_odds(
        self, samples: SampleArray, network: nn.Module
    ) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Log odds of the known held-out pairs i < j, and whether they are similar."""
        device = next(network.parameters()).device
        source = ScaledSource(samples, self.scaling_, device)
        odds, kinds = [], []
        with torch_threads(choose_threads(self.threads, network, device)), torch.inference_mode():
            for plan in self._held_plans:
                same = known_pairs(_as_batch(plan)).triu(1)
                known = same != 0
                odds.append(network(source.take(plan.rows))[1].cpu()[known].double())
                kinds.append(same[known] > 0)
        return torch.cat(odds).numpy(), torch.cat(kinds).numpy()


def _as_batch(plan: BatchPlan) -> Batch:
    same = None if plan.same is None else torch.from_numpy(plan.same)
    labels = None if plan.labels is None else torch.from_numpy(plan.labels)
    return Batch(torch.from_numpy(plan.rows), same, labels)


def _check_rows(name: str, rows: npt.ArrayLike, n_samples: int) -> Tensor:
    numbers = as_array(name, rows)
    if numbers.ndim != 1 or (numbers.dtype.kind not in "iu" and len(numbers)):
        raise InputTypeError(
            f"{name} must be row numbers of shape (m,), got shape {numbers.shape} and type {numbers.dtype}"
        )
    if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < n_samples:
        raise InputError(
            f"{name}: rows {int(numbers.min())}..{int(numbers.max())} must lie in 0..{n_samples - 1}"
        )
    return torch.from_numpy(numbers.astype(np.int64))
