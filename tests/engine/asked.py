"""Counts the questions for values that make a GPU wait for all work that is queued."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

# operations that hand a value, or a size that follows from values, to Python
ASKING = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "equal", "is_nonzero")


class Asked(TorchDispatchMode):  # type: ignore[no-untyped-call]  # of torch
    """Notes operations that wait for a GPU."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # of torch
        self.names: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = func.overloadpacket.__name__
        masks = [one for one in (args[1] if name == "index" else ()) if one is not None]
        if name in ASKING or any(one.dtype in (torch.bool, torch.uint8) for one in masks):
            self.names.append(name)
        return func(*args, **(kwargs or {}))
