"""Samples and labels from files and folders."""

from __future__ import annotations

from coterie.data.readers.labels import LabelTable, names_in_common
from coterie.data.readers.options import ReadOptions, Samples
from coterie.data.readers.paths import check_file
from coterie.data.readers.read import labels_of, read_array, read_label_table, read_labels, read_samples
from coterie.data.readers.text import csv_rows

__all__ = [
    "LabelTable",
    "ReadOptions",
    "Samples",
    "check_file",
    "csv_rows",
    "labels_of",
    "names_in_common",
    "read_array",
    "read_label_table",
    "read_labels",
    "read_samples",
]
