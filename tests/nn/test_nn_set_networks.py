"""Set networks: what their outputs are, symmetry, explicit distances, gradients at degenerate sets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from coterie import InputError
from coterie.nn.set_attention import SetAttention, choose_seeds
from coterie.nn.set_lstm import DISTANCES, PairDistance, SetLSTM
from coterie.nn.set_network import ItemCNN, build_set_network


def attention(k: int = 4) -> SetAttention:
    torch.manual_seed(0)
    return SetAttention(2, k, width=16, depth=2, heads=2)


def lstm(k: int = 4, **options: object) -> SetLSTM:
    torch.manual_seed(0)
    return SetLSTM(2, k, width=16, depth=3, **options)  # type: ignore[arg-type]


def sets(n: int = 9) -> Tensor:
    return torch.randn(3, n, 2, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("make", [attention, lstm])
def test_outputs_are_probabilities_for_every_k(make: type) -> None:
    network = make().eval()
    count_logits, packed, *_ = network(sets())
    assert count_logits.shape == (3, 4)
    assert packed.shape == (3, 9, 10)
    for part in packed.split([1, 2, 3, 4], dim=2):
        assert float(part.detach().min()) >= 0
        torch.testing.assert_close(part.sum(dim=2), torch.ones(3, 9))


def test_attention_does_not_see_the_order() -> None:
    network, points = attention().double(), sets().double()
    order = torch.randperm(9, generator=torch.Generator().manual_seed(2))
    plain, turned = network(points), network(points[:, order])
    torch.testing.assert_close(turned[0], plain[0])
    torch.testing.assert_close(turned[1], plain[1][:, order])
    torch.testing.assert_close(turned[2], plain[2][:, order][:, :, order])


def test_attention_does_not_see_place_and_scale() -> None:
    network, points = attention().double(), sets().double()
    for first, second in zip(network(points), network(40 * points - 7), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("n", [1, 2, 3, 30])
def test_attention_takes_sets_of_any_size(n: int) -> None:
    assert attention()(sets(n))[1].shape == (3, n, 10)


@pytest.mark.parametrize("points", [torch.zeros(2, 6, 2), 1e6 * torch.eye(6)[:, :2].expand(2, 6, 2)])
def test_equal_items_give_finite_outputs_and_gradients(points: Tensor) -> None:
    network = attention()
    values = network(points)
    torch.autograd.backward(sum(value.square().sum() for value in values))
    assert all(bool(torch.isfinite(value).all()) for value in values)
    assert all(bool(torch.isfinite(p.grad).all()) for p in network.parameters() if p.grad is not None)


def test_every_parameter_of_attention_learns() -> None:
    network = attention()
    torch.autograd.backward(sum(value.square().sum() for value in network(sets())))
    assert all(p.grad is not None for p in network.parameters())


def test_seeds_cover_clusters_largest_first() -> None:
    labels = torch.tensor([0, 1, 1, 2, 2, 2])
    same = (labels[:, None] == labels).double().unsqueeze(0)
    seeds, gains = choose_seeds(same, 4)
    assert labels[seeds[0, :3]].tolist() == [2, 1, 0]
    assert len(set(seeds[0].tolist())) == 4
    torch.testing.assert_close(gains[0], torch.tensor([3, 2, 1, 0]).double() / 6)


@pytest.mark.parametrize("distance", DISTANCES[1:])
def test_explicit_distances_equal_their_definition(distance: str) -> None:
    torch.manual_seed(0)
    block = PairDistance(distance, 3).double()
    if distance != "euclidean":
        block.matrix.data.add_(torch.rand_like(block.matrix))
    samples = torch.randn(1, 4, 3, dtype=torch.float64)
    found = block(samples)[0]
    matrix = block.matrix if distance == "full" else block.matrix.diag()
    for i, j in np.ndindex(4, 4):
        difference = samples[0, i] - samples[0, j]
        torch.testing.assert_close(found[i, j], difference @ matrix @ difference)


def test_the_matrix_is_projected_to_psd() -> None:
    block = PairDistance("full", 3)
    block.matrix.data = torch.tensor([[1.0, 2.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -2.0]])
    block(torch.zeros(1, 2, 3))
    values = torch.linalg.eigvalsh(block.matrix.detach())
    assert float(values.min()) >= -1e-6
    before = block.matrix.detach().clone()
    block.project()
    torch.testing.assert_close(block.matrix.detach(), before)


def test_explicit_distances_fix_the_size_of_sets() -> None:
    network = lstm(distance="full", n_samples=9).eval()
    assert network(sets())[1].shape == (3, 9, 10)
    with pytest.raises(
        InputError, match="X must hold sets of 9 samples, as in fit, with explicit distances, got sets of 8"
    ):
        network(sets(8))


def test_the_paper_s_stack_has_its_sizes() -> None:
    network = SetLSTM(2, 5)
    assert len(network.layers) == 14
    assert network.into.out_features == 288
    assert network.layers[0].hidden_size == 144
    assert network.count_lstm.hidden_size == 64
    bias = dict(network.layers[0].named_parameters())["bias_ih_l0"]
    assert bias.reshape(4, 144).mean(dim=1).tolist() == [0, 1, 0, 0]


def test_image_sets_go_through_the_item_network() -> None:
    network = build_set_network("auto", (3, 16, 16), 3, seed=0)
    assert isinstance(network.backbone, ItemCNN)
    count_logits, packed, _ = network(torch.rand(2, 5, 3, 16, 16))
    assert count_logits.shape == (2, 3)
    assert packed.shape == (2, 5, 6)


def test_weights_follow_from_the_seed() -> None:
    networks = (build_set_network("auto", (2,), 3, seed=seed) for seed in (0, 0, 1))
    first, second, other = (one.state_dict()["clusterer.into.weight"] for one in networks)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_bad_names() -> None:
    with pytest.raises(InputError, match="network='gru' must be one of 'attention', 'lstm', 'table'"):
        build_set_network("auto", (2,), 3, seed=0, kind="gru")
    with pytest.raises(InputError, match="distance='cosine'"):
        build_set_network("auto", (2,), 3, seed=0, kind="lstm", distance="cosine")
    with pytest.raises(InputError, match="distance='full' must be 'implicit' with network='attention'"):
        build_set_network("auto", (2,), 3, seed=0, distance="full")
