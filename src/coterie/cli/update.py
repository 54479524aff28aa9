"""`coterie update`: new samples join a run's clusters or form new ones, and nothing is renumbered."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from coterie._errors import DamagedFileError, InputError
from coterie.cli.embedding import Encoding, embeddings_folder, read_encoded
from coterie.cli.label_table import COLUMNS, Row, as_text
from coterie.cli.labels_out import assigned_part, safe_name
from coterie.cli.reading import reading_options
from coterie.cli.row_identity import Ints, digests, unknown_rows
from coterie.cli.run_folder import LABELS, load_clusterer, load_fitted, network_digest, read_metadata
from coterie.cli.table import format_table
from coterie.data import Samples
from coterie.data.files import atomic_write, held_briefly
from coterie.engine.storage import read_tensors, write_tensors
from coterie.methods.clusterer import NeuralClusterer
from coterie.methods.novelty import Floats, Known, Placed, place
from coterie.nn import unit_features

# what an update remembers for the next one
KNOWN, _KIND = "known", "file of known samples"
_LOCK = "update.lock"
MOST_KNOWN = 10_000
# clusters that updates have made, of a file that is read
_MOST_NEW = 10**6


def run(options: Any, words: Sequence[str]) -> None:
    """Place the new samples, append them to the run's labels, and say what is new."""
    folder = Path(options.run)
    estimator, metadata = load_clusterer(folder), read_metadata(folder)
    taken = f"RUN: another update of {folder} is at work; wait for it"
    denied = "labels are kept there, so make it writable or update a copy"
    with held_briefly(folder / _LOCK, taken, denied):
        listed = _read_labels(folder / LABELS)
        names, samples, row_digests = _read_new(options, estimator, metadata, listed)
        if not names:
            print(json.dumps(_results([], 0)) if options.json else "no new samples")
            return
        points, proba = _points(estimator, samples.X), estimator.predict_proba(samples.X)
        known, n_remembered = _known(folder, estimator, points.shape[1])
        labels = _labels_of(folder / LABELS, listed)
        # a page of corrections makes clusters too
        n_before = max(n_remembered, 1 + int(labels.max(initial=-1)))
        counts = estimator.n_outputs_, n_before
        placed = place(known, points, proba.argmax(axis=1), counts, options.min_size)
        # first: an update that is stopped in between finds these samples new once more
        joined = known.joined(points, placed.clusters, MOST_KNOWN)
        _remember(folder, estimator, joined, placed.n_clusters, row_digests)
        rows = _rows(names, proba, placed, metadata.get("threshold", 0.0))
        ids = _ids_after_corrections(estimator, labels)
        _append(folder / LABELS, (_renamed(row, ids) for row in rows))
    found = [ids.get(cluster, cluster) for cluster in placed.clusters.tolist()]
    print(json.dumps(_results(found, n_before)) if options.json else _summary(found, n_before, folder))


def _read_labels(path: Path) -> list[list[str]]:
    """The rows of a run's labels, with the header."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except FileNotFoundError as error:
        raise InputError(f"RUN: {path} does not exist; coterie fit writes it") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DamagedFileError(f"{path} is damaged: {error}") from error
    if not rows or tuple(rows[0]) != COLUMNS or any(len(row) != len(COLUMNS) for row in rows):
        raise DamagedFileError(f"{path} is damaged: it must have the columns {', '.join(COLUMNS)}")
    return rows


def _labels_of(path: Path, listed: Sequence[Sequence[str]]) -> npt.NDArray[np.int64]:
    try:
        return np.array([int(row[1]) for row in listed[1:]], dtype=np.int64)
    except ValueError as error:
        raise DamagedFileError(f"{path} is damaged: label must be a number; {error}") from error


def _ids_after_corrections(estimator: NeuralClusterer, labels: npt.NDArray[np.int64]) -> dict[int, int]:
    """What the model's clusters are called in the labels: the id that most of their samples have now."""
    fitted, ids = estimator.labels_, {}
    now = labels[: len(fitted)]
    for cluster in range(estimator.n_outputs_ if len(now) == len(fitted) else 0):
        of_cluster = now[(fitted == cluster) & (now >= 0)]
        if len(of_cluster):
            ids[cluster] = int(np.bincount(of_cluster).argmax())
    return ids


def _renamed(row: Row, ids: dict[int, int]) -> Row:
    name, label, probability, second, second_probability = row
    other = None if second is None else ids.get(second, second)
    return name, ids.get(label, label), probability, other, second_probability


def _read_new(
    options: Any, estimator: NeuralClusterer, metadata: dict[str, Any], listed: Sequence[Sequence[str]]
) -> tuple[list[str], Samples, Ints]:
    """Names of the samples that the run does not list, and these; digests of all rows without ids.

    Rows without ids are numbered on.
    """
    folder = embeddings_folder(options.run, metadata.get("embeddings"))
    encoding = Encoding(None, folder, metadata=estimator.encoder_)
    samples = read_encoded(options.data, reading_options(options, metadata), encoding)
    if samples.ids is None:
        start = len(listed) - 1
        have, found = _digests_of(Path(options.run), estimator, start), digests(samples)
        new_rows = unknown_rows(found, have)
        names = [str(start + place) for place in range(len(new_rows))]
        return names, samples.take(new_rows), np.concatenate([have, found[new_rows]])
    old = {row[0] for row in listed[1:]}
    # a run's ids may have been made safe for spreadsheets
    new = samples.take([row for row, name in enumerate(samples.ids) if not {name, safe_name(name)} & old])
    return list(new.names), new, np.empty(0, dtype=np.int64)


