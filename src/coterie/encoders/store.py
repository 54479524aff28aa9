"""Vectors kept beside a run: files that are mapped, found again by encoder and by content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coterie.data.files import atomic_write

Floats = npt.NDArray[np.float32]


class Store:
    """Vectors of one encoder in a folder, in shards that are written whole or not at all.

    Several processes may write at a time: a shard is named by what it holds, and none is changed.

    Parameters
    ----------
    folder : Path or None
        None keeps the vectors in memory.
    fingerprint : str
        Of the encoder.
    width : int
        Numbers in a vector.
    """

    def __init__(self, folder: Path | None, fingerprint: str, width: int) -> None:
        self._folder = None if folder is None else folder / fingerprint
        self._width = width
        self._shards: list[Floats] = []
        self._places: dict[str, tuple[int, int]] = {}
        for index in sorted([] if self._folder is None else self._folder.glob("[!.]*.json")):
            self._open(index)

    def __contains__(self, digest: str) -> bool:
        return digest in self._places

    def __len__(self) -> int:
        return len(self._places)

    def add(self, digests: Sequence[str], vectors: Floats) -> None:
        """Keep the vectors of samples of these digests: one shard."""
        if self._folder is None:
            self._take(digests, vectors)
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256("".join(digests).encode()).hexdigest()[:24]
        with atomic_write(self._folder / f"{name}.npy") as temporary, temporary.open("wb") as file:
            np.save(file, vectors)
        index = self._folder / f"{name}.json"
        with atomic_write(index) as temporary:  # last: a shard counts once its index is there
            temporary.write_text(json.dumps(list(digests)), encoding="utf-8")
        self._open(index)

    def gather(self, digests: Sequence[str]) -> Floats:
        """Vectors of samples in the order of their digests, float32 of shape (n, width).

        Raises
        ------
        KeyError
            One of them was not added.
        """
        found = np.empty((len(digests), self._width), dtype=np.float32)
        places = np.array([self._places[digest] for digest in digests], dtype=np.int64).reshape(-1, 2)
        for number in np.unique(places[:, 0]):
            rows = np.flatnonzero(places[:, 0] == number)
            found[rows] = self._shards[number][places[rows, 1]]
        return found

    def _open(self, index: Path) -> None:
        """Map a shard; one that is damaged is as if it were not there."""
        try:
            digests = json.loads(index.read_text(encoding="utf-8"))
            vectors = np.load(index.with_suffix(".npy"), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return
        is_whole = isinstance(digests, list) and all(isinstance(one, str) for one in digests)
        if is_whole and vectors.dtype == np.float32 and vectors.shape == (len(digests), self._width):
            self._take(digests, vectors)

    def _take(self, digests: Sequence[str], vectors: Floats) -> None:
        self._shards.append(vectors)
        self._places |= {digest: (len(self._shards) - 1, row) for row, digest in enumerate(digests)}
