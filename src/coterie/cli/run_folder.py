"""What lies in the folder of a run."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coterie._errors import DamagedFileError, InputError, Interrupted
from coterie.data import Pairs, ReadOptions, Samples, read_samples
from coterie.data.files import atomic_write
from coterie.methods.base import NeuralClusterer, NeuralEstimator
from coterie.methods.l2c import L2C
from coterie.methods.persistence import load
from coterie.methods.similarity import SimilarityNetwork

MODEL, LABELS, HISTORY, CHECKPOINT, METADATA = "model", "labels.csv", "history.csv", "checkpoint", "run.json"


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


@contextlib.contextmanager
def opened_run(run: Path, overwrite: bool) -> Iterator[None]:
    """Make the run's folder; an old checkpoint goes, other old files stay until new ones are there.

    Where what follows fails before anything was written, the folder goes too.
    """
    if overwrite and (run / CHECKPOINT).is_dir():
        shutil.rmtree(run / CHECKPOINT)
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out: {run} cannot be made: {error.strerror}") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # it is not empty
            run.rmdir()


@contextlib.contextmanager
def naming_the_way_on(command: str, words: Sequence[str]) -> Iterator[None]:
    """Say with what command a fit that is stopped inside goes on."""
    try:
        yield
    except Interrupted as stop:
        kept = [word for word in words if word not in ("--overwrite", "--resume")]
        call = shlex.join(["coterie", *command.split(), *kept, "--resume"])
        raise Interrupted(f"{stop}\nto go on: {call}") from stop


def read_pairs(path: str, hard: bool, ids: Sequence[str] | None = None) -> Pairs:
    """Pairs of a CSV or Parquet file, by ids where the rows have any."""
    if path.endswith((".parquet", ".pq")):
        return Pairs.from_parquet(path, hard=hard, ids=ids)
    return Pairs.from_csv(path, hard=hard, ids=ids)


def _clusterer(found: NeuralEstimator, run: str | Path) -> NeuralClusterer:
    if not isinstance(found, NeuralClusterer):
        raise InputError(f"RUN: {run} holds a {type(found).__name__}, which has no clusters")
    return found


def load_labeller(run: str | Path) -> NeuralClusterer | L2C:
    """The fitted estimator of a run: one that clusters what it was fitted to, or whole new sets."""
    found = load(Path(run) / MODEL)
    return found if isinstance(found, L2C) else _clusterer(found, run)


def load_similarity(run: str | Path) -> SimilarityNetwork:
    """The similarity network that ``coterie similarity fit`` wrote."""
    found = load(Path(run) / MODEL)
    if not isinstance(found, SimilarityNetwork):
        raise InputError(f"--similarity: {run} holds a {type(found).__name__}, no similarity network")
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
    except ValueError as error:
        raise DamagedFileError(f"{path} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise DamagedFileError(f"{path} is damaged: it holds no names and values")
    return found


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


def load_fitted(run: str | Path, given: str | None) -> Fitted:
    """A run with its data, at the path given or where they were."""
    estimator, metadata = _clusterer(load(Path(run) / MODEL), run), read_metadata(run)
    data = _data_of(run, given, metadata)
    like = metadata.get("reading") or None
    samples = read_samples(data, ReadOptions(skip_broken=bool(metadata.get("skip_broken")), like=like))
    if len(samples.X) != len(estimator.labels_):
        raise InputError(
            f"--data: {data} has {len(samples.X)} rows, the fit had {len(estimator.labels_)}; the same "
            "data are expected"
        )
    return Fitted(estimator, metadata, data, samples)


def _data_of(run: str | Path, given: str | None, metadata: Mapping[str, Any]) -> str:
    path = given or metadata.get("data")
    if path is None:
        raise InputError(f"--data: {run} does not say what it was fitted to; a path is expected")
    if given is None and not Path(path).exists():
        raise InputError(f"--data: {path}, to which {run} was fitted, is gone; give its new place")
    return str(path)