def _digests_of(folder: Path, estimator: NeuralClusterer, n_listed: int) -> Ints:
    """Digests of the rows that the run lists, in their order."""
    path = folder / KNOWN
    if path.exists():
        tensors, meta = read_tensors(path, _KIND)
        # of an update that was stopped before it had written its labels, there are more
        if meta.get("network") == network_digest(estimator) and len(tensors.get("digests", ())) >= n_listed:
            return np.asarray(tensors["digests"].numpy()[:n_listed], dtype=np.int64)
    return digests(load_fitted(folder, None).samples)


def _known(folder: Path, estimator: NeuralClusterer, width: int) -> tuple[Known, int]:
    """The samples that are known, and the number of clusters with those of earlier updates of this model."""
    found = _remembered(folder / KNOWN, estimator, width) if (folder / KNOWN).exists() else None
    if found is not None:
        return found
    X = load_fitted(folder, None).samples.X
    rows = np.sort(np.random.default_rng(0).permutation(len(X))[:MOST_KNOWN])
    clusters = estimator.predict_proba(X[rows]).argmax(axis=1).astype(np.int64)
    return Known(_points(estimator, X[rows]), clusters), estimator.n_outputs_


def _remembered(path: Path, estimator: NeuralClusterer, width: int) -> tuple[Known, int] | None:
    """What an earlier update wrote; None where the run has another model since."""
    tensors, meta = read_tensors(path, _KIND)
    if meta.get("network") != network_digest(estimator):
        return None
    try:
        known, n_clusters = Known(tensors["points"].numpy(), tensors["clusters"].numpy()), meta["n_clusters"]
        _check_known(known, n_clusters, (estimator.n_outputs_, width))
        return known, n_clusters
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(
            f"{path} is damaged: {error!r}; without it, an update starts afresh"
        ) from error


def _check_known(known: Known, n_clusters: Any, expected: tuple[int, int]) -> None:
    """Raise ValueError for what no update writes; expected are the model's clusters and the points' width."""
    points, clusters = known.points, known.clusters
    fewest, width = expected
    if type(n_clusters) is not int or not fewest <= n_clusters <= fewest + _MOST_NEW:
        raise ValueError(f"n_clusters={n_clusters!r:.40}")
    if points.dtype != np.float32 or points.ndim != 2 or points.shape[1] != width or not len(points):
        raise ValueError(f"points of shape {points.shape} and type {points.dtype}")
    if not np.isfinite(points).all():
        raise ValueError("points must be finite")
    if clusters.dtype != np.int64 or clusters.shape != points.shape[:1]:
        raise ValueError(f"clusters of shape {clusters.shape} and type {clusters.dtype}")
    if clusters.min() < 0 or clusters.max() >= n_clusters:
        raise ValueError(f"clusters must be in 0..{n_clusters - 1}")


def _remember(
    folder: Path, estimator: NeuralClusterer, known: Known, n_clusters: int, row_digests: Ints
) -> None:
    metadata = {"n_clusters": n_clusters, "network": network_digest(estimator)}
    parts = {"points": known.points, "clusters": known.clusters}
    parts |= {"digests": row_digests} if len(row_digests) else {}
    tensors = {name: torch.from_numpy(part) for name, part in parts.items()}
    write_tensors(folder / KNOWN, _KIND, tensors, metadata)


def _points(estimator: NeuralClusterer, X: Any) -> Floats:
    """Samples as points whose distance means likeness: an encoder's vectors, or the embedding."""
    if estimator.encoder_ is None:
        return estimator.transform(X)
    return unit_features(torch.from_numpy(np.asarray(X, dtype=np.float32))).numpy()


def _rows(
    names: Sequence[str], proba: npt.NDArray[np.float64], placed: Placed, threshold: float
) -> Iterator[Row]:
    """Rows of the labels; in a cluster that the model does not know, how firmly a sample belongs to it."""
    predicted = assigned_part(names, proba, proba.max(axis=1) >= threshold).rows()
    best = proba.argmax(axis=1).tolist()
    for row, number, cluster, strength in zip(
        predicted, best, placed.clusters.tolist(), placed.strength, strict=True
    ):
        known = cluster < proba.shape[1]
        yield row if known else (row[0], cluster, float(strength), number, row[2])


def _append(path: Path, rows: Iterator[Row]) -> None:
    """Write the labels with further rows; those that are there stay as they are."""
    old = path.read_text(encoding="utf-8")
    added = io.StringIO()
    csv.writer(added, lineterminator="\n").writerows(map(as_text, rows))
    with atomic_write(path) as temporary:
        temporary.write_text(old + added.getvalue(), encoding="utf-8")


def _results(clusters: list[int], n_before: int) -> dict[str, Any]:
    sizes = Counter(clusters)
    return {
        "new_samples": len(clusters),
        "sizes": {str(cluster): sizes[cluster] for cluster in sorted(sizes)},
        "new_clusters": [cluster for cluster in sorted(sizes) if cluster >= n_before],
    }


def _summary(clusters: list[int], n_before: int, folder: Path) -> str:
    sizes = Counter(clusters)
    rows = [(f"{one} (new)" if one >= n_before else str(one), sizes[one]) for one in sorted(sizes)]
    n_new = sum(one >= n_before for one in sizes)
    return (
        f"{format_table(('cluster', 'new samples'), rows)}\n\n"
        f"{len(clusters)} new samples, {n_new} new clusters\nwrote {folder / LABELS}"
    )
