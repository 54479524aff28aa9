"""What every method has to keep to, as one function for the tests of a method outside this library."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits

from coterie.methods.clusterer import NeuralClusterer
from coterie.methods.persistence import load, save
from coterie.params import parameters_of
from coterie.params.shared import ClustererParams

N_CLUSTERS = 10


def check_method(method: type[NeuralClusterer], **params: Any) -> None:
    """Check that a method keeps to the contract of the library's own.

    It is fitted to 150 of scikit-learn's digits for a few steps, which takes seconds.

    Parameters
    ----------
    method : type
        Derived from `NeuralClusterer`, and known by a name: an entry point or `coterie.register`.
    **params
        Parameters of the method for these fits, in addition to ``n_clusters=10``.

    Raises
    ------
    AssertionError
        The message names the point that does not hold.

    Examples
    --------
    >>> from coterie import DDC
    >>> from coterie.testing import check_method
    >>> check_method(DDC, n_restarts=1, max_steps=5)
    """
    for check in _CHECKS:
        for fault in check(method, params):
            raise AssertionError(f"{method.__name__}: {fault}")


def _fit(method: type[NeuralClusterer], params: dict[str, Any]) -> tuple[Any, Any]:
    """A model fitted to some digits, and the digits."""
    X, y = load_digits(return_X_y=True)
    quick = {"n_restarts": 1, "max_steps": 10, "random_state": 0, "over_clustering": True}
    model = method(n_clusters=N_CLUSTERS, **quick | params)
    return model.fit(X[:150], y[:150]), X[:150]


def _parameters(method: type[NeuralClusterer], params: dict[str, Any]) -> Iterator[str]:
    """Declared, stored as they come, with defaults, and the shared ones among them."""
    accepted = inspect.signature(method).parameters
    declared = parameters_of(method)
    for name, parameter in accepted.items():
        if parameter.default is inspect.Parameter.empty:
            yield f"the parameter {name} must have a default"
    for name in parameters_of(ClustererParams):
        if name not in accepted:
            yield f"__init__ must accept {name}"
    for name in accepted:
        if name not in declared:
            yield f"{name} must be declared with coterie.params.param"
    model = method(n_clusters=4)
    if clone(model).get_params() != model.get_params() or model.n_clusters != 4:
        yield "__init__ must store its parameters as they are"


def _fitted(method: type[NeuralClusterer], params: dict[str, Any]) -> Iterator[str]:
    """Attributes after `fit`, and what prediction gives."""
    model, X = _fit(method, params)
    if model.labels_.shape != (len(X),) or model.labels_.dtype != np.int64:
        yield "labels_ must be int64 of shape (n,)"
    proba = model.predict_proba(X)
    if proba.shape != (len(X), model.n_outputs_) or np.abs(proba.sum(axis=1) - 1).max() > 1e-9:
        yield "predict_proba must give rows of shape (n, n_outputs_) that sum to 1"
    if not (model.predict(X) == proba.argmax(axis=1)).all():
        yield "predict must be the argmax of predict_proba"
    if not (model.predict(X) == model.labels_).all():
        yield "labels_ must be what predict gives for the training samples"
    if not np.isfinite(model.loss_) or len(model.runs_) < 1 or not model.history_:
        yield "loss_ must be finite, runs_ and history_ must have entries"
    if not np.array_equal(model.predict_proba(X[::-1][:7]), proba[::-1][:7]):
        yield "a sample's probabilities must not depend on the other samples"


def _repeatable(method: type[NeuralClusterer], params: dict[str, Any]) -> Iterator[str]:
    """A seed means a result."""
    (first, X), (second, _) = _fit(method, params), _fit(method, params)
    if first.loss_ != second.loss_ or not np.array_equal(first.transform(X), second.transform(X)):
        yield "the same random_state must give the same result to the last bit"


def _resumable(method: type[NeuralClusterer], params: dict[str, Any]) -> Iterator[str]:
    """A finished fit is read from its checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        kept = params | {"checkpoint_dir": folder}
        (first, X), (again, _) = _fit(method, kept), _fit(method, kept)
        if not np.array_equal(first.predict_proba(X), again.predict_proba(X)):
            yield "a fit from its checkpoint must give what the fit gave"


def _saved(method: type[NeuralClusterer], params: dict[str, Any]) -> Iterator[str]:
    """A saved model predicts what it did."""
    model, X = _fit(method, params)
    with tempfile.TemporaryDirectory() as folder:
        save(model, Path(folder) / "model")
        loaded: Any = load(Path(folder) / "model")
    if type(loaded) is not method or loaded.get_params() != model.get_params():
        yield "a loaded model must have the class and the parameters of the saved one"
    if not np.array_equal(loaded.predict_proba(X), model.predict_proba(X)):
        yield "a loaded model must predict what the saved one does"


_CHECKS: tuple[Callable[[type[NeuralClusterer], dict[str, Any]], Iterator[str]], ...] = (
    _parameters,
    _fitted,
    _repeatable,
    _resumable,
    _saved,
)
