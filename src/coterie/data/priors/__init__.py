"""Synthetic tables with known clusters, for training networks that cluster any table."""

from coterie.data.priors.identify import merge_confused
from coterie.data.priors.tables import Table, synthetic_tables

__all__ = ["Table", "merge_confused", "synthetic_tables"]
