"""What lies in the folder of a run."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import shlex
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coterie._errors import DamagedFileError, InputError, Interrupted, LostProcessError, WriteError
from coterie.cli.embedding import Encoding, embeddings_folder, read_encoded
from coterie.cli.options.reading import are_reading_options
from coterie.cli.reading import options_of_run
from coterie.data import Pairs, Samples
from coterie.data.files import atomic_write, held
from coterie.engine.checkpoint import LOCK_NAME, remove_checkpoints, saved_checkpoints
from coterie.methods.base import NeuralEstimator
from coterie.methods.clusterer import NeuralClusterer
from coterie.methods.l2c import L2C
from coterie.methods.persistence import load
from coterie.methods.similarity import SimilarityNetwork

MODEL, LABELS, HISTORY, CHECKPOINT, METADATA = "model", "labels.csv", "history.csv", "checkpoint", "run.json"
# of the whole command; the lock of its checkpoint is free between the restarts that count clusters
_RUN_LOCK = f"run.{LOCK_NAME}"

_PATH = str | None
_METADATA: dict[str, Any] = {
    **dict.fromkeys(("data", "labels", "pairs", "similarity", "init", "embeddings"), _PATH),
    **{"version": str, "command": str, "reading": dict | None},
    **{"threshold": int | float, "reading_options": dict | None},
}
_READING: dict[str, Any] = {
    **{
        "modality": str,
        "columns": list | None,
        "table_steps": list,
        "colour": bool,
        "size": list,
        "depth": int,
        "rate": int,
        "length": int,
        "encoder": dict,
    }
}


def check_run(run: Path, resume: bool, overwrite: bool) -> None:
    """Raise where the options do not fit what is at the run's place."""
    if run.exists() and not run.is_dir():
        raise InputError(f"--out: {run} must be a folder, but it is a file")
    saved = saved_checkpoints(run / CHECKPOINT)
    found = bool(saved) or any((run / name).exists() for name in (MODEL, LABELS, HISTORY))
    if found and not (resume or overwrite):
        raise InputError(f"--out: {run} holds a run; --resume continues it, --overwrite replaces it")
    if resume and not saved:  # a scheduler repeats --resume from the start
        print(f"coterie: no checkpoint in {run} yet; the fit starts from the beginning", file=sys.stderr)


@contextlib.contextmanager
def opened_run(run: Path, overwrite: bool) -> Iterator[None]:
    """Make the run's folder and hold its lock; an old checkpoint goes once the lock is held.

    Other old files stay until new ones are there. Where what follows fails before anything was written, the
    folder goes too.
    """
    folder = run / CHECKPOINT
    taken = f"--out: another process is training in {run}; wait for it or give another folder"
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(held(folder / _RUN_LOCK, taken))
        except OSError as error:
            raise InputError(f"--out: {run} cannot be created: {error.strerror}") from error
        try:
            if overwrite:
                remove_checkpoints(folder)
            yield
        finally:
            if not saved_checkpoints(folder):
                _remove_empty(run)


def _remove_empty(run: Path) -> None:
    """Remove the folders of a run that has written nothing."""
    folder = run / CHECKPOINT
    for lock in [*folder.rglob(LOCK_NAME), folder / _RUN_LOCK]:
        lock.unlink(missing_ok=True)
    below = sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True)
    with contextlib.suppress(OSError):  # it is not empty
        for place in (*below, folder, run):
            place.rmdir()


@contextlib.contextmanager
def naming_the_way_on(command: str, words: Sequence[str]) -> Iterator[None]:
    """Print the command that resumes a fit that is stopped inside, or whose disk is full."""
    kept = [word for word in words if word not in ("--overwrite", "--resume")]
    way_on = f"to resume: {shlex.join(['coterie', *command.split(), *kept, '--resume'])}"
    try:
        yield
    except Interrupted as stop:
        raise Interrupted(f"{stop}\n{way_on}") from stop
    except LostProcessError as error:
        raise LostProcessError(f"{error}\n{way_on}") from error
    except WriteError as error:
        raise WriteError(f"{error}; {way_on}") from error


def read_pairs(path: str, hard: bool, ids: Sequence[str] | None = None) -> Pairs:
    """Pairs of a CSV or Parquet file, by ids where the rows have any."""
    if path.endswith((".parquet", ".pq")):
        return Pairs.from_parquet(path, hard=hard, ids=ids)
    return Pairs.from_csv(path, hard=hard, ids=ids)


def _clusterer(found: NeuralEstimator, run: str | Path) -> NeuralClusterer:
    if not isinstance(found, NeuralClusterer):
        raise InputError(f"RUN: {run} must hold a model with clusters, got a {type(found).__name__}")
    return found


def load_labeller(run: str | Path) -> NeuralClusterer | L2C:
    """The fitted estimator of a run: one that clusters what it was fitted to, or whole new sets."""
    found = load(Path(run) / MODEL)
    return found if isinstance(found, L2C) else _clusterer(found, run)


