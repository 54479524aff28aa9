"""Options of `coterie export`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coterie._errors import InputError
from coterie.cli.parser import DashedParser, make_parser

FORMATS = {
    "folders": "one folder a cluster, with copies of its files",
    "csv": "id, label, name, probability, said",
    "parquet": "the same",
    "fiftyone": "data.json and labels.json, a FiftyOneImageClassificationDataset",
    "labelstudio": "tasks.json with the clusters as predictions, and the labeling configuration",
    "atlas": "a Parquet file with places on the map, for embedding-atlas",
    "model": "the fitted model that has learned the corrections, and the clusters of its columns",
}


def parser(words: Sequence[str]) -> DashedParser:
    """The options."""
    made = make_parser(
        "export",
        "Write the clusters of a run, as coterie open shows them: with all corrections and names.",
    )
    made.add_argument("run", metavar="RUN", type=str, help="folder that coterie fit wrote")
    formats = "; ".join(f"{name}: {text}" for name, text in FORMATS.items())
    made.add_argument("--to", required=True, type=str, metavar="FORMAT", help=formats)
    made.add_argument("--out", required=True, type=str, metavar="PATH", help="new file or folder")
    made.add_argument("--link", action="store_true", help="with folders: symbolic links instead of copies")
    made.add_argument(
        "--data", type=str, default=None, metavar="DATA", help="data of the fit, where it has moved since"
    )
    made.checks.append(_check)
    return made


def _check(options: Any) -> None:
    if options.to not in FORMATS:
        raise InputError(f"--to {options.to!r} must be one of {', '.join(FORMATS)}")
    if options.link and options.to != "folders":
        raise InputError("--link needs --to folders")
