"""What all tests share: one torch thread, scikit-learn's digits in small portions, and a browser."""

from __future__ import annotations

import copy
import gc
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.datasets import load_digits
from tests.browser import Browser
from tests.engine.pools import MakePool, OfAnother

from coterie.data import modality
from coterie.data.readers import registry as readers
from coterie.engine.pool import Pool
from coterie.methods import feature_starts
from coterie.methods import registry as methods
from coterie.report import renderers

REGISTRIES: tuple[tuple[Any, str], ...] = (
    (methods, "_REGISTERED"),
    (modality, "_KNOWN"),
    (readers, "_READERS"),
    (renderers, "_RENDERERS"),
)

Digits = tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none, and say so."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="no GPU here; pytest -m gpu runs it on one"))


def pytest_collection_finish() -> None:
    """What is imported and collected stays to the end: garbage collections need not look at it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """On shared cores a second torch thread makes small steps slower."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def hangups_count() -> None:
    """A run under nohup ignores SIGHUP, and so would every process that a test starts."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test or a guide registers is known until its end."""
    for module, name in REGISTRIES:
        monkeypatch.setattr(module, name, copy.copy(getattr(module, name)))


@pytest.fixture(scope="session")
def all_digits() -> Digits:
    """1,797 rows of 64 pixels."""
    X, y = load_digits(return_X_y=True)
    return X, y


@pytest.fixture
def digits(all_digits: Digits) -> Digits:
    """The first 150 rows."""
    X, y = all_digits
    return X[:150].copy(), y[:150].copy()


@pytest.fixture
def few_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Self-distillation begins with few clusterings: for tests that do not ask how good they are."""
    for name in ("CENTER_RUNS", "MAP_RUNS", "ROUNDS"):
        monkeypatch.setattr(feature_starts, name, 1)


@pytest.fixture(scope="session")
def lasting_pool() -> Iterator[MakePool]:
    """Takes the place of `Pool`: two processes serve all tests of a session."""
    with Pool(None, 2) as pool:
        yield lambda shared, n_workers: OfAnother(pool, shared, n_workers)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium for all pages of a session."""
    made = Browser(tmp_path_factory.mktemp("profile"))
    yield made
    made.close()
