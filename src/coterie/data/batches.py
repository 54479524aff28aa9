"""Counter-seeded batch plans: the rows of a step are a pure function of (seed, epoch, step).

Nothing is consumed and nothing has to be saved: a run that resumes at a step, and every process of a
distributed run, asks for the same plan and gets it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from torch import Tensor

from coterie._checks import check_int
from coterie._errors import InputError
from coterie._types import BatchPlan, Rows
from coterie.data.orders import Order, as_codes, as_matrix, check_step, cuts, spread, unique_in_order
from coterie.data.pairs import Pairs

_SMALLEST_BATCH = 2  # batch normalisation refuses a batch of one row
_EVALUATION_SEED = 0
_CLASS_STREAM = 2  # `Order` draws from streams 0 and 1


@runtime_checkable
class Sampler(Protocol):
    """What the training loop asks for its batches."""

    @property
    def n_steps(self) -> int:
        """Steps in one epoch, at least 1."""
        ...

    def plan(self, seed: int, epoch: int, step: int) -> BatchPlan:
        """Return the batch of one step (0 <= step < n_steps): the same arguments give the same plan."""
        ...

    def evaluation_plans(self) -> Iterator[BatchPlan]:
        """Yield plans in one fixed order that cover everything known, in batches of near-equal size."""
        ...


@runtime_checkable
class StatefulSampler(Sampler, Protocol):
    """A sampler whose batches follow from a state that a phase sets, such as neighbours it has found."""

    def with_state(self, state: Mapping[str, Tensor]) -> Sampler:
        """Return the sampler of a run with this state, and leave this one as it is.

        Its `n_steps` must be the same, and so must the rows drawn (`BatchPlan.n_drawn`) for evaluation, by
        which restarts are compared.
        """
        ...


class LabelBatches:
    """Batches of the rows whose label is known.

    Parameters
    ----------
    labels : int64 array of shape (n,)
        Class codes; a negative code is an unknown label, and its row is never drawn.
    batch_size : int, at least 2
        Rows in a batch.
    drop_last : bool, default=False
        Leave out the smaller last batch of an epoch. When all rows together are fewer than `batch_size`,
        they make one batch in any case. Without it, a last batch of a single row joins the one before it,
        because batch normalisation refuses a single row.

    Attributes
    ----------
    rows : int64 array
        The rows that are drawn from.
    n_steps : int
        Steps in one epoch.

    Raises
    ------
    InputError
        If `labels` are not 1-D integer codes, fewer than two are known, or `batch_size` is below 2.

    Examples
    --------
    >>> import numpy as np
    >>> batches = LabelBatches(np.array([0, 1, -1, 0, 1]), batch_size=2)
    >>> batches.n_steps
    2
    >>> sorted(row for plan in batches.evaluation_plans() for row in plan.rows.tolist())
    [0, 1, 3, 4]
    """

    def __init__(self, labels: npt.ArrayLike, batch_size: int, *, drop_last: bool = False) -> None:
        self._labels = as_codes(labels)
        self._size = check_int("batch_size", batch_size, _SMALLEST_BATCH)
        self.rows: Rows = np.flatnonzero(self._labels >= 0)
        if len(self.rows) < _SMALLEST_BATCH:
            raise InputError(
                f"labels must hold at least 2 known codes (0 or above) to make a batch; {len(self.rows)} of "
                f"{len(self._labels)} are known"
            )
        self._cuts = cuts(len(self.rows), self._size, drop_last, smallest=_SMALLEST_BATCH)
        self._order = Order(len(self.rows))

    @property
    def n_steps(self) -> int:
        """Steps in one epoch."""
        return len(self._cuts) - 1

    def plan(self, seed: int, epoch: int, step: int) -> BatchPlan:
        """Return the rows and labels of one step, see `Sampler`."""
        check_step(step, self.n_steps)
        drawn = self._order(seed, epoch)[self._cuts[step] : self._cuts[step + 1]]
        return self._plan(self.rows[drawn])

    def evaluation_plans(self) -> Iterator[BatchPlan]:
        """Yield every known row once, in a fixed shuffled order, in batches whose sizes differ by one."""
        n = len(self.rows)
        # shuffled: in a file sorted by class, neighbouring rows would give batches of a single class
        shuffled = self.rows[np.random.default_rng(_EVALUATION_SEED).permutation(n)]
        n_batches = max(1, min(-(-n // self._size), n // _SMALLEST_BATCH))
        for rows in np.array_split(shuffled, n_batches):
            yield self._plan(rows)

    def _plan(self, rows: Rows) -> BatchPlan:
        return BatchPlan(rows, labels=self._labels[rows])


class ClassBatches:
    """Batches of some classes with some rows of each, so that a good share of the pairs is similar.

    Parameters
    ----------
    labels : int64 array of shape (n,)
        Class codes; a negative code is an unknown label, and its row is never drawn.
    classes_per_batch : int, at least 2
        Classes in a batch; all of them where there are fewer.
    samples_per_class : int, at least 2
        Rows of each class, drawn again at every step; all of them if a class has fewer.
    groups : int64 array of shape (n,), optional
        Code of the group that a row's class belongs to. All classes of a batch then are of one group, drawn
        with a chance proportional to its number of classes; a class that is alone in its group is left out.

    Attributes
    ----------
    n_steps : int
        Steps in one epoch: as many as would take every known row once if the classes were of equal size.

    Raises
    ------
    InputError
        If `labels` are not 1-D integer codes, fewer than two classes are known (in one group, where there
        are groups), or no class has two rows.

    Examples
    --------
    >>> import numpy as np
    >>> batches = ClassBatches(np.repeat(np.arange(6), 10), classes_per_batch=3, samples_per_class=2)
    >>> batches.n_steps
    10
    >>> np.unique(batches.plan(seed=0, epoch=0, step=0).labels, return_counts=True)[1]
    array([2, 2, 2])
    """

    def __init__(
        self,
        labels: npt.ArrayLike,
        classes_per_batch: int,
        samples_per_class: int,
        *,
        groups: npt.ArrayLike | None = None,
    ) -> None:
        self._labels = as_codes(labels)
        self._n_classes = check_int("classes_per_batch", classes_per_batch, 2)
        self._n_items = check_int("samples_per_class", samples_per_class, 2)
        self._classes = _rows_by_class(self._labels)
        self._pools: list[Rows] | None = None
        if groups is not None:
            self._classes, self._pools = _pools(self._classes, as_codes(groups))
        if len(self._classes) < 2 or max(len(rows) for rows in self._classes) < 2:
            raise InputError(
                "labels must hold at least 2 classes, one of them with 2 rows, to make both kinds of pairs; "
                f"got {len(self._classes)} classes of {sum(map(len, self._classes))} known rows"
            )
        self._n_classes = min(self._n_classes, len(self._classes))
        # classes in turn: each comes about equally often, over the borders of epochs too
        self._order = Order(len(self._classes))

    @property
    def n_steps(self) -> int:
        """Steps in one epoch."""
        n_rows = sum(map(len, self._classes))
        return max(1, n_rows // (self._n_classes * self._n_items))

    def plan(self, seed: int, epoch: int, step: int) -> BatchPlan:
        """Return the rows and labels of one step, see `Sampler`."""
        check_step(step, self.n_steps)
        rng = np.random.default_rng([seed, epoch, step, _CLASS_STREAM])
        if self._pools is None:
            position = (epoch * self.n_steps + step) * self._n_classes
            chosen = [self._class_at(seed, position + offset) for offset in range(self._n_classes)]
        else:
            sizes = np.array([len(pool) for pool in self._pools])
            pool = self._pools[rng.choice(len(sizes), p=sizes / sizes.sum())]
            chosen = rng.permutation(pool)[: self._n_classes].tolist()
        rows = [rng.permutation(self._classes[code])[: self._n_items] for code in dict.fromkeys(chosen)]
        return self._plan(np.concatenate(rows))

    def evaluation_plans(self) -> Iterator[BatchPlan]:
        """Yield every known row once, in a fixed order, in batches of some classes with some rows of each."""
        rng = np.random.default_rng(_EVALUATION_SEED)
        shuffled = [rng.permutation(rows) for rows in self._classes]
        pools = [np.arange(len(shuffled))] if self._pools is None else self._pools
        groups = [np.array_split(rng.permutation(pool), -(-len(pool) // self._n_classes)) for pool in pools]
        for group in itertools.chain.from_iterable(groups):
            n_parts = -(-max(len(shuffled[code]) for code in group) // self._n_items)
            parts = [np.array_split(shuffled[code], n_parts) for code in group]
            for rows in zip(*parts, strict=True):
                joint = np.concatenate(rows)
                if len(joint) >= _SMALLEST_BATCH:
                    yield self._plan(joint)

    def _class_at(self, seed: int, position: int) -> int:
        turn, place = divmod(position, len(self._classes))
        return int(self._order(seed, turn)[place])

    def _plan(self, rows: Rows) -> BatchPlan:
        return BatchPlan(rows, labels=self._labels[rows])


class PairBatches:
    """Batches of pairs: both ends of every pair of the chunk, each sample once.

    A plan's `same` holds the pairs of its chunk and nothing else. With `labels`, every step also takes a
    chunk of at most `batch_pairs` labelled rows, which cycles through all of them independently of the
    epochs of the pairs, so that a cross entropy on the known labels can join the pair loss.

    Parameters
    ----------
    pairs : Pairs
        What is known.
    batch_pairs : int, at least 1
        Pairs in a batch; a batch then holds at most ``2 * batch_pairs`` rows, ``3 * batch_pairs`` with
        labels.
    drop_last : bool, default=False
        Leave out the smaller last chunk of an epoch; fewer pairs than `batch_pairs` are one chunk in any
        case.
    labels : int64 array of shape (n,), optional
        Class codes of all rows of the data set, negative where unknown; at least one has to be known.

    Attributes
    ----------
    n_steps : int
        Steps in one epoch, that is in one pass over the pairs.

    Raises
    ------
    InputError
        If `batch_pairs` is below 1, no label is known, or a pair names a row that `labels` does not have.

    Examples
    --------
    >>> from coterie.data import Pairs
    >>> batches = PairBatches(Pairs([0, 2], [1, 3], [1, -1]), batch_pairs=2)
    >>> plan = batches.plan(seed=0, epoch=0, step=0)
    >>> sorted(plan.rows.tolist()), int(plan.same.sum())
    ([0, 1, 2, 3], 0)
    """

    def __init__(
        self, pairs: Pairs, batch_pairs: int, *, drop_last: bool = False, labels: npt.ArrayLike | None = None
    ) -> None:
        self._ends: Rows = np.stack([pairs.i, pairs.j], axis=1)
        self._same = pairs.same
        self._size = check_int("batch_pairs", batch_pairs, 1)
        self._cuts = cuts(len(self._ends), self._size, drop_last, smallest=1)
        self._order = Order(len(self._ends))
        self._labels = None if labels is None else as_codes(labels)
        self._labelled: Rows = np.empty(0, dtype=np.int64)
        if self._labels is not None:
            pairs.check_rows(len(self._labels))
            self._labelled = np.flatnonzero(self._labels >= 0)
            if not len(self._labelled):
                raise InputError("labels must hold at least one known code (0 or above); all are unknown")
        # another stream than the pairs': the same key would tie the two orders together
        self._label_order = Order(len(self._labelled), stream=1)

    @property
    def n_steps(self) -> int:
        """Steps in one epoch, that is in one pass over the pairs."""
        return len(self._cuts) - 1

    def plan(self, seed: int, epoch: int, step: int) -> BatchPlan:
        """Return the rows and pairs of one step, see `Sampler`."""
        check_step(step, self.n_steps)
        chunk = self._order(seed, epoch)[self._cuts[step] : self._cuts[step + 1]]
        return self._plan(chunk, self._cycle(seed, epoch * self.n_steps + step))

    def evaluation_plans(self) -> Iterator[BatchPlan]:
        """Yield every pair and every labelled row, in a fixed order and chunks whose sizes differ by one.

        Each comes once, unless one of the two is so few that some plan would be left without it: then the
        few are repeated.
        """
        rng = np.random.default_rng(_EVALUATION_SEED)
        chunks = rng.permutation(len(self._ends))
        labelled = self._labelled[rng.permutation(len(self._labelled))]
        n_plans = -(-max(len(chunks), len(labelled)) // self._size)
        for chunk, extra in zip(spread(chunks, n_plans), spread(labelled, n_plans), strict=True):
            yield self._plan(chunk, extra)

    def _cycle(self, seed: int, step: int) -> Rows:
        """Labelled rows of a step counted over all epochs."""
        if not len(self._labelled):
            return self._labelled
        return self._labelled[self._label_order.chunk(seed, step, self._size)]

    def _plan(self, chunk: Rows, extra: Rows) -> BatchPlan:
        ends = self._ends[chunk].ravel()
        rows, where = unique_in_order(np.concatenate([ends, extra]))
        same = as_matrix(where[: len(ends)], self._same[chunk], len(rows))
        return BatchPlan(rows, same=same, labels=None if self._labels is None else self._labels[rows])


class RowBatches:
    """Batches of all rows, known or not; with pairs, each batch also has a chunk of pairs.

    Parameters
    ----------
    n_rows : int, at least 2
    batch_size : int, at least 2
        Rows drawn for a batch. An epoch is one pass over the rows, without the smaller last batch unless all
        rows together are fewer than `batch_size`.
    pairs : Pairs, optional
        Every step also takes both ends of a chunk of pairs, which cycles through all of them independently
        of the epochs; a plan's `same` holds the pairs of its chunk, its `n_drawn` counts the rows before.
    batch_pairs : int, at least 1, or None
        Pairs in a chunk; a batch then has up to ``2 * batch_pairs`` rows more. None: a quarter of
        `batch_size`.

    Attributes
    ----------
    n_steps : int
        Steps in one epoch.

    Raises
    ------
    InputError
        `n_rows` or `batch_size` is below 2, or `batch_pairs` below 1.

    Examples
    --------
    >>> from coterie.data import Pairs
    >>> batches = RowBatches(10, batch_size=4, pairs=Pairs([0], [9], [1]), batch_pairs=2)
    >>> plan = batches.plan(seed=0, epoch=0, step=0)
    >>> batches.n_steps, {0, 9} <= set(plan.rows.tolist()), int(plan.same.sum())
    (2, True, 2)
    """

    def __init__(
        self, n_rows: int, batch_size: int, *, pairs: Pairs | None = None, batch_pairs: int | None = None
    ) -> None:
        self._n = check_int("n_rows", n_rows, _SMALLEST_BATCH)
        self._size = check_int("batch_size", batch_size, _SMALLEST_BATCH)
        self._cuts = cuts(self._n, self._size, drop_last=True, smallest=_SMALLEST_BATCH)
        self._order = Order(self._n)
        quarter = max(1, self._size // 4)
        self._chunk = quarter if batch_pairs is None else check_int("batch_pairs", batch_pairs, 1)
        self._pairs = pairs
        n_pairs = 0 if pairs is None else pairs.n_pairs
        # another stream than the rows': the same key would tie the two orders together
        self._pair_order = Order(n_pairs, stream=1)

    @property
    def n_steps(self) -> int:
        """Steps in one epoch."""
        return len(self._cuts) - 1

    def plan(self, seed: int, epoch: int, step: int) -> BatchPlan:
        """Return the rows and pairs of one step, see `Sampler`."""
        check_step(step, self.n_steps)
        drawn = self._order(seed, epoch)[self._cuts[step] : self._cuts[step + 1]]
        if self._pairs is None:
            return BatchPlan(drawn)
        chunk = self._pair_order.chunk(seed, epoch * self.n_steps + step, self._chunk)
        return self._plan(drawn, self._pairs, chunk)

    def evaluation_plans(self) -> Iterator[BatchPlan]:
        """Yield every row once, in a fixed shuffled order, in batches of near-equal size, with all pairs.

        Pairs are repeated where they are fewer than batches; with them, some rows come again as their ends.
        """
        rng = np.random.default_rng(_EVALUATION_SEED)
        n_plans = max(1, self._n // self._size)
        parts = np.array_split(rng.permutation(self._n), n_plans)
        if self._pairs is None:
            yield from (BatchPlan(rows) for rows in parts)
            return
        for rows, chunk in zip(parts, spread(rng.permutation(self._pairs.n_pairs), n_plans), strict=True):
            yield self._plan(rows, self._pairs, chunk)

    def _plan(self, drawn: Rows, pairs: Pairs, chunk: Rows) -> BatchPlan:
        ends = np.stack([pairs.i[chunk], pairs.j[chunk]], axis=1).ravel()
        rows, where = unique_in_order(np.concatenate([drawn, ends]))
        same = as_matrix(where[len(drawn) :], pairs.same[chunk], len(rows))
        return BatchPlan(rows, same=same, n_drawn=len(drawn))


def _rows_by_class(labels: Rows) -> list[Rows]:
    """Rows of each known class, in the order of the codes."""
    order = np.argsort(labels, kind="stable")
    known = order[np.searchsorted(labels[order], 0) :]
    borders = np.flatnonzero(np.diff(labels[known])) + 1
    return [rows for rows in np.split(known, borders) if len(rows)]


def _pools(classes: list[Rows], groups: Rows) -> tuple[list[Rows], list[Rows]]:
    """Classes of groups with at least two of them, and the numbers of the classes of each such group."""
    of_class = np.array([groups[rows[0]] for rows in classes])
    codes, counts = np.unique(of_class, return_counts=True)
    kept = np.isin(of_class, codes[counts >= 2])
    of_class = of_class[kept]
    chosen = [rows for rows, keep in zip(classes, kept, strict=True) if keep]
    return chosen, [np.flatnonzero(of_class == code) for code in np.unique(of_class)]
