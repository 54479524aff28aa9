"""Options of `coterie predict`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coterie._errors import InputError
from coterie.cli.options.labels import add_label_options, check_new
from coterie.cli.options.reading import add_reading_options
from coterie.cli.parser import DashedParser, make_parser
from coterie.params.checks import check_jobs


def parser(words: Sequence[str]) -> DashedParser:
    """The options."""
    made = make_parser(
        "predict",
        "Assign new samples to the clusters of a run; with a run of l2c, cluster them as one new set.",
    )
    made.add_argument("run", metavar="RUN", type=str, help="folder that coterie fit wrote")
    made.add_argument(
        "data",
        metavar="DATA",
        type=str,
        help="file or folder of samples like those of the fit, or shards by a quoted pattern",
    )
    made.add_argument(
        "--out",
        type=str,
        default=None,
        metavar="FILE",
        help="CSV or Parquet file (default: standard output); for shards, a folder, in which a stopped "
        "command continues",
    )
    made.add_argument("--overwrite", action="store_true", help="replace FILE where it exists")
    made.add_argument(
        "--n_jobs", type=int, default=1, metavar="N", help="processes that label shards (-1: all cores)"
    )
    add_label_options(made, threshold=None, default=" (default: as in the fit)")
    made.add_argument("--json", action="store_true", help="print the results as JSON")
    add_reading_options(made, new=False)
    made.checks.append(_check_out)
    return made


def _check_out(options: Any) -> None:
    if options.out is None and options.json:
        raise InputError("--json needs --out, the file for the labels")
    check_jobs("--n-jobs", options.n_jobs)
    if options.out is not None:
        check_new(Path(options.out), options.overwrite)
