"""A fitted estimator out of what a file holds."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from coterie._errors import InputError
from coterie.data.arrays import Scaling
from coterie.data.modality import modality_of_shape
from coterie.engine.runtime import make_runtime
from coterie.methods.base import NeuralEstimator
from coterie.methods.clusterer import NeuralClusterer
from coterie.methods.file_checks import check_fields, check_labels, check_scaling, check_shapes, check_tensors

# in place of the name of a backbone, where it was a module or callable
OWN_BACKBONE = "<not a name>"


def from_file(
    kind: type[NeuralEstimator], tensors: dict[str, Tensor], meta: dict[str, Any], backbone: Any
) -> NeuralEstimator:
    """What `save` wrote as a fitted estimator of a kind.

    Parameters
    ----------
    kind : type
    tensors, meta : dict
        As `read_tensors` gives them.
    backbone : nn.Module, callable or None

    Returns
    -------
    NeuralEstimator

    Raises
    ------
    KeyError
        The file lacks a field, or has a parameter that this version does not know.
    InputError
        The file needs a `backbone`, or the one given does not match it.
    DamagedFileError
        A field or a tensor is not as `save` writes it.
    """
    # models were saved without these once
    added = {
        **{"modality_": modality_of_shape(meta["sample_shape"]), "table_steps_": None, "encoder_": None},
        **{"max_pixels_": None, "hidden_features_": 0, "_on_features": False},
    }
    meta = added | meta
    check_fields(meta)
    check_tensors(tensors)
    params = dict(meta["params"])
    if params.get("backbone") == OWN_BACKBONE:
        if backbone is None:
            raise InputError(
                "backbone is required: the model was fitted with your own network; "
                "call load(path, backbone=...)"
            )
        params["backbone"] = backbone
    unknown = params.keys() - kind().get_params().keys()
    if unknown:
        raise KeyError(*unknown)
    estimator = kind(**params)
    estimator.device = _usable_device(estimator.device)
    for name in estimator._saved_fields:
        setattr(estimator, name, meta[name])
    for name in ("classes_", "feature_names_in_"):
        if name in meta:
            setattr(estimator, name, np.array(meta[name]["values"], dtype=meta[name]["dtype"]))
    estimator.sample_shape_ = tuple(meta["sample_shape"])
    if isinstance(estimator, NeuralClusterer):
        least = -1 if getattr(estimator, "noise", False) else 0
        check_labels(tensors["labels"], estimator.n_outputs_, least)
        estimator.labels_ = tensors["labels"].numpy()
    check_scaling(tensors["offset"], tensors["factor"], estimator.sample_shape_)
    estimator.scaling_ = Scaling(tensors["offset"].numpy(), tensors["factor"].numpy())
    members = [_load_network(estimator, tensors, number) for number in range(meta.get("members", 1))]
    estimator.network_ = members[0]
    if isinstance(estimator, NeuralClusterer):
        estimator.members_ = members
    return estimator


def folder_of(number: int) -> str:
    """Where the weights of the best network, or of a further one that votes, lie in the file."""
    return f"member/{number}/" if number else "network/"


def _load_network(estimator: NeuralEstimator, tensors: dict[str, Tensor], number: int) -> Any:
    prefix = folder_of(number)
    state = {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
    if isinstance(estimator.backbone, str):
        with torch.device("meta"):  # takes no memory
            wanted = estimator._make_network(0).state_dict()
        check_shapes(state, wanted)
    try:
        return estimator._load_network(state, make_runtime(estimator.device).device)
    except RuntimeError as error:
        raise InputError(f"backbone must match the saved weights: {error}") from error


def _usable_device(device: str) -> str:
    """The saved device where this machine has it, else "auto" with a warning."""
    if device == "auto" or device == "cpu" or torch.accelerator.is_available():
        return device
    warnings.warn(
        f"device: the model was fitted on {device!r}, which this machine does not have; 'auto' is used",
        stacklevel=4,
    )
    return "auto"
