"""`coterie fit`: cluster a data set and write the run's folder."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from coterie._allocator import keep_freed_memory
from coterie._errors import DamagedFileError, InputError
from coterie._launcher import place
from coterie.cli.embedding import Encoding, embeddings_folder, read_encoded
from coterie.cli.label_table import write_table
from coterie.cli.labels_out import (
    UNASSIGNED,
    label_parts,
    safe_for_spreadsheets,
    write_labels,
)
from coterie.cli.learned import learned
from coterie.cli.neighbor_space import NeighborSpace
from coterie.cli.options.fit import FEATURES, QUICK, TABLES, check_supervised
from coterie.cli.options.reading import given_options
from coterie.cli.parser import asked_for, method_parameters, version
from coterie.cli.reading import reading_options
from coterie.cli.run_folder import (
    CHECKPOINT,
    HISTORY,
    LABELS,
    MODEL,
    check_run,
    load_clusterer,
    load_labeller,
    load_similarity,
    naming_the_way_on,
    network_digest,
    opened_run,
    read_metadata,
    read_pairs,
    write_metadata,
)
from coterie.cli.shards import Labelling, label_shards
from coterie.cli.table import format_table
from coterie.data import Pairs, ReadOptions, Samples
from coterie.data.labels import encode_labels
from coterie.data.readers import find_shards, is_pattern, labels_of, sample_shards
from coterie.engine import processes
from coterie.methods.base import AUTO, NeuralEstimator
from coterie.methods.clusterer import NeuralClusterer
from coterie.methods.persistence import save
from coterie.methods.registry import find_method, params_of, supervision_of
from coterie.metrics import clustering_accuracy, nmi
from coterie.report.findings import loss_in_words

TRACKED = "tracked"
# labels of all rows, where the fit saw a sample of them
SHARD_LABELS = "labels"
# what is said where the method was not asked for
_CHOSEN = {
    TABLES: "coterie: a table without labels, pairs and --method: --method tables (L2C's model for tables) "
    "finds the number of clusters",
    FEATURES: "coterie: no labels, pairs and --method: --method self-distillation clusters the vectors of "
    "the encoder",
}


def run(options: Any, words: Sequence[str]) -> None:
    """Fit, write the run and print the clusters: with several processes, the first one alone."""
    keep_freed_memory()
    processes.join()
    with processes.ending_together():
        _run(options, words)


def _run(options: Any, words: Sequence[str]) -> None:
    folder = Path(options.out)
    processes.first(lambda: check_run(folder, options.resume, options.overwrite))
    if options.quick:
        options.time_limit = QUICK
    given = processes.once_a_machine(lambda: _read_all(options))
    params = {key: getattr(options, key) for key in method_parameters(params_of(options.method))}
    estimator = find_method(options.method)(**params, checkpoint_dir=str(folder / CHECKPOINT), verbose=1)
    estimator.start_from(given.init)
    if options.method in _CHOSEN and not any(asked_for(words, "method", "init")) and place().is_first:
        print(_CHOSEN[options.method], file=sys.stderr)
    if options.log_with is not None:
        estimator.log_with(options.log_with, folder=str(folder / TRACKED))
    with contextlib.ExitStack() as stack:
        processes.first(lambda: stack.enter_context(opened_run(folder, options.overwrite)))
        stack.enter_context(naming_the_way_on("fit", words))
        estimator.fit(given.samples, **given.supervision)
        shards = _label_shards(folder, estimator, given, options)
        if not place().is_first:
            return
        results, summary = _write_run(folder, estimator, given.samples, options)
        write_metadata(folder, _metadata(words, options, given.samples, given.earlier))
    print(json.dumps(results) if options.json else f"{summary}{shards}\nwrote {folder}/")


def _label_shards(folder: Path, estimator: NeuralEstimator, given: _Given, options: Any) -> str:
    """Label all rows of the shards that the samples were drawn from; what to say of it."""
    if not is_pattern(options.data) or not isinstance(estimator, NeuralClusterer):
        return ""
    reading = dataclasses.replace(reading_options(options, given.earlier), like=given.samples.reading)
    job = Labelling(estimator, reading, options.threshold, folder / SHARD_LABELS, options.safe_csv)
    done = label_shards(job, options.data, options.n_jobs, options.overwrite)
    return f"\n{done.in_words()} in {job.out}/; labels.csv has the {len(given.samples.X)} rows of the fit"


@dataclass(frozen=True)
class _Given:
    """What is read before a fit: the run to start from and what it says of itself, samples, supervision."""

    init: NeuralEstimator | None
    earlier: dict[str, Any] | None
    samples: Samples
    supervision: dict[str, Any]


def _read_all(options: Any) -> _Given:
    init = None if options.init is None else load_labeller(options.init)
    earlier = None if init is None else read_metadata(options.init)
    samples = _read(options, earlier, init)
    supervision = _supervision(options, samples, init)
    check_supervised(options.method, supervision)
    return _Given(init, earlier, samples, supervision)


def _read(options: Any, earlier: dict[str, Any] | None, init: NeuralEstimator | None) -> Samples:
    """The data, through the encoder that is asked for; "auto": that of a run that the fit starts from."""
    if is_pattern(options.data):
        return _sample(options, reading_options(options, earlier))
    wanted, metadata = options.encoder, None
    if wanted == AUTO:
        others = [init, load_similarity(options.similarity) if options.similarity else None]
        known = [one.encoder_ for one in others if one is not None]
        metadata = next(filter(None, known), None)
        # a network for pixels, or for what another run's network takes
        own_network = getattr(options, "backbone", AUTO) != AUTO
        wanted = None if metadata is None and (known or own_network) else wanted
    folder = embeddings_folder(options.out, options.embeddings)
    encoding = Encoding(wanted, folder, options.n_jobs, metadata)
    return read_encoded(options.data, reading_options(options, earlier), encoding)


def _sample(options: Any, reading: ReadOptions) -> Samples:
    """Rows drawn from shards, as they are: no encoder sees them."""
    if options.encoder not in (None, AUTO):
        raise InputError(f"--encoder {options.encoder} does not take shards; encode them first")
    seed = options.random_state if isinstance(options.random_state, int) else 0
    return sample_shards(find_shards(options.data), reading, options.sample_rows, seed)


def _supervision(options: Any, samples: Samples, init: NeuralEstimator | None) -> dict[str, Any]:
    """The labels, pairs or similarity network of the options, as keyword arguments of `fit`."""
    supervision: dict[str, Any] = {}
    if options.labels is not None:
        supervision["y"] = labels_of(options.labels, samples)
    elif samples.labels is not None and "y" in supervision_of(options.method).accepted:
        supervision["y"] = samples.labels
    if options.pairs is not None:
        supervision["pairs"] = _pairs(options, samples, init)
    if options.similarity is not None:
        supervision["similarity"] = load_similarity(options.similarity)
    return supervision


def _pairs(options: Any, samples: Samples, init: NeuralEstimator | None) -> Pairs:
    """The pairs of the file, and what follows from them."""
    pairs = read_pairs(options.pairs, not options.uncertain_pairs, samples.ids)
    pairs.check_rows(len(samples.X))
    if options.closure:
        pairs = pairs.closure()
    if options.neighbors:
        points = NeighborSpace(samples.X, init)
        pairs = pairs.propagate(points[np.arange(len(points))], options.neighbors)
    return pairs


def _write_run(
    folder: Path, estimator: NeuralEstimator, samples: Samples, options: Any
) -> tuple[dict[str, Any], str]:
    """Write the run's files; what to say of it, as names and values and as text."""
    replaces = _replaces(folder, estimator)
    save(estimator, folder / MODEL)
    if replaces:
        from coterie.cli.open.written import set_aside  # with all that a page needs

        set_aside(folder)
    columns = list(dict.fromkeys(name for epoch in estimator.history_ for name in epoch))
    epochs = [[epoch.get(name, "") for name in columns] for epoch in estimator.history_]
    write_table(folder / HISTORY, columns, epochs)
    results = {"run": str(folder), "loss": estimator.loss_, "restarts": len(estimator.runs_)}
    loss = loss_in_words(estimator)
    if not isinstance(estimator, NeuralClusterer):
        return results | {"rows": len(samples.X)}, learned(estimator, folder, loss)
    parts = label_parts(estimator, samples, options.threshold)
    sizes = write_labels(folder / LABELS, safe_for_spreadsheets(parts) if options.safe_csv else parts)
    scores, said = _scores(estimator, samples)
    return results | _sizes(estimator, sizes) | scores, _summary(estimator, sizes) + loss + said


