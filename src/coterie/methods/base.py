"""What every estimator shares: parameters, checks of X, training through the engine, prediction."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import threading
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from coterie._checks import check_int
from coterie._errors import CollapseWarning, InputError
from coterie.data.arrays import (
    Items,
    ScaledSource,
    Scaling,
    data_digest,
    fit_scaling,
)
from coterie.data.augment import Augment, default_augment
from coterie.engine.checkpoint import Checkpointer
from coterie.engine.objective import Objective
from coterie.engine.progress import ProgressBar
from coterie.engine.recipe import Recipe
from coterie.engine.restarts import Kept, Session, run_session
from coterie.engine.runtime import Runtime, choose_threads, make_runtime, torch_threads
from coterie.engine.task import Task
from coterie.methods.checks import as_random_state, check_choice, check_path
from coterie.methods.items import check_item_shape, check_items
from coterie.metrics import dominant_clusters
from coterie.nn import ClusterNetwork, build_network, channels_last, has_convolutions

PRESETS = ("default", "paper", "code")
AUGMENTS = ("auto", "none")
PREDICT_BATCH = 1000
# matrix products of fewer rows take other kernels, and an item's numbers would depend on its company
ROWS_TOGETHER = 8
# parameters that change where and how loudly a fit runs, but not what it computes
_UNTRACED = ("checkpoint_dir", "verbose", "device", "random_state")

# torch's generator and thread count are the process's, so that fits in several threads take turns
_ONE_AT_A_TIME = threading.RLock()

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Training:
    """What a method asks of the engine.

    Attributes
    ----------
    objective : Objective
    recipe : Recipe
    n_restarts : int
    augment : callable or None
        Random views of each training batch.
    evidence : str
        A digest of what the objective knows beside X: it tells one fit's checkpoint from another's.
    scaling : Scaling or None
        That of another estimator's items in place of one fitted to X.
    """

    objective: Objective
    recipe: Recipe
    n_restarts: int
    augment: Augment | None
    evidence: str
    scaling: Scaling | None = None


class NeuralEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of the estimators that train a network through the engine.

    A subclass stores its parameters in ``__init__``, builds an objective and a recipe in ``fit`` and hands
    them to `_train`, which makes its network with `make_network` and ends with its `_describe`.

    Attributes
    ----------
    saved_fields : tuple of str
        Fitted attributes that a saved file keeps, beside the network.
    """

    saved_fields: ClassVar[tuple[str, ...]] = ("n_features_in_", "loss_", "history_", "runs_")

    n_restarts: int | str
    backbone: Any
    preset: str
    batch_size: int | None
    max_epochs: int | None
    max_steps: int | None
    scale: bool
    augment: Any
    threads: int | str
    device: str
    random_state: Any
    checkpoint_dir: str | None
    verbose: int

    def transform(self, X: Any) -> npt.NDArray[np.float32]:
        """Embedding of new items: the last hidden layer.

        Parameters
        ----------
        X : array-like of shape (n, ...)

        Returns
        -------
        float32 array of shape (n, e)
        """
        check_is_fitted(self, "network_")
        items = self._check_items(X, reset=False)
        return self._map(items, lambda rows: (self.network_.embed(rows),))[0].numpy()

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        """Width of the embedding, for the names of `transform`'s columns."""
        return int(self.network_.head.in_features)

    def _check_items(self, X: Any, *, reset: bool) -> Items:
        """X as rows of numbers; remembers its shape when `reset`, and holds new X against it otherwise."""
        items = check_items(self, X, reset)
        if reset:
            self.item_shape_, self.n_features_in_ = items.shape[1:], items.shape[1]
        else:
            check_item_shape(self, items, self.item_shape_)
        return items

    def _check_training(self, n_items: int) -> None:
        """Parameters that all methods have."""
        if self.n_restarts != "auto":
            check_int("n_restarts", self.n_restarts, low=1)
        if self.threads != "auto":
            check_int("threads", self.threads, low=1)
        check_choice("preset", self.preset, PRESETS)
        check_choice("scale", self.scale, (True, False))
        for name in ("batch_size", "max_epochs", "max_steps"):
            if getattr(self, name) is not None:
                check_int(name, getattr(self, name), low=2 if name == "batch_size" else 1)
        as_random_state(self.random_state)
        check_path("checkpoint_dir", self.checkpoint_dir)
        if not (self.augment in AUGMENTS if isinstance(self.augment, str) else callable(self.augment)):
            raise InputError(f"augment: {self.augment!r}; 'auto', 'none' or a callable is expected")
        if n_items < 2:
            raise InputError(f"X: n_samples={n_items}; at least 2 samples are expected to train a network")

    def _choose_augment(self, wanted: bool) -> Augment | None:
        """The caller's views, or with "auto" the usual ones for items of this shape where they are wanted."""
        if callable(self.augment):
            return cast(Augment, self.augment)
        return default_augment(self.item_shape_) if self.augment == "auto" and wanted else None

    def _override(self, recipe: Recipe) -> Recipe:
        """The preset's recipe with the caller's own numbers in place of its own."""
        changes: dict[str, Any] = {}
        if self.batch_size is not None:
            changes["batch_size"] = self.batch_size
        if self.max_epochs is not None:
            changes |= {"max_epochs": self.max_epochs, "step_range": None}
        if self.max_steps is not None:
            changes["max_steps"] = self.max_steps
        return dataclasses.replace(recipe, **changes)

    def _train(self, items: Items, plan: Training) -> Self:
        """Train all restarts, keep the one of lowest loss and describe the clustering it gives."""
        runtime = make_runtime(self.device)
        scaling = plan.scaling or fit_scaling(items, self.scale)
        base = runtime.agree(int(as_random_state(self.random_state).randint(2**31 - 1)))
        source = ScaledSource(items, scaling, runtime.device)
        task = Task(source, plan.objective, plan.recipe, runtime, self.make_network, plan.augment)
        seeds = [base + 1_000_003 * number for number in range(plan.n_restarts)]
        fresh = Session(seeds, keep=self._n_kept(plan.n_restarts))
        with _own_random_numbers(runtime):
            network = self.make_network(0)
            with torch_threads(choose_threads(self.threads, network, runtime.device)):
                session = self._run(task, fresh, self._fingerprint(items, plan))
        best = session.kept[0]
        self.network_ = network
        self.network_.load_state_dict(best.state)
        self.network_.to(runtime.device).eval()
        self.scaling_ = scaling
        self.loss_ = best.loss
        self.history_ = session.history
        self.runs_ = session.runs
        self._describe(items, session.kept)
        return self

    def _n_kept(self, n_restarts: int) -> int:
        """How many of the best restarts `_describe` looks at."""
        return 1

    def _run(self, task: Task, fresh: Session, fingerprint: str) -> Session:
        """Run a session with a progress bar and, where a folder is given, checkpoints."""
        with contextlib.ExitStack() as stack:
            if self.checkpoint_dir is None:
                bar = stack.enter_context(ProgressBar(task, fresh, self._shows_progress(task.runtime)))
                run_session(task, fresh, [bar])
                return fresh
            checkpointer = Checkpointer(self.checkpoint_dir, fingerprint, task)
            stack.enter_context(checkpointer.active())
            session = checkpointer.restore(fresh)
            bar = stack.enter_context(ProgressBar(task, session, self._shows_progress(task.runtime)))
            run_session(task, session, [bar, checkpointer])
            checkpointer.write()
            return session

    def _shows_progress(self, runtime: Runtime) -> bool:
        return bool(self.verbose) and runtime.is_main

    @abstractmethod
    def make_network(self, seed: int) -> Any:
        """A fresh float32 network for items as in ``fit``, its weights a function of the seed alone."""

    @abstractmethod
    def _describe(self, items: Items, kept: list[Kept]) -> None:
        """Fitted attributes that follow from the trained network, other kept ones and the training items."""

    def _fingerprint(self, items: Items, plan: Training) -> str:
        """A digest of all that the result follows from, but the seeds, which a session holds itself."""
        params = {name: repr(value) for name, value in self.get_params().items() if name not in _UNTRACED}
        if isinstance(self.random_state, int | np.integer):
            params["random_state"] = repr(int(self.random_state))
        for name in ("backbone", "augment"):
            # the text of an object of the caller's may hold its address, which changes from run to run
            if not isinstance(getattr(self, name), str):
                params[name] = type(getattr(self, name)).__name__
        parts = [type(self).__name__, params, plan.n_restarts, plan.evidence, data_digest(items)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _map(self, items: Items, apply: Callable[[Tensor], tuple[Tensor, ...]]) -> list[Tensor]:
        """What a function of scaled rows gives for checked items, in batches of bounded size."""
        device = next(self.network_.parameters()).device
        source = ScaledSource(items, self.scaling_, device)
        threads = choose_threads(self.threads, self.network_, device)
        multiple = 1 if has_convolutions(self.network_) else ROWS_TOGETHER
        parts = []
        with torch_threads(threads), torch.inference_mode(), eval_mode(self.network_):
            for start in range(0, len(source), PREDICT_BATCH):
                rows = source.take(slice(start, start + PREDICT_BATCH))
                parts.append([out[: len(rows)].cpu() for out in apply(_fill_up(rows, multiple))])
        return [torch.cat(column) for column in zip(*parts, strict=True)]


class NeuralClusterer(NeuralEstimator):
    """Base of the estimators whose network assigns each item to one of `n_clusters` outputs."""

    saved_fields = (*NeuralEstimator.saved_fields, "n_clusters_", "n_dominant_")

    n_clusters: int
    over_clustering: bool

    def predict_proba(self, X: Any) -> FloatArray:
        """Probability of each cluster for new items.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Items of the same shape as in ``fit``.

        Returns
        -------
        float64 array of shape (n, n_clusters)
            Rows in [0, 1] that sum to 1.
        """
        check_is_fitted(self, "network_")
        return self._infer(self._check_items(X, reset=False))[1]

    def predict(self, X: Any) -> IntArray:
        """Most probable cluster of new items.

        Parameters
        ----------
        X : array-like of shape (n, ...)

        Returns
        -------
        int64 array of shape (n,), values in 0..n_clusters-1
        """
        labels: IntArray = self.predict_proba(X).argmax(axis=1)
        return labels

    def _check_common(self, n_items: int) -> None:
        """Parameters that all clusterers have."""
        check_int("n_clusters", self.n_clusters, low=1)
        self._check_training(n_items)
        if n_items < self.n_clusters:
            raise InputError(
                f"n_clusters: {self.n_clusters} for n_samples={n_items} items; at most as many are expected"
            )

    def make_network(self, seed: int) -> ClusterNetwork:
        """A fresh float32 network for items as in ``fit``, its weights a function of the seed alone."""
        network = build_network(self.backbone, self.item_shape_, self.n_clusters, seed)
        return channels_last(network.float())

    def _n_kept(self, n_restarts: int) -> int:
        """All of them where each estimates the number of clusters."""
        return n_restarts if self.over_clustering else 1

    def _describe(self, items: Items, kept: list[Kept]) -> None:
        """Labels of the training items and what they say about the clusters."""
        if len(kept) > 1:
            self._count_clusters(items, kept)
        self.labels_: IntArray = self._infer(items)[1].argmax(axis=1)
        self.n_clusters_ = len(np.unique(self.labels_))
        self.n_dominant_ = dominant_clusters(self.labels_, self.n_clusters)
        if self.n_clusters_ < self.n_clusters and not self.over_clustering:
            warnings.warn(
                f"{self.n_clusters_} of n_clusters={self.n_clusters} clusters are used: try more restarts, "
                "more pairs or labels, or a smaller n_clusters; where n_clusters is only an upper bound, "
                "pass over_clustering=True",
                CollapseWarning,
                stacklevel=4,
            )

    def _count_clusters(self, items: Items, kept: list[Kept]) -> None:
        """Clusters of each kept restart, used and dominant, into its entry of `runs_`."""
        for run in kept:
            self.network_.load_state_dict(run.state)
            labels = self._infer(items)[1].argmax(axis=1)
            self.runs_[run.index]["n_clusters"] = len(np.unique(labels))
            self.runs_[run.index]["n_dominant"] = dominant_clusters(labels, self.n_clusters)
        self.network_.load_state_dict(kept[0].state)

    def _infer(self, items: Items) -> tuple[npt.NDArray[np.float32], FloatArray]:
        """Embedding and probabilities of checked items."""
        embedding, logits = self._map(items, self._embedding_and_logits)
        # float64 rows sum to 1 to the last digit that a caller may check
        return embedding.numpy(), logits.double().softmax(dim=1).numpy()

    def _embedding_and_logits(self, rows: Tensor) -> tuple[Tensor, ...]:
        found = self.network_.named(self.network_(rows))
        return found["embedding"], found["logits"]


def _fill_up(rows: Tensor, multiple: int) -> Tensor:
    """The rows with the last one repeated up to a multiple of some number of rows."""
    missing = -len(rows) % multiple
    return torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])]) if missing else rows


@contextlib.contextmanager
def eval_mode(network: nn.Module) -> Iterator[None]:
    """The network in eval mode, and afterwards in the mode it was in."""
    before = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(before)


@contextlib.contextmanager
def _own_random_numbers(runtime: Runtime) -> Iterator[None]:
    """Leave the caller's torch generators as they were, and let no other thread draw from them meanwhile."""
    devices = [runtime.device] if runtime.device.type == "cuda" else []
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=devices):
        yield
