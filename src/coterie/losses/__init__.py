"""Pure tensor functions: one equation is one function, named as in its paper."""

from __future__ import annotations

from coterie.losses.ccl import ccl
from coterie.losses.ddc import ddc
from coterie.losses.kcl import kcl

__all__ = ["ccl", "ddc", "kcl"]
