"""Joint batch norm: two gloo processes give what one process gives on the global batch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from tests.forked import SERVER
from torch import Tensor, nn
from torch.multiprocessing.spawn import start_processes

from coterie.nn import SyncBatchNorm, build_network, convert_batchnorm
from coterie.nn.global_tensors import sum_of_parts

exact = partial(torch.testing.assert_close, rtol=1e-12, atol=1e-12)


@dataclass(frozen=True)
class Case:
    """A layer, the shape of its global batch, and how many of the rows the first process holds."""

    layer: type[nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d]
    shape: tuple[int, ...]
    first: int
    momentum: float | None = 0.1
    affine: bool = True
    track: bool = True

    def make(self) -> nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d:
        layer = self.layer(
            self.shape[1],
            momentum=self.momentum,
            affine=self.affine,
            track_running_stats=self.track,
            dtype=torch.float64,
        )
        if self.affine:
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias)
        return layer


CASES = (
    Case(nn.BatchNorm1d, (8, 3), first=4),
    Case(nn.BatchNorm1d, (8, 3), first=7),
    Case(nn.BatchNorm1d, (2, 3), first=1),
    Case(nn.BatchNorm1d, (5, 3), first=0),
    Case(nn.BatchNorm1d, (6, 3, 4), first=2, momentum=None),
    Case(nn.BatchNorm2d, (5, 3, 4, 4), first=2),
    Case(nn.BatchNorm2d, (5, 3, 4, 4), first=2, affine=False),
    Case(nn.BatchNorm3d, (3, 2, 2, 3, 4), first=1, track=False),
)


def joint_loss(out: Tensor, target: Tensor, across: bool) -> Tensor:
    """A loss that couples all rows of the global batch; a process sums its share over all of them."""
    share = (out * target).pow(2).sum() + (out - target).exp().sum()
    return (sum_of_parts(share) if across else share).log()


def check_layer(case: Case, rank: int) -> None:
    single = case.make()
    joint = convert_batchnorm(case.make())
    joint.load_state_dict(single.state_dict())
    mine = slice(0, case.first) if rank == 0 else slice(case.first, None)
    # A mean far from zero shows a variance that is computed by cancellation.
    for batch in (torch.randn(case.shape, dtype=torch.float64) + 1e3 for _ in range(2)):
        target = torch.randn(case.shape, dtype=torch.float64)
        whole = batch.clone().requires_grad_()
        shard = batch[mine].clone().requires_grad_()
        expected, out = single(whole), joint(shard)
        exact(out, expected[mine])
        torch.autograd.backward(joint_loss(expected, target, across=False))
        torch.autograd.backward(joint_loss(out, target[mine], across=True))
        assert whole.grad is not None
        assert shard.grad is not None
        exact(shard.grad / dist.get_world_size(), whole.grad[mine])
    for name, parameter in joint.named_parameters():
        assert parameter.grad is not None
        dist.all_reduce(parameter.grad)
        exact(parameter.grad / dist.get_world_size(), single.get_parameter(name).grad)
    for name, buffer in joint.named_buffers():
        exact(buffer, single.get_buffer(name))
    exact(joint.eval()(batch), single.eval()(batch))


def check_network(rank: int) -> None:
    """A whole network, its weight gradients averaged as DistributedDataParallel does it."""
    single = build_network("lenet-bn", (16, 16), 3, seed=1).double()
    joint = nn.parallel.DistributedDataParallel(
        convert_batchnorm(build_network("lenet-bn", (16, 16), 3, seed=1).double())
    )
    x, target = torch.randn(6, 16, 16).double(), torch.rand(6, 3).double()
    mine = slice(0, 2) if rank == 0 else slice(2, None)
    torch.autograd.backward(joint_loss(single(x)[1], target, across=False))
    torch.autograd.backward(joint_loss(joint(x[mine])[1], target[mine], across=True))
    for name, parameter in single.named_parameters():
        exact(joint.module.get_parameter(name).grad, parameter.grad)
    for name, buffer in single.named_buffers():
        exact(joint.module.get_buffer(name), buffer)


def check_half(rank: int) -> None:
    layer = convert_batchnorm(nn.BatchNorm1d(2))
    batch = torch.randn(6, 2) + 300
    out = layer(batch[3 * rank : 3 * rank + 3].bfloat16())
    assert out.dtype == torch.bfloat16
    expected = nn.BatchNorm1d(2)(batch.bfloat16().float())[3 * rank : 3 * rank + 3]
    torch.testing.assert_close(out.float(), expected, rtol=1e-2, atol=1e-2)


def check_refusal(rank: int) -> None:
    layer = convert_batchnorm(nn.BatchNorm1d(2))
    with pytest.raises(ValueError, match="the global batch must hold more than 1 value per channel"):
        layer(torch.randn(1 - rank, 2))


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    try:
        for seed, case in enumerate(CASES):
            torch.manual_seed(seed)
            check_layer(case, rank)
        torch.manual_seed(99)
        check_network(rank)
        check_half(rank)
        check_refusal(rank)
    finally:
        dist.destroy_process_group()


def test_two_processes_equal_one(tmp_path: Path) -> None:
    method = SERVER.get_start_method()
    start_processes(work, (str(tmp_path),), nprocs=2, start_method=method)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("training", [True, False])
def test_one_process_is_plain_batch_norm(training: bool) -> None:
    plain = nn.BatchNorm2d(3).train(training)
    joint = convert_batchnorm(nn.BatchNorm2d(3)).train(training)
    x = torch.randn(4, 3, 5, 5)
    torch.testing.assert_close(joint(x), plain(x), rtol=0, atol=0)
    torch.testing.assert_close(joint.running_var, plain.running_var, rtol=0, atol=0)


def test_conversion_is_in_place_and_keeps_names() -> None:
    network = build_network("lenet-bn", (16, 16), 3, seed=0)
    before = {name: tensor.data_ptr() for name, tensor in network.state_dict().items()}
    assert convert_batchnorm(network) is network
    assert {name: tensor.data_ptr() for name, tensor in network.state_dict().items()} == before
    assert sum(isinstance(part, SyncBatchNorm) for part in network.modules()) == 3
    assert not any(isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)) for part in network.modules())
    build_network("lenet-bn", (16, 16), 3, seed=1).load_state_dict(network.state_dict())


def test_conversion_keeps_shared_layers_shared_and_other_norms_alone() -> None:
    norm = nn.BatchNorm1d(3)
    network = convert_batchnorm(nn.ModuleDict({"a": norm, "b": norm, "c": nn.LayerNorm(3)}))
    assert network["a"] is network["b"] is norm
    assert isinstance(network["a"], SyncBatchNorm)
    assert isinstance(network["c"], nn.LayerNorm)


def test_vectors_without_a_batch_axis_are_refused() -> None:
    with pytest.raises(ValueError, match="input must have 2 or more dimensions, got 1"):
        SyncBatchNorm(3)(torch.zeros(3))
