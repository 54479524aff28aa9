"""Where data comes from and how it reaches the training loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coterie._lazy import lazy_names

if TYPE_CHECKING:
    from coterie.data.batches import ClassBatches, LabelBatches, PairBatches, RowBatches, Sampler
    from coterie.data.files import atomic_write
    from coterie.data.pairs import Conflict, Pairs
    from coterie.data.readers import ReadOptions, Samples, TableOptions, read_labels, read_samples
    from coterie.data.sets import GivenSets, SetBatches

# a method needs no reader
_MODULES = {
    "ClassBatches": "batches",
    "Conflict": "pairs",
    "GivenSets": "sets",
    "LabelBatches": "batches",
    "PairBatches": "batches",
    "Pairs": "pairs",
    "ReadOptions": "readers",
    "RowBatches": "batches",
    "Sampler": "batches",
    "Samples": "readers",
    "SetBatches": "sets",
    "TableOptions": "readers",
    "atomic_write": "files",
    "read_labels": "readers",
    "read_samples": "readers",
}

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

__getattr__ = lazy_names(__name__, _MODULES)
