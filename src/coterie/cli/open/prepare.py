"""Computes what the page needs of a run, once, and keeps it beside the run."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError
from coterie.cli.open import library
from coterie.cli.open.cards import ends_of, rows_by_cluster
from coterie.cli.open.library import JOURNAL, Library, unique_names
from coterie.cli.open.questions import save_questions
from coterie.cli.open.written import read_lines
from coterie.cli.options.reading import reading_words
from coterie.cli.run_folder import LABELS, Fitted, load_fitted
from coterie.corrections.journal import Journal
from coterie.corrections.statements import answers_in
from coterie.data.arrays import parts_in_memory
from coterie.data.files import atomic_write
from coterie.encoders.opening import text_of
from coterie.methods.feature_starts import reduce_features
from coterie.methods.pools import drawn_rows, near_samples
from coterie.report.findings import loss_in_words
from coterie.report.pictures import is_pictorial, value_range
from coterie.report.renderers import pictures_of

Array = npt.NDArray[Any]
_CHUNK = 10_000
# principal components in which parts of a cluster and the map are looked for
_COMPONENTS = 50
_MOST_COLUMNS = 64
# features of more bytes than this are kept in half precision
_HALF_FROM = 2**28
_LINES = 200
# of pictures that a renderer draws
_DRAWN_SIDE = 240
# small pictures that are made before the page is opened
_MOST_READY = 2_000


def prepare(run: Path, data: str | None) -> None:
    """Write what `Library` reads.

    Raises
    ------
    InputError
        The run or its data cannot be read, or the run's folder cannot be written.
    """
    fitted = load_fitted(run, data, complete=False)
    names = _names(run, fitted)
    row_of = {name: row for row, name in enumerate(names)}
    given = unique_names(fitted.samples.names)
    present = np.array([row_of[name] for name in given]) if len(given) < len(names) else np.arange(len(names))
    folder = run / library.FOLDER
    folder.mkdir(exist_ok=True)
    scores, features = _outputs(fitted)
    if len(present) < len(names):
        scores, features = _with_lost(run, names, present, scores), _spread(features, present, len(names))
    _save(folder / library.SCORES, scores)
    _save(folder / library.FEATURES, features)
    _save(folder / library.POINTS, page_points(features))
    _write(folder / library.NAMES, names)
    rows = _rows_to_ask_about(run, names, present)
    save_questions(run, rows, near_samples(_as_points(fitted, features[rows])))
    (folder / library.MAP).unlink(missing_ok=True)
    # the last one: a folder with it is whole
    _write(folder / library.META, _metadata_of(fitted) | _samples(folder, fitted, names))
    ready_cards(Library(folder))


def ready_cards(found: Library) -> None:
    """Make the small pictures of the clusters' cards, as far as the page keeps them."""
    labels, certainty = found.scores.argmax(axis=1), found.scores.max(axis=1)
    by_cluster = rows_by_cluster(labels, certainty, range(found.scores.shape[1]))
    rows = [row for members in by_cluster.values() for row in np.concatenate(ends_of(members)).tolist()]
    if found.meta["kind"] == "files":
        found.pictures(rows[:_MOST_READY], np.inf)


def _rows_to_ask_about(run: Path, names: Sequence[str], present: Array) -> Array:
    """Rows that are there; those of earlier answers among them."""
    place = {names[row]: at for at, row in enumerate(present)}
    said = answers_in(Journal(run / JOURNAL).active())
    asked = [place[name] for i, j, _ in said for name in (i, j) if name in place]
    return np.asarray(present[drawn_rows(len(present), np.array(asked, dtype=np.int64))])


def _as_points(fitted: Fitted, features: Array) -> Array:
    """Points whose distance means likeness: an encoder's vectors count by their direction alone."""
    if fitted.estimator.encoder_ is None:
        return features
    return np.asarray(features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12))


def _names(run: Path, fitted: Fitted) -> list[str]:
    """Names of the samples of the fit, also of those whose files are gone."""
    found = unique_names(fitted.samples.names)
    if len(found) == len(fitted.estimator.labels_):
        return found
    listed = [line[0] for line in read_lines(run / LABELS)]
    if len(listed) != len(fitted.estimator.labels_) or not set(found) < set(listed):
        raise InputError(
            f"--data: {fitted.data} must be the data of the fit, which had {len(fitted.estimator.labels_)} "
            f"rows, got {len(found)} rows"
        )
    return listed


def _outputs(fitted: Fitted) -> tuple[Array, Array]:
    """Probabilities of all samples, and what is known of them: an encoder's vectors, or an embedding."""
    estimator, X = fitted.estimator, fitted.samples.X
    encoded = estimator.encoder_ is not None
    scores, features = [], []
    for rows in parts_in_memory(len(X), X.shape[1:], most=_CHUNK):
        part = np.asarray(X[rows])
        found = estimator.predict_proba(part).astype(np.float32)
        if getattr(estimator, "noise", False):
            found[estimator.predict(part) < 0] = 0
        scores.append(found)
        features.append(part if encoded else estimator.transform(part))
    return np.concatenate(scores), np.concatenate(features).reshape(len(X), -1).astype(np.float32)


