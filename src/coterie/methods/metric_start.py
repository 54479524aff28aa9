"""The metric of a similarity network on features: what varies within known classes counts less."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor
from torch.nn import functional

from coterie._errors import InputError
from coterie.data import Pairs
from coterie.methods.neighbor_graphs import Ints
from coterie.methods.scatter import Scatter, deviations
from coterie.nn.features import WIDE

# Share of the variance within classes that is taken to be alike in all directions. It is chosen by how well
# held-out classes come apart, which asks for much of it after few classes. ACC of clusters of unknown classes
# with .3, .6, .85 and 1, which leaves the features as they are: five of ten classes of CIFAR-10's tuning
# images, eight draws, .863, .879, .901 and .893; 10 of the first 50 objects of COIL-100, six draws, .999,
# .999, .998 and .969.
SHRINKAGES = (0.01, 0.1, 0.3, 0.6, 0.85)
FOLDS = 4
# held-out samples of a fold of which all pairs are looked at
HELD_ROWS = 800
# held-out pairs of a fold: the distances of all their samples are one matrix
HELD_PAIRS = 1_000
# the log odds differ by so much between the usual distance of a similar pair and of any two samples
CONTRAST = 4.0
# what the usual distance is taken from
ROWS = 2_000
# the principal axes of more columns take minutes
MOST_COLUMNS = 4_096
_TINY = 1e-12


def check_columns(n_columns: int) -> None:
    """Raise where a metric would have too many columns."""
    if n_columns > MOST_COLUMNS:
        raise InputError(
            f"a metric of features takes at most {MOST_COLUMNS} columns, got {n_columns}; reduce X first, by "
            'scikit-learn\'s PCA for example, or pass preset="paper"'
        )


@dataclass(frozen=True)
class Fold:
    """What a metric is made of, and the pairs by which it is judged.

    Attributes
    ----------
    known : int64 array of shape (n,) or Pairs
        As in `MetricStart`.
    i, j : int64 arrays of shape (m,)
        Rows of the held-out pairs.
    same : bool array of shape (m,)
    """

    known: Ints | Pairs
    i: Ints
    j: Ints
    same: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class MetricStart:
    """A linear map under which classes vary alike in all directions, and log odds to begin with.

    Attributes
    ----------
    known : int64 array of shape (n,) or Pairs
        Class of each sample, -1 for unknown ones; or pairs, of which the similar ones make the map.
    """

    known: Ints | Pairs

    def __call__(self, embed: Callable[[], Tensor], seed: int) -> Mapping[str, Tensor]:
        """New values of the network's parameters, by name; `embed` gives the features as they are."""
        features = embed()
        center = features.mean(dim=0)
        features = features - center
        scatter = Scatter.of(deviations(features, self.known))
        weight = scatter.whitening(self._choose_shrinkage(features, seed)).to(features.dtype)
        embedding = _embedding(features @ weight)
        return {"backbone.center": center, "backbone.weight": weight} | self._head(embedding)

    def _choose_shrinkage(self, features: Tensor, seed: int) -> float:
        """The one under which held-out pairs come apart best; the largest where nothing can be held out."""
        scores = [self._scores(features, fold) for fold in folds(self.known, seed)]
        if not scores:
            return SHRINKAGES[-1]
        best = np.flatnonzero(np.mean(scores, axis=0) == np.mean(scores, axis=0).max())
        return SHRINKAGES[best[-1]]

    def _scores(self, features: Tensor, fold: Fold) -> list[float]:
        """Average precision of "near" for "same" on a fold's pairs, for each shrinkage."""
        scatter = Scatter.of(deviations(features, fold.known))
        rows, place = np.unique(np.concatenate([fold.i, fold.j]), return_inverse=True)
        i, j = (torch.from_numpy(part) for part in np.split(place, 2))
        inside = features[torch.from_numpy(rows)].double() @ scatter.vectors
        scores = []
        for shrinkage in SHRINKAGES:
            embedding = _embedding(inside * scatter.scales(shrinkage))
            near = torch.cdist(embedding, embedding)[i, j].neg()
            scores.append(float(average_precision_score(fold.same, near.cpu().numpy())))
        return scores

    def _head(self, embedding: Tensor) -> dict[str, Tensor]:
        """Slope and bias: similar pairs are likely at their usual distance, others are not at theirs."""
        near = 2 * deviations(embedding, self.known).square().sum(dim=1).mean()
        some = embedding[:: max(1, len(embedding) // ROWS)]
        far = torch.maximum(2 * some.var(dim=0, correction=0).sum(), near * (1 + 1e-3) + _TINY)
        slope = CONTRAST / (far - near)
        return {"head.log_slope": slope.log(), "head.bias": slope * (near + far) / 2}


def _embedding(mapped: Tensor) -> Tensor:
    """As `Metric` gives it."""
    return functional.normalize(mapped) if mapped.shape[1] >= WIDE else mapped


def folds(known: Ints | Pairs, seed: int) -> Iterator[Fold]:
    """Parts of the classes, two or more each, or of the pairs, each held out once; none of two classes."""
    draws = np.random.default_rng(seed)
    if isinstance(known, Pairs):
        yield from _folds_of_pairs(known, draws)
        return
    classes = draws.permutation(np.unique(known[known >= 0]))
    size = max(2, -(-len(classes) // FOLDS))
    for first in range(0, len(classes) - 1, size):
        is_held = np.isin(known, classes[first : first + size])
        kept = np.where(is_held, -1, known)
        rows = draws.permutation(np.flatnonzero(is_held))[:HELD_ROWS]
        one, other = np.triu_indices(len(rows), 1)
        fold = Fold(kept, rows[one], rows[other], known[rows[one]] == known[rows[other]])
        if (kept >= 0).any() and fold.same.any() and not fold.same.all():
            yield fold


def _folds_of_pairs(pairs: Pairs, draws: np.random.Generator) -> Iterator[Fold]:
    order = draws.permutation(pairs.n_pairs)
    for part in np.array_split(order, FOLDS):
        kept = np.setdiff1d(order, part)
        part = part[:HELD_PAIRS]
        same = pairs.same[part] > 0
        if (pairs.same[kept] > 0).any() and same.any() and not same.all():
            known = Pairs(pairs.i[kept], pairs.j[kept], pairs.same[kept], hard=pairs.hard)
            yield Fold(known, pairs.i[part], pairs.j[part], same)
