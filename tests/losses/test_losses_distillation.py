"""Neighbor information and self-labels against values by hand, their gradients and their extremes."""

from __future__ import annotations

import math

import pytest
import torch

from coterie import InputError
from coterie.losses.distillation import confident_labels, neighbor_information, self_label


def rows(seed: int, b: int = 5, k: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(b, k, generator=generator, dtype=torch.float64).softmax(1)


def test_information_by_hand() -> None:
    student = torch.tensor([[0.8, 0.2]], dtype=torch.float64)
    teacher = torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    found = neighbor_information(student, teacher, torch.tensor([0.25, 0.75], dtype=torch.float64), beta=1.0)
    assert float(found) == pytest.approx(math.log(0.8 * 0.5 / 0.25 + 0.2 * 0.5 / 0.75))
    found = neighbor_information(student, teacher, torch.tensor([0.25, 0.75], dtype=torch.float64), beta=0.5)
    assert float(found) == pytest.approx(math.log(0.4**0.5 / 0.25 + 0.1**0.5 / 0.75))


def test_information_is_largest_for_sure_and_even_clusters() -> None:
    sure, even = torch.eye(4), torch.full((4,), 0.25)
    assert float(neighbor_information(sure, sure, even, beta=1.0).mean()) == pytest.approx(math.log(4))
    unsure = torch.full((4, 4), 0.25)
    assert float(neighbor_information(unsure, sure, even, beta=1.0).mean()) == pytest.approx(0, abs=1e-6)


def test_gradients() -> None:
    student, teacher = rows(0).requires_grad_(), rows(1)
    assert torch.autograd.gradcheck(lambda p: neighbor_information(p, teacher, teacher.mean(0)), (student,))


def test_neighbors_in_other_clusters_give_finite_numbers() -> None:
    student = torch.eye(2, requires_grad=True)
    found = neighbor_information(student, torch.eye(2).flip(0), torch.tensor([0.0, 1.0]))
    torch.autograd.backward(found.sum())
    assert found.isfinite().all()
    assert student.grad is not None
    assert student.grad.isfinite().all()


def test_the_surest_samples() -> None:
    teacher = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.55, 0.45]])
    labels, sure = confident_labels(teacher, 0.5)
    assert labels.tolist() == [0, 1, 1, 0]
    assert sure.tolist() == [True, False, True, False]
    assert confident_labels(teacher, 0.01)[1].sum() == 1


def test_only_sure_samples_count() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 5.0]], dtype=torch.float64)
    found = self_label(logits, torch.tensor([0, 0]), torch.tensor([True, False]), smoothing=0.0)
    assert float(found) == pytest.approx(math.log(1 + math.exp(-2)))
    assert float(self_label(logits, torch.tensor([0, 0]), torch.tensor([False, False]), smoothing=0.0)) == 0.0


def test_bad_input() -> None:
    with pytest.raises(InputError, match=r"must have shape \(b, k\) and shares \(k,\)"):
        neighbor_information(rows(0), rows(1, k=4), torch.ones(3) / 3)
    with pytest.raises(InputError, match=r"beta=1\.5 must be in \(0, 1\]"):
        neighbor_information(rows(0), rows(1), torch.ones(3) / 3, beta=1.5)
