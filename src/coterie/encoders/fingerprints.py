"""Digests of weights, by which vectors of one encoder are known from those of another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# of what the library does to a sample before and after the weights: a change makes other vectors
RECIPE = "1"


def file_fingerprint(file: Path, *settings: str) -> str:
    """A digest of a file of weights and of settings, 16 bytes as hexadecimal digits."""
    digest = hashlib.sha256(_said(settings))
    with file.open("rb") as stream:
        digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:32]


def weights_fingerprint(state: Mapping[str, Any], *settings: str) -> str:
    """The same of a network's `state_dict`."""
    import torch

    digest = hashlib.sha256(_said(settings))
    for name, value in sorted(state.items()):
        digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        raw = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(raw.numpy().tobytes())
    return digest.hexdigest()[:32]


def _said(settings: tuple[str, ...]) -> bytes:
    return "\n".join((RECIPE, *settings)).encode()
