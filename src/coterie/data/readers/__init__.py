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
    from coterie.data.readers.shards import find_shards, is_pattern, numbered_parts, sample_shards

# who holds samples needs no format's reader
_MODULES = {
    "LabelTable": "labels",
    "ReadOptions": "options",
    "Samples": "options",
    "TableOptions": "options",
    "check_file": "paths",
    "find_shards": "shards",
    "is_pattern": "shards",
    "labels_of": "read",
    "load_arrow": "parquet",
    "names_in_common": "labels",
    "numbered_parts": "shards",
    "path_endings": "read",
    "read_items": "read",
    "read_label_table": "read",
    "read_labels": "read",
    "read_samples": "read",
    "sample_shards": "shards",
    "text_rows": "dialect",
}

__all__ = [
    "LabelTable",
    "ReadOptions",
    "Samples",
    "TableOptions",
    "check_file",
    "find_shards",
    "is_pattern",
    "labels_of",
    "load_arrow",
    "names_in_common",
    "numbered_parts",
    "path_endings",
    "read_items",
    "read_label_table",
    "read_labels",
    "read_samples",
    "sample_shards",
    "text_rows",
]

__getattr__ = lazy_names(__name__, _MODULES)
