"""What estimators can be asked for: every parameter once. Nothing here imports torch."""

from coterie._checks import Range
from coterie.params.checks import check_seed, check_weights
from coterie.params.declare import (
    Parameter,
    check_parameters,
    param,
    parameters,
    parameters_of,
    refuse_unknown,
    summary_of,
)

__all__ = [
    "Parameter",
    "Range",
    "check_parameters",
    "check_seed",
    "check_weights",
    "param",
    "parameters",
    "parameters_of",
    "refuse_unknown",
    "summary_of",
]
