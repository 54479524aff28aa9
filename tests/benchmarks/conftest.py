"""Tiny data in the files that the benchmarks read."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.suites import omniglot
from benchmarks.suites.from_pairs import read_split
from tests.benchmarks.quick import quick, write_idx

from benchmarks import datasets


@pytest.fixture(scope="session")
def tiny_mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny data set in MNIST's files: each class a bright row of its own."""
    rng = np.random.default_rng(0)
    where = tmp_path_factory.mktemp("data") / "mnist"
    where.mkdir()
    for prefix, n in (("train", 240), ("t10k", 120)):
        labels = np.tile(np.arange(10, dtype=np.uint8), n // 10)
        images = rng.integers(0, 60, (n, 28, 28), dtype=np.uint8)
        images[np.arange(n), 4 + 2 * labels] = 255
        write_idx(where / f"{prefix}-images-idx3-ubyte.gz", images)
        write_idx(where / f"{prefix}-labels-idx1-ubyte.gz", labels)
    return where.parent


@pytest.fixture
def mnist(tiny_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That folder, as the one with all data sets."""
    monkeypatch.setenv(datasets.VARIABLE, str(tiny_mnist))
    return tiny_mnist


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of scikit-learn's digits in place of all."""

    def load() -> datasets.Split:
        whole = datasets._digits()
        return whole.take(260, 100)

    monkeypatch.setitem(datasets._LOADERS, "digits", (load, 1 / 4))


@pytest.fixture(autouse=True)
def _fresh_splits() -> None:
    read_split.cache_clear()


@pytest.fixture
def alphabets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two alphabets of 4 characters to learn from and one to discover: bars at places of their own."""
    where = tmp_path / "data" / "omniglot"
    where.mkdir(parents=True)
    for part, n in (("background", 8), ("evaluation", 4)):
        white = np.ones((n, 20, 105, 105), dtype=bool)
        for character in range(n):
            white[character, :, 12 * character : 12 * character + 10] = False
        np.savez(where / f"images_{part}.npz", images=white)
    rows = ["set,alphabet,first_label,last_label,n_characters"]
    rows += ["background,A,0,3,4", "background,B,4,7,4", "evaluation,Angelic,0,3,4"]
    (where / "alphabets.csv").write_text("\n".join(rows))
    monkeypatch.setenv(datasets.VARIABLE, str(where.parent))
    monkeypatch.setattr(omniglot, "SPN_FOLDER", tmp_path / "spn")


@pytest.fixture(scope="session")
def made(tiny_mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(datasets.VARIABLE, str(tiny_mnist))
        return quick("labels", tmp_path_factory.mktemp("made"), "--methods", "cross-entropy", "--sizes", "2")[
            0
        ]


@pytest.fixture
def valid(made: dict[str, Any]) -> dict[str, Any]:
    """A record of a short run."""
    return copy.deepcopy(made)
