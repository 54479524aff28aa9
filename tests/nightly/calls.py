"""Random calls of the public surface: each gives a result, or an error of ours that names what is wrong."""

from __future__ import annotations

import contextlib
import copy
import io
import random
import signal
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import NotFittedError
from tests.nightly.values import odd_argument

import coterie
from coterie import ADC, CCN, DDC, L2C, InputError, InputTypeError, Pairs, SimilarityNetwork, losses, metrics
from coterie.data import read_labels, read_samples
from coterie.methods.base import NeuralEstimator

# seconds after which a call hangs, of a machine that is busy with other work
PATIENCE = 120
# what a caller may expect, beside results
OURS = (InputError, InputTypeError, NotFittedError)
# parameters whose value is how much work is asked for: a large one is no fault
_WORK = ("n_restarts", "max_epochs", "max_steps", "n_views", "threads", "n_jobs", "verbose")
_METHODS: tuple[type[NeuralEstimator], ...] = (CCN, DDC, ADC, L2C, SimilarityNetwork)
_RNG = np.random.default_rng(0)
_X = _RNG.normal(size=(24, 6))
_Y = np.arange(24) % 3
_P = torch.softmax(torch.from_numpy(_RNG.normal(size=(24, 3))), dim=1)
_Z = torch.from_numpy(_RNG.normal(size=(24, 6)))


@dataclass(frozen=True)
class Surface:
    """One public callable, with a value of each parameter that makes it work.

    Attributes
    ----------
    call : callable
    good : dict
        Parameters that have no default, and some others.
    """

    name: str
    call: Callable[..., Any]
    good: dict[str, Any]


def _losses() -> Iterator[Surface]:
    same = torch.from_numpy(_Y)
    pairs = {"p": _P, "same": same, "reduction": "mean", "eps": 0.0, "include_self": False}
    yield Surface("kcl", losses.kcl, pairs | {"margin": 2.0, "kind_weights": None})
    yield Surface("ccl", losses.ccl, pairs | {"kind_weights": None})
    yield Surface("ddc", losses.ddc, {"hidden": _Z, "p": _P, "bandwidth": 0.15, "bandwidth_rule": "squared"})
    sets = [torch.softmax(torch.zeros(2, 12, k, dtype=torch.float64), dim=2) for k in (1, 2, 3)]
    count = {"count_proba": torch.full((2, 3), 1 / 3).double(), "assignments": sets}
    count |= {"labels": torch.from_numpy(_Y.reshape(2, 12)), "same_prior": 0.5, "weight": 5.0}
    yield Surface("l2c", losses.l2c, count)
    for call in (losses.norm, losses.sparsity):
        yield Surface(call.__name__, call, {"z": _Z, "reduction": "mean"})
    views = {"z": _Z, "z_aug": _Z + 0.1, "logits": _P, "logits_aug": _P, "per_pair": True}
    yield Surface("transformation", losses.transformation, views)
    yield Surface("visit", losses.visit, {"a": _Z, "b": _Z[:9], "eps": 1e-8})
    yield Surface("walker", losses.walker, {"a": _Z[:3], "b": _Z, "labels": torch.arange(3), "eps": 1e-8})


def _metrics() -> Iterator[Surface]:
    both = {"y_true": _Y, "y_pred": _Y[::-1].copy()}
    for name in ("clustering_accuracy", "contingency", "map_clusters", "misclassification_rate", "purity"):
        yield Surface(name, getattr(metrics, name), both)
    yield Surface("nmi", metrics.nmi, both | {"average": "max"})
    yield Surface("mapped_accuracy", metrics.mapped_accuracy, both | {"mapping": {0: 0, 1: 1, 2: 2}})
    aligned = {"reference": _Y, "labels": _Y, "n_clusters": 3}
    yield Surface("align_clusters", metrics.align_clusters, aligned)
    yield Surface("dominant_clusters", metrics.dominant_clusters, {"labels": _Y, "n_clusters": 3})
    yield Surface("vote_shares", metrics.vote_shares, {"labelings": [_Y, _Y], "n_clusters": 3})


def _pairs(folder: Path) -> Iterator[Surface]:
    made = Pairs.from_labels(_Y, 30, random_state=0)
    file = folder / "pairs.csv"
    made.to_csv(file)
    yield Surface("Pairs", Pairs, {"i": [0, 1], "j": [2, 3], "same": [1, -1], "hard": True})
    yield Surface("from_labels", Pairs.from_labels, {"y": _Y, "n_pairs": 9, "random_state": 0})
    near = {"X": _X, "n_neighbors": 3, "far": 0.5, "random_state": 0}
    yield Surface("from_neighbors", Pairs.from_neighbors, near)
    times = {"times": np.arange(24.0), "window": 2.0, "gap": 9.0, "random_state": 0}
    yield Surface("from_sequence", Pairs.from_sequence, times)
    yield Surface("from_csv", Pairs.from_csv, {"path": file, "hard": True, "ids": None})
    yield Surface("from_parquet", Pairs.from_parquet, {"path": folder / "gone.parquet"})
    yield Surface("check_rows", made.check_rows, {"n": 24})
    yield Surface("propagate", made.propagate, {"X": _X, "n_neighbors": 3})
    yield Surface("restrict", made.restrict, {"rows": np.arange(9)})
    yield Surface("sample", made.sample, {"n": 9, "random_state": 0})
    yield Surface("to_csv", made.to_csv, {"path": folder / "new.csv", "ids": None})
    yield Surface("union", made.union, {"other": made})
    yield Surface("with_noise", made.with_noise, {"p": 0.1, "random_state": 0})


