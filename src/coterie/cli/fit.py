"""`coterie fit`: cluster a data set and write the run's folder."""

from __future__ import annotations

import inspect
import json
import os
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coterie._errors import InputError
from coterie.cli.labels_out import (
    SAFE_CSV,
    UNASSIGNED,
    check_threshold,
    label_rows,
    safe_for_spreadsheets,
    write_csv,
    write_labels,
)
from coterie.cli.learned import learned
from coterie.cli.neighbor_space import NeighborSpace
from coterie.cli.parser import (
    DashedParser,
    add_method_options,
    asked_for,
    make_parser,
    version,
)
from coterie.cli.reading import (
    add_reading_options,
    given_options,
    reading_options,
)
from coterie.cli.run_folder import (
    CHECKPOINT,
    HISTORY,
    LABELS,
    MODEL,
    check_run,
    load_labeller,
    load_similarity,
    naming_the_way_on,
    opened_run,
    read_metadata,
    read_pairs,
    write_metadata,
)
from coterie.cli.table import format_table
from coterie.data import Pairs, Samples, read_samples
from coterie.data.labels import encode_labels
from coterie.data.readers import labels_of
from coterie.methods.base import NeuralEstimator
from coterie.methods.clusterer import NeuralClusterer
from coterie.methods.persistence import save
from coterie.methods.registry import find_method, method_names, method_of, params_of
from coterie.metrics import clustering_accuracy, nmi
from coterie.params import parameters_of
from coterie.report.findings import loss_in_words

TRACKED = "tracked"
# of a first look: the rest of a minute reads and writes files
QUICK = "40s"
# supervision, by its name in `fit`
_OPTION_OF = {"y": "--labels", "pairs": "--pairs", "similarity": "--similarity"}
_DESCRIPTION = (
    "Cluster a data set, or learn from labels: with --method l2c to cluster other sets, with --method "
    "similarity which samples are of one class. "
    "DATA: an .npy, .npz, .csv, .tsv, .txt, .jsonl, .parquet or idx file, or a folder of images or of sounds."
)


def parser(words: Sequence[str]) -> DashedParser:
    """The options, those of the method that the words ask for among them."""
    return _parser(*_choose(words))[0]


def run(words: list[str]) -> None:
    """Fit, write the run and say what came out."""
    name, init = _choose(words)
    options_of, names = _parser(name, init)
    options = options_of.parse(words)
    folder = Path(options.out)
    check_run(folder, options.resume, options.overwrite)
    check_threshold(options.threshold)
    if options.quick:
        options.time_limit = _quick(options.time_limit)
    earlier = None if init is None else read_metadata(options.init)
    samples = read_samples(options.data, reading_options(options, earlier))
    params = {key: getattr(options, key) for key in names}
    estimator = find_method(name)(**params, checkpoint_dir=str(folder / CHECKPOINT), verbose=1)
    told = _supervision(options, estimator, samples, init)
    estimator.start_from(init)
    if options.log_with is not None:
        estimator.log_with(options.log_with, folder=str(folder / TRACKED))
    with opened_run(folder, options.overwrite), naming_the_way_on("fit", words):
        estimator.fit(samples, **told)
        results, summary = _write_run(folder, estimator, samples, options)
        write_metadata(folder, _metadata(words, options, samples, earlier))
    print(json.dumps(results) if options.json else f"{summary}\nwrote {folder}/")


def _quick(time_limit: object) -> str:
    """The time limit of a first look, which takes no other one."""
    if time_limit is not None:
        raise InputError("--quick, --time-limit: one of them is expected")
    return QUICK


def _choose(words: Sequence[str]) -> tuple[str, NeuralEstimator | None]:
    """The method, and what the fit is to start from: whose method it is, where none is asked for."""
    place, name = asked_for(words, "init", "method")
    init = None if place is None else load_labeller(place)
    if name is None:
        return "ccn" if init is None else method_of(init), init
    params_of(name)
    return name, init


def _as_in(init: NeuralEstimator, names: Sequence[str]) -> dict[str, Any]:
    """Parameters that a fit takes over from an estimator of its own kind: what its network follows from."""
    taken = {"n_clusters": init.n_outputs_} if isinstance(init, NeuralClusterer) else {}
    shaping = [name for name, one in parameters_of(type(init)).items() if one.shapes_network]
    return taken | {name: getattr(init, name) for name in shaping if name in names}


