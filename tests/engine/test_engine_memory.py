"""A step that does not fit into the device's memory names the batch that does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.engine.conftest import MakeTask
from tests.engine.tasks import noisy_network
from torch import Tensor, nn

from coterie._errors import InputError
from coterie.data import arrays
from coterie.data.arrays import ScaledSource, Scaling, room_for_data
from coterie.engine.loop import start_run, train
from coterie.engine.restarts import run_session
from coterie.engine.stacked import Stack
from coterie.engine.training import Session
from coterie.nn import ClusterNetwork

NO_SCALING = Scaling(np.zeros(()), np.ones(()))


class Full(ClusterNetwork):
    """Runs out of memory with more than so many rows."""

    room = 0

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        if len(x) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return super().forward(x)


def full_network(room: int) -> ClusterNetwork:
    network = noisy_network(0)
    network.__class__ = Full
    network.room = room  # type: ignore[assignment]  # a plain number
    return network


@pytest.mark.parametrize(("room", "fits"), [(9, 5), (5, 5), (4, 2), (2, 2)])
def test_the_batch_that_fits_is_named(make_task: MakeTask, room: int, fits: int) -> None:
    task = make_task(make_network=lambda seed: full_network(room))
    run = start_run(task, 0, 0)
    message = f"batch_size=10 does not fit into the memory of cpu; batch_size={fits} fits$"
    with pytest.raises(InputError, match=message):
        train(task, run, 2)
    assert run.step == 0
    assert all(one.grad is None for one in run.network.parameters())


def test_no_batch_fits(make_task: MakeTask) -> None:
    task = make_task(make_network=lambda seed: full_network(1))
    with pytest.raises(InputError, match="no smaller one does"):
        train(task, start_run(task, 0, 0), 2)


def test_a_stack_that_does_not_fit_says_what_does(
    make_task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Stack) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Stack, "step", full)
    with pytest.raises(
        InputError, match="restarts: 2 stacked ones do not fit into the memory of cpu; use res"
    ):
        run_session(make_task(), Session([0, 1], how="stacked"))


@pytest.mark.parametrize(("rows", "stays"), [(9, True), (11, False)])
def test_data_lie_on_the_device_where_they_take_half_of_what_is_free(
    monkeypatch: pytest.MonkeyPatch, rows: int, stays: bool
) -> None:
    device = torch.device("cuda", 0)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * 10 * 64, 10**9))
    assert (rows * 64 <= room_for_data(device)) == stays
    monkeypatch.setattr(arrays, "room_for_data", lambda device: 10 * 64)
    source = ScaledSource(np.zeros((rows, 16), np.float32), NO_SCALING, torch.device("meta"))
    assert (source._resident is not None) == stays


def test_other_errors_pass(make_task: MakeTask) -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("something else")

    task = make_task()
    run = start_run(task, 0, 0)
    run.network.backbone = Broken()
    with pytest.raises(RuntimeError, match="something else"):
        train(task, run, 2)
