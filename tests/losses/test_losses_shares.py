"""Pair losses in parts: each part costs its share, and all together are the whole."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from coterie.losses import pairs
from coterie.losses.ccl import unchecked_ccl
from coterie.losses.kcl import unchecked_kcl
from coterie.losses.pairs import PairOptions, Share, sharing

N = 24
LOSSES: dict[str, Callable[[Tensor, Tensor, PairOptions], Tensor]] = {
    "ccl": lambda p, same, options: unchecked_ccl(p, same, options),
    "kcl": lambda p, same, options: unchecked_kcl(p, same, 2.0, options),
}


@pytest.fixture(autouse=True)
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "SHARED_ROWS", 4)
    monkeypatch.setattr(pairs, "BLOCK", 4)


def known_pairs(kind: str) -> Tensor:
    labels = torch.arange(N) % 4 - 1  # a quarter is unknown
    return labels if kind == "labels" else pairs.as_matrix(labels)


def parts_of(loss: str, p: Tensor, same: Tensor, options: PairOptions, count: int) -> Iterator[Tensor]:
    """What each part adds to the total; with reduction="sum" nothing else is done to it."""
    for number in range(count):
        with sharing(Share(number, count, lambda own: own)):
            yield LOSSES[loss](p, same, options)


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("kind", ["labels", "matrix"])
@pytest.mark.parametrize("loss", LOSSES)
def test_parts_add_up_to_the_whole(
    loss: str, kind: str, dense: bool, count: int, include_self: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "DENSE_LIMIT", N if dense else 1)
    p = torch.randn(N, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).softmax(1)
    p.requires_grad_()
    same, options = known_pairs(kind), PairOptions("sum", include_self)
    whole = LOSSES[loss](p, same, options)
    (gradient,) = torch.autograd.grad(whole, p)
    parts = list(parts_of(loss, p, same, options, count))
    torch.testing.assert_close(sum(parts), whole, rtol=1e-12, atol=1e-12)
    of_parts = [torch.autograd.grad(part, p)[0] for part in parts]
    torch.testing.assert_close(torch.stack(of_parts).sum(0), gradient, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
def test_more_parts_cost_less(loss: str, dense: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries of the matrix of costs that one of three parts computes: at most .45 of all."""
    monkeypatch.setattr(pairs, "DENSE_LIMIT", N if dense else 1)
    module: Any = importlib.import_module(f"coterie.losses.{loss}")
    seen: list[int] = []
    ordered = module._ordered

    def counted(rows: Tensor, cols: Tensor, *rest: object, **named: object) -> Any:
        seen.append(len(rows) * len(cols))
        return ordered(rows, cols, *rest, **named)

    monkeypatch.setattr(module, "_ordered", counted)
    p, options = torch.full((N, 5), 0.2), PairOptions("sum")
    LOSSES[loss](p, torch.arange(N) % 3, options)
    whole = sum(seen)
    for number in range(3):
        seen.clear()
        with sharing(Share(number, 3, lambda own: own)):
            LOSSES[loss](p, torch.arange(N) % 3, options)
        assert 0 < sum(seen) <= 0.45 * whole


def test_few_rows_are_not_shared() -> None:
    p = torch.full((3, 2), 0.5)
    with sharing(Share(1, 2, lambda own: 0 * own)):
        assert float(unchecked_ccl(p, torch.tensor([0, 0, 0]))) > 0


@pytest.mark.parametrize("loss", LOSSES)
def test_weighted_pairs_add_up_too(loss: str) -> None:
    draws = torch.Generator().manual_seed(1)
    p = torch.randn(N, 5, dtype=torch.float64, generator=draws).softmax(1)
    weight = torch.rand(N, N, dtype=torch.float64, generator=draws)
    same, options = known_pairs("matrix"), PairOptions("sum")
    call = {"ccl": partial(unchecked_ccl, options=options), "kcl": partial(unchecked_kcl, options=options)}[
        loss
    ]
    whole, parts = call(p, same, weight=weight), []
    for number in range(3):
        with sharing(Share(number, 3, lambda own: own)):
            parts.append(call(p, same, weight=weight))
    torch.testing.assert_close(sum(parts), whole, rtol=1e-12, atol=1e-12)
