"""End-to-end neural clustering: networks whose softmax output is the clustering."""

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
from coterie.methods.l2c import L2C
from coterie.methods.onnx_export import export_onnx
from coterie.methods.persistence import load, save
from coterie.methods.registry import register
from coterie.methods.similarity import SimilarityNetwork

__version__ = "0.1.0"

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
    "SimilarityNetwork",
    "SimilarityWarning",
    "export_onnx",
    "load",
    "losses",
    "metrics",
    "register",
    "save",
]
