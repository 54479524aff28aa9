"""Two processes compute what one computes with the global batch."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from coterie._types import Batch, Output
from coterie.losses.ccl import ccl_matrix
from coterie.losses.pairs import as_matrix

ROOT = Path(__file__).parents[2]
Results = dict[str, Tensor]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def launch(folder: Path, rank: int, world: int, port: int) -> subprocess.Popen[str]:
    places = {"WORLD_SIZE": world, "RANK": rank, "LOCAL_RANK": rank, "MASTER_PORT": port}
    environment = os.environ | {name: str(value) for name, value in places.items()}
    environment |= {"MASTER_ADDR": "127.0.0.1", "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.engine.worker", str(folder)]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Results, Results]:
    """Of one process, and of both of two."""
    folder, port = tmp_path_factory.mktemp("processes"), free_port()
    places = ((0, 1), (0, 2), (1, 2))
    processes = [launch(folder, rank, world, port) for rank, world in places]
    try:
        printed = [process.communicate(timeout=240)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0, 0], "\n".join(printed)
    one, first, second = (load_file(folder / f"{world}-{rank}.safetensors") for rank, world in places)
    return one, first, second


@pytest.mark.parametrize("size", [7, 10])
@pytest.mark.parametrize("loss", ["ccl", "kcl"])
@pytest.mark.parametrize("kind", ["labels", "pairs"])
def test_two_processes_equal_one(
    results: tuple[Results, Results, Results], kind: str, loss: str, size: int
) -> None:
    assert_all_equal(results, f"{kind}-{loss}-{size}/", "running_var")


@pytest.mark.parametrize("size", [7, 10])
def test_two_processes_equal_one_with_views_targets_and_phases(
    results: tuple[Results, Results, Results], size: int
) -> None:
    name = f"labels-all parts-{size}/"
    assert_all_equal(results, name, "centroids")
    assert any(key.startswith(f"{name}auxiliary/") for key in results[0])


def test_two_processes_equal_one_on_sets(results: tuple[Results, Results, Results]) -> None:
    assert_all_equal(results, "sets-labels-4/", "samples.weight")


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("teacher", "auxiliary/head.weight"),
        ("neighbors", "sampler/nearest"),
        ("weak-strong", "head.weight"),
        ("heads", "b.weight"),
    ],
)
def test_two_processes_equal_one_on_toy_objectives(
    results: tuple[Results, Results, Results], name: str, needed: str
) -> None:
    assert_all_equal(results, f"{name}/", needed)


def assert_all_equal(results: tuple[Results, Results, Results], prefix: str, needed: str) -> None:
    one, *both = results
    names = [name for name in one if name.startswith(prefix)]
    assert any(name.endswith(needed) for name in names)
    assert f"{prefix}loss" in names
    for two in both:
        for name in names:
            torch.testing.assert_close(two[name], one[name], rtol=0, atol=1e-10, msg=name)


def test_an_estimator_is_the_same_on_both_processes(results: tuple[Results, Results, Results]) -> None:
    one, first, second = results
    assert torch.equal(first["fit/labels"], second["fit/labels"])
    assert torch.equal(first["fit/loss"], second["fit/loss"])
    torch.testing.assert_close(first["fit/loss"], one["fit/loss"], rtol=1e-3, atol=0)
    assert (first["fit/labels"] == one["fit/labels"]).double().mean() > 0.97


def test_without_a_seed_the_processes_agree_on_one(results: tuple[Results, Results, Results]) -> None:
    _, first, second = results
    assert torch.equal(first["free/labels"], second["free/labels"])


def test_a_similarity_network_is_the_same_from_one_process_and_from_two(
    results: tuple[Results, Results, Results],
) -> None:
    """All pairs of the global batch count, not those of each process alone; so do CCN's pairs from it."""
    one, first, second = results
    for name in ("spn/loss", "spn/odds", "spn/threshold", "discovered/labels", "discovered/loss"):
        assert torch.equal(first[name], second[name])
    torch.testing.assert_close(first["spn/loss"], one["spn/loss"], rtol=1e-3, atol=0)
    torch.testing.assert_close(first["spn/odds"], one["spn/odds"], rtol=0, atol=1e-3)
    torch.testing.assert_close(first["discovered/loss"], one["discovered/loss"], rtol=1e-2, atol=0)
    assert (first["discovered/labels"] == one["discovered/labels"]).double().mean() > 0.95


def test_local_pairs_alone_would_give_another_gradient() -> None:
    torch.manual_seed(0)
    x, labels = torch.randn(12, 4, dtype=torch.float64), torch.arange(12) % 3
    layer = nn.Linear(4, 3).double()

    def gradient(rows: Tensor) -> Tensor:
        output = Output({"logits": layer(x[rows])})
        batch = Batch(rows, labels=labels[rows])
        assert batch.labels is not None
        loss = ccl_matrix(output.prob, as_matrix(batch.labels))
        return torch.autograd.grad(loss, layer.weight)[0]

    joint = gradient(torch.arange(12))
    local = (gradient(torch.arange(6)) + gradient(torch.arange(6, 12))) / 2
    assert (local - joint).norm() > 0.05 * joint.norm()
