"""The DDC paper's networks: shapes, parameter counts, initial weights, small images."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from coterie._errors import InputError
from coterie.nn import ClusterNetwork, DDCConvolutions, DDCPerceptron, build_network


def n_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_paper_s_convolutions() -> None:
    network = ClusterNetwork(DDCConvolutions((28, 28)), 10)
    convolutions = 25 * 32 + 32 + 25 * 32 * 64 + 64
    assert n_parameters(network) == convolutions + 1024 * 100 + 100 + 2 * 100 + 100 * 10 + 10


def test_the_paper_s_perceptron() -> None:
    network = ClusterNetwork(DDCPerceptron(2000), 4)
    layers = 2000 * 200 + 200 + 200 * 200 + 200 + 200 * 500 + 500
    assert n_parameters(network) == layers + 2 * 500 + 500 * 4 + 4


@pytest.mark.parametrize(
    ("shape", "flat"),
    [((28, 28), 1024), ((3, 32, 32), 1600), ((16, 16), 64), ((8, 8), 256), ((1, 4, 4), 64), ((15, 40), 1920)],
)
def test_images_of_every_size(shape: tuple[int, ...], flat: int) -> None:
    network = DDCConvolutions(shape)
    assert network.flat_features == flat
    assert network(torch.randn(3, *shape)).shape == (3, 100)


def test_the_embedding_is_standardised_over_the_batch() -> None:
    for name, shape in (("ddc-cnn", (8, 8)), ("ddc-mlp", (5,))):
        network = build_network(name, shape, 3, seed=0)
        embedding = network(torch.randn(200, *shape, generator=torch.Generator().manual_seed(0)))[0].detach()
        live = embedding.std(dim=0) > 0.5
        torch.testing.assert_close(
            embedding[:, live].mean(0), torch.zeros(int(live.sum())), rtol=0, atol=1e-4
        )
        assert float(live.float().mean()) > 0.9


def test_weights_are_he_normal() -> None:
    network = build_network("ddc-mlp", (300,), 100, seed=0)
    linear = [part for part in network.modules() if isinstance(part, nn.Linear)]
    assert [part.in_features for part in linear] == [300, 200, 200, 500]
    for part in linear:
        assert float(part.weight.detach().std()) == pytest.approx(math.sqrt(2 / part.in_features), rel=0.05)
        assert not part.bias.any()
    convolutions = [part for part in DDCConvolutions((28, 28)).modules() if isinstance(part, nn.Conv2d)]
    assert float(convolutions[1].weight.detach().std()) == pytest.approx(math.sqrt(2 / (25 * 32)), rel=0.05)


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(InputError, match="'ddc-cnn' needs images of shape"):
        DDCConvolutions((64,))
    with pytest.raises(InputError, match="'ddc-cnn' needs images of at least 4 x 4"):
        DDCConvolutions((3, 9))