def _replaces(folder: Path, estimator: NeuralEstimator) -> bool:
    """Whether a run has a model that is another than this one."""
    if not (folder / MODEL).exists():
        return False
    try:
        before = network_digest(load_clusterer(folder))
    except (InputError, DamagedFileError):
        return True
    return not isinstance(estimator, NeuralClusterer) or network_digest(estimator) != before


def _scores(estimator: NeuralClusterer, samples: Samples) -> tuple[dict[str, float], str]:
    """How the clusters agree with the column of classes, where one was named."""
    if samples.labels is None:
        return {}, ""
    codes, _ = encode_labels(samples.labels)
    true, found = codes[codes >= 0], estimator.labels_[codes >= 0]
    if not len(true):
        return {}, ""
    scores = {"ACC": float(clustering_accuracy(true, found)), "NMI": float(nmi(true, found))}
    return scores, f"\nagainst the column of classes: ACC {scores['ACC']:.3f}, NMI {scores['NMI']:.3f}"


def _metadata(
    words: Sequence[str], options: Any, samples: Samples, earlier: dict[str, Any] | None
) -> dict[str, Any]:
    """What another command needs to know of this run."""
    paths = {
        name: None if getattr(options, name) is None else os.path.abspath(getattr(options, name))
        for name in ("data", "labels", "pairs", "similarity", "init", "embeddings")
    }
    return {
        "version": version(),
        "command": shlex.join(["coterie", "fit", *words]),
        **paths,
        "reading": dict(samples.reading),
        "reading_options": given_options(options, earlier),
        "threshold": options.threshold,
    }


def _sizes(estimator: NeuralClusterer, sizes: Counter[int]) -> dict[str, Any]:
    return {
        "rows": sum(sizes.values()),
        "sizes": [sizes[number] for number in range(estimator.n_outputs_)],
        "unassigned": sizes[UNASSIGNED],
        "clusters_used": estimator.n_clusters_,
        "clusters_dominant": estimator.n_dominant_,
    }


def _summary(estimator: NeuralClusterer, sizes: Counter[int]) -> str:
    rows = [(str(number), sizes[number]) for number in range(estimator.n_outputs_)]
    rows += [("unassigned", sizes[UNASSIGNED])] if sizes[UNASSIGNED] else []
    used = (
        f"{estimator.n_clusters_} of {estimator.n_outputs_} clusters used, {estimator.n_dominant_} dominant"
    )
    return f"{format_table(('cluster', 'samples'), rows)}\n\n{used}; "
