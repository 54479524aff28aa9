"""Recipes: number of steps, learning rates, optimizers, plateaus."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from coterie.engine.recipe import MIN_STALE_STEPS, Recipe, is_plateau

BASE = Recipe("sgd", learning_rate=0.1, batch_size=10, max_epochs=4)


@pytest.mark.parametrize(
    ("changes", "per_epoch", "expected"),
    [
        ({}, 7, 28),
        ({"step_range": (100, 200)}, 7, 98),
        ({"step_range": (100, 200)}, 90, 180),
        ({"step_range": (100, 200)}, 1000, 1000),
        ({"step_range": (10, 200)}, 7, 28),
        ({"max_steps": 5}, 7, 5),
        ({"max_steps": 5, "step_range": (100, 200)}, 7, 5),
    ],
)
def test_total_steps(changes: dict[str, object], per_epoch: int, expected: int) -> None:
    recipe = dataclasses.replace(BASE, **changes)  # type: ignore[arg-type]
    assert recipe.total_steps(per_epoch) == expected


def test_drops_are_fractions_of_the_whole_run() -> None:
    recipe = dataclasses.replace(BASE, drops=(0.5, 0.75), drop_factor=0.1)
    rates = [recipe.learning_rate_at(step, 8) for step in range(8)]
    assert rates == pytest.approx([0.1] * 4 + [0.01] * 2 + [0.001] * 2, rel=1e-12)


def test_without_drops_the_rate_stays() -> None:
    assert {BASE.learning_rate_at(step, 9) for step in range(9)} == {0.1}


def test_a_plateau_takes_epochs_and_steps() -> None:
    assert not is_plateau(3, 2, MIN_STALE_STEPS)
    assert is_plateau(3, 3, MIN_STALE_STEPS)
    assert not is_plateau(3, 3, 1)
    assert is_plateau(3, MIN_STALE_STEPS, 1)
    assert not is_plateau(None, 10**6, 10**6)


def test_optimizers_take_the_recipe_s_numbers() -> None:
    parameters = [("weight", nn.Parameter(torch.zeros(2)))]
    sgd = dataclasses.replace(BASE, momentum=0.9, weight_decay=0.01).make_optimizer(parameters)
    adam = dataclasses.replace(BASE, optimizer="adam", weight_decay=0.02).make_optimizer(parameters)
    assert isinstance(sgd, torch.optim.SGD)
    assert isinstance(adam, torch.optim.Adam)
    (group,) = sgd.param_groups
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.1, 0.9, 0.01)
    (group,) = adam.param_groups
    assert (group["lr"], group["weight_decay"]) == (0.1, 0.02)


def test_the_rate_warms_up_and_falls_every_so_many_steps() -> None:
    recipe = dataclasses.replace(BASE, learning_rate=0.9, warmup_steps=3, drop_every=4, drop_factor=1 / 3)
    rates = [recipe.learning_rate_at(step, 100) for step in range(9)]
    assert rates == pytest.approx([0.3, 0.6, 0.9, 0.9] + [0.3] * 4 + [0.1], rel=1e-12)


def test_betas_and_adadelta() -> None:
    parameters = [("weight", nn.Parameter(torch.zeros(2)))]
    adam = dataclasses.replace(BASE, optimizer="adam", betas=(0.8, 0.9)).make_optimizer(parameters)
    assert adam.defaults["betas"] == (0.8, 0.9)
    adadelta = dataclasses.replace(BASE, optimizer="adadelta", rho=0.95).make_optimizer(parameters)
    assert isinstance(adadelta, torch.optim.Adadelta)
    assert adadelta.defaults["rho"] == 0.95


def test_weight_decay_by_name() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    recipe = dataclasses.replace(
        BASE, weight_decay=0.5, decay_by_name=((r"0\.weight", 0.1), (r".*bias", 0.0))
    )
    optimizer = recipe.make_optimizer(network.named_parameters())
    decays = {id(one): group["weight_decay"] for group in optimizer.param_groups for one in group["params"]}
    assert {name: decays[id(one)] for name, one in network.named_parameters()} == {
        "0.weight": 0.1,
        "0.bias": 0.0,
        "1.weight": 0.5,
        "1.bias": 0.0,
    }


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 1e-06),
        (1, 6.380938663295831e-06),
        (100, 9.78955410447455e-06),
        (500, 6.168654401699486e-05),
        (999, 0.00040000000208332816),
        (1000, 0.00040100000000000004),
        (2000, 0.0007956457192605722),
        (3000, 0.000800963681705038),
    ],
)
def test_the_logistic_warm_up_is_the_released_code_s(step: int, expected: float) -> None:
    """Values that the code of ADC gave for a rate of 8e-4 and 2,000 steps; it goes on behind them."""
    recipe = dataclasses.replace(BASE, learning_rate=8e-4, warmup_steps=2000, warmup="logistic")
    assert recipe.learning_rate_at(step, 10_000) == pytest.approx(expected, rel=1e-9)


def test_a_dampened_gradient_counts_less_after_the_first_step() -> None:
    """As Torch7's SGD: v_1 = g, then v_t = momentum * v + (1 - dampening) * g; here g stays the same."""
    weight = nn.Parameter(torch.zeros(1))
    optimizer = dataclasses.replace(BASE, momentum=0.9, dampening=0.9).make_optimizer([("weight", weight)])
    for _ in range(3):
        weight.grad = torch.ones(1)
        optimizer.step()
    # each step moves by 0.1, where without dampening the three move by 0.1, 0.19 and 0.271
    assert weight.item() == pytest.approx(-0.3, rel=1e-6)


