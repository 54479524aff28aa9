"""`coterie predict`: assign new samples to a run's clusters."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from coterie._errors import InputError
from coterie.cli.labels_out import (
    SAFE_CSV,
    UNASSIGNED,
    check_new,
    check_threshold,
    label_rows,
    print_labels,
    safe_for_spreadsheets,
    write_labels,
)
from coterie.cli.parser import DashedParser, make_parser
from coterie.cli.reading import add_reading_options, reading_options
from coterie.cli.run_folder import load_labeller, read_metadata
from coterie.data import read_samples


def parser(words: Sequence[str]) -> DashedParser:
    """The options."""
    made = make_parser(
        "predict",
        "Assign new samples to the clusters of a run; with a run of l2c, cluster them as one new set.",
    )
    made.add_argument("run", metavar="RUN", type=str, help="folder that coterie fit wrote")
    made.add_argument(
        "data", metavar="DATA", type=str, help="file or folder of samples like those of the fit"
    )
    made.add_argument(
        "--out", type=str, default=None, metavar="FILE", help="CSV or parquet file (default: standard output)"
    )
    made.add_argument("--overwrite", action="store_true", help="replace FILE where it exists")
    made.add_argument(
        "--threshold",
        type=float,
        default=None,
        metavar="P",
        help="label rows less certain than P as -1 (default: as in the fit)",
    )
    made.add_argument("--safe_csv", action="store_true", help=SAFE_CSV)
    made.add_argument("--json", action="store_true", help="print the results as JSON")
    add_reading_options(made, new=False)
    return made


def run(words: list[str]) -> None:
    """Predict and write the labels, or print them."""
    options = parser(words).parse(words)
    estimator = load_labeller(options.run)
    metadata = read_metadata(options.run)
    asked = metadata.get("threshold", 0.0) if options.threshold is None else options.threshold
    threshold = check_threshold(asked)
    if options.out is None and options.json:
        raise InputError("--json needs --out, the file for the labels")
    if options.out is not None:
        check_new(Path(options.out), options.overwrite)
    samples = read_samples(options.data, reading_options(options, metadata))
    rows = label_rows(estimator, samples, threshold)
    if options.safe_csv:
        rows = safe_for_spreadsheets(rows)
    if options.out is None:
        print_labels(sys.stdout, rows)
        return
    sizes = write_labels(Path(options.out), rows)
    if options.json:
        found = [sizes[number] for number in range(estimator.n_outputs_)]
        print(json.dumps({"out": options.out, "sizes": found, "unassigned": sizes[UNASSIGNED]}))
    else:
        print(f"wrote {options.out}")
