"""Pure tensor functions: one equation is one function, named as in its paper."""

from __future__ import annotations

from coterie.losses.adc import norm, sparsity, transformation, visit, walker
from coterie.losses.ccl import ccl
from coterie.losses.ddc import ddc
from coterie.losses.kcl import kcl
from coterie.losses.l2c import l2c

__all__ = ["ccl", "ddc", "kcl", "l2c", "norm", "sparsity", "transformation", "visit", "walker"]
