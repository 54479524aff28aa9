"""Counts the questions for values that make a GPU wait for all work that is queued."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

# operations that hand a value, or a size that follows from values, to Python
ASKING = (
    *("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "equal", "is_nonzero"),
    *("unique_dim", "unique_consecutive", "bincount", "repeat_interleave", "_linalg_check_errors"),
)
INDEXING = ("index", "index_put", "index_put_")


class Asked(TorchDispatchMode):  # type: ignore[no-untyped-call]  # of torch
    """Notes operations that wait for a GPU."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # of torch
        self.names: list[str] = []
        self._made = _Made(self.names)

    def __enter__(self) -> Self:
        self._made.__enter__()  # type: ignore[no-untyped-call]  # of torch
        super().__enter__()  # type: ignore[no-untyped-call]  # of torch
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]  # of torch
        self._made.__exit__(*error)  # type: ignore[no-untyped-call]  # of torch

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = func.overloadpacket.__name__
        masks = [one for one in (args[1] if name in INDEXING else ()) if one is not None]
        found = func(*args, **(kwargs or {}))
        asks = name in ASKING or any(one.dtype in (torch.bool, torch.uint8) for one in masks)
        if asks or _waits_for_a_copy(name, args, kwargs or {}, found):
            self.names.append(name)
        return found


class _Made(TorchFunctionMode):
    """Notes tensors that are made on a device from numbers of Python."""

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self._names = names

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name in ("tensor", "as_tensor", "asarray", "new_tensor") and found.device.type != "cpu":
            self._names.append(name)
        return found


def _waits_for_a_copy(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], found: Any) -> bool:
    """Whether values of the CPU are copied to another device, and the CPU waits until they are there."""
    source = args[0] if name == "_to_copy" else args[1] if name == "copy_" else None
    if source is None or source.device.type != "cpu" or found.device.type == "cpu":
        return False
    return not (kwargs.get("non_blocking") or (name == "copy_" and len(args) > 2 and args[2]))
