"""What a saved file may hold: a right checksum says that a file is whole, not that a model wrote it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from coterie._errors import DamagedFileError, InputError
from coterie.data.table_steps import TableSteps

_WEIGHTS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_COUNTS = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_positive(value: object) -> bool:
    return type(value) is int and value >= 1


def _is_finite(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]  # it is a number


def _is_names(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(name, str) for name in value)


def _are_params(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(value.get(name, ""), str) for name in ("device", "backbone")
    )


def _are_records(value: object) -> bool:
    return isinstance(value, list) and all(_is_names(one) for one in value)


def _is_shape(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_positive(one) for one in value)


def _is_array(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("values"), list) and "dtype" in value


def _are_steps(value: object) -> bool:
    try:
        return value is None or bool(TableSteps.from_json(value).columns)
    except InputError:
        return False


def _are_numbers(value: object) -> bool:
    return isinstance(value, list) and all(_is_finite(one) for one in value)


_FACTS = {**dict.fromkeys(("name", "modality", "licence", "source", "fingerprint"), str), "width": int}


def _are_metadata(value: object) -> bool:
    """Whether this is what is known of an encoder."""
    return value is None or (
        isinstance(value, dict)
        and value.keys() == _FACTS.keys()
        and all(type(value[name]) is kind for name, kind in _FACTS.items())
    )


_FIELDS: dict[str, Callable[[object], bool]] = {
    "method": lambda value: isinstance(value, str),
    "package": lambda value: value is None or isinstance(value, str),
    "params": _are_params,
    "sample_shape": _is_shape,
    "members": _is_positive,
    "modality_": lambda value: isinstance(value, str),
    "table_steps_": _are_steps,
    "encoder_": _are_metadata,
    "n_features_in_": _is_positive,
    "max_pixels_": lambda value: value is None or _is_positive(value),
    "loss_": _is_finite,
    "history_": _are_records,
    "runs_": _are_records,
    "n_clusters_": _is_count,
    "n_dominant_": _is_count,
    "n_outputs_": _is_positive,
    "hidden_features_": _is_count,
    "_on_features": lambda value: isinstance(value, bool),
    "n_kept_": _is_positive,
    "count_proba_": _are_numbers,
    "n_clusters_estimate_": lambda value: value is None or _is_names(value),
    "classes_": _is_array,
    "feature_names_in_": _is_array,
    "temperature_": _is_finite,
    "threshold_": _is_finite,
    "batch_temperature_": _is_finite,
    "batch_threshold_": _is_finite,
    "report_": _is_names,
}


def check_fields(meta: Mapping[str, Any]) -> None:
    """Raise where a field that `save` writes has a value that it never writes."""
    for name, value in meta.items():
        if name in _FIELDS and not _FIELDS[name](value):
            raise DamagedFileError(f"its field {name} holds {value!r:.60}")


def check_tensors(tensors: Mapping[str, Tensor]) -> None:
    """Raise where a tensor is of a type that no network has, or not finite."""
    for name, value in tensors.items():
        if value.dtype not in (*_WEIGHTS, *_COUNTS):
            raise DamagedFileError(f"its tensor {name} is of dtype {value.dtype}")
        if value.dtype in _WEIGHTS and not torch.isfinite(value).all():
            raise DamagedFileError(f"its tensor {name} must be finite, but holds NaN or infinity")


def check_labels(labels: Tensor, n_outputs: int, least: int = 0) -> None:
    """Raise where labels are no row of cluster numbers; `least` is -1 where there may be noise."""
    if labels.dtype != torch.int64 or labels.dim() != 1:
        raise DamagedFileError(f"its labels are {labels.dtype} of shape {tuple(labels.shape)}")
    if len(labels) and not least <= int(labels.min()) <= int(labels.max()) < n_outputs:
        raise DamagedFileError(f"its labels must be in {least}..{n_outputs - 1}")


def check_scaling(offset: Tensor, factor: Tensor, sample_shape: tuple[int, ...]) -> None:
    """Raise where a scaling does not fit samples of a shape."""
    for name, value in (("offset", offset), ("factor", factor)):
        fits = value.dim() <= len(sample_shape) and all(
            size in (1, wanted)
            for size, wanted in zip(reversed(value.shape), reversed(sample_shape), strict=False)
        )
        if not fits or value.dtype not in (torch.float32, torch.float64):
            raise DamagedFileError(f"its {name} of shape {tuple(value.shape)} fits no samples {sample_shape}")


def check_shapes(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Raise where weights are not those of a network, before one is made as large as a file claims."""
    for name in sorted(state.keys() ^ wanted.keys()):
        raise DamagedFileError(f"its weights do not match its parameters: {name} is missing from one of them")
    for name, value in state.items():
        if value.shape != wanted[name].shape:
            raise DamagedFileError(
                f"its weights {name} have shape {tuple(value.shape)}, its parameters need "
                f"{tuple(wanted[name].shape)}"
            )
