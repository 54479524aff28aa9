"""Networks with centroids: named outputs, starts that follow the seed, and refusals."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from coterie._errors import InputError
from coterie.nn import MLP, CentroidNetwork, build_centroid_network, build_network


def test_outputs_have_their_names() -> None:
    network = CentroidNetwork(MLP(10, hidden=(6,)), 3, per_cluster=2)
    named = network.named(network(torch.randn(5, 10)))
    assert {name: tuple(value.shape) for name, value in named.items()} == {
        "embedding": (5, 6),
        "logits": (5, 3),
        "centroids": (6, 6),
        "centroid_logits": (6, 3),
    }
    assert network.shared_outputs == {"centroids", "centroid_logits"}
    assert torch.equal(named["centroids"], network.centroids)
    torch.testing.assert_close(named["centroid_logits"], network.head(network.centroids))


def test_gradient_reaches_the_centroids() -> None:
    network = CentroidNetwork(MLP(4), 3)
    network(torch.randn(4, 4))[3].square().sum().backward()
    assert network.centroids.grad is not None
    assert network.centroids.grad.abs().sum() > 0


def test_the_start_follows_the_seed_and_is_that_of_the_plain_network() -> None:
    first, again, other = (build_centroid_network("mlp", (4,), 3, seed) for seed in (0, 0, 1))
    plain = build_network("mlp", (4,), 3, seed=0)
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert not torch.equal(first.centroids, other.centroids)
    for name, value in plain.state_dict().items():
        assert torch.equal(first.state_dict()[name], value)


def test_the_global_generator_is_not_drawn_from() -> None:
    torch.manual_seed(2)
    expected = torch.rand(2)
    torch.manual_seed(2)
    build_centroid_network("mlp", (4,), 3, seed=0)
    assert torch.equal(torch.rand(2), expected)


def test_a_given_module_keeps_its_type() -> None:
    network = build_centroid_network(nn.Linear(4, 5).double(), (4,), 3, seed=0)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float64}


def test_refusal() -> None:
    with pytest.raises(InputError, match="per_cluster=0 must be >= 1"):
        CentroidNetwork(MLP(4), 3, per_cluster=0)
