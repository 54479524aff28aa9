"""End-to-end neural clustering: networks whose softmax output is the clustering."""

from typing import TYPE_CHECKING

from coterie._lazy import lazy_names

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
    from coterie.methods.asking import Asked, ask
    from coterie.methods.ccn import CCN
    from coterie.methods.ddc import DDC
    from coterie.methods.distillation import SelfDistillation
    from coterie.methods.l2c import L2C
    from coterie.methods.onnx_export import export_onnx
    from coterie.methods.persistence import load, save
    from coterie.methods.registry import register
    from coterie.methods.similarity import SimilarityNetwork
    from coterie.methods.table_clusterer import TableClusterer

__version__ = "0.1.0"

# help and errors of the command line need no torch
_MODULES = {
    "ADC": "methods.adc",
    "Asked": "methods.asking",
    "ask": "methods.asking",
    "CCN": "methods.ccn",
    "DDC": "methods.ddc",
    "L2C": "methods.l2c",
    "CollapseWarning": "_errors",
    "ConflictError": "_errors",
    "DamagedFileError": "_errors",
    "InputError": "_errors",
    "InputTypeError": "_errors",
    "Interrupted": "_errors",
    "Pairs": "data.pairs",
    "SelfDistillation": "methods.distillation",
    "SimilarityNetwork": "methods.similarity",
    "SimilarityWarning": "_errors",
    "TableClusterer": "methods.table_clusterer",
    "export_onnx": "methods.onnx_export",
    "load": "methods.persistence",
    "losses": "losses",
    "metrics": "metrics",
    "register": "methods.registry",
    "save": "methods.persistence",
}

__all__ = [
    "ADC",
    "CCN",
    "DDC",
    "L2C",
    "Asked",
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
    "TableClusterer",
    "ask",
    "export_onnx",
    "load",
    "losses",
    "metrics",
    "register",
    "save",
]

__getattr__ = lazy_names(__name__, _MODULES)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
