"""Which rows without ids a run has already: those of the same content."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import numpy.typing as npt

from coterie.data import Samples
from coterie.data.arrays import parts_in_memory

Ints = npt.NDArray[np.int64]

_BYTES = 8


def digests(samples: Samples) -> Ints:
    """A number (n,) for the content of each sample: equal ones have the same.

    Numbers count as float32, in which the library computes, so that a file of another width of number names
    the same samples. What an encoder has read is known by itself, not by its vectors.
    """
    if samples.items is not None:
        items = samples.items
        return np.array([_signed(bytes.fromhex(items.digest(row))) for row in range(len(items))], np.int64)
    found = []
    for rows in parts_in_memory(len(samples.X), samples.X.shape[1:]):
        part = np.asarray(samples.X[rows])
        part = part if part.dtype == np.uint8 else np.asarray(part, dtype=np.float32) + np.float32(0)
        found += [_signed(hashlib.sha256(np.ascontiguousarray(row).tobytes()).digest()) for row in part]
    return np.array(found, dtype=np.int64)


def unknown_rows(found: Ints, known: Ints) -> list[int]:
    """Places of samples that are new, in order; of equal ones, the first are those that are known.

    Parameters
    ----------
    found : int64 array of shape (n,)
        What `digests` says of samples.
    known : int64 array of shape (m,)
        The same of those that a run has.

    Examples
    --------
    >>> unknown_rows(np.array([7, 7, 5, 7]), np.array([7, 7, 3]))
    [2, 3]
    """
    left, new = Counter(known.tolist()), []
    for place, digest in enumerate(found.tolist()):
        if left[digest] > 0:
            left[digest] -= 1
        else:
            new.append(place)
    return new


def _signed(digest: bytes) -> int:
    return int.from_bytes(digest[:_BYTES], "little", signed=True)
