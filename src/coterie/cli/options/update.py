"""Options of `coterie update`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coterie._errors import InputError
from coterie.cli.options.reading import add_reading_options
from coterie.cli.parser import DashedParser, make_parser


def parser(words: Sequence[str]) -> DashedParser:
    """The options."""
    made = make_parser(
        "update",
        "Add new samples to a run: they join its clusters, and those that fit nowhere form new clusters. No "
        "cluster is renumbered, and no sample of the run moves.",
    )
    made.add_argument("run", metavar="RUN", type=str, help="folder that coterie fit wrote")
    made.add_argument(
        "data", metavar="DATA", type=str, help="file or folder of samples like those of the fit, old ones too"
    )
    made.add_argument(
        "--min_size", type=int, default=5, metavar="N", help="fewest samples of a new cluster (default: 5)"
    )
    made.add_argument("--json", action="store_true", help="print the results as JSON")
    add_reading_options(made, new=False)
    made.checks.append(_check)
    return made


def _check(options: Any) -> None:
    if options.min_size < 2:
        raise InputError(f"--min-size={options.min_size} must be >= 2")
