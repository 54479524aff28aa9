"""Counter-seeded batches of whole sets: drawn from labelled groups, or given as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from coterie._checks import check_int
from coterie._errors import InputError
from coterie._types import BatchPlan, Rows

MIN_ITEMS = 2  # of each group in a set
_EVALUATION_SEED = 0
_EVALUATION_STEPS = 10
_EVALUATION_BATCHES = 100
_TRIES = 20


class SetBatches:
    """Batches of sets drawn from labelled groups: k groups a set, k uniform, at least two samples of each.

    Parameters
    ----------
    labels : int64 array of shape (n,)
        Group codes; negative where unknown. Unknown samples and groups of one sample are never drawn.
    n_samples : int
        Samples in a set.
    batch_sets : int
        Sets in a batch.
    max_clusters : int
        Largest number of groups in a set; fewer where there are not as many, or they do not fit twice.
    n_steps : int
        Steps that count as an epoch.

    Attributes
    ----------
    counts : tuple of int
        Numbers of groups that sets can have: k groups have to hold `n_samples` samples.

    Raises
    ------
    InputError
        No choice of at most `max_clusters` groups holds `n_samples` samples.

    Examples
    --------
    >>> batches = SetBatches(np.repeat([0, 1, 2], 10), n_samples=6, batch_sets=4, max_clusters=5)
    >>> batches.counts, batches.plan(seed=0, epoch=0, step=0).labels.shape
    ((1, 2, 3), (4, 6))
    """

    def __init__(
        self,
        labels: npt.NDArray[np.int64],
        n_samples: int,
        batch_sets: int,
        *,
        max_clusters: int,
        n_steps: int = 100,
    ) -> None:
        self._size = check_int("set_size", n_samples, MIN_ITEMS)
        self._sets = check_int("batch_size", batch_sets, 1)
        self._steps = check_int("n_steps", n_steps, 1)
        codes, counts = np.unique(labels[labels >= 0], return_counts=True)
        self._groups = [np.flatnonzero(labels == code) for code in codes[counts >= MIN_ITEMS]]
        self._held = np.array([len(group) for group in self._groups], dtype=np.int64)
        self.counts = _possible_counts(self._held, n_samples, check_int("max_clusters", max_clusters, 1))
        if not self.counts:
            raise InputError(
                f"set_size={n_samples} must be <= the number of samples in {max_clusters} groups of y; "
                "give a smaller set_size or more labelled samples"
            )

    @property
    def n_steps(self) -> int:
        """Steps in one epoch."""
        return self._steps

    @property
    def same_prior(self) -> float:
        """Expected share of same pairs in a set, groups taken to be of equal size."""
        return same_prior(self.counts, self._size)

    def plan(self, seed: int, epoch: int, step: int) -> BatchPlan:
        """Rows and labels (b, n) of one step, a function of the arguments alone."""
        return self._plan(np.random.default_rng([seed, epoch, step]))

    def evaluation_plans(self) -> Iterator[BatchPlan]:
        """Yield the same sets at every call: there are too many to take all."""
        rng = np.random.default_rng(_EVALUATION_SEED)
        for _ in range(_EVALUATION_STEPS):
            yield self._plan(rng)

    def _plan(self, rng: np.random.Generator) -> BatchPlan:
        drawn = [self._draw(rng) for _ in range(self._sets)]
        return BatchPlan(
            np.stack([rows for rows, _ in drawn]), labels=np.stack([codes for _, codes in drawn])
        )

    def _draw(self, rng: np.random.Generator) -> tuple[Rows, Rows]:
        groups = self._choose(rng, int(rng.choice(self.counts)))
        sizes = _sizes(rng, self._held[groups], self._size)
        parts = [
            rng.choice(self._groups[group], size, replace=False)
            for group, size in zip(groups, sizes, strict=True)
        ]
        order = rng.permutation(self._size)
        return np.concatenate(parts)[order], np.repeat(np.arange(len(groups)), sizes)[order]

    def _choose(self, rng: np.random.Generator, k: int) -> Rows:
        """k groups that hold a set together; the largest where chance does not find any."""
        for _ in range(_TRIES):
            groups = rng.choice(len(self._groups), k, replace=False)
            if self._held[groups].sum() >= self._size:
                return groups
        return np.argsort(self._held)[::-1][:k]


def fitting_set_size(labels: npt.NDArray[np.int64], n_samples: int, max_clusters: int) -> int:
    """The wanted size of sets, or the nearest one below it that the groups can fill best.

    Parameters
    ----------
    labels : int64 array of shape (n,)
        Group codes; negative where unknown.
    n_samples : int
        Wanted samples in a set.
    max_clusters : int

    Returns
    -------
    int
        `n_samples` if some choice of groups holds as many samples or no size is possible; else the size that
        allows the most numbers of clusters, and of these the largest.

    Examples
    --------
    >>> fitting_set_size(np.repeat([0, 1, 2], 10), n_samples=72, max_clusters=5)
    10
    """
    held = np.unique(labels[labels >= 0], return_counts=True)[1]
    held = held[held >= MIN_ITEMS]
    if _possible_counts(held, n_samples, max_clusters):
        return n_samples
    allowed = {n: len(_possible_counts(held, n, max_clusters)) for n in range(MIN_ITEMS, n_samples)}
    best = max(allowed, key=lambda n: (allowed[n], n), default=n_samples)
    return best if allowed.get(best) else n_samples


def _possible_counts(held: Rows, n_samples: int, max_clusters: int) -> tuple[int, ...]:
    """Numbers of groups, of which each gives two samples or more, that hold a set together."""
    most = min(max_clusters, len(held), n_samples // MIN_ITEMS)
    largest = np.sort(held)[::-1].cumsum()
    return tuple(k for k in range(1, most + 1) if largest[k - 1] >= n_samples)


def _sizes(rng: np.random.Generator, held: Rows, n: int) -> Rows:
    """How many samples of each group: two, and the rest by chance, at most what each holds."""
    sizes = np.full(len(held), MIN_ITEMS)
    while (missing := n - int(sizes.sum())) > 0:
        room = held > sizes
        sizes = np.minimum(held, sizes + rng.multinomial(missing, room / room.sum()))
    return sizes


class GivenSets:
    """Batches of the given sets, each with labels or with same/different of its pairs.

    Parameters
    ----------
    known : sequence of int64 arrays
        For each set of n samples its labels (n,), negative where unknown, or a symmetric matrix (n, n) of 1
        (same), -1 (different) and 0 (unknown). Rows number the samples of all sets in order.
    batch_sets : int
        Sets of the smallest size in a batch; of larger ones fewer, at least two, so that batches hold about
        as many samples. Sets of different size never share one.

    Examples
    --------
    >>> sets = GivenSets([np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([0, 0])], batch_sets=2)
    >>> [plan.rows.tolist() for plan in sets.evaluation_plans()]
    [[[6, 7]], [[0, 1, 2], [3, 4, 5]]]
    """

    def __init__(self, known: Sequence[npt.NDArray[np.int64]], batch_sets: int) -> None:
        check_int("batch_size", batch_sets, 1)
        self._known = [one if one.ndim == 1 else one.astype(np.int8) for one in known]
        sizes = np.array([len(one) for one in known])
        self._first = np.concatenate([[0], sizes.cumsum()])
        self._batches: list[Rows] = []  # numbers of sets of one size
        for size in np.unique(sizes):
            numbers = np.flatnonzero(sizes == size)
            together = max(min(2, batch_sets), round(batch_sets * sizes.min() / size))
            self._batches += np.array_split(numbers, -(-len(numbers) // together))

    @property
    def n_steps(self) -> int:
        """Steps in one epoch, that is in one pass over the sets."""
        return len(self._batches)

    @property
    def smallest_batch(self) -> int:
        """Sets in the smallest batch."""
        return min(len(numbers) for numbers in self._batches)

    @property
    def same_prior(self) -> float:
        """Share of same pairs among the known ones."""
        same, known = np.sum([_count_pairs(one) for one in self._known], axis=0)
        return float(min(max(same / max(known, 1), 0.01), 0.99))

    def plan(self, seed: int, epoch: int, step: int) -> BatchPlan:
        """Rows (b, n) and matrices (b, n, n) of one step; batches come in another order in each epoch."""
        order = np.random.default_rng([seed, epoch]).permutation(len(self._batches))
        return self._plan(self._batches[order[step]])

    def evaluation_plans(self) -> Iterator[BatchPlan]:
        """Yield every set once, the smallest first; of more than 100 batches, some evenly spread."""
        for numbers in self._batches[:: -(-len(self._batches) // _EVALUATION_BATCHES)]:
            yield self._plan(numbers)

    def _plan(self, numbers: Rows) -> BatchPlan:
        rows = np.stack([np.arange(self._first[number], self._first[number + 1]) for number in numbers])
        return BatchPlan(rows, same=np.stack([_matrix(self._known[number]) for number in numbers]))


def _matrix(known: npt.NDArray[np.integer]) -> npt.NDArray[np.int8]:
    """Labels (n,) as a matrix (n, n) of 1 same, -1 different, 0 unknown; a sample is the same as itself."""
    if known.ndim == 2:
        return known.astype(np.int8)
    both = (known >= 0)[:, None] & (known >= 0)
    matrix = np.where(both, np.where(known[:, None] == known, 1, -1), 0).astype(np.int8)
    np.fill_diagonal(matrix, 1)
    return matrix


def _count_pairs(known: npt.NDArray[np.integer]) -> tuple[int, int]:
    """Ordered pairs of two samples that are the same, and that are known at all."""
    if known.ndim == 2:
        return int((known > 0).sum()) - len(known), int((known != 0).sum()) - len(known)
    sizes = np.bincount(known[known >= 0])
    return int((sizes * (sizes - 1)).sum()), int(sizes.sum() * (sizes.sum() - 1))


def same_prior(counts: Sequence[int], n_samples: int) -> float:
    """Mean over k of the share of same pairs among n samples in k groups of equal size (phi of the paper).

    Examples
    --------
    >>> round(same_prior((1, 2, 3, 4, 5), 72), 5)
    0.44901
    """
    return float(np.mean([(n_samples / k - 1) / (n_samples - 1) for k in counts]))
