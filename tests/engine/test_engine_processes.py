"""Two and three processes compute what one computes with the global batch."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from tests.launched import ended, free_port, launch
from torch import Tensor, nn

from coterie._types import Batch, Output
from coterie.losses.ccl import ccl_matrix
from coterie.losses.pairs import as_matrix

Results = dict[str, Tensor]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, ...]:
    """Of one process, of each of three and of each of two: shares of a batch differ in size."""
    folder = tmp_path_factory.mktemp("processes")
    process = launch(["-m", "tests.engine.worker", str(folder)], (0, 1), free_port())
    with ended([process]):
        printed = "".join(process.communicate(timeout=240))
    assert process.returncode == 0, printed
    places = [(rank, world) for world in (1, 3, 2) for rank in range(world)]
    return tuple(load_file(folder / f"{world}-{rank}.safetensors") for rank, world in places)


@pytest.mark.parametrize("size", [7, 10, 22])
@pytest.mark.parametrize("loss", ["ccl", "kcl"])
@pytest.mark.parametrize("kind", ["labels", "pairs"])
def test_three_processes_equal_one(results: tuple[Results, ...], kind: str, loss: str, size: int) -> None:
    assert_all_equal(results, f"{kind}-{loss}-{size}/", "running_var")


@pytest.mark.parametrize("size", [7, 10])
def test_three_processes_equal_one_with_views_targets_and_phases(
    results: tuple[Results, ...], size: int
) -> None:
    name = f"labels-all parts-{size}/"
    assert_all_equal(results, name, "centroids")
    assert any(key.startswith(f"{name}auxiliary/") for key in results[0])


@pytest.mark.parametrize("size", [7, 10, 22])
def test_processes_equal_one_on_transfer_where_outputs_are_sure(
    results: tuple[Results, ...], size: int
) -> None:
    """In float32 the gradient of a sure pair differs by hundredths with the order of its sums."""
    assert_all_equal(results, f"labels-transfer-{size}/", "running_var")


@pytest.mark.parametrize("name", ["adc", "ccn", "ddc", "distillation"])
def test_views_and_dropout_are_those_of_one_process(results: tuple[Results, ...], name: str) -> None:
    one, *others = results
    for each in others:
        torch.testing.assert_close(each[f"views/{name}/loss"], one[f"views/{name}/loss"], rtol=1e-4, atol=0)
        assert torch.equal(each[f"views/{name}/labels"], one[f"views/{name}/labels"])


def test_three_processes_equal_one_on_sets(results: tuple[Results, ...]) -> None:
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
def test_three_processes_equal_one_on_toy_objectives(
    results: tuple[Results, ...], name: str, needed: str
) -> None:
    assert_all_equal(results, f"{name}/", needed)


def assert_all_equal(results: tuple[Results, ...], prefix: str, needed: str) -> None:
    one, *others = results
    names = [name for name in one if name.startswith(prefix)]
    assert any(name.endswith(needed) for name in names)
    assert f"{prefix}loss" in names
    for each in others:
        for name in names:
            torch.testing.assert_close(each[name], one[name], rtol=0, atol=1e-10, msg=name)


def test_an_estimator_is_the_same_on_all_processes(results: tuple[Results, ...]) -> None:
    one, first, second, third, *_ = results
    assert torch.equal(first["fit/labels"], second["fit/labels"])
    assert torch.equal(first["fit/labels"], third["fit/labels"])
    assert torch.equal(first["fit/loss"], second["fit/loss"])
    assert torch.equal(first["fit/loss"], third["fit/loss"])
    torch.testing.assert_close(first["fit/loss"], one["fit/loss"], rtol=1e-3, atol=0)
    assert (first["fit/labels"] == one["fit/labels"]).double().mean() > 0.97


def test_without_a_seed_the_processes_agree_on_one(results: tuple[Results, ...]) -> None:
    _, first, second, third, *_ = results
    assert torch.equal(first["free/labels"], second["free/labels"])
    assert torch.equal(first["free/labels"], third["free/labels"])


def test_a_similarity_network_is_the_same_from_one_process_and_from_three(
    results: tuple[Results, ...],
) -> None:
    """All pairs of the global batch count, not those of each process alone; so do CCN's pairs from it."""
    one, first, second, third, *_ = results
    for name in ("spn/loss", "spn/odds", "spn/threshold", "discovered/labels", "discovered/loss"):
        assert torch.equal(first[name], second[name])
        assert torch.equal(first[name], third[name])
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
