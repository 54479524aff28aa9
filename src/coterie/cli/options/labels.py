"""Options on labels that are written."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from coterie._errors import InputError
from coterie.cli.parser import DashedParser

_SAFE_CSV = (
    "put a quote before ids that a spreadsheet would take for formulas (those that begin with =, +, -, @)"
)


def add_label_options(parser: DashedParser, *, threshold: float | None, default: str = "") -> None:
    """``--threshold`` and ``--safe-csv``; the default of the first, and how its help words it."""
    parser.add_argument(
        "--threshold",
        type=float,
        default=threshold,
        metavar="P",
        help=f"label samples whose probability is below P as -1{default}",
    )
    parser.add_argument("--safe_csv", action="store_true", help=_SAFE_CSV)
    parser.checks.append(_check)


def _check(options: Any) -> None:
    if options.threshold is not None:
        check_threshold(options.threshold)


def check_threshold(value: float) -> float:
    """A probability, or an error that names the option."""
    if not (math.isfinite(value) and 0 <= value <= 1):
        raise InputError(f"--threshold={value} must be in 0..1")
    return value


def check_new(path: Path, overwrite: bool) -> None:
    """Raise where a file would be replaced unasked."""
    if path.exists() and not path.is_dir() and not overwrite:
        raise InputError(f"--out: {path} exists; --overwrite replaces it")
