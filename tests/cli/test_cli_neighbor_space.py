"""What is near: small samples themselves, of larger ones the embedding; and `fit --neighbors`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coterie import CCN, InputError
from coterie.cli.neighbor_space import LARGEST_ITEM, NeighborSpace

Call = Callable[..., tuple[int, str, str]]
ROWS = np.array([3, 0, 7])


def test_small_items_are_scaled_and_flat(digits: Any) -> None:
    X, _ = digits
    images = (X.reshape(-1, 8, 8) * 15).astype(np.uint8)
    points = NeighborSpace(images, None)
    assert len(points) == 150
    found = points[np.arange(150)]
    assert found.shape == (150, 64)
    assert (found.mean(), found.std()) == pytest.approx((0, 1))
    np.testing.assert_array_equal(points[ROWS], found[ROWS])


def test_a_run_gives_its_scaling_or_its_embedding(digits: Any) -> None:
    X, y = digits
    quick: dict[str, Any] = {"n_clusters": 10, "n_restarts": 1, "max_steps": 2, "over_clustering": True}
    small = CCN(**quick).fit(X[:100], y[:100])
    np.testing.assert_allclose(
        NeighborSpace(X, small)[ROWS], (X[ROWS] - small.scaling_.offset) * small.scaling_.factor
    )
    wide = np.tile(X, (1, LARGEST_ITEM // 64 + 1))
    large = CCN(**quick).fit(wide, y)
    np.testing.assert_allclose(NeighborSpace(wide, large)[ROWS], large.transform(wide[ROWS]), rtol=1e-6)
    with pytest.raises(
        InputError, match=r"--neighbors: samples must have at most 1,024 numbers, got 1,088; give --init RUN"
    ):
        NeighborSpace(wide, None)


def test_fit_from_neighbors(folder: Path, call: Call) -> None:
    Path("few.csv").write_text("i,j,same\n0,10,1\n0,1,-1\n")
    quick = ["--n-clusters", "10", "--n-restarts", "1", "--max-steps", "2", "--over-clustering", "true"]
    words = ["fit", "x.npy", "--pairs", "few.csv", "--closure", "--neighbors", "5", *quick]
    assert call(*words, "--out", "run")[0] == 0
    assert call(*words, "--init", "run", "--out", "next")[0] == 0
    code, _, err = call(*words, "--neighbors", "150", "--out", "third")
    assert (code, err.count("\n")) == (2, 1)
    assert "n_neighbors must be an int" in err
    Path("few.csv").write_text("i,j,same\n0,150,1\n")
    code, _, err = call(*words, "--out", "fourth")
    assert (code, "pairs must name rows 0..149 of 150 samples" in err) == (2, True)
