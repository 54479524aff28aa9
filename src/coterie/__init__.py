"""End-to-end neural clustering: networks whose softmax output is the clustering."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coterie import losses, metrics
    from coterie._errors import (
        CollapseWarning,
        ConflictError,
        DamagedFileError,
        InputError,
        InputTypeError,
        Interrupted,
        SimilarityWarning,
    )
    from coterie.data import Pairs
    from coterie.methods.adc import ADC
    from coterie.methods.ccn import CCN
    from coterie.methods.ddc import DDC
    from coterie.methods.distillation import SelfDistillation
    from coterie.methods.l2c import L2C
    from coterie.methods.onnx_export import export_onnx
    from coterie.methods.persistence import load, save
    from coterie.methods.registry import register
    from coterie.methods.similarity import SimilarityNetwork

__version__ = "0.1.0"

# names load their modules at first use: help and errors of the command line need no torch
_MODULE_OF = {
    "ADC": "methods.adc",
    "CCN": "methods.ccn",
    "DDC": "methods.ddc",
    "L2C": "methods.l2c",
    "CollapseWarning": "_errors",
    "ConflictError": "_errors",
    "DamagedFileError": "_errors",
    "InputError": "_errors",
    "InputTypeError": "_errors",
    "Interrupted": "_errors",
    "Pairs": "data",
    "SelfDistillation": "methods.distillation",
    "SimilarityNetwork": "methods.similarity",
    "SimilarityWarning": "_errors",
    "export_onnx": "methods.onnx_export",
    "load": "methods.persistence",
    "register": "methods.registry",
    "save": "methods.persistence",
}

__all__ = [
    "ADC",
    "CCN",
    "DDC",
    "L2C",
    "CollapseWarning",
    "ConflictError",
    "DamagedFileError",
    "InputError",
    "InputTypeError",
    "Interrupted",
    "Pairs",
    "SelfDistillation",
    "SimilarityNetwork",
    "SimilarityWarning",
    "export_onnx",
    "load",
    "losses",
    "metrics",
    "register",
    "save",
]


def __getattr__(name: str) -> Any:
    if name in ("losses", "metrics"):
        return importlib.import_module(f"coterie.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'coterie' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"coterie.{_MODULE_OF[name]}"), name)
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
