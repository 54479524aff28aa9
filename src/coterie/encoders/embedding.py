"""Items as vectors: each once, on all cores, kept where a later reading finds them."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError
from coterie.data.items import TEXT, Items
from coterie.data.modality import find_modality
from coterie.data.readers import Samples
from coterie.data.readers.paths import check_regular
from coterie.encoders.language import seems_english
from coterie.encoders.opening import open_item
from coterie.encoders.protocol import Encoder, metadata_of
from coterie.encoders.store import Store
from coterie.engine.pool import Pool, count_workers
from coterie.engine.progress import make_bar
from coterie.engine.runtime import torch_threads

BATCH = 32
TEXT_BATCH = 128
# vectors of a shard, and seconds after which one is written that is not full: a killed fit loses no more
SHARD = 1024
PATIENCE = 0.02
# of a worker's network and batch, beside torch
WORKER_BYTES = 300 * 2**20
_SHOWN = 5


class Embedded(NamedTuple):
    """What became of some items.

    Attributes
    ----------
    rows : list of int
        Those that were embedded.
    vectors : float32 array of shape (len(rows), width)
    reasons : dict of int to str
        Why others were not.
    foreign : int
        Texts in a language that the encoder does not know.
    """

    rows: list[int]
    vectors: npt.NDArray[np.float32]
    reasons: dict[int, str]
    foreign: int


def embed_items(
    items: Items,
    encoder: Encoder,
    *,
    folder: Path | None = None,
    n_jobs: int | None = None,
    shown: bool = False,
    skip_broken: bool = False,
) -> Samples:
    """Items as the vectors of an encoder.

    Parameters
    ----------
    items : Items
    encoder : Encoder
        Of their modality.
    folder : Path, optional
        Where vectors are kept, and found by content in later calls; None keeps them for this call alone.
    n_jobs : int or None
        Processes, as in every estimator.
    shown : bool
        Whether progress is shown on standard error.
    skip_broken : bool
        Leave out items that cannot be read, with a warning.

    Returns
    -------
    Samples
        Float32 vectors (n, width), with their items.

    Raises
    ------
    InputError
        The encoder is of another modality, or items cannot be read; all others are then embedded and kept.
    """
    if items.modality != encoder.modality:
        raise InputError(
            f"encoder={encoder.name!r} takes {find_modality(encoder.modality).plural}, but X holds "
            f"{find_modality(items.modality).plural}"
        )
    digests, reasons = _digests(items)
    store = Store(folder, encoder.fingerprint, encoder.width)
    done = _embed_missing(_Job(items, encoder), store, digests, n_jobs, shown)
    # what is said of the first of equal items holds for all
    broken = {digests[row]: reason for row, reason in done.reasons.items()}
    reasons |= {row: broken[digest] for row, digest in digests.items() if digest in broken}
    _say(items, reasons, done.foreign, encoder, skip_broken)
    kept = items.without(list(reasons)) if reasons else items
    vectors = store.gather([digest for row, digest in digests.items() if row not in reasons])
    how = {**items.reading, "encoder": metadata_of(encoder)}
    return Samples(vectors, kept.ids, how, kept.left_out, items.modality, kept.labels, kept)


class _Job(NamedTuple):
    """What workers share."""

    items: Items
    encoder: Encoder


def _digests(items: Items) -> tuple[dict[int, str], dict[int, str]]:
    """Digests of the items by row, and why some cannot be read."""
    digests: dict[int, str] = {}
    reasons: dict[int, str] = {}
    for row in range(len(items)):
        try:
            if isinstance(file := items.values[row], Path):
                check_regular(file)
            digests[row] = items.digest(row)
        except (OSError, InputError) as error:
            reasons[row] = getattr(error, "strerror", None) or str(error)
    return digests, reasons


def _embed_missing(
    job: _Job, store: Store, digests: Mapping[int, str], n_jobs: int | None, shown: bool
) -> Embedded:
    """Embed what the store lacks, each content once, and add it; what was not embedded, and why."""
    first: dict[str, int] = {}
    for row, digest in digests.items():
        if digest not in store:
            first.setdefault(digest, row)
    rows = list(first.values())
    size = TEXT_BATCH if job.items.modality == TEXT else BATCH
    batches = [rows[start : start + size] for start in range(0, len(rows), size)]
    reasons: dict[int, str] = {}
    foreign = 0
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(_Writer(store, digests))
        bar = stack.enter_context(make_bar(len(rows), "sample", shown and bool(rows)))
        bar.desc = f"{job.encoder.name}: "
        for found in _map(job, batches, n_jobs):
            writer.add(found)
            reasons |= found.reasons
            foreign += found.foreign
            bar.update(len(found.rows) + len(found.reasons))
    return Embedded([], store.gather([]), reasons, foreign)


class _Writer:
    """Collects vectors into shards; what is collected is written however the work ends."""

    def __init__(self, store: Store, digests: Mapping[int, str]) -> None:
        self._store = store
        self._digests = digests
        self._rows: list[int] = []
        self._parts: list[npt.NDArray[np.float32]] = []
        self._since = time.monotonic()

    def add(self, found: Embedded) -> None:
        """Keep the vectors of a batch."""
        self._rows += found.rows
        self._parts.append(found.vectors)
        if len(self._rows) >= SHARD or time.monotonic() - self._since > PATIENCE:
            self._write()

    def _write(self) -> None:
        if self._rows:
            self._store.add([self._digests[row] for row in self._rows], np.concatenate(self._parts))
        self._rows, self._parts, self._since = [], [], time.monotonic()

    def __enter__(self) -> _Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write()


def _map(job: _Job, batches: Sequence[list[int]], n_jobs: int | None) -> Iterator[Embedded]:
    """Batches as they are embedded, in worker processes where there are several."""
    n_workers = count_workers(n_jobs, len(batches), 1, WORKER_BYTES)
    if n_workers == 1:
        yield from (embed_rows(job, rows) for rows in batches)
        return
    with torch_threads(1), Pool(job, n_workers) as pool:
        waiting = deque(batches)
        running: dict[Future[Any], list[int]] = {}
        while waiting or running:
            # a few more than there are workers, so that none waits for the next
            while waiting and len(running) < 2 * n_workers:
                rows = waiting.popleft()
                running[pool.submit(embed_rows, rows)] = rows
            ended, _ = wait(running, PATIENCE, FIRST_COMPLETED)
            if not ended:
                yield _nothing(job.encoder)  # the writer looks at its clock
            for future in sorted(ended, key=lambda one: one.exception() is not None):
                found = pool.result(future)
                if found is None:  # its worker died, and with it all calls under way
                    waiting.extendleft(reversed(list(running.values())))
                    running = {}
                    break
                del running[future]
                yield found


def _nothing(encoder: Encoder) -> Embedded:
    return Embedded([], np.empty((0, encoder.width), np.float32), {}, 0)


def embed_rows(job: Any, rows: list[int]) -> Embedded:
    """Some items as vectors; what cannot be read is named."""
    items, encoder = job
    opened: dict[int, Any] = {}
    reasons: dict[int, str] = {}
    for row in rows:
        try:
            opened[row] = open_item(items.values[row], items.modality)
        except InputError as error:
            reasons[row] = str(error)
    vectors = _vectors(encoder, opened, reasons)
    kept = [row for row in opened if row in vectors]
    stacked = np.stack([vectors[row] for row in kept]) if kept else _nothing(encoder).vectors
    return Embedded(kept, stacked.astype(np.float32), reasons, _count_foreign(encoder, opened))


def _vectors(
    encoder: Encoder, opened: Mapping[int, Any], reasons: dict[int, str]
) -> dict[int, npt.NDArray[np.float32]]:
    """Vectors of opened items by row, all at once, or one by one where the encoder refuses some."""
    if not opened:
        return {}
    try:
        found = dict(zip(opened, encoder.embed(list(opened.values())), strict=True))
    except InputError as error:
        if len(opened) == 1:
            reasons |= dict.fromkeys(opened, str(error))
            return {}
        parts = [_vectors(encoder, {row: value}, reasons) for row, value in opened.items()]
        return {row: vector for part in parts for row, vector in part.items()}
    infinite = [row for row, vector in found.items() if not np.isfinite(vector).all()]
    reasons |= dict.fromkeys(infinite, "its vector is not finite")
    return {row: vector for row, vector in found.items() if row not in reasons}


def _count_foreign(encoder: Encoder, opened: Mapping[int, Any]) -> int:
    if getattr(encoder, "language", None) != "English":
        return 0
    return sum(not seems_english(text) for text in opened.values())


def _say(items: Items, reasons: Mapping[int, str], foreign: int, encoder: Encoder, skip_broken: bool) -> None:
    """Refuse items that cannot be read, or say that they are left out; say of other languages."""
    plural = find_modality(items.modality).plural
    if foreign:
        warnings.warn(
            f"{foreign} {plural} do not seem to be in English, the only language that {encoder.name} knows: "
            "their vectors mean little",
            stacklevel=3,
        )
    if not reasons:
        return
    named = [f"{items.name_of(row)} ({reason})" for row, reason in sorted(reasons.items())[:_SHOWN]]
    more = f" and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
    said = f"{len(reasons)} of {len(items)} {plural} cannot be read: {', '.join(named)}{more}"
    if not skip_broken:
        raise InputError(f"{said}; --skip-broken ignores them")
    if len(reasons) == len(items):
        raise InputError(said)
    warnings.warn(f"{said}; left out", stacklevel=3)
