"""Samples and labels from files and folders."""

from __future__ import annotations

from coterie.data.readers.dialect import text_rows
from coterie.data.readers.labels import LabelTable, names_in_common
from coterie.data.readers.options import ReadOptions, Samples, TableOptions
from coterie.data.readers.paths import check_file
from coterie.data.readers.read import (
    labels_of,
    path_endings,
    read_items,
    read_label_table,
    read_labels,
    read_samples,
)

__all__ = [
    "LabelTable",
    "ReadOptions",
    "Samples",
    "TableOptions",
    "check_file",
    "labels_of",
    "names_in_common",
    "path_endings",
    "read_items",
    "read_label_table",
    "read_labels",
    "read_samples",
    "text_rows",
]
