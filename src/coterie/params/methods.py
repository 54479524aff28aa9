"""The library's own methods by name: where each estimator is, and the parameters that it declares."""

from typing import NamedTuple

from coterie.params.adc import ADCParams
from coterie.params.ccn import CCNParams
from coterie.params.ddc import DDCParams
from coterie.params.distillation import SelfDistillationParams
from coterie.params.l2c import L2CParams
from coterie.params.shared import TrainingParams
from coterie.params.similarity import SimilarityParams
from coterie.params.table_clusterer import TableClustererParams


class Supervision(NamedTuple):
    """What an estimator's ``fit`` uses in addition to X.

    Attributes
    ----------
    accepted : frozenset of str
        Of "y", "pairs" and "similarity".
    required : bool
        Whether it needs one of them.
    """

    accepted: frozenset[str]
    required: bool


class Place(NamedTuple):
    """Where an estimator is.

    Attributes
    ----------
    module, name : str
    params : type
        Declares its parameters.
    supervision : Supervision
    """

    module: str
    name: str
    params: type[TrainingParams]
    supervision: Supervision


def _one_of(*names: str) -> Supervision:
    return Supervision(frozenset(names), required=True)


_PAIRS = Supervision(frozenset({"pairs"}), required=False)
_NOTHING = Supervision(frozenset(), required=False)

METHODS = {
    "adc": Place("coterie.methods.adc", "ADC", ADCParams, _PAIRS),
    "ccn": Place("coterie.methods.ccn", "CCN", CCNParams, _one_of("y", "pairs", "similarity")),
    "ddc": Place("coterie.methods.ddc", "DDC", DDCParams, _PAIRS),
    "l2c": Place("coterie.methods.l2c", "L2C", L2CParams, _one_of("y")),
    "self-distillation": Place(
        "coterie.methods.distillation", "SelfDistillation", SelfDistillationParams, _PAIRS
    ),
    "similarity": Place(
        "coterie.methods.similarity", "SimilarityNetwork", SimilarityParams, _one_of("y", "pairs")
    ),
    "tables": Place("coterie.methods.table_clusterer", "TableClusterer", TableClustererParams, _NOTHING),
}
