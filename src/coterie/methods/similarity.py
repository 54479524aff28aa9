"""Similarity networks: from known classes to the question whether two samples are of one class.

Hsu, Lv and Kira, "Learning to cluster in order to transfer across domains and tasks" (2018); Hsu, Lv,
Schlosser, Odom and Kira, "A probabilistic constrained clustering for transfer learning and image category
discovery", arXiv:1806.11078.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize_scalar
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from torch.nn import functional

from coterie._checks import check_int, check_number
from coterie._errors import InputError, InputTypeError
from coterie._types import Batch, BatchPlan, Output
from coterie.data import ClassBatches, PairBatches, Pairs
from coterie.data.arrays import SampleArray, ScaledSource, Scaling, data_digest
from coterie.data.batches import Sampler
from coterie.data.labels import encode_labels
from coterie.engine.objective import Objective
from coterie.engine.recipe import Recipe
from coterie.engine.runtime import choose_threads, torch_threads
from coterie.losses.pairs import as_matrix
from coterie.methods.base import FloatArray, NeuralEstimator, Training
from coterie.methods.checks import check_choice, check_labels, check_pairs
from coterie.nn import Network, PairNetwork, build_backbone, build_pair_network, channels_last

# 50 epochs and their drops are the paper's; it has 193 steps an epoch.
_PAPER = Recipe("adam", learning_rate=1e-3, batch_size=100, max_epochs=50, drops=(0.6, 0.8))
RECIPES = {
    "default": Recipe(
        "adam", learning_rate=1e-3, batch_size=100, max_epochs=50, step_range=(600, 3_000), drops=(0.6, 0.8)
    ),
    "paper": _PAPER,
    "code": _PAPER,
}
HELD_OUT_SEED = 0
# Held-out batches that the calibration looks at: 100 of 100 rows are half a million pairs.
CALIBRATION_BATCHES = 100
# Odds are never sharpened: where a few held-out pairs are all right, the best temperature would be 0.
_LOG_TEMPERATURES = (0.0, 5.0)

Codes = npt.NDArray[np.int64]


class SimilarityObjective(Objective):
    """Cross entropy of "same" and "different" over all known ordered pairs of a batch.

    Pairs of a row with itself count where the batch has labels, as in the paper's enumeration of pairs.

    Parameters
    ----------
    sampler : ClassBatches or PairBatches
    """

    def __init__(self, sampler: Sampler) -> None:
        super().__init__(sampler, {"cross_entropy": 1.0})

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The mean over the known pairs."""
        same = _known(batch)
        odds = output["log_odds"]
        known = (same != 0).to(odds.dtype)
        losses = functional.binary_cross_entropy_with_logits(
            odds, (same > 0).to(odds.dtype), known, reduction="sum"
        )
        return {"cross_entropy": losses / known.sum().clamp_min(1)}


def _known(batch: Batch) -> Tensor:
    """What is known of all pairs of a batch, int8 (b, b)."""
    if batch.same is not None:
        return batch.same
    assert batch.labels is not None
    return as_matrix(batch.labels)


