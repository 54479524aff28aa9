"""Checks of tensors that all losses share."""

from __future__ import annotations

import torch
from torch import Tensor

from coterie._checks import Range, check_number
from coterie._errors import InputError, InputTypeError

# no divergence of float64 rows exceeds 540; float32 sums over all pairs of a batch stay finite with it
LARGEST_MARGIN = 1e6


def check_dense(name: str, value: Tensor) -> None:
    """Raise where a tensor is sparse or holds no values."""
    if value.layout != torch.strided:
        raise InputTypeError(
            f"{name} must be a dense tensor, got layout {value.layout}; call .to_dense() first."
        )
    if value.is_meta:
        raise InputTypeError(f"{name} must hold values, got a tensor on the device meta, which has none.")


def check_alike(name: str, value: Tensor, other_name: str, other: Tensor) -> None:
    """Raise where two tensors differ in dtype or device."""
    if value.dtype != other.dtype:
        raise InputTypeError(
            f"{name} and {other_name} must have the same dtype, got {value.dtype} and {other.dtype}; "
            "cast one of them."
        )
    if value.device != other.device:
        raise InputError(
            f"{name} and {other_name} must be on the same device, got {value.device} and {other.device}."
        )


def check_margin(value: object) -> float:
    """A margin of `kcl`: a number > 0 with which a sum over pairs is finite."""
    margin = check_number("margin", value, Range(0, above=True))
    if margin > LARGEST_MARGIN:
        raise InputError(
            f"margin must be at most {LARGEST_MARGIN:g}, got {value}; no divergence of two rows exceeds 540."
        )
    return margin