def _models(folder: Path) -> Iterator[Surface]:
    fitted: list[Any] = [_quick(kind).fit(_X, _Y) for kind in _METHODS]
    pairs = Pairs.from_labels(_Y, 30, random_state=0)
    sets = [(_X, _Y), (_X[::-1].copy(), _Y)]
    for kind, model in zip(_METHODS, fitted, strict=True):
        name = kind.__name__
        for _ in range(3):  # where most can go wrong
            yield Surface(f"{name}()", lambda kind=kind, **given: _fit(kind, given), _good_params(kind))
        yield Surface(f"{name}.fit", lambda kind=kind, **given: _quick(kind).fit(**given), {"X": _X, "y": _Y})
        yield Surface(f"{name}.transform", model.transform, {"X": _X})
        yield Surface("save", coterie.save, {"estimator": model, "path": folder / "model"})
        if hasattr(model, "predict"):
            yield Surface(f"{name}.predict", model.predict, {"X": _X})
            yield Surface(f"{name}.predict_proba", model.predict_proba, {"X": _X})
    for kind in (CCN, SimilarityNetwork):
        fit: Any = lambda kind=kind, **given: _quick(kind).fit(**given)  # noqa: E731  # as above
        yield Surface(f"{kind.__name__}.fit", fit, {"X": _X, "pairs": pairs})
    similar = {"X": _X, "i": [0, 1], "j": [2, 3]}
    yield Surface("predict_proba_pairs", fitted[-1].predict_proba_pairs, similar)
    yield Surface("fit_sets", lambda **given: _quick(L2C).fit_sets(**given), {"sets": sets})
    yield Surface("from_pretrained", L2C.from_pretrained, {"name": "points2d"})
    yield Surface("load", coterie.load, {"path": folder / "model", "backbone": None})
    for call in (read_samples, read_labels):
        yield Surface(call.__name__, call, {"path": folder / "x.npy"})


def _good_params(kind: type[NeuralEstimator]) -> dict[str, Any]:
    params: dict[str, Any] = _quick(kind).get_params()
    return params


def _few(kind: type[NeuralEstimator]) -> dict[str, Any]:
    """Parameters of a fit that takes a moment."""
    few: dict[str, Any] = {"max_steps": 2, "n_restarts": 1, "random_state": 0}
    if kind is L2C:
        return few | {"max_clusters": 3, "set_size": 8}
    return few if kind is SimilarityNetwork else few | {"n_clusters": 3}


def _quick(kind: type[NeuralEstimator]) -> Any:
    return kind(**_few(kind))


def _fit(kind: type[NeuralEstimator], given: dict[str, Any]) -> object:
    return kind(**_few(kind) | given).fit(_X, _Y)


class Hang(BaseException):
    """A call that does not end."""


class Calling:
    """Calls the surface with odd arguments and looks at what comes of it.

    Parameters
    ----------
    folder : Path
        Empty.
    seed : int
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self._chance = random.Random(seed)
        self._folder = folder
        np.save(folder / "x.npy", _X)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._surface = [*_losses(), *_metrics(), *_pairs(folder), *_models(folder)]

    def try_one(self) -> None:
        """Call something with one or two odd arguments."""
        surface = self._chance.choice(self._surface)
        given = copy.copy(surface.good)
        for name in self._chance.sample(list(given), min(len(given), self._chance.choice((1, 1, 2)))):
            given[name] = self._argument(name)
        odd = {name: value for name, value in given.items() if value is not surface.good[name]}
        said = f"{surface.name}({', '.join(f'{name}={_brief(value)}' for name, value in odd.items())})"
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.chdir(self._folder))  # a name that is given makes a file there
            stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
            stack.enter_context(_limited(PATIENCE))
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            self.counts[self._outcome(surface.call, given, said)] += 1

    def _argument(self, name: str) -> Any:
        while True:
            value = odd_argument(self._chance)
            if name in ("augment", "backbone") and callable(value):  # its errors are the caller's
                continue
            if name not in _WORK or not isinstance(value, int | float) or abs(value) < 4:
                return value

    def _outcome(self, call: Callable[..., Any], given: dict[str, Any], said: str) -> str:
        try:
            call(**given)
        except OURS:
            return "refused"
        except Hang:
            return self._fault(f"{said}: does not end within {PATIENCE} s")
        except Exception as error:  # noqa: BLE001  # each is what is looked for
            last = traceback.extract_tb(error.__traceback__)
            ours = [frame for frame in last if "/coterie/" in frame.filename]
            place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "no frame of ours"
            return self._fault(f"{said}: {type(error).__name__}: {str(error)[:200]} ({place})")
        return "gave a result"

    def _fault(self, text: str) -> str:
        self.faults.append(text)
        return "faults"


def _brief(value: object) -> str:
    if isinstance(value, np.ndarray | torch.Tensor):
        return f"{type(value).__name__} {tuple(value.shape)} {value.dtype}"
    return f"{value!r}".replace("\n", " ")[:60]


@contextlib.contextmanager
def _limited(seconds: int) -> Iterator[None]:
    def end(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