def load_clusterer(run: str | Path) -> NeuralClusterer:
    """The fitted clusterer of a run."""
    return _clusterer(load(Path(run) / MODEL), run)


def network_digest(estimator: NeuralClusterer) -> str:
    """What tells the networks of a model from those of another fit."""
    digest = hashlib.sha256()
    for network in estimator.members_:
        for value in network.state_dict().values():
            digest.update(value.cpu().numpy().tobytes())
    return digest.hexdigest()


def load_similarity(run: str | Path) -> SimilarityNetwork:
    """The similarity network of a run of ``--method similarity``."""
    found = load(Path(run) / MODEL)
    if not isinstance(found, SimilarityNetwork):
        raise InputError(f"--similarity: {run} must hold a similarity network, got a {type(found).__name__}")
    return found


def write_metadata(run: Path, metadata: Mapping[str, Any]) -> None:
    """Write what the run was made from."""
    with atomic_write(run / METADATA) as temporary:
        temporary.write_text(json.dumps(metadata, indent=1) + "\n", encoding="utf-8")


def read_metadata(run: str | Path) -> dict[str, Any]:
    """What the run was made from; nothing where the run does not say."""
    path = Path(run) / METADATA
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"{path} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise DamagedFileError(f"{path} is damaged: it must hold names and values")
    _check_metadata(path, found)
    return found


def _check_metadata(path: Path, found: Mapping[str, Any]) -> None:
    """Raise where a value is of a kind that no fit writes, at the top or in how the data were read."""
    reading = found.get("reading")
    for kinds, values in ((_METADATA, found), (_READING, reading if isinstance(reading, dict) else {})):
        for name, value in values.items():
            # a bool is an int, but no number that a fit writes
            wrong = not isinstance(value, kinds.get(name, object))
            if wrong or (isinstance(value, bool) and kinds.get(name, bool) is not bool):
                raise DamagedFileError(f"{path} is damaged: its {name} holds {value!r:.40}")
    if not are_reading_options(found.get("reading_options") or {}):
        raise DamagedFileError(
            f"{path} is damaged: its reading_options hold {found['reading_options']!r:.60}"
        )
    columns = (reading or {}).get("columns") or []
    if not all(isinstance(name, str) for name in columns):
        raise DamagedFileError(f"{path} is damaged: its columns hold {columns!r:.40}")


@dataclass(frozen=True)
class Fitted:
    """A run as it is looked back at: its clusterer, what it was made from, and its data once more.

    Attributes
    ----------
    estimator : NeuralClusterer
    metadata : dict
        As `read_metadata` gives them.
    data : str
        Path of the data.
    samples : Samples
        Read as the fit read them, as many as it had.
    """

    estimator: NeuralClusterer
    metadata: dict[str, Any]
    data: str
    samples: Samples

    @property
    def columns(self) -> Any:
        """Names of a table's columns; None of other data."""
        return (self.metadata.get("reading") or {}).get("columns")


def load_fitted(run: str | Path, given: str | None, *, complete: bool = True) -> Fitted:
    """A run with its data, at the path given or where they were; not `complete`: some may be gone."""
    estimator, metadata = load_clusterer(run), read_metadata(run)
    data = _data_of(run, given, metadata)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the fit said it
        folder = embeddings_folder(run, metadata.get("embeddings"))
        encoding = Encoding(None, folder, metadata=estimator.encoder_, shown=False)
        samples = read_encoded(data, options_of_run(metadata), encoding)
    samples = _of_the_fit(samples, Path(run) / LABELS, len(estimator.labels_))
    if len(samples.X) != len(estimator.labels_) and complete:
        raise InputError(
            f"--data: {data} must be the data of the fit, which had {len(estimator.labels_)} rows, "
            f"got {len(samples.X)} rows"
        )
    return Fitted(estimator, metadata, data, samples)


def _of_the_fit(samples: Samples, labels: Path, n_samples: int) -> Samples:
    """The samples without those that came after the fit, which the run's labels do not list first."""
    if samples.ids is None or len(samples.X) <= n_samples or not labels.exists():
        return samples
    with labels.open(newline="", encoding="utf-8") as file:
        listed = [row[0] for row in csv.reader(file) if row][1 : n_samples + 1]
    places = {name: row for row, name in enumerate(samples.ids)}
    known = [places[name] for name in listed if name in places]
    return samples.take(known) if len(known) == n_samples else samples


def _data_of(run: str | Path, given: str | None, metadata: Mapping[str, Any]) -> str:
    path = given or metadata.get("data")
    if path is None:
        raise InputError(f"--data is required: {run} does not say what it was fitted to")
    if given is None and not Path(path).exists():
        raise InputError(
            f"--data is required: {run} was fitted to {path}, which no longer exists; give its new path"
        )
    return str(path)
