"""The methods by name: a new one is added here and arrives in the command line and the contract tests."""

from __future__ import annotations

from coterie.methods.base import NeuralClusterer
from coterie.methods.ccn import CCN
from coterie.methods.ddc import DDC

METHODS: dict[str, type[NeuralClusterer]] = {"ccn": CCN, "ddc": DDC}
