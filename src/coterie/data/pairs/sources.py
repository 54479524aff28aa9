"""Pairs drawn from labels, from neighbours and from time: the arrays behind the constructors of `Pairs`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from sklearn.metrics import pairwise_distances_chunked
from sklearn.metrics.pairwise import paired_euclidean_distances
from sklearn.neighbors import NearestNeighbors

from coterie._checks import Range, check_int, check_number
from coterie._errors import InputError, InputTypeError
from coterie.data.checks import RandomState, as_array, generator, one_dim
from coterie.data.labels import encode_labels
from coterie.data.pairs.arrays import (
    LARGEST_INDEX,
    Bools,
    Ints,
    Signs,
    decode_pairs,
    decode_ranges,
    draw_distinct,
    in_first_order,
    pair_keys,
    refuse_too_many,
)

Floats = npt.NDArray[np.float64]


def pairs_of_labels(
    y: npt.ArrayLike, n_pairs: int | None, random_state: RandomState
) -> tuple[Ints, Ints, Bools]:
    """Draw pairs of labelled samples, see `Pairs.from_labels`."""
    # as text, which numpy makes of a list of strings and NaN, an unknown label would be lost
    codes, _ = encode_labels(np.asarray(y, dtype=object) if isinstance(y, list | tuple) else y)
    known = np.flatnonzero(codes >= 0)
    if len(known) < 2:
        raise InputError(f"y must hold at least 2 known labels to make a pair, got {len(known)}")
    total = len(known) * (len(known) - 1) // 2
    if n_pairs is None:
        refuse_too_many(total, "all pairs of y", "give n_pairs")
        drawn = np.arange(total)
    else:
        check_int("n_pairs", n_pairs, 1)
        _check_available("n_pairs", n_pairs, total, f"the pairs of {len(known)} labelled samples")
        drawn = draw_distinct(total, n_pairs, generator(random_state))
    i, j = (known[end] for end in decode_pairs(drawn))
    return i, j, codes[i] == codes[j]


def pairs_of_neighbors(
    X: npt.ArrayLike, n_neighbors: int, n_dissimilar: int | None, far: float, random_state: RandomState
) -> tuple[Ints, Ints, Signs]:
    """Pair mutual neighbours, and samples far from each other, see `Pairs.from_neighbors`."""
    points = as_points(X)
    k = check_int("n_neighbors", n_neighbors, 1, len(points) - 1)
    if not 0 <= check_number("far", far, Range()) < 1:
        raise InputError(f"far must be in [0, 1), got {far}")
    near = NearestNeighbors(n_neighbors=k).fit(points).kneighbors_graph()
    i, j = (np.asarray(end, dtype=np.int64) for end in near.multiply(near.T).nonzero())
    i, j = i[i < j], j[i < j]
    wanted = len(i) if n_dissimilar is None else check_int("n_dissimilar", n_dissimilar, 0)
    a, b = _draw_far(points, pair_keys(i, j), wanted, far, generator(random_state))
    return np.r_[i, a], np.r_[j, b], _kinds(len(i), len(a))


def pairs_around(
    pairs: tuple[Ints, Ints, Signs], X: npt.ArrayLike, n_neighbors: int
) -> tuple[Ints, Ints, Signs]:
    """The pairs of the samples for which those of some pairs stand, see `Pairs.propagate`."""
    points = as_points(X)
    k = check_int("n_neighbors", n_neighbors, 1, len(points) - 1)
    i, j, same = pairs
    named = np.unique(np.r_[i, j])
    members = _stood_for(points, named, k)
    sizes = np.array([len(rows) for rows in members])
    first, second = np.searchsorted(named, i), np.searchsorted(named, j)
    total = int((sizes[first] * sizes[second]).sum() + (sizes * (sizes - 1) // 2).sum())
    refuse_too_many(total, "the pairs of all neighbours", "make n_neighbors smaller")
    within = [decode_pairs(np.arange(size * (size - 1) // 2)) for size in sizes]
    ends = [(rows[a], rows[b]) for rows, (a, b) in zip(members, within, strict=True)]
    ends += [
        (np.repeat(members[a], sizes[b]), np.tile(members[b], sizes[a]))
        for a, b in zip(first.tolist(), second.tolist(), strict=True)
    ]
    kinds = np.r_[_kinds(sum(len(a) for a, _ in within), 0), np.repeat(same, sizes[first] * sizes[second])]
    return np.concatenate([a for a, _ in ends]), np.concatenate([b for _, b in ends]), kinds


def _stood_for(points: Floats, named: Ints, k: int) -> list[Ints]:
    """Of each named sample, itself and the k nearest of those that no other named sample is nearer to."""
    distance, owner = (
        found[:, 0] for found in NearestNeighbors(n_neighbors=1).fit(points[named]).kneighbors(points)
    )
    owner[named], distance[named] = np.arange(len(named)), -1.0
    order = np.lexsort((distance, owner))
    begins = np.searchsorted(owner[order], np.arange(len(named)))
    return [part[: k + 1] for part in np.split(order, begins[1:])]


def pairs_in_time(
    times: npt.ArrayLike,
    groups: npt.ArrayLike | None,
    limits: tuple[float | None, float | None],
    n_dissimilar: int | None,
    random_state: RandomState,
) -> tuple[Ints, Ints, Signs]:
    """Pair samples by their distance in time, limits = (window, gap), see `Pairs.from_sequence`."""
    moments = _times(times)
    recordings = _recordings(groups, len(moments))
    order = np.lexsort((moments, recordings))
    window, gap = _time_limits(limits, moments[order], recordings[order])
    near, beyond, end = _reach(moments[order], recordings[order], window, gap)
    following = np.arange(len(order)) + 1
    n_near, n_beyond = int((near - following).sum()), int((end - beyond).sum())
    refuse_too_many(n_near, "the similar pairs", "make window smaller")
    wanted = min(n_near, n_beyond)
    if n_dissimilar is not None:
        wanted = check_int("n_dissimilar", n_dissimilar, 0)
        _check_available("n_dissimilar", wanted, n_beyond, "the pairs more than gap apart")
    if n_near + wanted == 0:
        raise InputError(f"window={window} must be >= the smallest distance between {len(order)} times")
    i, j = decode_ranges(following, near - following, np.arange(n_near))
    a, b = decode_ranges(beyond, end - beyond, draw_distinct(n_beyond, wanted, generator(random_state)))
    return order[np.r_[i, a]], order[np.r_[j, b]], _kinds(n_near, wanted)


def _time_limits(
    limits: tuple[float | None, float | None], moments: Floats, recordings: Ints
) -> tuple[float, float]:
    """Window and gap as given, or from the median step between neighbours of one recording."""
    steps = np.diff(moments)[np.diff(recordings) == 0]
    usual = float(np.median(steps)) if len(steps) else 0.0
    window = usual if limits[0] is None else check_number("window", limits[0], Range())
    gap = 10 * window if limits[1] is None else check_number("gap", limits[1], Range())
    if not 0 <= window <= gap:
        raise InputError(f"window and gap must satisfy 0 <= window <= gap, got {window} and {gap}")
    return window, gap


def _kinds(n_similar: int, n_dissimilar: int) -> Signs:
    return np.repeat(np.array([1, -1], dtype=np.int8), [n_similar, n_dissimilar])


def _check_available(name: str, wanted: int, available: int, what: str) -> None:
    if wanted > available:
        raise InputError(f"{name} must be at most {available}, {what}, got {wanted}")


def as_points(X: npt.ArrayLike) -> Floats:
    array = as_array("X", X)
    if array.dtype.kind not in "biuf":
        raise InputTypeError(f"X must hold numbers, got dtype {array.dtype}")
    if array.ndim < 2 or len(array) < 3:
        raise InputError(f"X must have shape (n, ...) with n >= 3, got shape {array.shape}")
    points = array.reshape(len(array), -1).astype(np.float64)
    wrong = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(wrong):
        raise InputError(f"X must be finite; row {wrong[0]} holds NaN or inf ({len(wrong)} such rows)")
    return points


def _draw_far(points: Floats, taken: Ints, n: int, far: float, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Draw n pairs beyond the distance quantile `far` of both ends, leaving out the keys in `taken`."""
    limit = _distance_quantile(points, far, rng)
    total = len(points) * (len(points) - 1) // 2
    found = np.empty(0, dtype=np.int64)
    exhaustive = total <= 8 * n
    for _ in range(1 if exhaustive else 200):
        if len(found) >= n:
            break
        linear = rng.permutation(total) if exhaustive else rng.integers(total, size=min(2 * n, 200_000))
        i, j = decode_pairs(linear)
        good = _beyond(points, i, j, limit) & ~np.isin(pair_keys(i, j), taken)
        found = in_first_order(np.r_[found, pair_keys(i[good], j[good])])
    if len(found) < n:
        raise InputError(
            f"only {len(found)} of {n} dissimilar pairs were found beyond the quantile far={far}; "
            "make far or n_dissimilar smaller"
        )
    return found[:n] >> 31, found[:n] & LARGEST_INDEX


