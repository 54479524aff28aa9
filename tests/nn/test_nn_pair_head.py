"""The pair head equals the layers on concatenated rows, in values, gradients and batch statistics."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from tests.forked import SERVER
from torch import Tensor, nn
from torch.multiprocessing.spawn import start_processes
from torch.nn import functional

from coterie.nn import (
    MLP,
    DistanceHead,
    PairHead,
    PairNetwork,
    build_pair_network,
    convert_batchnorm,
    join_rows,
)
from coterie.nn import pair_head as module
from coterie.nn.global_tensors import sum_of_parts
from coterie.nn.pair_head import pair_sums


def concatenated(head: PairHead, embedding: Tensor) -> Tensor:
    """The paper's layers on all ordered pairs as rows (n^2, 2e); "same" minus "different"."""
    n = len(embedding)
    rows = torch.cat([embedding.repeat_interleave(n, 0), embedding.repeat(n, 1)], dim=1)
    weight = torch.cat(head.hidden.weight.chunk(2), dim=1)
    outputs: Tensor = head.out(head.norm(rows @ weight.T).relu())
    odds = (outputs[:, 1] - outputs[:, 0]).view(n, n)
    return (odds + odds.T) / 2 if head.symmetric else odds


def make(symmetric: bool, dtype: torch.dtype = torch.float64, e: int = 6, h: int = 50) -> PairHead:
    torch.manual_seed(0)
    head = PairHead(e, h, symmetric=symmetric).to(dtype)
    nn.init.normal_(head.norm.weight)
    nn.init.normal_(head.norm.bias)
    return head


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("symmetric", [True, False])
def test_values_gradients_and_statistics(
    symmetric: bool, training: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BLOCK_NUMBERS", 7 * 81)  # the last of 8 blocks is smaller
    head = make(symmetric).train(training)
    twin = copy.deepcopy(head)
    embedding = torch.randn(9, 6, dtype=torch.float64) + 3
    rows = [embedding.clone().requires_grad_() for _ in range(2)]
    seen = torch.randn(9, 9, dtype=torch.float64)
    for _ in range(2):  # the second pass sees the statistics that the first one stored
        ours, expected = head(rows[0]), concatenated(twin, rows[1])
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-10)
    of_ours = torch.autograd.grad((ours * seen).sum(), [rows[0], *head.parameters()])
    of_expected = torch.autograd.grad((expected * seen).sum(), [rows[1], *twin.parameters()])
    for one, other in zip(of_ours, of_expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9)
    for one, other in zip(head.buffers(), twin.buffers(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_float32_at_the_paper_s_width() -> None:
    head = make(False, torch.float32, e=256, h=512)
    embedding = torch.randn(40, 256)
    with torch.no_grad():
        torch.testing.assert_close(head(embedding), concatenated(head, embedding), rtol=0, atol=1e-5)


def test_listed_pairs_are_those_of_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK_PAIRS", 4)
    for symmetric in (True, False):
        head = make(symmetric)
        embedding = torch.randn(7, 6, dtype=torch.float64)
        head(embedding)
        head.eval()
        i, j = torch.tensor([0, 3, 6, 2, 2]), torch.tensor([1, 3, 0, 5, 5])
        torch.testing.assert_close(head.listed(embedding, i, j), head(embedding)[i, j], rtol=0, atol=1e-12)
        assert head.listed(embedding, i[:0], j[:0]).shape == (0,)


def test_a_symmetric_head_gives_a_symmetric_matrix() -> None:
    embedding = torch.randn(8, 6, dtype=torch.float64)
    odds = make(True)(embedding)
    assert torch.equal(odds, odds.T)
    odds = make(False)(embedding)
    assert not torch.allclose(odds, odds.T)


def test_pair_sums_gradient() -> None:
    torch.manual_seed(0)
    first, second = (torch.randn(n, 5, dtype=torch.float64, requires_grad=True) for n in (3, 4))
    weight = torch.randn(5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(pair_sums, (first, second, weight))
    expected = ((first[:, None] + second[None]).relu() * weight).sum(2)
    torch.testing.assert_close(pair_sums(first, second, weight), expected)


@pytest.mark.parametrize("value", [0.0, 1e4, -1e4])
def test_equal_and_large_rows_are_finite(value: float) -> None:
    head = make(True, torch.float32)
    embedding = torch.full((5, 6), value, requires_grad=True)
    odds = head(embedding)
    functional.binary_cross_entropy_with_logits(odds, torch.ones(5, 5)).backward()  # type: ignore[no-untyped-call]
    assert odds.isfinite().all()
    assert embedding.grad is not None
    assert embedding.grad.isfinite().all()


def test_nothing_of_n_squared_times_h_is_held() -> None:
    """The sums of all pairs at once would be 8 * 10^6 numbers, 32 MB."""
    first, second = (torch.randn(200, 200, requires_grad=True) for _ in range(2))
    held: list[int] = []

    def note(x: Tensor) -> Tensor:
        held.append(x.numel())
        return x

    with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
        pair_sums(first, second, torch.randn(200))
    assert sum(held) <= 2 * 200 * 200 + 200


def check_processes(rank: int) -> None:
    """Shards of 4 and 3 rows: each process has its rows against all seven."""
    for symmetric in (True, False):
        single = make(symmetric)
        joint = convert_batchnorm(copy.deepcopy(single))
        rows, target = torch.randn(7, 6, dtype=torch.float64), torch.rand(7, 7, dtype=torch.float64)
        mine = slice(0, 4) if rank == 0 else slice(4, None)
        whole, shard = rows.clone().requires_grad_(), rows[mine].clone().requires_grad_()
        expected, ours = single(whole), joint(shard)
        torch.testing.assert_close(ours, expected[mine])
        torch.autograd.backward((expected * target).sum().exp())
        torch.autograd.backward(sum_of_parts((ours * target[mine]).sum()).exp())
        assert shard.grad is not None
        assert whole.grad is not None
        torch.testing.assert_close(shard.grad / 2, whole.grad[mine])
        for name, buffer in joint.named_buffers():
            torch.testing.assert_close(buffer, single.get_buffer(name))
        torch.testing.assert_close(joint.eval()(shard), single.eval()(whole)[mine])


def check_distances(rank: int) -> None:
    """The same of the head on fixed features."""
    head, rows = DistanceHead(6).double(), torch.randn(7, 6, dtype=torch.float64)
    mine = slice(0, 4) if rank == 0 else slice(4, None)
    torch.testing.assert_close(join_rows(copy.deepcopy(head))(rows[mine]), head(rows)[mine])


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    try:
        check_processes(rank)
        check_distances(rank)
        # as an auxiliary module, which is not converted, it sees the global batch already
        assert make(True)(torch.zeros(3, 6).double()).shape == (3, 3)
    finally:
        dist.destroy_process_group()


def test_two_processes_equal_one(tmp_path: Path) -> None:
    method = SERVER.get_start_method()
    start_processes(work, (str(tmp_path),), nprocs=2, start_method=method)  # type: ignore[no-untyped-call]


def test_pair_network() -> None:
    network = PairNetwork(MLP(10), PairHead(128, 512))
    usual = build_pair_network("mlp", (10,), None, True, seed=0).head
    assert isinstance(usual, PairHead)
    assert usual.out.in_features == 4 * 128
    embedding, odds = network(torch.randn(5, 10))
    assert (embedding.shape, odds.shape) == ((5, 128), (5, 5))
    first, second = (build_pair_network("mlp", (4,), 16, True, seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    given = build_pair_network(nn.Linear(4, 3).double(), (4,), None, False, seed=0).head
    assert isinstance(given, PairHead)
    assert given.out.in_features == 4 * 3
    assert given.hidden.weight.dtype == torch.float64
    assert given.hidden.weight.abs().max() <= 6**-0.5
