"""The methods by name: a new one is added here and arrives in the command line and the contract tests."""

from __future__ import annotations

from coterie.methods.adc import ADC
from coterie.methods.base import NeuralClusterer, NeuralEstimator
from coterie.methods.ccn import CCN
from coterie.methods.ddc import DDC
from coterie.methods.l2c import L2C

METHODS: dict[str, type[NeuralClusterer]] = {"adc": ADC, "ccn": CCN, "ddc": DDC}
# clusters whole sets it was not fitted to: no labels_, no n_clusters
SET_METHODS: dict[str, type[L2C]] = {"l2c": L2C}
ALL_METHODS: dict[str, type[NeuralEstimator]] = {**METHODS, **SET_METHODS}