def _beyond(points: Floats, i: Ints, j: Ints, limit: Floats) -> Bools:
    """Mark the pairs that are further apart than the limits of both ends, a slice of pairs at a time."""
    step = max(1, 2**22 // points.shape[1])
    parts = [slice(begin, begin + step) for begin in range(0, len(i), step)]
    distance = np.concatenate([paired_euclidean_distances(points[i[s]], points[j[s]]) for s in parts])
    return np.asarray(distance > np.maximum(limit[i], limit[j]))


def _distance_quantile(points: Floats, far: float, rng: np.random.Generator) -> Floats:
    others = points if len(points) <= 1000 else points[rng.choice(len(points), 1000, replace=False)]
    chunks = pairwise_distances_chunked(
        points, others, reduce_func=lambda part, _: np.quantile(part, far, axis=1), working_memory=64
    )
    return np.concatenate(list(chunks))


def _times(times: npt.ArrayLike) -> Floats:
    array = one_dim("times", times)
    if array.dtype.kind not in "iuf":
        raise InputTypeError(f"times must hold numbers, got dtype {array.dtype}")
    if len(array) < 2:
        raise InputError(f"times must hold at least 2 samples, got {len(array)}")
    wrong = np.flatnonzero(~np.isfinite(array))
    if len(wrong):
        raise InputError(f"times must be finite, got {array[wrong[0]]} at position {wrong[0]}")
    return array.astype(np.float64)


def _recordings(groups: npt.ArrayLike | None, n: int) -> Ints:
    if groups is None:
        return np.zeros(n, dtype=np.int64)
    codes, _ = encode_labels(groups)
    if len(codes) != n:
        raise InputError(f"groups must have one entry for each of the {n} times, got {len(codes)}")
    if (codes < 0).any():
        raise InputError(f"groups must name a recording for every sample; position {codes.argmin()} has none")
    return codes


def _reach(moments: Floats, recordings: Ints, window: float, gap: float) -> tuple[Ints, Ints, Ints]:
    """Of samples sorted by recording and time: where the near end, the far begin, the recording ends."""
    near, beyond, end = (np.empty(len(moments), dtype=np.int64) for _ in range(3))
    borders = [0, *(np.flatnonzero(np.diff(recordings)) + 1).tolist(), len(moments)]
    for begin, stop in pairwise(borders):
        own = moments[begin:stop]
        near[begin:stop] = begin + np.searchsorted(own, own + window, side="right")
        beyond[begin:stop] = begin + np.searchsorted(own, own + gap, side="right")
        end[begin:stop] = stop
    return near, beyond, end
