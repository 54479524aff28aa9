"""Arrays that name pairs: what is accepted as one, and the arithmetic of pairs by number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import ConflictError, InputError, InputTypeError
from coterie.data.ids import RowIds

Ints = npt.NDArray[np.int64]
Signs = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]

MOST_PAIRS = 50_000_000
LARGEST_INDEX = 2**31 - 1  # two indices fit in one int64 key
KINDS = {
    **{"1": 1, "true": 1, "yes": 1, "same": 1, "similar": 1},
    **{"-1": -1, "false": -1, "no": -1, "different": -1, "dissimilar": -1},
    "0": 0,
}
# why 0 is refused where no kind is -1: it may be meant as dissimilar
UNKNOWN_HINT = (
    "; unknown pairs (0) are ignored, but only where dissimilar pairs are -1: "
    "write -1 or False for a dissimilar pair"
)
KINDS_TEXT = "1, true, yes or same (similar), or -1, false, no or different (dissimilar)"


def check_lengths(columns: Mapping[str, npt.NDArray[Any]]) -> None:
    """Raise unless all columns have one length of at least 1."""
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"i, j and same must have one length, got {lengths}")
    if not lengths["i"]:
        raise InputError("i, j and same must hold at least one pair, got none")


def as_indices(name: str, array: npt.NDArray[Any]) -> Ints:
    """Return row numbers as int64, or raise an error that names the first wrong one."""
    if not len(array):
        return np.empty(0, dtype=np.int64)
    if array.dtype.kind not in "iu":
        raise InputTypeError(f"{name} must hold integers (row numbers), got dtype {array.dtype}")
    wrong = np.flatnonzero((array < 0) | (array > LARGEST_INDEX))
    if len(wrong):
        value, place = array[wrong[0]], wrong[0]
        raise InputError(
            f"{name} must hold row numbers in 0..{LARGEST_INDEX}, got {value} at position {place}"
        )
    return array.astype(np.int64)


def as_signs(array: npt.NDArray[Any]) -> Signs:
    """Return kinds as 1, -1 and, for pairs of which nothing is known, 0."""
    if array.dtype.kind == "b":
        return np.where(array, 1, -1).astype(np.int8)
    expected = (
        "same must hold 1, True, 'yes' or 'same' (similar) and -1, False, 'no' or 'different' (dissimilar)"
    )
    if array.dtype.kind in "UO" and all(isinstance(value, str) for value in array.tolist()):
        numbers = np.array([KINDS.get(value.strip().lower(), 2) for value in array.tolist()])
    elif array.dtype.kind in "iuf":
        numbers = array
    else:
        raise InputTypeError(f"{expected}, got dtype {array.dtype}")
    wrong = np.flatnonzero((numbers != 1) & (numbers != -1) & (numbers != 0))
    if len(wrong):
        raise InputError(f"{expected}, got {array[wrong[0]]} at position {wrong[0]}")
    zeros = np.flatnonzero(numbers == 0)
    if len(zeros) and not (numbers == -1).any():
        raise InputError(f"{expected}, got 0 at position {zeros[0]}{UNKNOWN_HINT}")
    return numbers.astype(np.int8)


def rows_of_ids(name: str, values: npt.ArrayLike, ids: RowIds) -> Ints:
    """Return the rows that names mean, or raise an error that names the first wrong one."""
    names = np.asarray(values, dtype=object)
    if names.ndim != 1:
        raise InputError(f"{name} must have shape (m,), got shape {names.shape}")
    rows = np.empty(len(names), dtype=np.int64)
    for place, value in enumerate(map(str, names)):
        try:
            rows[place] = ids.row(value)
        except InputError as error:
            raise InputError(f"{name} at position {place} {error}") from None
    return rows


def split_triples(triples: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """Return the columns of a list of (i, j, same)."""
    try:
        columns = list(zip(*((i, j, same) for i, j, same in triples), strict=True))
    except (TypeError, ValueError) as error:
        raise InputTypeError(
            "Pairs must get i, j and same, or one list of triples (i, j, same), got one argument that is no "
            f"such list ({error})"
        ) from error
    i, j, same = columns or ([], [], [])
    return list(i), list(j), list(same)


def refuse_self_pairs(i: Ints, j: Ints) -> None:
    """Raise where a pair names one sample twice."""
    wrong = np.flatnonzero(i == j)
    if len(wrong):
        raise InputError(
            f"i and j must name two different samples; the pair at position {wrong[0]} names sample "
            f"{i[wrong[0]]} twice"
        )


def first_of_each(low: Ints, high: Ints, kinds: Signs) -> Ints:
    """Positions of the first occurrence of each pair; raise where the same pair is of both kinds."""
    _, first, inverse = np.unique(pair_keys(low, high), return_index=True, return_inverse=True)
    wrong = np.flatnonzero(kinds[first[inverse]] != kinds)
    if len(wrong):
        later = wrong[0]
        earlier = first[inverse[later]]
        words = ("similar", "dissimilar") if kinds[earlier] == 1 else ("dissimilar", "similar")
        raise ConflictError(
            f"pair ({low[later]}, {high[later]}) must not be both {words[0]} and {words[1]}: it is "
            f"{words[0]} at position {earlier} and {words[1]} at "
            f"position {later} ({len(wrong)} such contradictions)"
        )
    return np.sort(first)


def refuse_too_many(n: int, what: str, way_out: str) -> None:
    """Raise before an array is made that memory would not hold."""
    if n > MOST_PAIRS:
        raise InputError(f"{what} would be {n:,} pairs, more than {MOST_PAIRS:,}; {way_out}")


def pair_keys(low: Ints, high: Ints) -> Ints:
    """One number per pair: both indices are below 2**31."""
    return (low << 31) | high


def decode_pairs(linear: Ints) -> tuple[Ints, Ints]:
    """Pairs i < j from their numbers in the order (0,1), (0,2), (1,2), (0,3), ..."""
    j = ((1 + np.sqrt(1 + 8 * linear.astype(np.float64))) / 2).astype(np.int64)
    # the root is rounded: it may be one off on either side
    j -= j * (j - 1) // 2 > linear
    j += j * (j + 1) // 2 <= linear
    return linear - j * (j - 1) // 2, j


def draw_distinct(total: int, n: int, rng: np.random.Generator) -> Ints:
    """Draw n of range(total) without replacement in memory that grows with n, not with total."""
    if n > total // 2:
        return rng.permutation(total)[:n]
    drawn = np.empty(0, dtype=np.int64)
    while len(drawn) < n:
        more = rng.integers(total, size=2 * (n - len(drawn)))
        drawn = in_first_order(np.r_[drawn, more])
    return drawn[:n]


def in_first_order(values: Ints) -> Ints:
    """Each value once, in order of first occurrence."""
    return values[np.sort(np.unique(values, return_index=True)[1])]


def decode_ranges(start: Ints, length: Ints, linear: Ints) -> tuple[Ints, Ints]:
    """Values of the joined ranges start[r] .. start[r]+length[r]-1: (r, value) for each linear number."""
    ends = np.cumsum(length)
    which = np.searchsorted(ends, linear, side="right")
    return which, start[which] + linear - (ends - length)[which]