def _with_lost(run: Path, names: Sequence[str], present: Array, scores: Array) -> Array:
    """Probabilities, of files that are gone as the fit wrote them."""
    whole = _spread(scores, present, len(names))
    lost = np.setdiff1d(np.arange(len(names)), present)
    lines = read_lines(run / LABELS)
    for row in lost:
        label, probability = int(lines[row][1]), float(lines[row][2])
        whole[row] = (1 - probability) / max(1, scores.shape[1] - 1)
        whole[row, max(label, 0)] = probability
    return whole


def _spread(values: Array, present: Array, n: int) -> Array:
    """Values at their rows; others have their mean."""
    whole = np.repeat(values.mean(axis=0, keepdims=True), n, axis=0).astype(values.dtype)
    whole[present] = values
    return whole


def page_points(features: Array) -> Array:
    """Principal components of the features' directions, signed square roots first, as `nn.Features`."""
    rooted = np.sign(features) * np.sqrt(np.abs(features))
    rooted /= np.maximum(np.linalg.norm(rooted, axis=1, keepdims=True), 1e-12)
    return np.ascontiguousarray(reduce_features(rooted, 0)[:, :_COMPONENTS], dtype=np.float32)


def _metadata_of(fitted: Fitted) -> dict[str, Any]:
    """What is said of the fit: what it was, last of all its losses and parameters."""
    estimator, metadata = fitted.estimator, fitted.metadata
    params = {name: repr(value) for name, value in estimator.get_params().items()}
    last = [{key: str(value) for key, value in epoch.items()} for epoch in estimator.history_[-_LINES:]]
    return {
        "method": type(estimator).__name__,
        "loss": loss_in_words(estimator),
        "data": fitted.data,
        "reading": reading_words(metadata),
        "threshold": metadata.get("threshold") or 0.0,
        "command": metadata.get("command", ""),
        "params": params,
        "history": last,
        "encoder": None if estimator.encoder_ is None else estimator.encoder_.get("name"),
    }


def _samples(folder: Path, fitted: Fitted, names: list[str]) -> dict[str, Any]:
    """How the samples are shown; writes those that are no files."""
    samples, data = fitted.samples, Path(fitted.data)
    metadata: dict[str, Any] = {"modality": samples.modality, "columns": [], "folder": ""}
    if _draw(folder, fitted):
        return metadata | {"kind": "drawn"}
    if data.is_dir():
        root = data.resolve()
        _save(folder / library.STATS, np.array([_stat(root / name) for name in names], dtype=np.int64))
        return metadata | {"kind": "files", "folder": str(root)}
    items = samples.items
    if items is not None and items.modality == "text":
        _write(folder / library.TEXTS, [text_of(value) for value in items.values])
        return metadata | {"kind": "texts"}
    values = samples.X if items is None else np.asarray(items.values)
    if samples.modality == "image" and is_pictorial(values.shape[1:]):
        _save_pixels(folder / library.PIXELS, values)
        return metadata | {"kind": "pixels"}
    flat = np.asarray(values[:]).reshape(len(names), -1)[:, :_MOST_COLUMNS]
    _save(folder / library.VALUES, flat.astype(np.float32))
    columns = list(fitted.columns or map(str, range(flat.shape[1])))[:_MOST_COLUMNS]
    return metadata | {"kind": "values", "columns": columns}


def _draw(folder: Path, fitted: Fitted) -> bool:
    """Draw samples as their kind's renderer does, unless the page shows them itself; whether it was done."""
    samples = fitted.samples
    if samples.items is not None or samples.modality in ("image", "text", "table", "vectors"):
        return False
    if samples.modality == "sound" and Path(fitted.data).is_dir():
        return False
    for start in range(0, len(samples.X), 1000):
        drawn = pictures_of(samples.modality, np.asarray(samples.X[slice(start, start + 1000)]), _DRAWN_SIDE)
        if drawn is None:
            return False
        (folder / library.DRAWN / str(start // 1000)).mkdir(parents=True, exist_ok=True)
        for row, address in enumerate(drawn, start=start):
            library.drawn_at(folder, row).write_text(address, encoding="utf-8")
    return True


def _stat(file: Path) -> tuple[int, int]:
    """Size and time of a file; of one that is gone, none that a file can have."""
    try:
        found = os.stat(file)
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns


def _save_pixels(path: Path, values: Any) -> None:
    """Pictures as bytes (n, h, w) or (n, h, w, 3)."""
    first = np.asarray(values[: min(len(values), 1000)])
    low, high = value_range(first)
    parts = []
    for rows in parts_in_memory(len(values), values.shape[1:], most=_CHUNK):
        part = np.asarray(values[rows])
        if part.dtype != np.uint8:
            part = np.rint(255 * np.clip((part.astype(np.float32) - low) / (high - low), 0, 1)).astype(
                np.uint8
            )
        if part.ndim == 4:
            part = np.moveaxis(part, 1, 3) if part.shape[1] == 3 else part[:, 0]
        parts.append(part)
    _save(path, np.ascontiguousarray(np.concatenate(parts)))


def _save(path: Path, values: Array) -> None:
    if path.name == library.FEATURES and values.nbytes > _HALF_FROM:
        values = values.astype(np.float16)
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        np.save(file, values)


def _write(path: Path, content: Any) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")
