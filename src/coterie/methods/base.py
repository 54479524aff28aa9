"""What every estimator shares: parameters, checks of X, training through the engine, prediction."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import threading
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from coterie._checks import check_int, check_number
from coterie._errors import CollapseWarning, InputError, InputTypeError
from coterie.data.arrays import (
    SampleArray,
    ScaledSource,
    Scaling,
    count_distinct,
    data_digest,
    fit_scaling,
)
from coterie.data.augment import Augment
from coterie.data.modality import find_modality
from coterie.data.readers import Samples
from coterie.data.views import default_augment
from coterie.engine.checkpoint import Checkpointer
from coterie.engine.loop import Callback
from coterie.engine.objective import Objective
from coterie.engine.pool import count_workers
from coterie.engine.progress import ProgressBar
from coterie.engine.recipe import Recipe
from coterie.engine.restarts import RESTARTS, SEED_STRIDE, choose_how, run_session
from coterie.engine.runtime import PRECISIONS, Runtime, choose_threads, make_runtime, torch_threads
from coterie.engine.task import Task
from coterie.engine.trackers import EpochLog, Tracking
from coterie.engine.training import FinishedRun, Session
from coterie.methods.checks import as_random_state, check_choice, check_path
from coterie.methods.count import MOST_OUTPUTS, Probe, estimate_n_clusters
from coterie.methods.ensemble import align_members, check_vote
from coterie.methods.identity import identity_of
from coterie.methods.samples import check_modality, check_sample_shape, check_samples, modality_of
from coterie.metrics import dominant_clusters, vote_shares
from coterie.nn import ClusterNetwork, Network, build_network, channels_last, has_convolutions

PRESETS = ("default", "paper", "code")
# in place of a number of clusters
AUTO = "auto"
PREDICT_BATCH = 1000
# matrix products of fewer rows take other kernels, and a sample's numbers would depend on its company
ROWS_TOGETHER = 8
_HEAD = "head."
# parameters that change where and how loudly a fit runs, but not what it computes
_UNTRACED = ("n_jobs", "checkpoint_dir", "verbose", "device", "random_state")

# torch's generator and thread count are the process's, so that fits in several threads take turns
_ONE_AT_A_TIME = threading.RLock()


def _renew_lock() -> None:
    """In a forked child: the thread that held the lock is not there to release it."""
    global _ONE_AT_A_TIME
    _ONE_AT_A_TIME = threading.RLock()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_renew_lock)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
# what is wanted of a network's outputs
Pick = Callable[[Mapping[str, Tensor]], Tensor]


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
    supervision : str
        A digest of what the objective knows beside X: it tells one fit's checkpoint from another's.
    keep : int
        How many of the best restarts `_adopt` and `_describe_restarts` get.
    scaling : Scaling or None
        That of another estimator's samples in place of one fitted to X.
    """

    objective: Objective
    recipe: Recipe
    n_restarts: int
    augment: Augment | None
    supervision: str
    keep: int = 1
    scaling: Scaling | None = None


class NeuralEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of the estimators that train a network through the engine.

    A subclass stores its parameters in ``__init__``, builds an objective and a recipe in ``fit`` and hands
    them to `_train`, which makes its networks with `make_network` and ends with its `_describe`.

    Attributes
    ----------
    saved_fields : tuple of str
        Fitted attributes that a saved file keeps, beside the network.
    """

    saved_fields: ClassVar[tuple[str, ...]] = (
        "modality_",
        "table_steps_",
        "n_features_in_",
        "loss_",
        "history_",
        "runs_",
    )

    n_restarts: int | str
    # where it is no parameter
    restarts: str = "sequential"
    n_jobs: int | None = None
    precision: str = "float32"
    learning_rate: float | None = None
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
    # views that the method knows by name
    augments: ClassVar[tuple[str, ...]] = ("auto", "none")
    scaling_: Scaling
    modality_: str
    # what is done to the columns of a table, as `TableSteps.as_json` gives it; None of other samples
    table_steps_: list[dict[str, Any]] | None
    _start: NeuralEstimator | None = None
    _tracking: Tracking | None = None

    def transform(self, X: Any) -> npt.NDArray[np.float32]:
        """Embedding of new samples: the last hidden layer.

        Parameters
        ----------
        X : array-like of shape (n, ...)

        Returns
        -------
        float32 array of shape (n, e)
        """
        check_is_fitted(self, "network_")
        return self._embed(self._check_samples(X, reset=False))

    def start_from(self, fitted: NeuralEstimator | None) -> Self:
        """Let `fit` begin with the weights and the scaling of a fitted estimator, all restarts alike.

        Where the numbers of clusters differ, the last layer is fresh. ``n_restarts="auto"`` is then 1. A
        clone starts from nothing: this is no parameter.

        Parameters
        ----------
        fitted : estimator or None
            Its network has to be built as this one's will be. None: start from nothing again.

        Returns
        -------
        self
        """
        if fitted is not None:
            check_is_fitted(fitted, "network_")
        self._start = fitted
        return self

    def log_with(self, *trackers: Any, folder: str | None = None) -> Self:
        """Let `fit` tell experiment trackers of every epoch's terms, as ``term/restart``.

        This is no parameter: a clone tells nobody.

        Parameters
        ----------
        *trackers : str or accelerate.tracking.GeneralTracker
            Names that accelerate knows, such as "tensorboard", or trackers of your own; none: tell nobody.
        folder : str, optional
            Where trackers that write files do.

        Returns
        -------
        self

        Raises
        ------
        InputError, InputTypeError
            No tracker is called so, or it needs a folder.
        ImportError
            Its package is missing.
        """
        self._tracking = Tracking(trackers, folder) if trackers else None
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        """Width of the embedding, for the names of `transform`'s columns."""
        return int(self.network_.head.in_features)

    def _check_samples(self, X: Any, *, reset: bool) -> SampleArray:
        """X as rows of numbers; remembers its shape when `reset`, and holds new X against it otherwise."""
        samples = check_samples(self, X, reset)
        if reset:
            self.sample_shape_, self.n_features_in_ = samples.shape[1:], samples.shape[1]
            if self.table_steps_ is not None:
                self.n_features_in_ = len(self.table_steps_)
            self.modality_ = modality_of(X, self.sample_shape_)
        else:
            check_modality(X, self.modality_)
            check_sample_shape(self, samples, self.sample_shape_)
        return samples

    def _check_training(self, n_samples: int) -> None:
        """Parameters that all methods have."""
        if self.n_restarts != "auto":
            check_int("n_restarts", self.n_restarts, low=1)
        if self.threads != "auto":
            check_int("threads", self.threads, low=1)
        check_choice("restarts", self.restarts, RESTARTS)
        check_choice("preset", self.preset, PRESETS)
        check_choice("precision", self.precision, tuple(PRECISIONS))
        check_choice("scale", self.scale, (True, False))
        for name in ("batch_size", "max_epochs", "max_steps"):
            if getattr(self, name) is not None:
                check_int(name, getattr(self, name), low=2 if name == "batch_size" else 1)
        if self.learning_rate is not None:
            check_number("learning_rate", self.learning_rate, positive=True)
        as_random_state(self.random_state)
        check_path("checkpoint_dir", self.checkpoint_dir)
        if not (self.augment in self.augments if isinstance(self.augment, str) else callable(self.augment)):
            names = ", ".join(map(repr, self.augments))
            raise InputError(f"augment: {self.augment!r}; {names} or a callable is expected")
        if n_samples < 2:
            raise InputError(f"X: n_samples={n_samples}; at least 2 samples are expected to train a network")

    def _choose_augment(self, wanted: bool) -> Augment | None:
        """The caller's views, or with "auto" the usual ones for this shape where they are wanted."""
        if callable(self.augment):
            return cast(Augment, self.augment)
        if self.augment != "auto" or not wanted:
            return None
        return default_augment(self.sample_shape_, self.modality_)

    def _own_backbone(self) -> Any:
        """The caller's network; with "auto", the one that the modality names where it names one."""
        if isinstance(self.backbone, str) and self.backbone == AUTO:
            return find_modality(self.modality_).backbone or AUTO
        return self.backbone

    def _restarts_or(self, usual: int) -> int:
        """The number of restarts asked for; with "auto" the usual one, or 1 where all begin alike."""
        if self.n_restarts == "auto":
            return usual if self._start is None else 1
        return int(self.n_restarts)

    def _override(self, recipe: Recipe) -> Recipe:
        """The preset's recipe with the caller's own numbers in place of its own."""
        changes: dict[str, Any] = {}
        if self.batch_size is not None:
            changes["batch_size"] = self.batch_size
        if self.learning_rate is not None:
            changes["learning_rate"] = float(self.learning_rate)
        if self.max_epochs is not None:
            changes |= {"max_epochs": self.max_epochs, "step_range": None}
        if self.max_steps is not None:
            changes["max_steps"] = self.max_steps
        return dataclasses.replace(recipe, **changes)

    def _train(self, samples: SampleArray, plan: Training) -> Self:
        """Train all restarts, keep the one of lowest loss and describe the clustering it gives."""
        runtime = make_runtime(self.device, self.precision)
        scaling = self._start.scaling_ if self._start else plan.scaling or fit_scaling(samples, self.scale)
        base = runtime.agree(int(as_random_state(self.random_state).randint(2**31 - 1)))
        source = ScaledSource(samples, scaling, runtime.device)
        task = Task(source, plan.objective, plan.recipe, runtime, self._first_network, plan.augment)
        seeds = [base + SEED_STRIDE * number for number in range(plan.n_restarts)]
        with _own_random_numbers(runtime):
            threads = choose_threads(self.threads, self.make_network(0), runtime.device)
            with torch_threads(threads):
                fresh = Session(seeds, plan.keep, choose_how(task, self.restarts, seeds))
                traced = "" if self.checkpoint_dir is None else self._fingerprint(samples, plan)
                session = self._run(task, fresh, traced)
            self._adopt(session.kept, runtime.device)
        self.scaling_ = scaling
        self.loss_ = session.kept[0].loss
        self.history_ = session.history
        self.runs_ = session.runs
        self._describe(samples)
        if len(session.kept) > 1:
            self._describe_restarts(samples, session.kept)
        return self

    def _adopt(self, kept: Sequence[FinishedRun], device: torch.device) -> None:
        """Take over the best restarts, best first: the first one's network predicts."""
        self.network_ = self.load_network(kept[0].state, device)

    def load_network(self, state: Mapping[str, Tensor], device: torch.device) -> Any:
        """A network for samples as in ``fit`` with the weights of `state`, in eval mode on the device."""
        network: nn.Module = self.make_network(0)
        network.load_state_dict(state)
        return network.to(device).eval()

    def _run(self, task: Task, fresh: Session, fingerprint: str) -> Session:
        """Run a session with what watches it and, where a folder is given, checkpoints."""
        with contextlib.ExitStack() as stack:
            if self.checkpoint_dir is None:
                run_session(task, fresh, self._watch(stack, task, fresh), self._count_workers(task, fresh))
                return fresh
            checkpointer = Checkpointer(self.checkpoint_dir, fingerprint, task)
            stack.enter_context(checkpointer.active())
            session = checkpointer.restore(fresh)
            watching = [*self._watch(stack, task, session), checkpointer]
            run_session(task, session, watching, self._count_workers(task, session))
            checkpointer.write()
            return session

    def _count_workers(self, task: Task, session: Session) -> int:
        """Worker processes for restarts: where a launcher or an accelerator is used, there are none."""
        if task.runtime.world > 1 or task.runtime.device.type != "cpu":
            return 1
        return count_workers(self.n_jobs, len(session.seeds), torch.get_num_threads())

    def _watch(self, stack: contextlib.ExitStack, task: Task, session: Session) -> list[Callback]:
        """The progress bar, and the trackers where some were asked for."""
        watching: list[Callback] = [
            stack.enter_context(ProgressBar(task, session, self._shows_progress(task.runtime)))
        ]
        if self._tracking is not None:
            log = EpochLog(self._tracking, session, task.runtime, self.get_params())
            watching.append(stack.enter_context(log))
        return watching

    def _shows_progress(self, runtime: Runtime) -> bool:
        return bool(self.verbose) and runtime.is_main

    @abstractmethod
    def make_network(self, seed: int) -> Any:
        """A fresh float32 network for samples as in ``fit``, its weights a function of the seed alone."""

    def _first_network(self, seed: int) -> Any:
        """The network with which a restart begins: fresh, or with the weights of `start_from`."""
        network = self.make_network(seed)
        if self._start is None:
            return network
        if self._start.sample_shape_ != self.sample_shape_:
            raise InputError(
                f"start_from: samples had shape {self._start.sample_shape_}, X has {self.sample_shape_}"
            )
        given = self._start.network_.state_dict()
        own = network.state_dict()
        fits = {
            name: value for name, value in given.items() if name in own and value.shape == own[name].shape
        }
        missing = [name for name in own if name not in fits and not name.startswith(_HEAD)]
        if missing:
            raise InputError(
                f"start_from: its network (backbone={self._start.backbone!r}) has no {missing[0]} "
                f"of the shape of this one's (backbone={self.backbone!r}); networks of one form are expected"
            )
        network.load_state_dict(own | fits)
        return network

    @abstractmethod
    def _describe(self, samples: SampleArray) -> None:
        """Fitted attributes that follow from the trained network and the training samples."""

    def _describe_restarts(self, samples: SampleArray, kept: Sequence[FinishedRun]) -> None:
        """What several kept restarts, best first, say beyond the best of them."""

    def _fingerprint(self, samples: SampleArray, plan: Training) -> str:
        """A digest of all that the result follows from, but the seeds, which a session holds itself."""
        params = {name: repr(value) for name, value in self.get_params().items() if name not in _UNTRACED}
        if isinstance(self.random_state, int | np.integer):
            params["random_state"] = repr(int(self.random_state))
        for name in ("backbone", "augment"):
            # the text of an object of the caller's may hold its address, which changes from run to run
            if not isinstance(getattr(self, name), str):
                params[name] = identity_of(name, getattr(self, name))
        parts = [type(self).__name__, params, plan.n_restarts, plan.supervision, data_digest(samples)]
        parts.append(self.modality_)
        if self._start is not None:
            weights = self._start.network_.state_dict().values()
            parts.append(data_digest(*(value.cpu().numpy() for value in weights if value.dim())))
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _embed(self, samples: SampleArray) -> npt.NDArray[np.float32]:
        """Embedding of checked samples."""
        return self._map(samples, _embedding, self.network_)

    def _map(self, samples: SampleArray, pick: Pick, network: Network) -> npt.NDArray[Any]:
        """What `pick` makes of a network's outputs, for checked samples, in batches of bounded size.

        The result is one array from the start: parts put together at the end would take twice the memory.
        """
        device = next(network.parameters()).device
        source = ScaledSource(samples, self.scaling_, device)
        threads = choose_threads(self.threads, network, device)
        multiple = 1 if has_convolutions(network) else ROWS_TOGETHER
        result: npt.NDArray[Any] = np.empty(0)
        with torch_threads(threads), torch.inference_mode(), eval_mode(network):
            for start in range(0, len(source), PREDICT_BATCH):
                rows = source.take(slice(start, start + PREDICT_BATCH))
                outputs = self._outputs(network, _fill_up(rows, multiple))
                _refuse_overflow(outputs, start)
                found = pick(outputs)[: len(rows)].cpu().numpy()
                if not start:
                    result = np.empty((len(source), *found.shape[1:]), found.dtype)
                result[start : start + len(rows)] = found
        return result

    def _outputs(self, network: Network, rows: Tensor) -> Mapping[str, Tensor]:
        """What a network gives for scaled rows, by name."""
        return network.named(network(rows))


