"""Tensors of other kinds than the losses take: an error of ours, or a finite value."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from coterie import CCN, InputError, InputTypeError, losses

Change = Callable[[Tensor], Tensor]
Y = torch.tensor([0, 0, 1, 1, 2, 2])
SETS = torch.stack([Y, Y])
SAME = (Y[:, None] == Y).float() * 2 - 1
H = torch.arange(24.0).reshape(6, 4).sin()
P = torch.arange(18.0).reshape(6, 3).cos().softmax(1)
COUNTS = torch.ones(2, 3) / 3
PARTS = [torch.ones(2, 6, k) / k for k in (1, 2, 3)]

CALLS: dict[str, Callable[[Change], Tensor | dict[str, Tensor]]] = {
    "kcl p": lambda change: losses.kcl(change(P), SAME),
    "kcl same": lambda change: losses.kcl(P, change(SAME)),
    "kcl labels": lambda change: losses.kcl(P, change(Y)),
    "ccl p": lambda change: losses.ccl(change(P), SAME),
    "ccl same": lambda change: losses.ccl(P, change(SAME)),
    "ddc hidden": lambda change: losses.ddc(change(H), P),
    "ddc p": lambda change: losses.ddc(H, change(P)),
    "walker a": lambda change: losses.walker(change(H), H, Y),
    "walker b": lambda change: losses.walker(H, change(H), Y),
    "walker labels": lambda change: losses.walker(H, H, change(Y)),
    "visit a": lambda change: losses.visit(change(H), H),
    "visit b": lambda change: losses.visit(H, change(H)),
    "transformation z": lambda change: losses.transformation(change(H), H, P, P),
    "transformation z_aug": lambda change: losses.transformation(H, change(H), P, P),
    "transformation logits": lambda change: losses.transformation(H, H, change(P), P),
    "transformation logits_aug": lambda change: losses.transformation(H, H, P, change(P)),
    "norm": lambda change: losses.norm(change(H)),
    "sparsity": lambda change: losses.sparsity(change(P)),
    "l2c count_proba": lambda change: losses.l2c(change(COUNTS), PARTS, SETS, same_prior=0.3),
    "l2c first": lambda change: losses.l2c(COUNTS, [change(PARTS[0]), *PARTS[1:]], SETS, same_prior=0.3),
    "l2c last": lambda change: losses.l2c(COUNTS, [*PARTS[:2], change(PARTS[2])], SETS, same_prior=0.3),
    "l2c labels": lambda change: losses.l2c(COUNTS, PARTS, change(SETS), same_prior=0.3),
}
CHANGES: dict[str, Change] = {
    "float64": lambda x: x.double() if x.is_floating_point() else x.to(torch.int32),
    "float16": lambda x: x.half() if x.is_floating_point() else x.to(torch.int16),
    "complex": lambda x: x * 1j,
    "coo": lambda x: x.to_sparse(),
    "csr": lambda x: x.to_sparse_csr() if x.dim() > 1 else x.to_sparse(),
    "meta": lambda x: x.to("meta"),
}


@pytest.mark.filterwarnings("ignore:Sparse CSR")
@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("name", CALLS)
def test_an_error_of_ours_or_a_finite_value(name: str, kind: str) -> None:
    try:
        found = CALLS[name](CHANGES[kind])
    except (InputError, InputTypeError) as error:
        assert " must " in str(error) or "expected" in str(error)  # noqa: PT017 - some of the kinds are taken
    else:
        assert kind.startswith("float")
        values = found.values() if isinstance(found, dict) else [found]
        assert all(bool(value.isfinite()) for value in values)


@pytest.mark.parametrize("margin", [1e300, 1e39, 1e7])
def test_a_margin_beyond_all_divergences_is_refused(margin: float) -> None:
    with pytest.raises(InputError, match="margin must be at most 1e\\+06, got"):
        losses.kcl(P, SAME, margin=margin)
    with pytest.raises(InputError, match="margin must be at most"):
        CCN(2, loss="kcl", margin=margin, max_steps=1).fit(np.eye(6), [0, 1] * 3)
    assert bool(losses.kcl(P, SAME, margin=1e6).isfinite())
