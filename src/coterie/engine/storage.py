"""One file format for models and checkpoints: safetensors, JSON in its header, a checksum; atomic."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from coterie._checks import check_path
from coterie._errors import DamagedFileError
from coterie.data.files import atomic_write

_FAMILY = "coterie-"
FORMAT = f"{_FAMILY}2"


def plain(tensor: Tensor) -> Tensor:
    """A contiguous copy on the CPU that shares no memory, as safetensors wants it."""
    return tensor.detach().to("cpu", copy=True).contiguous()


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    """Hash of the JSON text and of every tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def write_tensors(
    path: str | Path, kind: str, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]
) -> None:
    """Write named tensors and JSON data to one file; readers see the old file or the new one, whole.

    Parameters
    ----------
    path : str or Path
    kind : str
        What the file holds ("model", "checkpoint"); `read_tensors` asks for the same.
    tensors : mapping of str to tensor
    meta : mapping
        JSON data.
    """
    copies = {name: plain(tensor) for name, tensor in tensors.items()}
    text = json.dumps(meta)  # in the given order: the columns of a history keep theirs
    header = {"format": FORMAT, "kind": kind, "meta": text, "sha256": _digest(copies, text)}
    with atomic_write(path) as temporary:
        Path(temporary).write_bytes(save(copies, metadata=header))


def _stranger(found: str) -> str:
    """What is wrong with a file of another format than ours."""
    if found.startswith(_FAMILY):
        return f"has format {found}, this version of coterie reads {FORMAT}: the version that wrote it can"
    return "was not written by coterie"


def read_tensors(path: str | Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_tensors` wrote, with its checksum verified.

    Returns
    -------
    tensors : dict of str to tensor
    meta : dict

    Raises
    ------
    DamagedFileError
        The file is missing, truncated, altered, of another kind, or not ours.
    """
    path = check_path("path", path)
    if not path.is_file():
        raise DamagedFileError(f"path: {path} does not exist; it must be a {kind} file")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, ValueError) as error:
        raise DamagedFileError(f"path: {path} is damaged or was not written by coterie ({error})") from error
    found = header.get("format", "")
    if found != FORMAT:
        raise DamagedFileError(f"path: {path} {_stranger(found)}")
    if header.get("kind") != kind:
        raise DamagedFileError(f"path: {path} must hold a {kind}, got a {header.get('kind')}")
    if header.get("sha256") != _digest(tensors, header.get("meta", "")):
        raise DamagedFileError(f"path: {path} is damaged: its checksum does not match its content")
    return tensors, _read_meta(path, header.get("meta", ""))


def _read_meta(path: Path, text: str) -> dict[str, Any]:
    try:
        meta = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"path: {path} is damaged: its JSON cannot be read ({error})") from error
    if not isinstance(meta, dict):
        raise DamagedFileError(f"path: {path} is damaged: its JSON must hold names and values")
    return meta
