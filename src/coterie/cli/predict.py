"""`coterie predict`: assign new samples to a run's clusters."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coterie.cli.embedding import Encoding, embeddings_folder, read_encoded
from coterie.cli.labels_out import (
    UNASSIGNED,
    label_rows,
    print_labels,
    safe_for_spreadsheets,
    write_labels,
)
from coterie.cli.options.labels import check_threshold
from coterie.cli.reading import reading_options
from coterie.cli.run_folder import load_labeller, read_metadata


def run(options: Any, words: Sequence[str]) -> None:
    """Predict and write the labels, or print them."""
    estimator = load_labeller(options.run)
    metadata = read_metadata(options.run)
    asked = metadata.get("threshold", 0.0) if options.threshold is None else options.threshold
    threshold = check_threshold(asked)
    folder = embeddings_folder(options.run, metadata.get("embeddings"))
    encoding = Encoding(None, folder, facts=estimator.encoder_)
    samples = read_encoded(options.data, reading_options(options, metadata), encoding)
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
