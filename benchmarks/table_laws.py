"""Tables to measure the network for tables on: Gaussian mixtures of a stated difficulty, and embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.datasets import coil100, load, speakers
from benchmarks.estimators import CrossEntropy
from benchmarks.record import ROOT
from coterie.data.files import atomic_write

Table = npt.NDArray[Any]
Labels = npt.NDArray[np.int64]
# The smallest separation of two clusters: the distance of their centres over the sum of their standard
# deviations along the line between the centres. Two equal Gaussians have two modes above 1; a threshold
# half-way between them errs for 0.13% of the rows at 3, for 6.7% at 1.5.
SEPARATIONS = {"easy": 3.0, "hard": 1.5}
MOST_CLUSTERS = 10
_LEAST_SHARE = 0.3  # of n / k, in the smallest cluster
EMBEDDED_ROWS = 300
CLASSIFIER_STEPS = 600
BUILD = ROOT / "build" / "l2c-tables"
KNOWN = {"coil100": 80, "speakers": 200}  # groups that the embedding is learnt from; others are clustered


def gaussian_mixture(
    rng: np.random.Generator, n_rows: int, n_columns: int, difficulty: str
) -> tuple[Table, Labels]:
    """A mixture of 2 to 10 Gaussians with random covariances and sizes.

    Centres are uniform in a cube and then moved apart by one factor, so that the two clusters that are worst
    separated are as far apart as `SEPARATIONS` says. Axes of a cluster are random, its standard deviations
    along them from 0.5 to 1.5. The smallest cluster holds at least 30% of an equal share.
    """
    k = int(rng.integers(2, MOST_CLUSTERS + 1))
    turns = np.linalg.qr(rng.normal(size=(k, n_columns, n_columns)))[0]
    roots = turns * rng.uniform(0.5, 1.5, size=(k, 1, n_columns))
    centres = rng.uniform(size=(k, n_columns))
    first, second = np.triu_indices(k, 1)
    lines = centres[second] - centres[first]
    lengths = np.linalg.norm(lines, axis=1)
    along = lines / lengths[:, None]
    spreads = [
        np.linalg.norm(np.einsum("pd,pde->pe", along, roots[side]), axis=1) for side in (first, second)
    ]
    centres *= SEPARATIONS[difficulty] / (lengths / (spreads[0] + spreads[1])).min()
    shares = _LEAST_SHARE / k + (1 - _LEAST_SHARE) * rng.dirichlet(np.ones(k))
    labels = np.concatenate([np.arange(k), rng.choice(k, n_rows - k, p=shares)])
    return centres[labels] + np.einsum(
        "nde,ne->nd", roots[labels], rng.normal(size=(n_rows, n_columns))
    ), labels


def embedded_tables(name: str, n_tables: int, draw: int) -> Iterator[tuple[Table, Labels]]:
    """Embeddings of 3 to 10 random groups of a data set, 300 rows or all that there are."""
    features, groups = _embedding(name, draw)
    rng = np.random.default_rng(draw)
    for _ in range(n_tables):
        chosen = rng.choice(np.unique(groups), int(rng.integers(3, MOST_CLUSTERS + 1)), replace=False)
        rows = rng.permutation(np.flatnonzero(np.isin(groups, chosen)))[:EMBEDDED_ROWS]
        yield features[rows], np.unique(groups[rows], return_inverse=True)[1].astype(np.int64)


def _embedding(name: str, draw: int) -> tuple[Table, Labels]:
    """The last hidden layer of a classifier, and groups; kept in build/l2c-tables: training takes minutes."""
    path = BUILD / f"{name}-{draw}.npz"
    if not path.exists():
        features, groups = _train_embedding(name, draw)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, features=features, groups=groups)
    with np.load(path) as kept:
        return kept["features"], kept["groups"]


def _train_embedding(name: str, draw: int) -> tuple[Table, Labels]:
    """Features and groups that the classifier was not trained on; with "cifar10", images that it was not."""
    if name == "cifar10":
        split = load("cifar10")
        known, classes = split.x_train[:10_000], split.y_train[:10_000]
        new, groups = split.x_train[10_000:15_000], split.y_train[10_000:15_000]
    else:
        samples, codes = coil100(32) if name == "coil100" else speakers()
        place = np.argsort(np.random.default_rng(draw).permutation(codes.max() + 1))[codes]
        seen = place < KNOWN[name]
        known, classes, new, groups = samples[seen], place[seen], samples[~seen], place[~seen]
    classifier = CrossEntropy(
        len(np.unique(classes)),
        backbone="vggxs",
        max_steps=CLASSIFIER_STEPS,
        n_restarts=1,
        random_state=draw,
        threads=1,
    )
    return classifier.fit(known, classes).transform(new), groups
