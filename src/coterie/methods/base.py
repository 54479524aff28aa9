"""What every estimator shares: parameters, checks of X, training through the engine, prediction."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from coterie._errors import InputError
from coterie.data.arrays import (
    SampleArray,
    ScaledSource,
    Scaling,
    fit_scaling,
)
from coterie.data.augment import Augment, AveragedViews
from coterie.data.modality import find_modality
from coterie.data.views import default_augment
from coterie.engine.objective import Objective
from coterie.engine.processes import ending_together
from coterie.engine.recipe import Recipe
from coterie.engine.restarts import choose_how
from coterie.engine.runtime import Runtime, choose_threads, make_runtime, own_random_numbers, torch_threads
from coterie.engine.task import Task
from coterie.engine.training import FinishedRun, Session
from coterie.methods.checks import as_random_state
from coterie.methods.fit_identity import check_same_samples, fit_fingerprint
from coterie.methods.forward import Pick, embedding, map_samples
from coterie.methods.in_time import plan_in_time, seeds_from
from coterie.methods.samples import take_samples
from coterie.methods.start import start_weights
from coterie.methods.watched import run_watched, say
from coterie.nn import Averaged, BackboneSpec, Features, Network, auto_backbone, averaged_shape, block_for
from coterie.params import check_parameters, refuse_unknown
from coterie.params.duration import seconds_of
from coterie.params.shared import How, TrainingParams

if TYPE_CHECKING:
    from coterie.engine.trackers import Tracking

# in place of a number or a name that the caller leaves to the method
AUTO = "auto"
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
    supervision : str
        A digest of what the objective knows in addition to X: checkpoints of other fits have another.
    keep : int
        How many of the best restarts `_adopt` and `_describe_restarts` get.
    scaling : Scaling or None
        That of another estimator's samples in place of one fitted to X.
    how : str or None
        How restarts run, in place of the estimator's `restarts`.
    """

    objective: Objective
    recipe: Recipe
    n_restarts: int
    augment: Augment | None
    supervision: str
    keep: int = 1
    scaling: Scaling | None = None
    how: How | None = None


class NeuralEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, TrainingParams):
    """Base of the estimators that train a network through the engine.

    A subclass declares its parameters with `coterie.params.param`, builds an objective and a recipe in
    ``fit`` and hands them to `_train`, which makes its networks with `_make_network` and ends with its
    `_describe`.

    Attributes
    ----------
    _saved_fields : tuple of str
        Fitted attributes that a saved file keeps, in addition to the network.
    """

    _saved_fields: ClassVar[tuple[str, ...]] = (
        *("modality_", "table_steps_", "encoder_", "n_features_in_", "max_pixels_", "_on_features"),
        *("loss_", "history_", "runs_"),
    )

    # what `loss_` is called where a run is described
    _loss_name: ClassVar[str] = "loss"
    # what max_pixels="auto" stands for; None: all
    _usual_pixels: ClassVar[int | None] = None
    scaling_: Scaling
    modality_: str
    # bound that the network was built with; None: none
    max_pixels_: int | None
    # what is done to the columns of a table, as `TableSteps.as_json` gives it; None of other samples
    table_steps_: list[dict[str, Any]] | None
    # what is known of the encoder, as `metadata_of` gives it; None where X held numbers
    encoder_: dict[str, Any] | None
    # whether X holds features of a pretrained encoder, which the network only normalises
    _on_features: bool = False
    _start: NeuralEstimator | None = None
    # processes that share passes over the samples; None: this one alone
    _team: Runtime | None = None
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

        If the numbers of clusters differ, the last layer is fresh. ``n_restarts="auto"`` is then 1. Not a
        parameter; `clone` drops it.

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
        """Let `fit` report every epoch's terms to experiment trackers, as ``term/restart``.

        Not a parameter; `clone` drops it.

        Parameters
        ----------
        *trackers : str or accelerate.tracking.GeneralTracker
            Names that accelerate knows, such as "tensorboard", or your own; none disables logging.
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
        from coterie.engine.trackers import Tracking  # accelerate, a quarter of a second

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
        return take_samples(self, X, reset)

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name.

        Parameters
        ----------
        **params
            Those of the constructor.

        Returns
        -------
        self

        Raises
        ------
        InputError
            No parameter has this name; the message names the nearest one.
        """
        refuse_unknown(type(self), params, InputError)
        return cast(Self, super().set_params(**params))

    def _check_training(self, n_samples: int) -> None:
        """Every parameter by its declaration, and the number of samples."""
        check_parameters(self)
        if n_samples < 2:
            raise InputError(f"n_samples={n_samples} must be >= 2 to train a network")

    def _choose_augment(self, wanted: bool) -> Augment | None:
        """The caller's views, or with "auto" the usual ones for this shape where they are wanted."""
        if callable(self.augment):
            return cast(Augment, self.augment)
        if self.augment != "auto" or not wanted:
            return None
        return default_augment(self.sample_shape_, self.modality_)

    def _choose_backbone(self, usual: Callable[[tuple[int, ...]], str] = auto_backbone) -> BackboneSpec:
        """The caller's network; with "auto", that of the modality or the usual one at the working size.

        Features have a network that only normalises them.
        """
        if self._on_features:
            return "features"
        if not (isinstance(self.backbone, str) and self.backbone == AUTO):
            return cast(BackboneSpec, self.backbone)
        block = block_for(self.sample_shape_, self.max_pixels_)
        name = find_modality(self.modality_).backbone or usual(averaged_shape(self.sample_shape_, block))
        return name if block == 1 else Averaged(name, block)

    def _standardises(self) -> bool:
        """Whether columns are brought to mean 0 and deviation 1 before the network.

        Features of an encoder, and pixels, share one scale.
        """
        shares_one = self.encoder_ is not None or self.backbone == "features" or len(self.sample_shape_) > 1
        return self.scale and not (self._on_features and shares_one)

    def _find_features(self) -> None:
        """Decide whether X holds features: `backbone` says so, or it went through an encoder."""
        if not isinstance(self.backbone, str) or self.backbone not in (AUTO, "features"):
            self._on_features = False
        elif self.backbone == AUTO and self._start is not None:
            self._on_features = isinstance(self._start.network_.backbone, Features)
        else:
            encoded = self.encoder_ is not None and self.preset == "default"
            self._on_features = self.backbone == "features" or encoded

    def _is_gentle(self) -> bool:
        """Whether X holds features, for which the default preset has a gentle recipe, or a metric."""
        return self._on_features and self.preset == "default"

    def _say(self, text: str) -> None:
        """Print a line on standard error if progress is shown."""
        say(self, make_runtime(self.device), text)

    def _working_pixels(self) -> int | None:
        """The largest number of pixels that the network is to see."""
        if self._start is not None:
            return self._start.max_pixels_
        if self.max_pixels == AUTO:
            return self._usual_pixels if self.preset == "default" else None
        return cast("int | None", self.max_pixels)

    def _seconds_to_train(self) -> float | None:
        """The time that the restarts may take; None: any."""
        return seconds_of(self.time_limit)

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
        runtime = make_runtime(self.device, self.precision, self.compile)
        with ending_together():
            check_same_samples(samples)
            self._team = runtime
            try:
                return self._train_on(runtime, samples, plan)
            finally:
                self._team = None

    def _train_on(self, runtime: Runtime, samples: SampleArray, plan: Training) -> Self:
        self.max_pixels_ = self._working_pixels()
        if self._start is not None:
            scaling = self._start.scaling_
        else:
            scaling = plan.scaling or fit_scaling(samples, self._standardises(), runtime)
        base = runtime.agree(int(as_random_state(self.random_state).randint(2**31 - 1)))
        source = ScaledSource(samples, scaling, runtime.device)
        with own_random_numbers(runtime):
            threads = choose_threads(self.threads, self._make_network(0), runtime.device)
            with torch_threads(threads):
                traced = "" if self.checkpoint_dir is None else self._fingerprint(samples, plan)
                plan, decision = plan_in_time(self, source, plan, base, traced)
                task = self._task(source, plan, runtime)
                seeds = seeds_from(base, plan.n_restarts)
                how = choose_how(task, plan.how or self.restarts, seeds)
                session = self._run(task, Session(seeds, plan.keep, how, decision=decision), traced)
            self._adopt(session.kept, runtime.device)
        self.scaling_ = scaling
        self.loss_ = session.kept[0].loss
        self.history_ = session.history
        self.runs_ = session.runs
        self._describe(samples)
        if len(session.kept) > 1:
            self._describe_restarts(samples, session.kept)
        return self

    def _task(self, source: ScaledSource, plan: Training, runtime: Runtime) -> Task:
        block = self._averaged_block()
        views = plan.augment
        if views is not None and block > 1 and isinstance(self.augment, str):
            views = AveragedViews(views, block)
        return Task(source, plan.objective, plan.recipe, runtime, self._first_network, views)

    def _averaged_block(self) -> int:
        """Side of the blocks of pixels whose averages the network sees; 1 if it sees samples as they are."""
        return block_for(self.sample_shape_, self.max_pixels_) if self._takes_averages() else 1

    def _takes_averages(self) -> bool:
        """Whether samples are images, of which a network of the library's choice may see averages."""
        is_open = isinstance(self.backbone, str) and self.backbone == AUTO and not self._on_features
        return is_open and len(self.sample_shape_) in (2, 3)

    def _adopt(self, kept: Sequence[FinishedRun], device: torch.device) -> None:
        """Take over the best restarts, best first: the first one's network predicts."""
        self.network_ = self._load_network(kept[0].state, device)

    def _load_network(self, state: Mapping[str, Tensor], device: torch.device) -> Any:
        """A network for samples as in ``fit`` with the weights of `state`, in eval mode on the device."""
        network: nn.Module = self._make_network(0)
        network.load_state_dict(state)
        return network.to(device).eval()

    def _run(self, task: Task, fresh: Session, fingerprint: str) -> Session:
        """Train the restarts of a session; the session of a checkpoint takes its place."""
        return run_watched(self, task, fresh, fingerprint)

    @abstractmethod
    def _make_network(self, seed: int) -> Any:
        """A fresh float32 network for samples as in ``fit``, its weights a function of the seed alone."""

    def _first_network(self, seed: int) -> Any:
        """The network with which a restart begins: fresh, or with the weights of `start_from`."""
        network = self._make_network(seed)
        return network if self._start is None else start_weights(self, self._start, network)

    @abstractmethod
    def _describe(self, samples: SampleArray) -> None:
        """Fitted attributes that follow from the trained network and the training samples."""

    def _describe_restarts(self, samples: SampleArray, kept: Sequence[FinishedRun]) -> None:
        """What several kept restarts, best first, say beyond the best of them."""

    def _fingerprint(self, samples: SampleArray, plan: Training) -> str:
        """A digest of all that the result follows from, but the seeds, which a session holds itself."""
        return fit_fingerprint(self, samples, plan.n_restarts, plan.supervision)

    def _embed(self, samples: SampleArray) -> npt.NDArray[np.float32]:
        """Embedding of checked samples."""
        return self._map(samples, embedding, self.network_)

    def _map(self, samples: SampleArray, pick: Pick, network: Network) -> npt.NDArray[Any]:
        """What `pick` makes of a network's outputs, for checked samples."""
        source = ScaledSource(samples, self.scaling_, next(network.parameters()).device)
        n_samples, team = len(samples), self._team
        part = slice(0, n_samples) if team is None else team.part(n_samples)
        found = map_samples(source, network, self._outputs, pick, self.threads, part)
        return found if team is None else team.joined(found, n_samples)

    def _outputs(self, network: Network, rows: Tensor) -> Mapping[str, Tensor]:
        """What a network gives for scaled rows, by name."""
        return network.named(network(rows))
