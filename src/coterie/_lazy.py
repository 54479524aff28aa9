"""Packages whose public names import their modules at first use."""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """A package's ``__getattr__``, which imports a name's module when the name is first used.

    Parameters
    ----------
    package : str
    modules : mapping of str to str
        The module below the package that defines each public name; of a public module, its own name.

    Returns
    -------
    callable
        It raises AttributeError for other names.
    """

    def __getattr__(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(f"{package}.{modules[name]}")
        value = module if name == modules[name] else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    return __getattr__
