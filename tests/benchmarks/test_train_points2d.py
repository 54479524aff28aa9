"""Training of the models for points: its sets and rates are functions of the step."""

from __future__ import annotations

import argparse

import pytest
import torch

from benchmarks import train_points2d as training
from coterie.nn.set_attention import SetAttention


def options(*words: str) -> argparse.Namespace:
    return training.make_parser().parse_args(["--out", "unused", *words])


def test_sets_are_a_function_of_the_step() -> None:
    chosen = options("--items", "20", "40", "--sets", "4")
    first, again = training.sets_of_step(chosen, 3), training.sets_of_step(chosen, 3)
    assert first[0].shape[1:] == (40, 2)
    assert torch.equal(first[0], again[0])
    assert training.sets_of_step(chosen, 4)[0].shape[1:] == (20, 2)


def test_the_rate_rises_follows_the_cosine_and_falls_to_zero() -> None:
    chosen = options("--steps", "1000", "--horizon", "2000", "--cool", "100", "--learning-rate", "1")
    rates = [training.learning_rate_at(step, chosen) for step in (0, 99, 500, 900, 950, 999)]
    assert rates[0] == pytest.approx(0.01, abs=1e-4)
    assert rates[2] == pytest.approx(0.8536, abs=1e-3)
    assert rates[4] < 0.51 * rates[3]
    assert rates[5] < 0.02 * rates[3]


def test_a_step_learns_and_count_layers_can_be_trained_alone(capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    network = SetAttention(2, 3, width=16, depth=1, heads=2)
    points, labels = training.sets_of_step(options("--items", "12", "--sets", "4", "--max-clusters", "3"), 0)
    terms = training.loss_of(network, points, labels, training.same_prior(3, 12))
    torch.autograd.backward(terms["total"])
    assert all(p.grad is not None for p in network.parameters())
    before = network.into.weight.detach().clone()
    training.fit_count(network, [10, 10, 0, 0, 0], seed=0)
    assert torch.equal(network.into.weight, before)
    assert "right_counts" in capsys.readouterr().out
