"""A stand-in for torchvision, which timm imports for data sets and views that are not used here.

The package index has torchvision for PyTorch with CUDA alone, and it cannot be imported without.
"""

from __future__ import annotations

import sys
import types
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any

NAME = "torchvision"


def needs_stand_in() -> bool:
    """Whether torchvision is missing, or belongs to another PyTorch."""
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):
        for name in [one for one in sys.modules if one.partition(".")[0] == NAME]:
            del sys.modules[name]
        return True
    return False


class StandIn(MetaPathFinder, Loader):
    """Finds every module of torchvision, with classes of any name in it."""

    def find_spec(self, name: str, *given: Any) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if name.partition(".")[0] == NAME else None

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: types.ModuleType) -> None: ...


class _Module(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Named(name, (), {})


class _Named(type):
    def __getattr__(cls, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        return name
