"""Pairs of samples that are known to be similar or dissimilar."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from coterie._checks import check_int
from coterie._errors import ConflictError, InputError, InputTypeError
from coterie.data.checks import RandomState, as_array, check_real, generator, one_dim
from coterie.data.ids import RowIds
from coterie.data.pair_arrays import (
    Ints,
    Signs,
    as_indices,
    as_signs,
    check_lengths,
    first_of_each,
    pair_keys,
    refuse_self_pairs,
    refuse_too_many,
    rows_of_ids,
    split_triples,
)
from coterie.data.pair_files import read_csv, read_parquet, write_csv, write_parquet
from coterie.data.pair_links import Conflict, Links
from coterie.data.pair_sources import pairs_around, pairs_in_time, pairs_of_labels, pairs_of_neighbors


class Pairs:
    """What is known of pairs of samples: similar (same cluster) or dissimilar (different clusters).

    The object is immutable. Each unordered pair is held once, as i < j, in the order in which it was first
    given. It has no length on purpose: its pairs are not rows of a data set, and a cross-validation fold must
    not slice them; see `restrict`.

    Parameters
    ----------
    i, j : arrays of shape (m,), m >= 1
        The two samples of each pair, different from each other: row numbers, 0 or above, or with `ids` their
        names. In place of i, j and same, i may be a list of triples (i, j, same).
    same : array of shape (m,)
        1, True, "yes" or "same" for a similar pair, -1, False, "no" or "different" for a dissimilar one. A
        pair of which nothing is known (0) is left out; 0 without any -1 is refused, since it may be meant as
        dissimilar.
    ids : sequence, optional
        What the rows of X are called, such as ``X.index``: i and j are then ids, which compare as text, and
        never row numbers.
    hard : bool, default=True
        False for guesses and noisy answers, which may contradict each other by way of other samples: an
        estimator then trains on them as they are, where it refuses contradictions among certain pairs.

    Attributes
    ----------
    i, j : int64 arrays of shape (n_pairs,), read-only
        The samples, i < j.
    same : int8 array of shape (n_pairs,), read-only
        1 similar, -1 dissimilar.
    n_pairs, n_similar, n_dissimilar : int
        Numbers of pairs.

    Raises
    ------
    InputError
        If there is no pair, the lengths differ, an index is negative, a name is none of the ids or the id of
        several rows, a pair names one sample twice, or `same` holds another value.
    InputTypeError
        If indices are not integers, or `same` is neither numbers nor booleans.
    ConflictError
        If one pair is given as similar and as dissimilar. Contradictions by way of other samples are found by
        `conflicts`.

    Examples
    --------
    >>> from coterie.data import Pairs
    >>> pairs = Pairs([0, 2, 4], [1, 1, 0], [1, 1, -1])
    >>> pairs
    Pairs(n_pairs=3, n_similar=2, n_dissimilar=1)
    >>> pairs.i, pairs.j
    (array([0, 1, 0]), array([1, 2, 4]))
    >>> closed = pairs.closure()
    >>> closed.n_similar, closed.n_dissimilar
    (3, 3)
    >>> Pairs(["c", "a"], ["a", "b"], ["yes", "no"], ids=["a", "b", "c"]).i
    array([0, 0])
    """

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
        self._hard = bool(hard)

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
        """Tell whether both hold the same pairs of the same kinds, in whatever order."""
        if not isinstance(other, Pairs):
            return NotImplemented
        return self._canonical() == other._canonical()

    def __hash__(self) -> int:
        return hash(self._canonical())

    def __reduce__(self) -> tuple[Callable[..., Pairs], tuple[Ints, Ints, Signs]]:
        # a copy made by the default route would have writable arrays
        return partial(Pairs, hard=self._hard), (self._i, self._j, self._same)

    def _canonical(self) -> tuple[bytes, bytes]:
        keys = pair_keys(self._i, self._j)
        order = np.argsort(keys)
        return keys[order].tobytes(), self._same[order].tobytes()

    @classmethod
    def from_arrays(cls, pairs: npt.ArrayLike, same: npt.ArrayLike) -> Pairs:
        """Make pairs from one array of two columns.

        Parameters
        ----------
        pairs : integer array of shape (m, 2)
            The two samples of each pair.
        same : array of shape (m,)
            1 or True similar, -1 or False dissimilar.

        Returns
        -------
        Pairs

        Raises
        ------
        InputError, InputTypeError, ConflictError
            As the class itself, and if `pairs` has another shape.

        Examples
        --------
        >>> Pairs.from_arrays([[0, 1], [1, 2]], [True, False])
        Pairs(n_pairs=2, n_similar=1, n_dissimilar=1)
        """
        array = as_array("pairs", pairs)
        if array.ndim != 2 or array.shape[1] != 2:
            raise InputError(f"pairs must have shape (m, 2), one row per pair, got shape {array.shape}")
        return cls(array[:, 0], array[:, 1], same)

    @classmethod
    def from_labels(cls, y: npt.ArrayLike, n_pairs: int | None, random_state: RandomState = None) -> Pairs:
        """Draw pairs of labelled samples uniformly, without replacement.

        Parameters
        ----------
        y : array-like of shape (n,)
            Labels of any type. Samples with an unknown label (-1, None or NaN) are never drawn.
        n_pairs : int or None
            How many of the n(n-1)/2 unordered pairs of labelled samples to draw; None takes all of them, up
            to 50 million.
        random_state : int, numpy Generator, RandomState or None
            Makes the draw repeatable.

        Returns
        -------
        Pairs

        Raises
        ------
        InputError
            If fewer than two labels are known, or there are fewer pairs than `n_pairs`.

        Examples
        --------
        >>> Pairs.from_labels(["cat", "dog", None, "cat"], n_pairs=None)
        Pairs(n_pairs=3, n_similar=1, n_dissimilar=2)
        """
        return cls(*pairs_of_labels(y, n_pairs, random_state))

    @classmethod
    def from_neighbors(
        cls,
        X: npt.ArrayLike,
        n_neighbors: int = 5,
        *,
        n_dissimilar: int | None = None,
        far: float = 0.5,
        random_state: RandomState = None,
    ) -> Pairs:
        """Make pairs without any label: neighbours are similar, samples far from each other dissimilar.

        Two samples are a similar pair when each is among the `n_neighbors` nearest (Euclidean) of the other.
        Dissimilar pairs are drawn at random among those whose distance is beyond the `far` quantile of the
        distances from *both* of their samples to the rest (to 1000 random samples, where there are more).
        All these pairs are guesses: with k classes of equal size and distances that say nothing, one
        dissimilar pair in k would be wrong.

        Parameters
        ----------
        X : array-like of shape (n, ...), n >= 3
            Finite numbers; everything behind the first axis is one feature vector.
        n_neighbors : int in 1..n-1, default=5
            Neighbours of each sample.
        n_dissimilar : int, 0 or above, optional
            Dissimilar pairs; by default as many as there are similar ones.
        far : float in [0, 1), default=0.5
            The quantile beyond which two samples are far from each other.
        random_state : int, numpy Generator, RandomState or None
            Makes the draw repeatable.

        Returns
        -------
        Pairs

        Raises
        ------
        InputError, InputTypeError
            If an argument is out of range, X is not finite numbers, or there are too few far pairs.

        Examples
        --------
        >>> X = [[0.0], [0.1], [5.0], [5.1]]
        >>> pairs = Pairs.from_neighbors(X, n_neighbors=1, n_dissimilar=1, random_state=0)
        >>> pairs.i[:2], pairs.j[:2], pairs.same
        (array([0, 2]), array([1, 3]), array([ 1,  1, -1], dtype=int8))
        """
        found = pairs_of_neighbors(X, n_neighbors, n_dissimilar, far, random_state)
        return cls(*found, hard=False)

    @classmethod
    def from_sequence(
        cls,
        times: npt.ArrayLike,
        *,
        window: float | None = None,
        gap: float | None = None,
        n_dissimilar: int | None = None,
        groups: npt.ArrayLike | None = None,
        random_state: RandomState = None,
    ) -> Pairs:
        """Make pairs without any label from time: what is close in time is similar.

        Within one recording, all pairs at most `window` apart are similar; dissimilar pairs are drawn without
        replacement among those more than `gap` apart. Nothing is said about samples of different recordings.

        Parameters
        ----------
        times : array-like of shape (n,)
            Finite times (or positions) of the samples, in any order.
        window : float, 0 or above, optional
            Largest distance in time of a similar pair; by default the median step between neighbours.
        gap : float, at least `window`, optional
            Dissimilar pairs are further apart than this; by default ten windows.
        n_dissimilar : int, 0 or above, optional
            Dissimilar pairs; by default as many as there are similar ones, or all there are if that is fewer.
        groups : array-like of shape (n,), optional
            The recording of each sample, of any sortable type; by default all are of one.
        random_state : int, numpy Generator, RandomState or None
            Makes the draw repeatable.

        Returns
        -------
        Pairs

        Raises
        ------
        InputError, InputTypeError
            If an argument is out of range, no pair comes out, or there are fewer pairs than `n_dissimilar`.

        Examples
        --------
        >>> pairs = Pairs.from_sequence([0.0, 1.0, 9.0, 10.0], window=1.0, gap=5.0, random_state=0)
        >>> pairs
        Pairs(n_pairs=4, n_similar=2, n_dissimilar=2)
        """
        found = pairs_in_time(times, groups, (window, gap), n_dissimilar, random_state)
        return cls(*found, hard=False)

    @classmethod
    def from_csv(
        cls, path: str | os.PathLike[str], *, hard: bool = True, ids: Iterable[object] | None = None
    ) -> Pairs:
        """Read pairs from a CSV file with the columns i, j and same.

        Parameters
        ----------
        path : path-like
            UTF-8 text, comma separated, with a header; other columns are ignored. `same` is as of the class.
        hard : bool, default=True
            As of the class.
        ids : sequence, optional
            What the rows of the data set are called: i and j are then ids, which compare as text and as they
            are written, and never row numbers.

        Returns
        -------
        Pairs

        Raises
        ------
        InputError
            If the file cannot be read, a column is missing or an entry is wrong (the line is named), and as
            the class itself.

        See Also
        --------
        to_csv : writes such a file.
        """
        return cls._of_file(path, read_csv(path, ids), hard)

    def to_csv(self, path: str | os.PathLike[str], *, ids: Iterable[object] | None = None) -> None:
        """Write the pairs as CSV: a header i,j,same and one line per pair, same being 1 or -1.

        The file appears whole or not at all.

        Parameters
        ----------
        path : path-like
            The file to write; its directory has to exist.
        ids : sequence, optional
            What the rows of X are called: the pairs are written by these instead of row numbers.

        Raises
        ------
        InputError
            If the file cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Pairs([0], [1], [1]).to_csv(f"{folder}/pairs.csv")
        ...     Pairs.from_csv(f"{folder}/pairs.csv")
        Pairs(n_pairs=1, n_similar=1, n_dissimilar=0)
        """
        write_csv(path, self._i, self._j, self._same, ids)

    @classmethod
    def from_parquet(
        cls, path: str | os.PathLike[str], *, hard: bool = True, ids: Iterable[object] | None = None
    ) -> Pairs:
        """Read pairs from a Parquet file with the columns i, j and same.

        Parameters
        ----------
        path : path-like
            Columns i and j of integers, or of ids, and same as of the class; others are ignored.
        hard : bool, default=True
            As of the class.
        ids : sequence, optional
            As of `from_csv`.

        Returns
        -------
        Pairs

        Raises
        ------
        ImportError
            If pyarrow is not installed.
        InputError, InputTypeError, ConflictError
            If the file cannot be read or a column is missing, and as the class itself.
        """
        return cls._of_file(path, read_parquet(path, ids), hard)

    def to_parquet(self, path: str | os.PathLike[str], *, ids: Iterable[object] | None = None) -> None:
        """Write the pairs as Parquet: int64 columns i and j, int8 column same (1 or -1).

        The file appears whole or not at all.

        Parameters
        ----------
        path : path-like
            The file to write; its directory has to exist.
        ids : sequence, optional
            What the rows of X are called: the pairs are written by these instead of row numbers.

        Raises
        ------
        ImportError
            If pyarrow is not installed.
        InputError
            If the file cannot be written.
        """
        write_parquet(path, self._i, self._j, self._same, ids)

    @classmethod
    def _of_file(cls, path: str | os.PathLike[str], columns: Sequence[npt.ArrayLike], hard: bool) -> Pairs:
        try:
            return cls(*columns, hard=hard)
        except (InputError, InputTypeError) as error:
            raise type(error)(f"{path}: {error}") from error

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

    def restrict(self, rows: npt.ArrayLike) -> Pairs:
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
        return Pairs(order[i[both]], order[j[both]], self._same[both], hard=self._hard)

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

    def sample(self, n: int, random_state: RandomState = None) -> Pairs:
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
        count = check_int("n", n, low=1, high=self.n_pairs)
        drawn = np.sort(generator(random_state).choice(self.n_pairs, count, replace=False))
        return Pairs(self._i[drawn], self._j[drawn], self._same[drawn], hard=self._hard)

    def union(self, other: Pairs) -> Pairs:
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
        if not isinstance(other, Pairs):
            raise InputTypeError(f"other must be a Pairs, got {type(other).__name__}")
        ends = np.r_[self._i, other._i], np.r_[self._j, other._j]
        return Pairs(*ends, np.r_[self._same, other._same], hard=self._hard and other._hard)

    def with_noise(self, p: float, random_state: RandomState = None) -> Pairs:
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
        if not 0 <= check_real("p", p) <= 1:
            raise InputError(f"p must be in [0, 1], got {p}")
        flipped = generator(random_state).choice(self.n_pairs, round(p * self.n_pairs), replace=False)
        same = self._same.copy()
        same[flipped] *= -1
        return Pairs(self._i, self._j, same, hard=False)

    def conflicts(self) -> list[Conflict]:
        """Find every dissimilar pair whose two samples are linked by similar pairs.

        Returns
        -------
        list of Conflict
            Shortest chains first, then by i and j; empty for consistent pairs. The time grows with the number
            of contradicted samples times the similar pairs of their component.

        Examples
        --------
        >>> found = Pairs([0, 1, 0], [1, 2, 2], [1, 1, -1]).conflicts()
        >>> print(found[0])
        samples 0 and 2 are dissimilar, yet similar pairs link them: 0 ~ 1 ~ 2
        """
        return sorted(
            Links(self._i, self._j, self._same).conflicts(),
            key=lambda found: (len(found.chain), found.i, found.j),
        )

    def check_consistent(self) -> None:
        """Raise if the pairs contradict each other.

        Raises
        ------
        ConflictError
            Names the number of contradicted pairs and a shortest chain.
        """
        self._links()

    def closure(self) -> Pairs:
        """Add every pair that follows from the pairs.

        Similar to a similar sample is similar; dissimilar to one sample of a group of similar ones is
        dissimilar to all of them.

        Returns
        -------
        Pairs
            The similar pairs, then the dissimilar ones.

        Raises
        ------
        ConflictError
            If the pairs contradict each other.
        InputError
            If more than 50 million pairs would follow.
        """
        links = self._links()
        within, between = links.n_within(), links.n_between()
        refuse_too_many(within + between, "the closure", "drop pairs, or use them as they are")
        (i, j), (a, b) = links.within(), links.between()
        return Pairs(np.r_[i, a], np.r_[j, b], np.repeat([1, -1], [within, between]))

    def propagate(self, X: npt.ArrayLike, n_neighbors: int = 5) -> Pairs:
        """Let every sample of a pair stand for its nearest neighbours too.

        A sample stands for the `n_neighbors` nearest (Euclidean) of those that no other sample of the pairs
        is nearer to. What it stands for is similar to it and to each other, and shares its pairs. So a few
        answers say something of many samples; take the `closure` first.

        Parameters
        ----------
        X : array-like of shape (n, ...), n >= 3
            Finite numbers of like scale; everything behind the first axis is one feature vector.
        n_neighbors : int in 1..n-1, default=5

        Returns
        -------
        Pairs
            Not `hard`: neighbours are a guess.

        Raises
        ------
        InputError, InputTypeError
            If an argument is out of range, X is not finite numbers or has too few rows, or more than 50
            million pairs would follow.

        Examples
        --------
        >>> X = [[0.0], [0.1], [0.3], [5.0], [5.1]]
        >>> near = Pairs([0], [4], [-1]).propagate(X, n_neighbors=1)
        >>> near.i, near.j, near.same
        (array([0, 3, 0, 0, 1, 1]), array([1, 4, 4, 3, 4, 3]), array([ 1,  1, -1, -1, -1, -1], dtype=int8))
        """
        self.check_rows(len(as_array("X", X)))
        return Pairs(*pairs_around((self._i, self._j, self._same), X, n_neighbors), hard=False)

    def _links(self) -> Links:
        links = Links(self._i, self._j, self._same)
        if links.n_conflicts:
            shortest = links.shortest()
            raise ConflictError(
                f"pairs contradict each other: {links.n_conflicts} of {self.n_dissimilar} dissimilar pairs "
                f"are linked by similar ones; the shortest chain: {shortest}. Pairs.conflicts() lists all; "
                "hard=False lets them be"
            )
        return links


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
