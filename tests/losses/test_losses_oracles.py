"""KCL and CCL against numbers from the papers' equations and from the released code (float64)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from coterie.losses import ccl, kcl

Case = dict[str, Any]
HERE = Path(__file__).parent
KCL: list[Case] = json.loads((HERE / "kcl.json").read_text())["cases"]
CCL: list[Case] = json.loads((HERE / "ccl.json").read_text())["cases"]
CCL_SYMMETRIC = [case for case in CCL if case["name"] != "asymmetric_spn_output"]


def name(case: Case) -> str:
    return str(case["name"])


def double(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def inputs(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (leaf), softmax rows with a retained gradient, int8 matrix."""
    logits = double(case["logits"]).requires_grad_()
    prob = logits.softmax(1)
    prob.retain_grad()
    return logits, prob, torch.tensor(case["simi_matrix"]).to(torch.int8)


def through_softmax(gradient: Tensor | None, prob: Tensor) -> Tensor:
    """Gradient with respect to the rows -> with respect to the logits."""
    assert gradient is not None
    rows = prob.detach()
    return rows * (gradient - (rows * gradient).sum(1, keepdim=True))


def close(actual: Any, expected: Any) -> None:
    torch.testing.assert_close(
        torch.as_tensor(actual, dtype=torch.float64), double(expected), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("case", KCL, ids=name)
def test_kcl_equals_the_paper(case: Case) -> None:
    _, prob, same = inputs(case)
    total = kcl(prob, same, case["margin"], reduction="sum")
    torch.autograd.backward(total)
    close(total, case["paper"]["sum_over_pairs"])
    close(prob.grad, case["paper"]["grad_prob_of_sum"])
    close(kcl(prob, same, case["margin"]), case["paper"]["mean_over_pairs"])
    close(kcl(prob, torch.tensor(case["labels"]), case["margin"]), case["paper"]["mean_over_pairs"])


@pytest.mark.parametrize("case", KCL, ids=name)
def test_kcl_of_one_pair_equals_the_paper(case: Case) -> None:
    _, prob, same = inputs(case)
    for i, j, expected in case["paper"]["per_pair_i_j_L"]:
        one = torch.zeros_like(same)
        one[i, j] = one[j, i] = same[i, j]
        close(kcl(prob, one, case["margin"]), expected)


@pytest.mark.parametrize("case", KCL, ids=name)
def test_kcl_equals_the_released_code(case: Case) -> None:
    logits, prob, same = inputs(case)
    loss = kcl(prob, same, case["margin"], include_self=True, eps=1e-7)
    torch.autograd.backward(loss)
    close(loss, case["official"]["loss"])
    close(prob.grad, case["official"]["grad_prob"])
    close(logits.grad, case["official"]["grad_logits"])


@pytest.mark.parametrize("case", KCL, ids=name)
def test_kcl_is_twice_the_released_code_without_self_pairs(case: Case) -> None:
    logits, prob, same = inputs(case)
    loss = kcl(prob, same, case["margin"], eps=1e-7) / 2
    torch.autograd.backward(loss)
    close(loss, case["official_without_self"]["loss"])
    close(prob.grad, case["official_without_self"]["grad_prob"])
    close(logits.grad, case["official_without_self"]["grad_logits"])


@pytest.mark.parametrize("case", KCL, ids=name)
def test_kcl_equals_torch7(case: Case) -> None:
    _, prob, same = inputs(case)
    eps = case["torch7"]["eps"]
    torch.autograd.backward(kcl(prob, same, case["margin"], eps=eps, reduction="sum"))
    close(kcl(prob, same, case["margin"], eps=eps), case["torch7"]["loss"])
    # Torch7 drops the gradient of a similar pair at KL = 0, a constant per row, which no logit sees.
    close(
        through_softmax(prob.grad, prob), through_softmax(double(case["torch7"]["grad_prob"]), prob).tolist()
    )


@pytest.mark.parametrize("case", CCL_SYMMETRIC, ids=name)
def test_ccl_equals_the_paper(case: Case) -> None:
    logits, prob, same = inputs(case)
    total = ccl(prob, same, reduction="sum")
    torch.autograd.backward(total)
    close(total, case["paper"]["sum_nll"])
    close(logits.grad, case["paper"]["grad_logits_of_sum"])
    close(ccl(prob, same), case["paper"]["mean_nll"])


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("case", CCL_SYMMETRIC, ids=name)
def test_ccl_equals_the_released_code(case: Case, include_self: bool) -> None:
    expected = case["official_known" if include_self else "official_without_self"]
    logits, prob, same = inputs(case)
    loss = ccl(prob, same, include_self=include_self, eps=1e-7)
    torch.autograd.backward(loss)
    close(loss, expected["loss"])
    close(prob.grad, expected["grad_prob"])
    close(logits.grad, expected["grad_logits"])


def test_collapse_stops_kcl_but_not_ccl() -> None:
    case = next(case for case in CCL if case["name"] == "identical_soft_rows")
    gradients = []
    for loss in (kcl, ccl):
        logits, prob, same = inputs(case)
        torch.autograd.backward(loss(prob, same))
        assert logits.grad is not None
        gradients.append(float(logits.grad.abs().max()))
    assert gradients[0] < 1e-12
    assert gradients[1] > 1e-2


def test_asymmetric_predictions_are_refused() -> None:
    case = next(case for case in CCL if case["name"] == "asymmetric_spn_output")
    _, prob, same = inputs(case)
    with pytest.raises(
        ValueError, match=r"same must be symmetric, got same\[0, 1\] = 1 and same\[1, 0\] = -1"
    ):
        ccl(prob, same)