def _parser(name: str, init: NeuralEstimator | None) -> tuple[DashedParser, list[str]]:
    made = make_parser("fit", _DESCRIPTION)
    made.add_argument("data", metavar="DATA", type=str, help="file of samples, one row each, or a folder")
    made.add_argument("--out", required=True, type=str, metavar="RUN", help="folder of the run")
    made.add_argument("--method", default=name, metavar="NAME", help=f"one of {', '.join(method_names())}")
    made.add_argument(
        "--labels", type=str, default=None, metavar="FILE", help="file of labels; empty or -1 is unknown"
    )
    made.add_argument(
        "--pairs", type=str, default=None, metavar="FILE", help="CSV or parquet with columns i, j, same"
    )
    made.add_argument(
        "--similarity", type=str, default=None, metavar="DIR", help="run of --method similarity"
    )
    made.add_argument("--uncertain_pairs", action="store_true", help="pairs may contradict each other")
    made.add_argument("--closure", action="store_true", help="use the pairs that follow from those given too")
    made.add_argument(
        "--neighbors",
        type=int,
        default=0,
        metavar="N",
        help="let each row of a pair stand for its N nearest too",
    )
    made.add_argument(
        "--init",
        type=str,
        default=None,
        metavar="RUN",
        help="start from the weights of a run, by its method with its number of clusters and its network",
    )
    made.add_argument(
        "--log_with", type=str, default=None, metavar="NAME", help="tell a tracker of each epoch: tensorboard"
    )
    made.add_argument("--resume", action="store_true", help="go on with the run in RUN where it stopped")
    made.add_argument("--overwrite", action="store_true", help="replace the run in RUN")
    made.add_argument(
        "--threshold", type=float, default=0.0, metavar="P", help="label rows less certain than P as -1"
    )
    made.add_argument(
        "--quick", action="store_true", help=f"a first look within a minute: --time-limit {QUICK}"
    )
    made.add_argument("--safe_csv", action="store_true", help=SAFE_CSV)
    made.add_argument("--json", action="store_true", help="print the results as JSON")
    add_reading_options(made)
    made.add_argument("--config", action="config", metavar="FILE", help="YAML file of these options")
    names = add_method_options(made, params_of(name))
    if init is not None and type(init) is find_method(name):
        made.set_defaults(_as_in(init, names))
    return made, names


def _supervision(
    options: Any, estimator: NeuralEstimator, samples: Samples, init: NeuralEstimator | None
) -> dict[str, Any]:
    """What is known beside the samples, as keyword arguments of `fit`."""
    told: dict[str, Any] = {}
    needs_one = estimator.__sklearn_tags__().target_tags.required
    if options.labels is not None and options.label is not None:
        raise InputError("--labels and --label must not be combined; give one of them")
    if options.labels is not None:
        told["y"] = labels_of(options.labels, samples)
    elif samples.labels is not None and needs_one:
        told["y"] = samples.labels
    if options.pairs is not None:
        told["pairs"] = _pairs(options, samples, init)
    if options.similarity is not None:
        told["similarity"] = load_similarity(options.similarity)
    # where y is there for scikit-learn's conventions alone, labels would be left out unseen
    accepted = [name for name in inspect.signature(estimator.fit).parameters if needs_one or name != "y"]
    for key in told.keys() - set(accepted):
        raise InputError(f"--method {options.method} does not accept {_OPTION_OF[key]}")
    if needs_one and not told:
        asked = ", ".join(option for key, option in _OPTION_OF.items() if key in accepted)
        raise InputError(f"--method {options.method} requires one of {asked}")
    return told


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
    save(estimator, folder / MODEL)
    columns = list(dict.fromkeys(name for epoch in estimator.history_ for name in epoch))
    epochs = [[epoch.get(name, "") for name in columns] for epoch in estimator.history_]
    write_csv(folder / HISTORY, columns, epochs)
    results = {"run": str(folder), "loss": estimator.loss_, "restarts": len(estimator.runs_)}
    loss = loss_in_words(estimator)
    if not isinstance(estimator, NeuralClusterer):
        return results | {"rows": len(samples.X)}, learned(estimator, folder, loss)
    rows = label_rows(estimator, samples, options.threshold)
    sizes = write_labels(folder / LABELS, safe_for_spreadsheets(rows) if options.safe_csv else rows)
    scores, said = _scores(estimator, samples)
    return results | _sizes(estimator, sizes) | scores, _summary(estimator, sizes) + loss + said


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
    words: list[str], options: Any, samples: Samples, earlier: dict[str, Any] | None
) -> dict[str, Any]:
    """What another command needs to know of this run."""
    paths = {
        name: None if getattr(options, name) is None else os.path.abspath(getattr(options, name))
        for name in ("data", "labels", "pairs", "similarity", "init")
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
