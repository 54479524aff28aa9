"""Saving and loading estimators: one file, weights as safetensors, everything else as JSON, no pickle."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils.validation import check_is_fitted

from coterie._checks import check_path
from coterie._errors import DamagedFileError, InputError, InputTypeError
from coterie.data.modality import is_known_modality
from coterie.engine.storage import read_tensors, write_tensors
from coterie.methods.base import NeuralEstimator
from coterie.methods.clusterer import NeuralClusterer
from coterie.methods.from_file import OWN_BACKBONE, folder_of, from_file
from coterie.methods.registry import find_method, is_known, method_of, package_of_method

# what a value of a wrong type or size meets in an estimator's own code
_FORGED = (TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RuntimeError, MemoryError)


def save(estimator: NeuralEstimator, path: str | Path) -> None:
    """Write a fitted estimator to one file, atomically and without pickle.

    A network of the caller's is kept by its weights alone, and `load` asks for it; views and generators of
    the caller's, which only another fit would use, are not kept.

    Parameters
    ----------
    estimator : CCN, DDC, SimilarityNetwork or another of this library
        Fitted.
    path : str or Path
        The file, conventionally ending in ``.safetensors``; its folder is made where it is missing.

    Raises
    ------
    NotFittedError
        The estimator has not been fitted.
    InputTypeError
        It is no estimator of this library, or its class labels are of a type that JSON cannot hold.

    Examples
    --------
    >>> import tempfile
    >>> import coterie
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> model = coterie.CCN(n_clusters=10, loss="kcl", n_restarts=1, max_steps=300, random_state=0)
    >>> _ = model.fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     coterie.save(model, f"{folder}/model")
    ...     np.array_equal(coterie.load(f"{folder}/model").predict(X), model.labels_)
    True
    """
    check_path("path", path)
    method = method_of(estimator)
    check_is_fitted(estimator, "network_")
    meta: dict[str, Any] = {name: getattr(estimator, name) for name in estimator._saved_fields}
    meta |= {
        "method": method,
        "package": package_of_method(method),
        "params": _plain_params(estimator),
        "sample_shape": list(estimator.sample_shape_),
    }
    members = estimator.members_ if isinstance(estimator, NeuralClusterer) else [estimator.network_]
    meta["members"] = len(members)
    tensors = {
        f"{folder_of(number)}{name}": value
        for number, network in enumerate(members)
        for name, value in network.state_dict().items()
    }
    tensors |= {
        "offset": torch.from_numpy(np.asarray(estimator.scaling_.offset)),
        "factor": torch.from_numpy(np.asarray(estimator.scaling_.factor)),
    }
    if isinstance(estimator, NeuralClusterer):
        tensors["labels"] = torch.from_numpy(estimator.labels_)
    for name in ("classes_", "feature_names_in_"):
        if hasattr(estimator, name):
            meta[name] = _plain_array(name, getattr(estimator, name))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, "model", tensors, meta)


def load(path: str | Path, backbone: Any = None) -> NeuralEstimator:
    """Read an estimator that `save` wrote.

    Parameters
    ----------
    path : str or Path
    backbone : nn.Module or callable, optional
        The network below the softmax layer, where it was given as a module or callable when fitting; its
        weights are read from the file.

    Returns
    -------
    CCN, DDC, SimilarityNetwork or another of this library
        Fitted; predicts what the saved one did.

    Raises
    ------
    DamagedFileError
        The file is missing, truncated, altered, or not a model of this library.
    InputError
        The file needs a `backbone`, or the one given does not match it.
    """
    tensors, meta = read_tensors(path, "model")
    kind = _method_in(path, meta)
    _check_modality(path, meta)
    try:
        return from_file(kind, tensors, meta, backbone)
    except KeyError as error:
        raise DamagedFileError(f"path: {path} lacks {error}, which this version expects") from error
    except DamagedFileError as error:
        raise DamagedFileError(f"path: {path} is damaged: {error}") from error
    except InputError as error:
        if backbone is not None or "load(path, backbone=...)" in str(error):
            raise
        raise DamagedFileError(f"path: {path} is damaged: {error}") from error
    except _FORGED as error:
        raise DamagedFileError(
            f"path: {path} is damaged: no model of coterie has this content ({type(error).__name__}: {error})"
        ) from error


def _method_in(path: str | Path, meta: Any) -> type[NeuralEstimator]:
    """The class of a saved estimator, where its method is installed."""
    name, package = (meta.get("method"), meta.get("package")) if isinstance(meta, dict) else (None, None)
    if not isinstance(name, str):
        raise DamagedFileError(f"path: {path} lacks 'method', which this version expects")
    if not is_known(name):
        remedy = f"pip install {package}" if package else "coterie.register(name, class) makes it known"
        raise InputError(
            f"path: {path} holds a model of the method {name!r}, which is not installed: {remedy}"
        )
    return find_method(name)


def _check_modality(path: str | Path, meta: Mapping[str, Any]) -> None:
    """Raise where a model's kind of samples is one that a package brings, which is not imported."""
    name = meta.get("modality_", "vectors")
    if isinstance(name, str) and not is_known_modality(name):
        raise InputError(
            f"path: {path} holds a model of the modality {name!r}, which is not registered; import the "
            "package that registers it"
        )


def _plain_params(estimator: NeuralEstimator) -> dict[str, Any]:
    return {name: _plain_param(name, value) for name, value in estimator.get_params().items()}


def _plain_param(name: str, value: Any) -> Any:
    """A parameter as JSON holds it; objects of the caller's by what `load` puts in their place."""
    if name == "backbone" and not isinstance(value, str):
        return OWN_BACKBONE
    if name == "encoder" and value is not None and not isinstance(value, str):
        return str(value.name)
    if name == "augment" and not isinstance(value, str):
        return "auto"
    if name == "random_state" and not isinstance(value, numbers.Integral | None):
        return None
    if name == "device" or (name == "checkpoint_dir" and value is not None):
        return str(value)
    return value.item() if isinstance(value, np.generic) else value


def _plain_array(name: str, values: npt.NDArray[Any]) -> dict[str, Any]:
    listed = values.tolist()
    if not all(isinstance(value, str | int | float | bool) for value in listed):
        raise InputTypeError(f"{name} must hold numbers or strings to be saved, got {values.dtype}")
    return {"values": listed, "dtype": values.dtype.str if values.dtype.kind != "O" else "object"}
