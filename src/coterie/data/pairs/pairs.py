"""Pairs of samples, known to be similar or dissimilar: where they come from and what follows from them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from coterie._errors import ConflictError, InputError, InputTypeError
from coterie.data.checks import RandomState
from coterie.data.pairs.arrays import refuse_too_many
from coterie.data.pairs.files import read_csv, read_parquet, write_csv, write_parquet
from coterie.data.pairs.links import Conflict, Links
from coterie.data.pairs.pair_set import PairSet
from coterie.data.pairs.sources import (
    as_points,
    pairs_around,
    pairs_in_time,
    pairs_of_labels,
    pairs_of_neighbors,
)


class Pairs(PairSet):
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

    __slots__ = ()

    @classmethod
    def from_labels(cls, y: npt.ArrayLike, n_pairs: int | None, random_state: RandomState = None) -> Self:
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
    ) -> Self:
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
    ) -> Self:
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
    ) -> Self:
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
    ) -> Self:
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
    def _of_file(cls, path: str | os.PathLike[str], columns: Sequence[npt.ArrayLike], hard: bool) -> Self:
        try:
            return cls(*columns, hard=hard)
        except (InputError, InputTypeError) as error:
            raise type(error)(f"{path}: {error}") from error

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
        self.check_rows(len(as_points(X)))
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
