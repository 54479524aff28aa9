"""A memory-mapped X is never in memory whole, neither in fit nor in predict."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from coterie import CCN
from coterie.data import arrays, read_samples


def test_a_memmap_is_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for bound in ("CHUNK_BYTES", "PASS_BYTES"):
        monkeypatch.setattr(arrays, bound, 2**20)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 30_000)
    mapped = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (30_000, 256))
    mapped[:] = rng.standard_normal((30_000, 256), dtype=np.float32) + 3 * y[:, None]
    mapped.flush()
    y[500:] = -1
    X = read_samples(tmp_path / "x.npy").X
    assert isinstance(X, np.memmap)
    model = CCN(n_clusters=2, n_restarts=1, max_steps=10, random_state=0, over_clustering=True)
    model.fit(X[:1000], y[:1000])  # what a first fit imports is not to be counted
    tracemalloc.start()
    model.fit(X, y).predict(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < X.nbytes / 2
