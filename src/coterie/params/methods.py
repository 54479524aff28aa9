"""The library's own methods by name: where each estimator is, and the parameters that it declares."""

from typing import NamedTuple

from coterie.params.adc import ADCParams
from coterie.params.ccn import CCNParams
from coterie.params.ddc import DDCParams
from coterie.params.l2c import L2CParams
from coterie.params.shared import TrainingParams
from coterie.params.similarity import SimilarityParams


class Place(NamedTuple):
    """Where an estimator is.

    Attributes
    ----------
    module, name : str
    params : type
        Declares its parameters.
    """

    module: str
    name: str
    params: type[TrainingParams]


METHODS = {
    "adc": Place("coterie.methods.adc", "ADC", ADCParams),
    "ccn": Place("coterie.methods.ccn", "CCN", CCNParams),
    "ddc": Place("coterie.methods.ddc", "DDC", DDCParams),
    "l2c": Place("coterie.methods.l2c", "L2C", L2CParams),
    "similarity": Place("coterie.methods.similarity", "SimilarityNetwork", SimilarityParams),
}
