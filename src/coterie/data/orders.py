"""What batch plans are made of: shuffled orders, their chunks, and pairs as matrices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError
from coterie._types import Rows

# of permutations that an order keeps
KEPT_BYTES = 64 * 2**20


class Order:
    """The permutation of an epoch; those of several seeds are kept, for restarts that train side by side.

    Parameters
    ----------
    n : int
        Numbers to permute.
    stream : int
        Orders of other streams are drawn independently.
    """

    def __init__(self, n: int, stream: int = 0) -> None:
        self._n = n
        self._stream = stream
        self._room = max(1, KEPT_BYTES // (8 * max(1, n)))
        self._kept: dict[int, tuple[int, Rows]] = {}

    def __reduce__(self) -> tuple[type[Order], tuple[int, int]]:
        """Copies begin without orders, which they draw again."""
        return Order, (self._n, self._stream)

    def __call__(self, seed: int, epoch: int) -> Rows:
        """The permutation (n,) of an epoch, a function of the arguments alone."""
        last, order = self._kept.get(seed, (None, None))
        if order is not None and last == epoch:
            return order
        self._kept.pop(seed, None)
        if len(self._kept) >= self._room:
            del self._kept[next(iter(self._kept))]
        order = np.random.default_rng([seed, epoch, self._stream]).permutation(self._n)
        self._kept[seed] = (epoch, order)
        return order

    def chunk(self, seed: int, step: int, size: int) -> Rows:
        """Numbers of a step counted over all epochs; one round ends with a chunk that may be short."""
        turn, position = divmod(step, -(-self._n // size))
        return self(seed, turn)[position * size : (position + 1) * size]


def as_matrix(ends: Rows, kinds: npt.NDArray[np.int8], n: int) -> npt.NDArray[np.int8]:
    """Pairs, whose places in a batch of n rows follow each other in `ends` (2 m,), as a matrix (n, n)."""
    a, b = ends.reshape(-1, 2).T
    same = np.zeros((n, n), dtype=np.int8)
    same[a, b] = same[b, a] = kinds
    return same


def cuts(n: int, size: int, drop_last: bool, *, smallest: int) -> list[int]:
    """Borders of consecutive batches of n samples: one more than there are batches."""
    borders = list(range(0, n + 1, size))
    rest = n - borders[-1]
    if len(borders) == 1 or (rest >= smallest and not drop_last):
        borders.append(n)
    elif rest and not drop_last:
        borders[-1] = n
    return borders


def spread(samples: Rows, n_parts: int) -> list[Rows]:
    """Split into parts whose sizes differ by at most one; repeat the samples where they are too few."""
    if 0 < len(samples) < n_parts:
        samples = np.resize(samples, n_parts)
    return np.array_split(samples, n_parts)


def unique_in_order(values: Rows) -> tuple[Rows, Rows]:
    """Unique values in order of first occurrence, and the place of every value among them.

    Sorted rows would undo the shuffle where processes take contiguous parts of a batch.
    """
    places = np.arange(len(values))
    first = np.empty(values.max(initial=-1) + 1, dtype=np.int64)
    first[values[::-1]] = places[::-1]
    of_each = first[values]
    is_first = of_each == places
    return values[is_first], (np.cumsum(is_first) - 1)[of_each]


def as_codes(labels: npt.ArrayLike) -> Rows:
    """Integer codes of shape (n,) as int64; raises `InputError` for other arrays."""
    codes = np.asarray(labels)
    if codes.ndim != 1 or codes.dtype.kind not in "iu":
        raise InputError(
            f"labels must be a 1-D array of integer codes (-1 unknown), got {codes.ndim}-D of {codes.dtype}"
        )
    return codes.astype(np.int64)


def check_step(step: int, n_steps: int) -> None:
    """Raise `InputError` unless the step is one of an epoch's."""
    if not 0 <= step < n_steps:
        raise InputError(f"step must be in 0..{n_steps - 1}, got {step}")
