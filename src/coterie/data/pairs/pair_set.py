"""Pairs as an immutable set: what is accepted as one, its parts and its union with others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Self

import numpy as np
import numpy.typing as npt

from coterie._checks import Range, check_flag, check_int, check_number
from coterie._errors import InputError, InputTypeError
from coterie.data.checks import RandomState, generator, one_dim
from coterie.data.ids import RowIds
from coterie.data.pairs.arrays import (
    Ints,
    Signs,
    as_indices,
    as_signs,
    check_lengths,
    first_of_each,
    pair_keys,
    refuse_self_pairs,
    rows_of_ids,
    split_triples,
)


class PairSet:
    """The pairs of `coterie.Pairs`, each unordered pair once, whatever their source."""

    __slots__ = ("_hard", "_i", "_j", "_same")

    def __init__(
        self,
        i: npt.ArrayLike,
        j: npt.ArrayLike | None = None,
        same: npt.ArrayLike | None = None,
        *,
        ids: Iterable[object] | None = None,
        hard: bool = True,
    ) -> None:
        if j is None and same is None:
            i, j, same = split_triples(i)
        elif j is None or same is None:
            raise InputTypeError("i, j and same must all be given, or i alone as a list of (i, j, same)")
        first, second, kinds = _columns(i, j, same, ids)
        refuse_self_pairs(first, second)
        known = np.flatnonzero(kinds)
        if not len(known):
            raise InputError("i, j and same must hold at least one pair, got none")
        first, second, kinds = first[known], second[known], kinds[known]
        low, high = np.minimum(first, second), np.maximum(first, second)
        keep = first_of_each(low, high, kinds)
        self._i, self._j, self._same = low[keep], high[keep], kinds[keep]
        for array in (self._i, self._j, self._same):
            array.setflags(write=False)
        self._hard = check_flag("hard", hard)

    @property
    def hard(self) -> bool:
        """Whether the pairs must not contradict each other; guesses and noisy answers may."""
        return self._hard

    @property
    def i(self) -> Ints:
        """The smaller row number of each pair, int64 of shape (n_pairs,), read-only."""
        return self._i

    @property
    def j(self) -> Ints:
        """The larger row number of each pair, int64 of shape (n_pairs,), read-only."""
        return self._j

    @property
    def same(self) -> Signs:
        """The kind of each pair, 1 similar or -1 dissimilar, int8 of shape (n_pairs,), read-only."""
        return self._same

    @property
    def n_pairs(self) -> int:
        """Number of pairs."""
        return len(self._same)

    @property
    def n_similar(self) -> int:
        """Number of similar pairs."""
        return int((self._same == 1).sum())

    @property
    def n_dissimilar(self) -> int:
        """Number of dissimilar pairs."""
        return int((self._same == -1).sum())

    def __repr__(self) -> str:
        return f"Pairs(n_pairs={self.n_pairs}, n_similar={self.n_similar}, n_dissimilar={self.n_dissimilar})"

    def __eq__(self, other: object) -> bool:
        """Return whether both hold the same pairs of the same kinds, in any order."""
        if not isinstance(other, PairSet):
            return NotImplemented
        return self._canonical() == other._canonical()

    def __hash__(self) -> int:
        return hash(self._canonical())

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[Ints, Ints, Signs]]:
        # a copy made by the default route would have writable arrays
        return partial(type(self), hard=self._hard), (self._i, self._j, self._same)

    def _canonical(self) -> tuple[bytes, bytes]:
        keys = pair_keys(self._i, self._j)
        order = np.argsort(keys)
        return keys[order].tobytes(), self._same[order].tobytes()

    def check_rows(self, n: int) -> None:
        """Raise unless every pair names rows of a data set of n rows.

        Parameters
        ----------
        n : int
            Rows of the data set.

        Raises
        ------
        InputError
            If an index is n or more; the first such pair is named.
        """
        check_int("n", n, 0)
        wrong = np.flatnonzero(self._j >= n)
        if len(wrong):
            first = wrong[0]
            raise InputError(
                f"pairs must name rows 0..{n - 1} of {n} samples; pair ({self._i[first]}, {self._j[first]}) "
                f"does not ({len(wrong)} such pairs)"
            )

    def rows(self) -> Ints:
        """Return the samples that are named by any pair: sorted, each once."""
        return np.unique(np.r_[self._i, self._j])

    def restrict(self, rows: npt.ArrayLike) -> Self:
        """Keep the pairs with both samples in `rows`, renumbered to positions in `rows`.

        This is what a cross-validation fold needs: ``est.fit(X[rows], pairs=pairs.restrict(rows))``.

        Parameters
        ----------
        rows : integer array of shape (r,) or boolean array of shape (n,)
            Row numbers, each at most once, in any order; or a mask over all rows.

        Returns
        -------
        Pairs

        Raises
        ------
        InputError, InputTypeError
            If `rows` holds a row twice or is no list of rows, a mask is too short for the pairs, or no pair
            is left.

        Examples
        --------
        >>> from coterie.data import Pairs
        >>> part = Pairs([0, 2], [1, 3], [1, -1]).restrict([3, 2])
        >>> part.i, part.j, part.same
        (array([0]), array([1]), array([-1], dtype=int8))
        """
        chosen = self._chosen(rows)
        order = np.argsort(chosen)
        ordered = chosen[order]
        if (ordered[1:] == ordered[:-1]).any():
            twice = ordered[1:][ordered[1:] == ordered[:-1]][0]
            raise InputError(f"rows must name each row at most once, got row {twice} more than once")
        i, j = np.searchsorted(ordered, self._i), np.searchsorted(ordered, self._j)
        both = (np.append(ordered, -1)[i] == self._i) & (np.append(ordered, -1)[j] == self._j)
        if not both.any():
            raise InputError(
                f"rows must hold both samples of at least one pair; none of {self.n_pairs} pairs is left"
            )
        return type(self)(order[i[both]], order[j[both]], self._same[both], hard=self._hard)

    def _chosen(self, rows: npt.ArrayLike) -> Ints:
        array = one_dim("rows", rows)
        if array.dtype.kind != "b":
            return as_indices("rows", array)
        if len(array) <= self._j.max():
            raise InputError(
                f"rows as a mask must cover every sample of the pairs, so at least {self._j.max() + 1} rows; "
                f"got {len(array)}"
            )
        return np.flatnonzero(array)

    def sample(self, n: int, random_state: RandomState = None) -> Self:
        """Draw n of the pairs without replacement; their order is kept.

        Parameters
        ----------
        n : int in 1..n_pairs
            Pairs to draw.
        random_state : int, numpy Generator, RandomState or None
            Makes the draw repeatable.

        Returns
        -------
        Pairs

        Raises
        ------
        InputError, InputTypeError
            If n is out of range.
        """
        count = check_int("n", n, 1, self.n_pairs)
        drawn = np.sort(generator(random_state).choice(self.n_pairs, count, replace=False))
        return type(self)(self._i[drawn], self._j[drawn], self._same[drawn], hard=self._hard)

    def union(self, other: PairSet) -> Self:
        """Return the pairs of both, those of `self` first.

        Parameters
        ----------
        other : Pairs

        Returns
        -------
        Pairs

        Raises
        ------
        ConflictError
            If one holds as similar what the other holds as dissimilar.
        InputTypeError
            If `other` is not a `Pairs`.
        """
        if not isinstance(other, PairSet):
            raise InputTypeError(f"other must be a Pairs, got {type(other).__name__}")
        ends = np.r_[self._i, other._i], np.r_[self._j, other._j]
        return type(self)(*ends, np.r_[self._same, other._same], hard=self._hard and other._hard)

    def with_noise(self, p: float, random_state: RandomState = None) -> Self:
        """Turn a share of the pairs into their opposite.

        Parameters
        ----------
        p : float in [0, 1]
            Exactly ``round(p * n_pairs)`` pairs are flipped, drawn uniformly without replacement.
        random_state : int, numpy Generator, RandomState or None
            Makes the draw repeatable.

        Returns
        -------
        Pairs
            In the same order, and not `hard`: they may contradict each other.

        Raises
        ------
        InputError, InputTypeError
            If p is out of range.
        """
        share = check_number("p", p, Range(0, 1))
        flipped = generator(random_state).choice(self.n_pairs, round(share * self.n_pairs), replace=False)
        same = self._same.copy()
        same[flipped] *= -1
        return type(self)(self._i, self._j, same, hard=False)


def _columns(
    i: npt.ArrayLike, j: npt.ArrayLike, same: npt.ArrayLike, ids: Iterable[object] | None
) -> tuple[Ints, Ints, Signs]:
    """Rows and kinds of pairs of which nothing is checked but each entry."""
    if ids is None:
        columns = {"i": one_dim("i", i), "j": one_dim("j", j), "same": one_dim("same", same)}
        check_lengths(columns)
        return as_indices("i", columns["i"]), as_indices("j", columns["j"]), as_signs(columns["same"])
    known = RowIds(ids)
    first, second = rows_of_ids("i", i, known), rows_of_ids("j", j, known)
    kinds = one_dim("same", same)
    check_lengths({"i": first, "j": second, "same": kinds})
    return first, second, as_signs(kinds)