def test_gradients_are_clipped_at_their_joint_norm() -> None:
    network = nn.Linear(2, 1)

    def norm_after(recipe: Recipe, size: float) -> float:
        for parameter in network.parameters():
            parameter.grad = torch.full_like(parameter, size)
        recipe.clip(network)
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        return float(torch.cat([gradient.flatten() for gradient in gradients]).norm())

    clipping = dataclasses.replace(BASE, clip_norm=0.5)
    assert norm_after(clipping, 2.0) == pytest.approx(0.5, rel=1e-4)
    assert norm_after(clipping, 0.1) == pytest.approx(0.1 * 3**0.5, rel=1e-6)
    assert norm_after(BASE, 2.0) == pytest.approx(2.0 * 3**0.5, rel=1e-6)


@pytest.mark.parametrize("torchs", [torch.optim.Adam, torch.optim.Adadelta, torch.optim.SGD])
def test_optimizers_do_what_torch_s_do_to_the_last_bit(torchs: Any) -> None:
    recipe = dataclasses.replace(BASE, optimizer=torchs.__name__.lower(), momentum=0.9, weight_decay=0.01)
    ours, theirs = (nn.Parameter(torch.linspace(-1, 1, 7)) for _ in range(2))
    optimizer = recipe.make_optimizer([("weight", ours)])
    assert isinstance(optimizer, torchs)
    other = torchs([theirs])
    other.param_groups[0] |= optimizer.param_groups[0] | {"params": [theirs]}
    for step in range(5):
        for parameter in (ours, theirs):
            parameter.grad = torch.sin(parameter.detach() * step)
        if step == 3:  # as after a resume
            optimizer.load_state_dict(optimizer.state_dict())
        optimizer.step()
        other.step()
        assert torch.equal(ours, theirs)


def test_a_fit_imports_neither_the_compiler_nor_accelerate_nor_a_reader() -> None:
    code = (
        "import sys, numpy as np, coterie\n"
        "x = np.random.default_rng(0).normal(size=(60, 4))\n"
        "for how in ('sequential', 'stacked'):\n"
        "    coterie.DDC(3, restarts=how, max_steps=2, over_clustering=True).fit(x).predict(x)\n"
        "heavy = {'torch._dynamo', 'sympy', 'accelerate', 'scipy.signal', 'scipy.cluster.hierarchy',\n"
        "    'coterie.data.readers.read', 'coterie.data.readers.dialect', 'coterie.nn.set_network'}\n"
        "sys.exit(' '.join(heavy & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
