"""What estimators can be asked for: every parameter once. Nothing here imports torch."""

from coterie.params.checks import Range, check_seed, check_weights
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
