"""The loss of L2C against a re-expression of the released code (float64), its gradients and its extremes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from coterie import InputError, InputTypeError
from coterie.losses import l2c
from coterie.losses.l2c import class_weights, same_matrices, same_probability, true_counts

ORACLE: dict[str, Any] = json.loads((Path(__file__).parent / "l2c.json").read_text())
CASE: dict[str, Any] = ORACLE["cases"][0]


def double(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def outputs() -> tuple[Tensor, list[Tensor], Tensor]:
    parts = [double(CASE["assignments"][str(k)]) for k in (1, 2, 3)]
    return double(CASE["P_k"]), parts, torch.tensor(CASE["labels"])


def softmaxed(count: Tensor, *logits: Tensor) -> tuple[Tensor, list[Tensor]]:
    return count.softmax(1), [part.softmax(2) for part in logits]


def close(actual: Tensor, expected: Any) -> None:
    torch.testing.assert_close(actual, double(expected), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("result", CASE["results"].values(), ids=CASE["results"])
def test_l2c_equals_the_oracle(result: dict[str, Any]) -> None:
    count, parts, labels = outputs()
    terms = l2c(count, parts, labels, same_prior=result["phi"], weight=result["lambda_"])
    close(terms["count"], result["L_cc_mean"])
    close(terms["assignment"], result["L_ca_paper_mean_over_sets"])
    close(terms["total"], result["L_tot_mean"])


@pytest.mark.parametrize("number", [0, 1])
def test_one_set_equals_the_oracle(number: int) -> None:
    count, parts, labels = outputs()
    rows = slice(number, number + 1)
    terms = l2c(count[rows], [part[rows] for part in parts], labels[rows], same_prior=0.45)
    result = CASE["results"]["phi_0.45"]
    close(terms["count"], result["L_cc_per_set"][number])
    close(terms["assignment"], result["L_ca_paper_per_set"][number])


def test_same_probability_equals_the_oracle() -> None:
    count, parts, _ = outputs()
    i, j = torch.tensor(CASE["pairs"]).T
    close(same_probability(count, parts)[:, i, j], CASE["P_ij"])


@pytest.mark.parametrize("row", ORACLE["class_weights_simple_approximation"], ids=lambda row: f"n{row['n']}")
def test_class_weights_equal_the_oracle(row: dict[str, float]) -> None:
    of_same, of_different = class_weights(row["phi_simple_approximation_equal_sizes"])
    assert of_same == pytest.approx(row["weight_same"], abs=1e-9)
    assert of_different == pytest.approx(row["weight_different"], abs=1e-9)


def test_same_different_only_is_the_same_loss() -> None:
    count, parts, labels = outputs()
    from_labels = l2c(count, parts, labels, same_prior=0.45)
    from_pairs = l2c(count, parts, same_matrices(labels), same_prior=0.45)
    assert from_pairs == from_labels


def test_unknown_pairs_do_not_count() -> None:
    count, parts, labels = outputs()
    partly = labels.clone()
    partly[:, 4] = -1
    terms = l2c(count, parts, partly, same_prior=0.45)
    shorter = l2c(count, [part[:, :4] for part in parts], labels[:, :4], same_prior=0.45)
    close(terms["assignment"], float(shorter["assignment"]))
    assert float(terms["count"]) == 0.0


def test_counts_of_groups() -> None:
    labels = torch.tensor([[4, 2, 4, 2], [0, 0, 0, 0], [3, 2, 1, 0], [0, -1, 1, 1]])
    assert true_counts(same_matrices(labels)).tolist() == [2, 1, 4, 0]


def test_renaming_the_groups_changes_nothing() -> None:
    count, parts, labels = outputs()
    renamed = l2c(count, parts, 9 - labels, same_prior=0.45)
    assert renamed == l2c(count, parts, labels, same_prior=0.45)


def test_gradients() -> None:
    torch.manual_seed(0)
    logits = [
        torch.randn(2, *shape, dtype=torch.float64, requires_grad=True) for shape in ((2,), (4, 1), (4, 2))
    ]
    labels = torch.tensor([[0, 0, 1, 1], [0, 0, 0, 0]])

    def total(*values: Tensor) -> Tensor:
        count, parts = softmaxed(*values)
        return l2c(count, parts, labels, same_prior=0.4)["total"]

    assert torch.autograd.gradcheck(total, logits)


@pytest.mark.parametrize("scale", [0.0, 200.0, -200.0], ids=["uniform", "right", "wrong"])
def test_float32_extremes_are_finite_with_gradient(scale: float) -> None:
    labels = torch.tensor([[0, 0, 1, 1]])
    count = torch.tensor([[0.0, scale]], requires_grad=True)
    rows = (scale * torch.eye(2)[labels]).requires_grad_()
    proba, parts = softmaxed(count, torch.zeros(1, 4, 1), rows)
    terms = l2c(proba, parts, labels, same_prior=0.4)
    torch.autograd.backward(terms["total"])
    assert all(bool(torch.isfinite(value)) for value in terms.values())
    for leaf in (count, rows):
        assert leaf.grad is not None
        assert bool(torch.isfinite(leaf.grad).all())


def test_collapsed_rows_still_get_a_gradient() -> None:
    proba, parts = softmaxed(torch.zeros(1, 2), torch.zeros(1, 4, 1), torch.full((1, 4, 2), 0.0))
    rows = parts[1].requires_grad_()
    torch.autograd.backward(
        l2c(proba, [parts[0], rows], torch.tensor([[0, 0, 1, 1]]), same_prior=0.4)["total"]
    )
    assert rows.grad is not None
    assert float(rows.grad.abs().sum()) > 0


def test_bad_input() -> None:
    count, parts, labels = outputs()
    with pytest.raises(InputError, match=r"same_prior must be a number in \(0, 1\), got 1.0"):
        l2c(count, parts, labels, same_prior=1.0)
    with pytest.raises(InputError, match="weight"):
        l2c(count, parts, labels, same_prior=0.4, weight=-1.0)
    with pytest.raises(InputError, match="2 tensors"):
        l2c(count, parts[:2], labels, same_prior=0.4)
    with pytest.raises(InputError, match=r"assignments\[1\] must have shape .* got \(2, 5, 3\)"):
        l2c(count, [parts[0], parts[2], parts[2]], labels, same_prior=0.4)
    with pytest.raises(InputError, match="count_proba must be finite"):
        l2c(count * float("nan"), parts, labels, same_prior=0.4)
    with pytest.raises(InputError, match=r"labels must have shape .* got \(2, 4\)"):
        l2c(count, parts, labels[:, :4], same_prior=0.4)
    with pytest.raises(
        InputError, match=r"labels must have at most . groups in a set, as count_proba has, got 5"
    ):
        l2c(count, parts, torch.arange(5).expand(2, 5), same_prior=0.4)
    with pytest.raises(InputError, match="symmetric"):
        l2c(count, parts, same_matrices(labels).triu(), same_prior=0.4)
    with pytest.raises(InputTypeError, match="labels must be an integer tensor"):
        l2c(count, parts, labels.double(), same_prior=0.4)
    with pytest.raises(InputTypeError, match="count_proba"):
        l2c(count.long(), parts, labels, same_prior=0.4)
