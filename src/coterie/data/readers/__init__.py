"""Samples and labels from files and folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coterie._lazy import lazy_names

if TYPE_CHECKING:
    from coterie.data.readers.dialect import text_rows
    from coterie.data.readers.labels import LabelTable, names_in_common
    from coterie.data.readers.options import ReadOptions, Samples, TableOptions
    from coterie.data.readers.parquet import load_arrow
    from coterie.data.readers.paths import check_file
    from coterie.data.readers.read import (
        labels_of,
        path_endings,
        read_items,
        read_label_table,
        read_labels,
        read_samples,
    )

# who holds samples needs no format's reader
_MODULES = {
    "LabelTable": "labels",
    "ReadOptions": "options",
    "Samples": "options",
    "TableOptions": "options",
    "check_file": "paths",
    "labels_of": "read",
    "load_arrow": "parquet",
    "names_in_common": "labels",
    "path_endings": "read",
    "read_items": "read",
    "read_label_table": "read",
    "read_labels": "read",
    "read_samples": "read",
    "text_rows": "dialect",
}

__all__ = [
    "LabelTable",
    "ReadOptions",
    "Samples",
    "TableOptions",
    "check_file",
    "labels_of",
    "load_arrow",
    "names_in_common",
    "path_endings",
    "read_items",
    "read_label_table",
    "read_labels",
    "read_samples",
    "text_rows",
]

__getattr__ = lazy_names(__name__, _MODULES)
