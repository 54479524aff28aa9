"""End-to-end neural clustering: networks whose softmax output is the clustering."""

from coterie import losses, metrics
from coterie._errors import (
    CollapseWarning,
    ConflictError,
    DamagedFileError,
    InputError,
    InputTypeError,
    Interrupted,
)
from coterie.data import Pairs
from coterie.methods.adc import ADC
from coterie.methods.ccn import CCN
from coterie.methods.ddc import DDC
from coterie.methods.persistence import load, save

__version__ = "0.1.0"

__all__ = [
    "ADC",
    "CCN",
    "DDC",
    "CollapseWarning",
    "ConflictError",
    "DamagedFileError",
    "InputError",
    "InputTypeError",
    "Interrupted",
    "Pairs",
    "load",
    "losses",
    "metrics",
    "save",
]
