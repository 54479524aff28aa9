"""The commands: each parses its words, calls the library and prints what came out."""

from __future__ import annotations

import contextlib
import csv
import inspect
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError, Interrupted
from coterie.cli.demo import run_demo
from coterie.cli.parser import add_method_options, make_parser, method_of
from coterie.cli.table import format_table
from coterie.data import Pairs, read_array, read_labels
from coterie.data.files import atomic_write
from coterie.data.labels import encode_labels
from coterie.methods.base import NeuralClusterer
from coterie.methods.persistence import load, save
from coterie.methods.registry import METHODS
from coterie.methods.similarity import SimilarityNetwork
from coterie.metrics import clustering_accuracy, dominant_clusters, nmi, purity

MODEL, LABELS, HISTORY, CHECKPOINT = "model", "labels.csv", "history.csv", "checkpoint"
LABEL_COLUMNS = ("id", "label", "probability", "second", "second_probability")


def version() -> str:
    """Name and version, as ``coterie --version`` prints them."""
    return f"coterie {installed_version('coterie')}"


def demo(words: list[str]) -> None:
    """``coterie demo``."""
    parser = make_parser("demo", "Cluster scikit-learn's digits: k-means, CCN from pairs, CCN from labels.")
    parser.add_argument("--random_state", type=int, default=0, metavar="SEED", help="seed (default: 0)")
    print(run_demo(parser.parse(words).random_state), end="")


def methods(words: list[str]) -> None:
    """``coterie methods``."""
    make_parser("methods", "List the methods and what they do.").parse(words)
    rows = [(name, (kind.__doc__ or "").partition("\n")[0]) for name, kind in METHODS.items()]
    for name, line in rows:
        print(f"{name:<8}{line}")


def fit(words: list[str]) -> None:
    """``coterie fit``."""
    name = method_of(words)
    parser = make_parser("fit", "Cluster a data set. DATA: .npy, .npz, .csv or idx file.")
    parser.add_argument("data", metavar="DATA", type=str, help="file of items, one row each")
    parser.add_argument("--out", required=True, type=str, metavar="RUN", help="folder of the run")
    parser.add_argument("--method", default=name, metavar="NAME", help=f"one of {', '.join(METHODS)}")
    parser.add_argument(
        "--labels", type=str, default=None, metavar="FILE", help="file of labels; empty or -1 is unknown"
    )
    parser.add_argument(
        "--pairs", type=str, default=None, metavar="FILE", help="CSV or parquet with columns i, j, same"
    )
    parser.add_argument(
        "--similarity", type=str, default=None, metavar="DIR", help="folder that coterie similarity fit wrote"
    )
    parser.add_argument("--uncertain_pairs", action="store_true", help="pairs may contradict each other")
    parser.add_argument("--resume", action="store_true", help="go on with the run in RUN where it stopped")
    parser.add_argument("--overwrite", action="store_true", help="replace the run in RUN")
    names = add_method_options(parser, METHODS[name])
    options = parser.parse(words)
    run = Path(options.out)
    check_run(run, options.resume, options.overwrite)
    X = read_array(options.data)
    y = None if options.labels is None else read_labels(options.labels)
    pairs = None if options.pairs is None else read_pairs(options.pairs, not options.uncertain_pairs)
    params = {key: getattr(options, key) for key in names}
    estimator = METHODS[name](**params, checkpoint_dir=str(run / CHECKPOINT), verbose=1)
    known: dict[str, Any] = {"pairs": pairs}
    if options.similarity is not None:
        known["similarity"] = _read_similarity(options.similarity, name)
    told = [y, *known.values()]
    if all(one is None for one in told) and estimator.__sklearn_tags__().target_tags.required:
        raise InputError(f"--labels, --pairs, --similarity: none came; {name} expects one of them")
    open_run(run, options.overwrite)
    with naming_the_way_on("fit", words):
        estimator.fit(X, y, **known)
    _write_run(run, estimator, X)
    print(_summary(run, estimator))


def predict(words: list[str]) -> None:
    """``coterie predict``."""
    parser = make_parser("predict", "Assign new items to the clusters of a run.")
    parser.add_argument("run", metavar="RUN", type=str, help="folder that coterie fit wrote")
    parser.add_argument("data", metavar="DATA", type=str, help="file of items, shaped as those of the fit")
    parser.add_argument(
        "--out", type=str, default=None, metavar="FILE", help="CSV file (default: standard output)"
    )
    options = parser.parse(words)
    estimator = load(Path(options.run) / MODEL)
    if not isinstance(estimator, NeuralClusterer):
        raise InputError(f"RUN: {options.run} holds a {type(estimator).__name__}, which has no clusters")
    rows = _label_rows(estimator.predict_proba(read_array(options.data)))
    if options.out is None:
        _write_rows(sys.stdout, LABEL_COLUMNS, rows)
    else:
        _write_csv(Path(options.out), LABEL_COLUMNS, rows)
        print(f"wrote {options.out}")


