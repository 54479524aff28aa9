"""Classes, groups and pairs that a similarity network learns from, and those that are held out of it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError
from coterie.data import Pairs
from coterie.data.labels import encode_labels

Codes = npt.NDArray[np.int64]
HELD_OUT_SEED = 0


def check_classes(codes: npt.NDArray[np.int64], classes: npt.NDArray[Any]) -> None:
    """At least two classes, and some with two rows; classes with one row are warned of."""
    if len(classes) < 2:
        raise InputError(f"y must have at least 2 classes, or no pair is dissimilar, got one: {classes[0]!r}")
    single = np.flatnonzero(np.bincount(codes[codes >= 0]) == 1)
    if len(single) == len(classes):
        raise InputError("y must have a class of two or more rows, or no pair is similar")
    if len(single):
        warnings.warn(
            f"y: {len(single)} of {len(classes)} classes have one row (for example {classes[single[0]]!r}), "
            "so they make no similar pair",
            UserWarning,
            stacklevel=4,
        )


def check_groups(groups: Any, codes: Codes, classes: npt.NDArray[Any]) -> Codes:
    """Codes of the groups, one for each row, where every class is in one of them."""
    if len(np.shape(groups)) != 1 or len(groups) != len(codes):
        raise InputError(f"groups must have shape ({len(codes)},), one group per row, got {np.shape(groups)}")
    of_row, names = encode_labels(groups)
    for code in range(len(classes)):
        found = np.unique(of_row[codes == code])
        if len(found) > 1 or found[0] < 0:
            where = ", ".join("unknown" if group < 0 else repr(names[group]) for group in found)
            raise InputError(f"groups: class {classes[code]!r} must be in one known group, got {where}")
    return of_row


def without_lone_classes(codes: Codes, groups: Codes) -> Codes:
    """The codes, those of classes that are alone in their group unknown: they make no dissimilar pair."""
    for group in np.unique(groups[codes >= 0]):
        inside = (groups == group) & (codes >= 0)
        if len(np.unique(codes[inside])) == 1:
            codes = np.where(inside, -1, codes)
    if (codes < 0).all():
        raise InputError("groups must include one of two or more classes, or no pair is dissimilar")
    return codes


def hold_out(codes: Codes, share: float, groups: Codes | None = None) -> npt.NDArray[np.bool_]:
    """Rows of a share of the classes, or groups; where that is fewer than 2, a share of each class's rows."""
    rng = np.random.default_rng(HELD_OUT_SEED)
    units = codes if groups is None else groups
    known = np.unique(units[codes >= 0])
    n_held = round(share * len(known))
    if n_held >= 2:
        return np.isin(units, known[rng.permutation(len(known))[:n_held]]) & (codes >= 0)
    held = np.zeros(len(codes), dtype=bool)
    for code in np.unique(codes[codes >= 0]):
        rows = rng.permutation(np.flatnonzero(codes == code))
        n_rows = round(share * len(rows))
        # both sides need a pair of the class
        if 2 <= n_rows <= len(rows) - 2:
            held[rows[:n_rows]] = True
    # one class alone makes no dissimilar pair
    return held if len(np.unique(codes[held])) >= 2 else np.zeros(len(codes), dtype=bool)


def split_pairs(pairs: Pairs, share: float) -> tuple[Pairs, Pairs | None]:
    """Pairs to train on and pairs held out; None where one side would miss a kind of pair."""
    order = np.random.default_rng(HELD_OUT_SEED).permutation(pairs.n_pairs)
    n_held = round(share * pairs.n_pairs)
    parts = (np.sort(order[n_held:]), np.sort(order[:n_held]))
    if any(len(np.unique(pairs.same[part])) < 2 for part in parts):
        return pairs, None
    train, held = (Pairs(pairs.i[part], pairs.j[part], pairs.same[part], hard=pairs.hard) for part in parts)
    return train, held
