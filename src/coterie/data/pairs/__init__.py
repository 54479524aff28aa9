"""Pairs of samples that are known to be similar or dissimilar."""

from __future__ import annotations

from coterie.data.pairs.links import Conflict
from coterie.data.pairs.pairs import Pairs

__all__ = ["Conflict", "Pairs"]
