"""Clusters of data in many files: one file of labels for each shard, resumable and spread over processes."""

from __future__ import annotations

import json
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coterie._errors import InputError
from coterie._launcher import place
from coterie.cli.label_table import LabelPart
from coterie.cli.labels_out import label_parts, safe_for_spreadsheets, write_labels
from coterie.cli.run_folder import network_digest
from coterie.data import ReadOptions
from coterie.data.files import atomic_write
from coterie.data.readers import find_shards, numbered_parts
from coterie.engine import processes
from coterie.engine.pool import Pool, count_workers
from coterie.methods.clusterer import NeuralClusterer
from coterie.methods.l2c import L2C

if TYPE_CHECKING:
    from coterie.cli.corrected import Corrected

# what the labels in a folder were made with
MADE_WITH = ".made-with.json"


@dataclass(frozen=True)
class Labelling:
    """How shards get their labels.

    Attributes
    ----------
    estimator : NeuralClusterer
    options : ReadOptions
    threshold : float
    out : Path
        Folder of the labels.
    safe_csv : bool
    said : Corrected or None
        What was said of the run's clusters.
    """

    estimator: NeuralClusterer
    options: ReadOptions
    threshold: float
    out: Path
    safe_csv: bool = False
    said: Corrected | None = None

    def label(self, file: Path, target: Path) -> tuple[Counter[int], str]:
        """Write the labels of a shard; how many rows each cluster got, or why it could not be read."""
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            parts = self._parts(file)
            return write_labels(target, safe_for_spreadsheets(parts) if self.safe_csv else parts), ""
        except InputError as error:
            text = str(error)
            return Counter(), text if str(file) in text else f"{file}: {text}"

    def _parts(self, file: Path) -> Iterator[LabelPart]:
        for part in numbered_parts(file, self.options):
            yield from label_parts(self.estimator, part, self.threshold, self.said)


@dataclass
class Written:
    """What has happened to the shards of this process.

    Attributes
    ----------
    shards, before : int
        Written now; found from an earlier call.
    sizes : Counter
        Rows of each cluster, of shards written now.
    broken : list of str
        Why shards were left out.
    """

    shards: int = 0
    before: int = 0
    sizes: Counter[int] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def in_words(self) -> str:
        """How many shards were labelled."""
        parts = [f"labelled {self.shards} shards"]
        parts += [f"{self.before} had labels"] if self.before else []
        parts += [f"{len(self.broken)} left out"] if self.broken else []
        return ", ".join(parts)

    def add(self, other: Written) -> None:
        """Add what has happened to the shards of another process."""
        self.shards, self.before = self.shards + other.shards, self.before + other.before
        self.sizes.update(other.sizes)
        self.broken += other.broken


def label_shards(job: Labelling, pattern: str, n_jobs: int | None, overwrite: bool) -> Written:
    """Label the shards of a pattern that have no labels yet; processes of a launcher share them out.

    Raises
    ------
    InputError
        A shard cannot be read, and `ReadOptions.skip_broken` is not set; labels in the folder were made by
        another run or with other options; or nothing could be read.
    """
    if isinstance(job.estimator, L2C):
        raise InputError(
            f"DATA must be one set for l2c, got the pattern {pattern}: cluster each file by itself"
        )
    files = find_shards(pattern)
    targets = _targets(files, job.out)
    here = place()
    processes.first(lambda: _prepare(job, overwrite))
    # machines without a common disk have a folder each
    is_other_machine = here.local_rank == 0 and not here.is_first
    processes.together(lambda: _prepare(job, overwrite) if is_other_machine else None)
    own = [*zip(files, targets, strict=True)][here.rank :: here.world]
    todo = [(file, target) for file, target in own if overwrite or not target.exists()]
    done = Written(before=len(own) - len(todo))
    for sizes, problem in _label_all(job, todo, n_jobs):
        if problem and not job.options.skip_broken:
            raise InputError(f"{problem}; --skip-broken labels the other shards")
        done.shards += not problem
        done.sizes.update(sizes)
        done.broken += [problem] if problem else []
    whole = Written()
    for other in processes.exchange(done):
        whole.add(other)
    if here.is_first:
        for problem in whole.broken:
            warnings.warn(f"left out: {problem}", stacklevel=2)
    if not whole.shards + whole.before:
        raise InputError(f"{pattern}: none of {len(files)} shards can be read")
    return whole


def _label_all(
    job: Labelling, todo: Sequence[tuple[Path, Path]], n_jobs: int | None
) -> Iterator[tuple[Counter[int], str]]:
    n_workers = 1 if place().world > 1 else count_workers(n_jobs, len(todo), 1)
    if n_workers == 1:
        for file, target in todo:
            yield job.label(file, target)
        return
    with Pool(job, n_workers) as pool:
        yield from pool.map(Labelling.label, todo)


def _targets(files: Sequence[Path], out: Path) -> list[Path]:
    """Where the labels of each shard go: under its name, and its folder where shards lie in several."""
    top = os.path.commonpath([file.absolute().parent for file in files])
    targets = [out / Path(os.path.relpath(file.absolute(), top)).with_suffix(".csv") for file in files]
    twice = [path for path, count in Counter(targets).items() if count > 1]
    if twice:
        raise InputError(f"shards must differ in more than their extension: several would be {twice[0]}")
    return targets


def _prepare(job: Labelling, overwrite: bool) -> None:
    """Make the folder; raise where it holds labels that this job would not make."""
    if job.out.exists() and not job.out.is_dir():
        raise InputError(f"--out: {job.out} must be a folder for the labels of several shards, but is a file")
    try:
        job.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out: {job.out} cannot be made: {error.strerror}; give another folder") from error
    made, note = json.dumps(_digest(job)), job.out / MADE_WITH
    old = note.read_text(encoding="utf-8", errors="replace") if note.exists() else None
    if old is None and any(job.out.iterdir()) and not overwrite:
        raise InputError(f"--out: {job.out} must be a new or empty folder; --overwrite writes into it")
    if old not in (None, made) and not overwrite:
        raise InputError(
            f"--out: {job.out} holds labels of another run or of other options; give another folder, or "
            "--overwrite"
        )
    with atomic_write(note) as temporary:
        temporary.write_text(made, encoding="utf-8")


def _digest(job: Labelling) -> dict[str, Any]:
    """What the labels follow from, but the shards."""
    said = 0 if job.said is None else len(job.said.bench.journal.entries)
    return {
        "network": network_digest(job.estimator),
        "threshold": job.threshold,
        "safe_csv": job.safe_csv,
        "corrections": said,
    }