class NeuralClusterer(NeuralEstimator):
    """Base of the estimators whose network assigns each sample to one of `n_clusters` outputs."""

    saved_fields = (
        *NeuralEstimator.saved_fields,
        *("n_clusters_", "n_dominant_", "n_outputs_", "n_clusters_estimate_"),
    )
    # whether outputs that are close in the kernel count as parts of one cluster where clusters are counted
    merges_outputs: ClassVar[bool] = True
    n_outputs_: int

    n_clusters: int | str
    over_clustering: bool
    vote: int
    labels_: IntArray
    members_: list[ClusterNetwork]

    def predict_proba(self, X: Any) -> FloatArray:
        """Probability of each cluster for new samples.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Samples of the same shape as in ``fit``.

        Returns
        -------
        float64 array of shape (n, `n_outputs_`)
            Rows in [0, 1] that sum to 1.
        """
        check_is_fitted(self, "network_")
        return self._probabilities(self._check_samples(X, reset=False))

    def predict(self, X: Any) -> IntArray:
        """Most probable cluster of new samples.

        Parameters
        ----------
        X : array-like of shape (n, ...)

        Returns
        -------
        int64 array of shape (n,), values from 0 to `n_outputs_` - 1
        """
        check_is_fitted(self, "network_")
        return self._most_probable(self._check_samples(X, reset=False))

    def _check_common(self, n_samples: int) -> None:
        """Parameters that all clusterers have."""
        n_clusters = 1 if self.n_clusters == AUTO else _check_n_clusters(self.n_clusters)
        self._check_training(n_samples)
        if n_samples < n_clusters:
            raise InputError(f"n_clusters={n_clusters} must be <= n_samples={n_samples}")
        check_vote(self.vote, self.n_restarts)

    def _restarts_or(self, usual: int) -> int:
        """With "auto", at least as many restarts as vote."""
        n_restarts = super()._restarts_or(usual)
        return max(n_restarts, self.vote) if self.n_restarts == "auto" else n_restarts

    def _train(self, samples: SampleArray, plan: Training) -> Self:
        """Train as any estimator does, and keep as many restarts as vote."""
        return super()._train(samples, dataclasses.replace(plan, keep=max(plan.keep, self.vote)))

    def _adopt(self, kept: Sequence[FinishedRun], device: torch.device) -> None:
        """Take over the best restart's network and, for a vote, the next ones."""
        super()._adopt(kept, device)
        others = [self.load_network(run.state, device) for run in kept[1 : self.vote]]
        self.members_ = [self.network_, *others]

    def _choose_n_outputs(self, samples: SampleArray, most: int, **known: Any) -> None:
        """Take over `n_clusters`, or estimate it from restarts with up to `most` outputs.

        Parameters
        ----------
        samples : array or data set
        most : int
        **known
            What else `fit` got.
        """
        self.n_clusters_estimate_: dict[str, Any] | None = None
        if self.n_clusters == AUTO:
            self.n_clusters_estimate_ = estimate_n_clusters(
                lambda n_outputs, number: self._probe(samples, n_outputs, number, known),
                min(most, count_distinct(samples, MOST_OUTPUTS)),
                merges=self.merges_outputs,
            )
            self.n_outputs_ = self.n_clusters_estimate_["n_clusters"]
        else:
            self.n_outputs_ = int(self.n_clusters)

    def _probe(self, samples: SampleArray, n_outputs: int, number: int, known: Mapping[str, Any]) -> Probe:
        """A restart with more outputs than clusters are expected, trained as this estimator would be."""
        model = clone(self).start_from(self._start)
        model.set_params(n_clusters=n_outputs, n_restarts=1, over_clustering=True, vote=0)
        if isinstance(self.random_state, int | np.integer):
            model.set_params(random_state=(int(self.random_state) + SEED_STRIDE * (number + 1)) % 2**32)
        else:
            model.set_params(random_state=self.random_state)  # of which a clone has a copy
        if self.checkpoint_dir is not None:
            folder = Path(self.checkpoint_dir) / f"{n_outputs}-outputs-{number}"
            model.set_params(checkpoint_dir=str(folder))
        model.fit(Samples(samples, modality=self.modality_), **known)
        return Probe(model.labels_, model._embed(samples), n_outputs, model.loss_)

    def _fingerprint(self, samples: SampleArray, plan: Training) -> str:
        return f"{super()._fingerprint(samples, plan)}-{self.n_outputs_}"

    def make_network(self, seed: int) -> ClusterNetwork:
        """A fresh float32 network for samples as in ``fit``, its weights a function of the seed alone."""
        network = build_network(self._own_backbone(), self.sample_shape_, self.n_outputs_, seed)
        return channels_last(network.float())

    def _describe(self, samples: SampleArray) -> None:
        """Labels of the training samples and what they say about the clusters."""
        align_members(self.members_, lambda network: self._labels_by(samples, network), self.n_outputs_)
        self.labels_ = self._most_probable(samples)
        self.n_clusters_ = len(np.unique(self.labels_))
        self.n_dominant_ = dominant_clusters(self.labels_, self.n_outputs_)
        if self.n_clusters_ < self.n_outputs_ and not self.over_clustering:
            warnings.warn(
                f"{self.n_clusters_} of n_clusters={self.n_outputs_} clusters are used: try more restarts, "
                "more pairs or labels, or a smaller n_clusters; where n_clusters is only an upper bound, "
                "pass over_clustering=True",
                CollapseWarning,
                stacklevel=5,
            )

    def _most_probable(self, samples: SampleArray) -> IntArray:
        """Cluster of checked samples, batch by batch: all probabilities of millions of rows are many."""
        if len(self.members_) == 1:
            return self._labels_by(samples, self.network_)
        labels: IntArray = self._probabilities(samples).argmax(axis=1)
        return labels

    def _labels_by(self, samples: SampleArray, network: ClusterNetwork) -> IntArray:
        """Cluster of checked samples by one network."""
        labels: IntArray = self._map(samples, _argmax, network)
        return labels

    def _probabilities(self, samples: SampleArray) -> FloatArray:
        """Probability of each cluster for checked samples; of several members, their shares of votes."""
        if len(self.members_) == 1:
            return self._assign(samples, self.network_)
        votes = [self._labels_by(samples, member) for member in self.members_]
        return vote_shares(votes, self.n_outputs_)

    def _assign(self, samples: SampleArray, network: ClusterNetwork) -> FloatArray:
        """Probability of each cluster by one network."""
        return self._map(samples, _softmax, network)


