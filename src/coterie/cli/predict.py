"""`coterie predict`: assign new samples to a run's clusters."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coterie._errors import InputError
from coterie._launcher import place
from coterie.cli.corrected import corrected
from coterie.cli.embedding import Encoding, embeddings_folder, read_encoded
from coterie.cli.labels_out import (
    UNASSIGNED,
    label_parts,
    print_labels,
    safe_for_spreadsheets,
    write_labels,
)
from coterie.cli.options.labels import check_threshold
from coterie.cli.reading import reading_options
from coterie.cli.run_folder import load_labeller, read_metadata
from coterie.cli.shards import Labelling, label_shards
from coterie.data.readers import is_pattern
from coterie.engine import processes


def run(options: Any, words: Sequence[str]) -> None:
    """Predict and write the labels, or print them; of shards, each process of a launcher does some."""
    if is_pattern(options.data):
        processes.join()
        with processes.ending_together():
            _predict_shards(options)
    elif place().is_first:
        _predict(options)


def _predict(options: Any) -> None:
    estimator, metadata, threshold = _loaded(options)
    folder = embeddings_folder(options.run, metadata.get("embeddings"))
    encoding = Encoding(None, folder, metadata=estimator.encoder_)
    samples = read_encoded(options.data, reading_options(options, metadata), encoding)
    said = corrected(options.run)
    parts = label_parts(estimator, samples, threshold, said)
    if options.safe_csv:
        parts = safe_for_spreadsheets(parts)
    if options.out is None:
        print_labels(sys.stdout, parts)
        return
    sizes = write_labels(Path(options.out), parts)
    costs = None if said is None or options.threshold is None else said.costs()
    cost = "" if costs is None else f"{costs.at(threshold)}; {costs.calibration}\n"
    _say(options, estimator, sizes, f"{cost}wrote {options.out}")


def _loaded(options: Any) -> tuple[Any, dict[str, Any], float]:
    """The estimator of the run, what the run says of itself, and the threshold."""
    metadata = read_metadata(options.run)
    asked = metadata.get("threshold", 0.0) if options.threshold is None else options.threshold
    return load_labeller(options.run), metadata, check_threshold(asked)


def _predict_shards(options: Any) -> None:
    if options.out is None:
        raise InputError("--out must name a folder for the labels of several shards")
    estimator, metadata, threshold = _loaded(options)
    reading = reading_options(options, metadata)
    job = Labelling(
        estimator, reading, threshold, Path(options.out), options.safe_csv, corrected(options.run)
    )
    done = label_shards(job, options.data, options.n_jobs, options.overwrite)
    if place().is_first:
        _say(options, estimator, done.sizes, f"{done.in_words()}\nwrote {job.out}/")


def _say(options: Any, estimator: Any, sizes: Counter[int], text: str) -> None:
    if not options.json:
        print(text)
        return
    # corrections make clusters too
    n_clusters = max(estimator.n_outputs_, 1 + max(sizes, default=-1))
    found = [sizes[number] for number in range(n_clusters)]
    print(json.dumps({"out": options.out, "sizes": found, "unassigned": sizes[UNASSIGNED]}))