def evaluate(words: list[str]) -> None:
    """``coterie evaluate``."""
    parser = make_parser("evaluate", "Compare a clustering with known labels; unknown ones are left out.")
    parser.add_argument(
        "clusters", metavar="LABELS", type=str, help="file of clusters, such as the labels.csv of a run"
    )
    parser.add_argument(
        "--labels",
        required=True,
        type=str,
        metavar="FILE",
        help="file of known labels; empty or -1 is unknown",
    )
    options = parser.parse(words)
    clusters, _ = encode_labels(read_labels(options.clusters))
    codes, _ = encode_labels(read_labels(options.labels))
    if len(clusters) != len(codes):
        raise InputError(f"--labels: {len(codes)} labels for {len(clusters)} rows of {options.clusters}")
    known = codes >= 0
    if (clusters[known] < 0).any():
        raise InputError(f"LABELS: rows of {options.clusters} have no cluster")
    found = clusters[known]
    n_clusters = len(np.unique(found))
    scores = (
        clustering_accuracy(codes[known], found),
        nmi(codes[known], found),
        purity(codes[known], found),
        n_clusters,
        dominant_clusters(found, n_clusters),
    )
    print(
        format_table(("rows", "ACC", "NMI", "purity", "clusters", "dominant"), [(int(known.sum()), *scores)])
    )


@contextlib.contextmanager
def naming_the_way_on(command: str, words: Sequence[str]) -> Iterator[None]:
    """Say with what command a fit that is stopped inside goes on."""
    try:
        yield
    except Interrupted as stop:
        kept = [word for word in words if word not in ("--overwrite", "--resume")]
        call = shlex.join(["coterie", *command.split(), *kept, "--resume"])
        raise Interrupted(f"{stop}\nto go on: {call}") from stop


def _read_similarity(folder: str, method: str) -> SimilarityNetwork:
    if "similarity" not in inspect.signature(METHODS[method].fit).parameters:
        raise InputError(f"--similarity: {method} does not take it; ccn does")
    found = load(Path(folder) / MODEL)
    if not isinstance(found, SimilarityNetwork):
        raise InputError(f"--similarity: {folder} holds a {type(found).__name__}, no similarity network")
    return found


def check_run(run: Path, resume: bool, overwrite: bool) -> None:
    """Raise where the options do not fit what is at the run's place."""
    if resume and overwrite:
        raise InputError("--resume, --overwrite: one of them is expected")
    if run.exists() and not run.is_dir():
        raise InputError(f"--out: {run} is a file; a folder is expected")
    found = any((run / name).exists() for name in (MODEL, LABELS, HISTORY, CHECKPOINT))
    if resume and not found:
        raise InputError(f"--resume: no run at {run}")
    if found and not (resume or overwrite):
        raise InputError(f"--out: {run} holds a run; --resume goes on with it, --overwrite replaces it")


def open_run(run: Path, overwrite: bool) -> None:
    """Make the run's folder; an old checkpoint goes, other old files stay until new ones are there."""
    if overwrite and (run / CHECKPOINT).is_dir():
        shutil.rmtree(run / CHECKPOINT)
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out: {run} cannot be made: {error.strerror}") from error


def read_pairs(path: str, certain: bool) -> Pairs:
    read = Pairs.from_parquet if path.endswith((".parquet", ".pq")) else Pairs.from_csv
    return read(path, certain=certain)


def _write_run(run: Path, estimator: NeuralClusterer, X: npt.NDArray[Any]) -> None:
    save(estimator, run / MODEL)
    _write_csv(run / LABELS, LABEL_COLUMNS, _label_rows(estimator.predict_proba(X)))
    columns = list(estimator.history_[0])
    _write_csv(run / HISTORY, columns, [[epoch[name] for name in columns] for epoch in estimator.history_])


def _label_rows(proba: npt.NDArray[np.float64]) -> Iterable[tuple[object, ...]]:
    """Best and second cluster of each row; with a single cluster there is no second."""
    order = np.argsort(-proba, axis=1, kind="stable")
    for number, (row, best) in enumerate(zip(proba, order, strict=True)):
        second = (best[1], f"{row[best[1]]:.6f}") if len(best) > 1 else ("", "")
        yield number, best[0], f"{row[best[0]]:.6f}", *second


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with atomic_write(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        _write_rows(file, header, rows)


def _write_rows(file: Any, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)


def _summary(run: Path, estimator: NeuralClusterer) -> str:
    sizes = np.bincount(estimator.labels_, minlength=estimator.n_clusters)
    table = format_table(
        ("cluster", "items"), [(str(number), int(size)) for number, size in enumerate(sizes)]
    )
    used = (
        f"{estimator.n_clusters_} of {estimator.n_clusters} clusters used, {estimator.n_dominant_} dominant"
    )
    loss = f"loss {estimator.loss_:.4f}, the lowest of {len(estimator.runs_)} restarts"
    return f"{table}\n\n{used}; {loss}\nwrote {run}/"