def _check_n_clusters(value: object) -> int:
    """A number of clusters."""
    if isinstance(value, str):
        raise InputTypeError(f'n_clusters must be an int, at least 1, or "{AUTO}"; got {value!r}')
    return check_int("n_clusters", value, low=1)


def _embedding(found: Mapping[str, Tensor]) -> Tensor:
    return found["embedding"]


def _softmax(found: Mapping[str, Tensor]) -> Tensor:
    """Rows of float64, which sum to 1 to the last digit that a caller may check."""
    return found["logits"].double().softmax(dim=1)


def _argmax(found: Mapping[str, Tensor]) -> Tensor:
    """The first of the largest probabilities, as numpy's argmax of them."""
    return _softmax(found).argmax(dim=1)


def _refuse_overflow(outputs: Mapping[str, Tensor], start: int) -> None:
    """Raise where a sample is so far from those of the fit that float32 cannot hold what comes of it."""
    for name in outputs.keys() & {"embedding", "logits"}:
        wrong = ~outputs[name].isfinite().flatten(1).all(dim=1)
        if bool(wrong.any()):
            row = start + int(wrong.int().argmax())
            raise InputError(
                f"X must be on the scale of the samples in fit; row {row} gives values beyond "
                "float32. Check its units, or divide by a constant in fit and predict alike"
            )


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