class SimilarityNetwork(NeuralEstimator):
    """Similarity prediction network (SPN): the probability that two samples are of one class.

    It is trained on the pairs of known classes and answers for samples of any class: with
    ``CCN.fit(X, similarity=...)`` it stands in for the labels that new data do not have. The features of both
    samples go side by side through Linear, batch norm, ReLU, Linear (section B of arXiv:1806.11078), computed
    without concatenating them: `coterie.nn.PairHead`.

    Some classes are held out of the training. On their pairs a temperature is fitted, after which the
    probabilities are calibrated, and the threshold is chosen above which a pair counts as similar.

    Parameters
    ----------
    hidden_features : int or None, default=None
        Width of the hidden layer; None: four times the width of the features, as in the paper.
    symmetric : bool, default=True
        Average the log odds of (i, j) and (j, i), which the paper does not.
    samples_per_class : int, default=5
        Rows of each class in a batch, at least 2.
    held_out : float, default=0.1
        Share of the classes that are not trained on, in [0, 0.5]; of the groups where there are groups and
        that share is at least 2; of the rows of every class where that share is fewer than 2 classes, and of
        the pairs after a fit from pairs. 0: no calibration.
    n_restarts : int, default=1
        Runs from different starts, of which the one of lowest loss is kept.
    backbone : "auto", str, nn.Module or callable, default="auto"
        Network that makes the features: chosen from the shape of X, a name ("vggs" is the paper's), a module
        (copied, its weights kept) or a callable that gives a fresh module for each restart.
    preset : {"default", "paper", "code"}, default="default"
        At most 3,000 steps, or the paper's 50 epochs.
    batch_size : int or None, default=None
        Rows a step; None takes 100, that is 20 classes. A step from pairs takes half as many pairs.
    learning_rate : float or None, default=None
        The highest one, before it drops; None takes the preset's.
    max_epochs : int or None, default=None
        Passes over the known rows or pairs; None takes the preset's.
    max_steps : int or None, default=None
        Optimisation steps of one restart; overrides `max_epochs`.
    augment : "auto", "none" or callable, default="auto"
        Random views of each training batch. "auto": small rotations, zooms and shifts of images, noise on
        vectors. A callable maps a scaled batch and a torch.Generator to a batch of that shape.
    scale : bool, default=True
        Standardise X by statistics of the training data; uint8 is divided by 255 in any case.
    precision : {"float32", "bfloat16"}, default="float32"
        Of the products of training steps: "bfloat16" is faster on processors that have it, with other
        weights at the end; weights, losses and predictions are float32.
    threads : int or "auto", default="auto"
        Torch threads. "auto": one for small networks, whose steps a second thread slows down.
    device : str, default="auto"
        "auto" takes an accelerator where there is one.
    random_state : int, Generator, RandomState or None, default=None
        It does not choose the held-out classes, which follow from the labels.
    checkpoint_dir : str or None, default=None
        Folder for checkpoints. A fit that was stopped goes on from the last one, bitwise, when called again
        with the same arguments.
    verbose : int, default=0
        Above 0 a progress bar is shown on standard error.

    Attributes
    ----------
    temperature_, threshold_ : float
        Of the log odds as `predict_proba_pairs` sees them, and the probability from which a pair is similar.
    batch_temperature_, batch_threshold_ : float
        The same where batch norm takes its statistics from the batch at hand, as `CCN` does with new data.
    report_ : dict
        On held-out pairs: how many, the share that is similar (weighted to that of the training batches), and
        of both ways the calibrated log loss, precision and recall of "similar".
    loss_ : float
        The cross entropy in eval mode after training.
    history_, runs_ : list of dict
        One entry per epoch, and one per restart.
    network_ : nn.Module
        Maps scaled samples (b, ...) to (embedding, log odds of all pairs (b, b)).
    n_features_in_ : int
    sample_shape_ : tuple of int

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

    saved_fields = (
        *NeuralEstimator.saved_fields,
        "temperature_",
        "threshold_",
        "batch_temperature_",
        "batch_threshold_",
        "report_",
        "bytes_",
    )

    def __init__(  # noqa: PLR0913 - scikit-learn wants every parameter here
        self,
        hidden_features: int | None = None,
        symmetric: bool = True,
        samples_per_class: int = 5,
        held_out: float = 0.1,
        n_restarts: int = 1,
        backbone: Any = "auto",
        preset: str = "default",
        batch_size: int | None = None,
        learning_rate: float | None = None,
        max_epochs: int | None = None,
        max_steps: int | None = None,
        augment: Any = "auto",
        scale: bool = True,
        precision: str = "float32",
        threads: int | str = "auto",
        device: str = "auto",
        random_state: Any = None,
        checkpoint_dir: str | None = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_features = hidden_features
        self.symmetric = symmetric
        self.samples_per_class = samples_per_class
        self.held_out = held_out
        self.n_restarts = n_restarts
        self.backbone = backbone
        self.preset = preset
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.max_steps = max_steps
        self.augment = augment
        self.scale = scale
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
        self._check_own()
        recipe = self._override(RECIPES[self.preset])
        if pairs is not None:
            if groups is not None:
                raise InputError("groups: given with pairs; they are expected with y alone")
            sampler, held, digest = self._from_pairs(len(samples), y, pairs, recipe)
        else:
            sampler, held, digest = self._from_labels(len(samples), y, groups, recipe)
        self._held_plans = held
        self.bytes_ = samples.dtype == np.uint8
        self._similar_share = _similar_share(sampler)
        training = Training(
            SimilarityObjective(sampler), recipe, int(self.n_restarts), self._choose_augment(True), digest
        )
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
            raise InputError(f"i, j: {len(first)} and {len(second)} rows; as many of both are expected")
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
        """
        check_is_fitted(self, "network_")
        twin = SimilarityNetwork(**self.get_params() | {"backbone": "identity", "scale": False})
        for name in (*self.saved_fields, "network_"):
            setattr(twin, name, copy.deepcopy(getattr(self, name)))
        width = self.network_.head.in_features
        twin.sample_shape_, twin.n_features_in_ = (width,), width
        twin.modality_, twin.table_steps_ = "vectors", None
        twin.scaling_ = Scaling(np.zeros(()), np.ones(()))
        twin.bytes_ = False
        twin.network_.backbone = build_backbone("identity", twin.sample_shape_)
        return twin

    def make_network(self, seed: int) -> PairNetwork:
        """A fresh float32 network for samples as in ``fit``, its weights a function of the seed alone."""
        network = build_pair_network(
            self._own_backbone(), self.sample_shape_, self.hidden_features, self.symmetric, seed
        )
        return channels_last(network.float())

    def _outputs(self, network: Network, rows: Tensor) -> Mapping[str, Tensor]:
        """The embedding alone: all pairs of a large batch would be many."""
        assert isinstance(network, PairNetwork)
        return {"embedding": network.embed(rows)}

    def _check_own(self) -> None:
        if self.hidden_features is not None:
            check_int("hidden_features", self.hidden_features, low=1)
        check_choice("symmetric", self.symmetric, (True, False))
        check_int("samples_per_class", self.samples_per_class, low=2)
        check_int("n_restarts", self.n_restarts, low=1)
        if check_number("held_out", self.held_out, positive=False) > 0.5:
            raise InputError(f"held_out: {self.held_out}; a share in [0, 0.5] is expected")

    def _from_labels(
        self, n_samples: int, y: Any, groups: Any, recipe: Recipe
    ) -> tuple[Sampler, list[BatchPlan], str]:
        """Batches of the classes that are trained on, of those that are held out, and a digest."""
        if y is None:
            raise InputError(
                "SimilarityNetwork requires y to be passed, but the target y is None; pass labels as y, or "
                "pairs=Pairs(...)"
            )
        codes, classes = check_labels(y, n_samples)
        _check_classes(codes, classes)
        of_row = None
        if groups is not None:
            of_row = _check_groups(groups, codes, classes)
            codes = _without_lone_classes(codes, of_row)
        held = _hold_out(codes, self.held_out, of_row)
        return (
            self._batches(np.where(held, -1, codes), of_row, recipe),
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
    ) -> tuple[Sampler, list[BatchPlan], str]:
        if y is not None:
            raise InputError("y, pairs: one of them is expected")
        check_pairs(pairs, n_samples)
        if not (pairs.n_similar and pairs.n_dissimilar):
            raise InputError(
                f"pairs: {pairs.n_similar} similar and {pairs.n_dissimilar} dissimilar; both are expected"
            )
        size = max(1, recipe.batch_size // 2)
        train, held = _split_pairs(pairs, self.held_out)
        plans = [] if held is None else list(PairBatches(held, size).evaluation_plans())
        digest = data_digest(pairs.i, pairs.j, pairs.same)
        return PairBatches(train, size), plans[:CALIBRATION_BATCHES], digest

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
        self.report_ |= _quality(odds / self.temperature_, _Weighted(same, share), self.threshold_)
        odds, same = self._held_out_odds(samples, adapted)
        self.batch_temperature_, self.batch_threshold_ = calibrate(odds, same, share)
        found = _quality(odds / self.batch_temperature_, _Weighted(same, share), self.batch_threshold_)
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
                same = _known(_as_batch(plan)).triu(1)
                known = same != 0
                odds.append(network(source.take(plan.rows))[1].cpu()[known].double())
                kinds.append(same[known] > 0)
        return torch.cat(odds).numpy(), torch.cat(kinds).numpy()


def _similar_share(sampler: Sampler) -> float | None:
    """Share of the pairs i < j of a training batch that is similar; None where pairs were given."""
    labels = sampler.plan(0, 0, 0).labels
    if labels is None:
        return None
    counts, n = np.unique(labels, return_counts=True)[1], len(labels)
    return float((counts * (counts - 1)).sum() / (n * (n - 1)))


def _as_batch(plan: BatchPlan) -> Batch:
    same = None if plan.same is None else torch.from_numpy(plan.same)
    labels = None if plan.labels is None else torch.from_numpy(plan.labels)
    return Batch(torch.from_numpy(plan.rows), same, labels)


class _Weighted:
    """Kinds of pairs, weighted so that a given share of the whole is similar; the mean weight is 1."""

    def __init__(self, same: npt.NDArray[np.bool_], share: float) -> None:
        self.same = same
        found = float(same.mean())
        self.weight = np.where(same, share / max(found, 1e-12), (1 - share) / max(1 - found, 1e-12))

    def mean(self, values: npt.NDArray[Any]) -> float:
        return float((self.weight * values).mean())


def calibrate(odds: FloatArray, same: npt.NDArray[np.bool_], share: float) -> tuple[float, float]:
    """Temperature of least log loss, and the calibrated probability from which "similar" has the largest F1.

    Parameters
    ----------
    odds : float64 array of shape (m,)
        Log odds of "same".
    same : bool array of shape (m,)
    share : float
        Share of the pairs that is similar where the answers are used; both kinds are weighted to it.

    Returns
    -------
    temperature, threshold : float
        1 and 0.5 where all pairs are of one kind.

    Examples
    --------
    >>> import numpy as np
    >>> odds, same = np.array([-9.0, 9.0, -9.0, 9.0]), np.array([0, 1, 1, 0]) == 1
    >>> temperature, threshold = calibrate(odds, same, share=0.5)
    >>> temperature > 100
    True
    """
    if same.all() or not same.any():
        return 1.0, 0.5
    pairs = _Weighted(same, share)
    found = minimize_scalar(
        lambda log_t: _log_loss(odds * np.exp(-log_t), pairs), bounds=_LOG_TEMPERATURES, method="bounded"
    )
    temperature = float(np.exp(found.x))
    order = np.argsort(-odds, kind="stable")
    hits = np.cumsum((pairs.weight * same)[order])
    f1 = 2 * hits / (np.cumsum(pairs.weight[order]) + hits[-1])
    # between equal odds no threshold can pass
    f1[:-1][np.diff(odds[order]) == 0] = -1
    best = int(f1.argmax())
    lowest = odds[order[best]]
    next_one = odds[order[best + 1]] if best + 1 < len(order) else lowest
    return temperature, float(_sigmoid((lowest + next_one) / 2 / temperature))


def _sigmoid(odds: Any) -> Any:
    return 0.5 * (1 + np.tanh(odds / 2))


def _log_loss(odds: FloatArray, pairs: _Weighted) -> float:
    return pairs.mean(np.logaddexp(0, np.where(pairs.same, -odds, odds)))


def _quality(odds: FloatArray, pairs: _Weighted, threshold: float) -> dict[str, float]:
    """Log loss of calibrated odds, precision and recall of "similar" at the threshold."""
    told = _sigmoid(odds) >= threshold
    hits = pairs.mean(told & pairs.same)
    return {
        "log_loss": _log_loss(odds, pairs),
        "precision": hits / max(1e-12, pairs.mean(told)),
        "recall": hits / max(1e-12, pairs.mean(pairs.same)),
    }


def _check_classes(codes: npt.NDArray[np.int64], classes: npt.NDArray[Any]) -> None:
    """At least two classes, and some with two rows; classes with one row are warned of."""
    if len(classes) < 2:
        raise InputError(f"y: one class ({classes[0]!r}); at least 2 are expected, or no pair is dissimilar")
    single = np.flatnonzero(np.bincount(codes[codes >= 0]) == 1)
    if len(single) == len(classes):
        raise InputError(f"y: each of its {len(classes)} classes has one row; no pair is similar")
    if len(single):
        warnings.warn(
            f"y: {len(single)} of {len(classes)} classes have one row ({classes[single[0]]!r} for one): they "
            "make no similar pair",
            UserWarning,
            stacklevel=4,
        )


def _check_groups(groups: Any, codes: Codes, classes: npt.NDArray[Any]) -> Codes:
    """Codes of the groups, one for each row, where every class is in one of them."""
    if len(np.shape(groups)) != 1 or len(groups) != len(codes):
        raise InputError(
            f"groups: shape {np.shape(groups)}; one group a row, shape ({len(codes)},), is expected"
        )
    of_row, names = encode_labels(groups)
    for code in range(len(classes)):
        found = np.unique(of_row[codes == code])
        if len(found) > 1 or found[0] < 0:
            where = ", ".join("unknown" if group < 0 else repr(names[group]) for group in found)
            raise InputError(f"groups: class {classes[code]!r} is in {where}; one known group is expected")
    return of_row


def _without_lone_classes(codes: Codes, groups: Codes) -> Codes:
    """The codes, those of classes that are alone in their group unknown: they make no dissimilar pair."""
    for group in np.unique(groups[codes >= 0]):
        inside = (groups == group) & (codes >= 0)
        if len(np.unique(codes[inside])) == 1:
            codes = np.where(inside, -1, codes)
    if (codes < 0).all():
        raise InputError("groups: each holds one class; two in one are expected, or no pair is dissimilar")
    return codes


def _hold_out(codes: Codes, share: float, groups: Codes | None = None) -> npt.NDArray[np.bool_]:
    """Rows of a share of the classes, or groups; where that is fewer than 2, a share of each class's rows."""
    rng = np.random.default_rng(HELD_OUT_SEED)
    units = codes if groups is None else groups
    known = np.unique(units[codes >= 0])
    n_held = round(share * len(known))
    if n_held >= 2:
        return np.isin(units, known[rng.permutation(len(known))[:n_held]]) & (codes >= 0)
    held = np.zeros(len(codes), dtype=bool)
    for code in np.unique(codes[codes >= 0]):
        rows = rng.permutation(np.flatnonzero(codes == code))
        n_rows = round(share * len(rows))
        # both sides need a pair of the class
        if 2 <= n_rows <= len(rows) - 2:
            held[rows[:n_rows]] = True
    # one class alone makes no dissimilar pair
    return held if len(np.unique(codes[held])) >= 2 else np.zeros(len(codes), dtype=bool)


def _split_pairs(pairs: Pairs, share: float) -> tuple[Pairs, Pairs | None]:
    """Pairs to train on and pairs held out; None where one side would miss a kind of pair."""
    order = np.random.default_rng(HELD_OUT_SEED).permutation(pairs.n_pairs)
    n_held = round(share * pairs.n_pairs)
    parts = (np.sort(order[n_held:]), np.sort(order[:n_held]))
    if any(len(np.unique(pairs.same[part])) < 2 for part in parts):
        return pairs, None
    train, held = (Pairs(pairs.i[part], pairs.j[part], pairs.same[part], hard=pairs.hard) for part in parts)
    return train, held


def _check_rows(name: str, rows: npt.ArrayLike, n_samples: int) -> Tensor:
    numbers = np.asarray(rows)
    if numbers.ndim != 1 or (numbers.dtype.kind not in "iu" and len(numbers)):
        raise InputTypeError(
            f"{name}: an array of shape {numbers.shape} and type {numbers.dtype}; row numbers of shape (m,) "
            "are expected"
        )
    if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < n_samples:
        raise InputError(
            f"{name}: rows {int(numbers.min())}..{int(numbers.max())} must lie in 0..{n_samples - 1}"
        )
    return torch.from_numpy(numbers.astype(np.int64))
