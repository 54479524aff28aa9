"""A checkpoint goes on with the same callable or module alone, and a fit in a forked child does not wait."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.engine.pools import one_worker
from tests.waiting import in_child
from torch import Tensor, nn

from coterie import CCN, InputError
from coterie.engine import restarts, runtime
from coterie.methods.identity import identity_of

X = np.random.default_rng(0).normal(size=(40, 6))
Y = np.arange(40) % 3
STRENGTH = 0.1


def soft(x: Tensor, generator: Any) -> Tensor:
    return x * 0.1


def hard(x: Tensor, generator: Any) -> Tensor:
    return x * 0.2


def closed_over(strength: float) -> Callable[..., Tensor]:
    return lambda x, generator: x * strength


def by_global(x: Tensor, generator: Any) -> Tensor:
    return x * STRENGTH


def default(strength: float) -> Callable[..., Tensor]:
    def views(x: Tensor, generator: Any, by: float = strength) -> Tensor:
        return x * by

    return views


class Views:
    def __init__(self, strength: float) -> None:
        self.strength = strength

    def __call__(self, x: Tensor, generator: Any) -> Tensor:
        return x * self.strength

    def method(self, x: Tensor, generator: Any) -> Tensor:
        return x * self.strength


def scaled(by: float, x: Tensor, generator: Any) -> Tensor:
    return x * by


def network(width: int = 5, activation: type[nn.Module] = nn.ReLU, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, width), activation(), nn.Linear(width, 5))


def forward_by(act: Callable[[Tensor], Tensor]) -> type[nn.Module]:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 5)

        def forward(self, x: Tensor) -> Tensor:
            return act(self.layer(x))

    return Net


PAIRS: list[tuple[Any, Any]] = [
    (soft, hard),
    (closed_over(0.1), closed_over(0.2)),
    (default(0.1), default(0.2)),
    (Views(0.1), Views(0.2)),
    (Views(0.1).method, Views(0.2).method),
    (functools.partial(scaled, 0.1), functools.partial(scaled, 0.2)),
    (network(), network(activation=nn.Tanh)),
    (network(), network(seed=1)),
    (nn.Dropout(0.1), nn.Dropout(0.2)),
    (functools.partial(network, 5), functools.partial(network, 4)),
    (forward_by(torch.relu), forward_by(torch.tanh)),
    (np.zeros(3), np.ones(3)),
    ({1, 2}, {1, 3}),
    (int | str, int | bytes),
    (list[int], list[str]),
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_what_differs_has_another_identity(one: Any, other: Any) -> None:
    assert identity_of("augment", one) == identity_of("augment", one)
    assert identity_of("augment", one) != identity_of("augment", other)


def test_a_global_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = identity_of("augment", by_global)
    monkeypatch.setitem(by_global.__globals__, "STRENGTH", 0.2)
    assert identity_of("augment", by_global) != before
    monkeypatch.setitem(by_global.__globals__, "STRENGTH", 0.1)
    assert identity_of("augment", by_global) == before


@pytest.mark.parametrize("folder", ["site-packages", "dist-packages"])
def test_packages_of_any_environment_count_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """A lock in a function's globals stands for all that has no digest."""
    name = folder.replace("-", "_")
    module = f"import threading\nLOCK = threading.Lock()\ndef {name}(x, generator):\n    return LOCK and x\n"
    for place, refused in ((tmp_path / folder, False), (tmp_path / "project", True)):
        place.mkdir()
        (place / f"{place.name}_{name}.py").write_text(module)
        monkeypatch.syspath_prepend(place)
        views = getattr(importlib.import_module(f"{place.name}_{name}"), name)
        with pytest.raises(InputError) if refused else contextlib.nullcontext():
            identity_of("augment", views)


def test_the_same_in_another_process(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import torch\nfrom torch import nn\nfrom coterie.methods.identity import identity_of\n"
        "class Net(nn.Module):\n    def forward(self, x):\n        return torch.relu(x) if {1, 'a'} else x\n"
        "def views(x, generator):\n    return Net()(x)\n"
        "torch.manual_seed(0)\nall_kinds = [views, Net(), nn.Linear(2, 3), lambda x: x + 1, print]\n"
        "print(identity_of('a', all_kinds))\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "mine.py"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


def quick(folder: Path | None, **params: Any) -> CCN:
    sizes = {"n_clusters": 3, "n_restarts": 1, "max_steps": 3, "over_clustering": True, "random_state": 0}
    return CCN(**sizes | params, checkpoint_dir=None if folder is None else str(folder))


@pytest.mark.parametrize("name", ["augment", "backbone"])
def test_another_callable_does_not_get_the_old_result(tmp_path: Path, name: str) -> None:
    first, second = (soft, hard) if name == "augment" else (network(), network(activation=nn.Tanh))
    loss = quick(tmp_path, **{name: first}).fit(X, Y).loss_
    assert quick(tmp_path, **{name: first}).fit(X, Y).loss_ == loss
    with pytest.raises(InputError, match="belongs to a fit with other parameters"):
        quick(tmp_path, **{name: second}).fit(X, Y)


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    lock = threading.Lock()

    def views(x: Tensor, generator: Any) -> Tensor:
        with lock:
            return x * 0.1

    quick(None, augment=views).fit(X, Y)
    with pytest.raises(InputError, match=r"augment must be comparable .* type _thread.lock; keep that out"):
        quick(tmp_path, augment=views).fit(X, Y)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of fork beside threads, which is what is tried
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_fit_in_a_forked_child_does_not_wait_for_ever(n_jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock of a fit that goes on in another thread is not there to be released; nor are its workers."""
    monkeypatch.setattr(restarts, "TRIAL_SECONDS", 0.0)
    monkeypatch.setattr(restarts, "WORTH_SECONDS", 0.0)
    monkeypatch.setattr(restarts, "Pool", one_worker)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with runtime._ONE_AT_A_TIME:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        assert in_child(lambda: quick(None, n_jobs=n_jobs, n_restarts=2).fit(X, Y)) == 0
    finally:
        done.set()
        thread.join()
