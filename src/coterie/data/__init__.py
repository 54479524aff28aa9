"""Where data comes from and how it reaches the training loop."""

from __future__ import annotations

from coterie.data.batches import ClassBatches, LabelBatches, PairBatches, RowBatches, Sampler
from coterie.data.files import atomic_write
from coterie.data.pairs import Conflict, Pairs
from coterie.data.readers import ReadOptions, Samples, TableOptions, read_labels, read_samples
from coterie.data.sets import GivenSets, SetBatches

__all__ = [
    "ClassBatches",
    "Conflict",
    "GivenSets",
    "LabelBatches",
    "PairBatches",
    "Pairs",
    "ReadOptions",
    "RowBatches",
    "Sampler",
    "Samples",
    "SetBatches",
    "TableOptions",
    "atomic_write",
    "read_labels",
    "read_samples",
]
