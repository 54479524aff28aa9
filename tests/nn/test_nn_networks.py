"""The networks: shapes, feature widths, parameter counts and what they refuse."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from coterie._errors import InputError
from coterie.nn import MLP, VCNN, VGG, LeNet, PreActResNet, ResNet, build_backbone
from coterie.nn.backbone import flat_size, image_shape, sample_shape_of


def n_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_mlp_widths_and_parameter_count() -> None:
    network = MLP(10, hidden=(32, 16))
    assert network(torch.randn(5, 10)).shape == (5, 16)
    assert network.out_features == 16
    assert n_parameters(network) == 10 * 32 + 2 * 32 + 32 * 16 + 2 * 16
    assert n_parameters(MLP(10, hidden=(8,), batch_norm=False)) == 10 * 8 + 8
    assert MLP(10).out_features == 128


def test_mlp_flattens_images() -> None:
    network = MLP(2 * 3 * 4).eval()
    images = torch.randn(5, 2, 3, 4)
    torch.testing.assert_close(network(images), network(images.flatten(1)), rtol=0, atol=0)


@pytest.mark.parametrize(("n_features", "hidden"), [(10, ()), (0, (4,)), (4, (3, 0))])
def test_mlp_refuses_empty_layers(n_features: int, hidden: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="n_features must be positive, and hidden"):
        MLP(n_features, hidden)


@pytest.mark.parametrize(
    ("sample_shape", "padding", "flat"),
    [
        ((28, 28), 0, 800),
        ((1, 28, 28), 0, 800),
        ((3, 32, 32), 0, 1250),
        ((28, 28), 2, 2450),
        ((1, 16, 16), 0, 50),
        ((1, 4, 4), 2, 50),
        ((1, 20, 17), 0, 100),
        ((2, 21, 30), 2, 5 * 7 * 50),
    ],
)
def test_lenet_features(sample_shape: tuple[int, ...], padding: int, flat: int) -> None:
    network = LeNet(sample_shape, padding=padding)
    assert network.flat_features == flat
    assert network(torch.randn(3, *sample_shape)).shape == (3, 500)


def test_lenet_parameter_counts() -> None:
    convolutions = 25 * 20 + 2 * 20 + 25 * 20 * 50 + 2 * 50
    assert n_parameters(LeNet((28, 28))) == convolutions + 800 * 500 + 500
    assert n_parameters(LeNet((28, 28), fc_batch_norm=True)) == convolutions + 800 * 500 + 2 * 500


def test_lenet_refuses_other_paddings() -> None:
    with pytest.raises(InputError, match="padding=1 must be 0 or 2"):
        LeNet((28, 28), padding=1)


@pytest.mark.parametrize(
    ("name", "convolutions", "weights"),
    [
        ("vgg8", 5, 3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 512),
        ("vgg11", 8, None),
        ("vgg16", 13, None),
    ],
)
def test_vgg_layers(name: str, convolutions: int, weights: int | None) -> None:
    with torch.device("meta"):
        network = VGG((3, 32, 32), name)
        out = network(torch.zeros(2, 3, 32, 32))
    assert out.shape == (2, 512)
    layers = [part for part in network.modules() if isinstance(part, nn.Conv2d)]
    assert len(layers) == convolutions
    if weights is not None:
        assert sum(layer.weight.numel() for layer in layers) == 9 * weights


def test_vgg_ends_in_one_pixel_at_32_and_averages_beyond() -> None:
    network = VGG((3, 32, 32), "vgg8").eval()
    with torch.no_grad():
        assert network.features[:-1](torch.randn(1, 3, 32, 32)).shape == (1, 512, 1, 1)
        assert network(torch.randn(1, 3, 64, 96)).shape == (1, 512)
    assert VGG((64, 64), "vgg8").out_features == 512


@pytest.mark.parametrize("name", ["vggxs", "vggs"])
@pytest.mark.parametrize(
    ("sample_shape", "width"), [((3, 32, 32), 1024), ((16, 16), 256), ((1, 48, 32), 1536)]
)
def test_vggs_keeps_its_grid(name: str, sample_shape: tuple[int, ...], width: int) -> None:
    network = VGG(sample_shape, name).eval()
    assert network.out_features == width
    with torch.no_grad():
        assert network(torch.randn(2, *sample_shape)).shape == (2, width)


@pytest.mark.parametrize(("depth", "width", "millions"), [(18, 512, 11.17), (101, 2048, 42.51)])
def test_preact_width_and_parameter_count_with_ten_outputs(depth: int, width: int, millions: float) -> None:
    with torch.device("meta"):
        network = PreActResNet((3, 32, 32), depth)
        out = network(torch.zeros(2, 3, 32, 32))
        head = nn.Linear(network.out_features, 10)
    assert out.shape == (2, width)
    assert (n_parameters(network) + n_parameters(head)) / 1e6 == pytest.approx(millions, abs=0.02)


def test_preact_keeps_the_image_size_until_the_last_three_stages() -> None:
    with torch.device("meta"):
        network = PreActResNet((3, 40, 24), 18)
        features = network.blocks(network.stem(torch.zeros(2, 3, 40, 24)))
    assert features.shape == (2, 512, 5, 3)


def test_preact_block_without_residual_is_the_identity() -> None:
    block = PreActResNet((3, 8, 8), 18).blocks[0].eval()
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(2, 64, 8, 8)
    torch.testing.assert_close(block(x), x, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("sample_shape", "flat"),
    [((28, 28), 9 * 128), ((3, 32, 32), 16 * 128), ((8, 8), 4 * 128), ((1, 15, 40), 3 * 10 * 128)],
)
def test_vcnn_features(sample_shape: tuple[int, ...], flat: int) -> None:
    network = VCNN(sample_shape)
    assert network.flat_features == flat
    assert network(torch.randn(3, *sample_shape)).shape == (3, 128)


def test_vcnn_layers() -> None:
    network = VCNN((28, 28))
    convolutions = 32 + 32 * 32 + 32 * 64 + 64 * 64 + 64 * 128 + 128 * 128
    biases = 2 * (32 + 64 + 128)
    assert n_parameters(network) == 9 * convolutions + biases + 1152 * 128 + 128
    kinds = [type(part).__name__ for part in network.features]
    pair = ["Conv2d", "ELU", "Conv2d", "MaxPool2d", "ELU"]
    assert kinds == [*pair, "Dropout", *pair, "Dropout", *pair]
    assert n_parameters(VCNN((3, 32, 32), repeats=3)) > n_parameters(VCNN((3, 32, 32)))


@pytest.mark.parametrize(
    ("form", "convolutions", "parameters"),
    [("resnet20", 19, 269_072), ("resnet32", 31, 463_504), ("resnet-stl", 28, None)],
)
def test_resnet_forms(form: str, convolutions: int, parameters: int | None) -> None:
    network = ResNet((3, 32, 32), form).eval()
    with torch.no_grad():
        assert network(torch.randn(2, 3, 32, 32)).shape == (2, 64)
    layers = [part for part in network.modules() if isinstance(part, nn.Conv2d)]
    assert len(layers) == convolutions
    if parameters is not None:
        # 19 (31) convolutions and their norms: He et al. count 0.27 M and 0.46 M with the head of 10 outputs
        assert n_parameters(network) == parameters


def test_resnet_shortcut_skips_pixels_and_adds_empty_channels() -> None:
    block = next(block for block in ResNet((3, 16, 16)).blocks if block.added).eval()
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.rand(2, 16, 8, 8)
    y = block(x)
    torch.testing.assert_close(y[:, :16], x[:, :, ::2, ::2], rtol=0, atol=0)
    assert y.shape == (2, 32, 4, 4)
    assert not y[:, 16:].any()


def test_unknown_forms() -> None:
    with pytest.raises(InputError, match="form='x' must be one of resnet20, resnet32, resnet-stl"):
        ResNet((3, 32, 32), "x")
    with pytest.raises(InputError, match="name='vgg9' must be one of vggxs, vggs, vgg8, vgg11, vgg16"):
        VGG((3, 32, 32), "vgg9")
    with pytest.raises(InputError, match="depth=50 must be 18 or 101"):
        PreActResNet((3, 32, 32), 50)


@pytest.mark.parametrize(
    "name", ["mlp", "lenet", "lenet-bn", "lenet-code", "vggxs", "vggs", "vgg8", "vcnn", "preact18"]
)
def test_images_without_a_channel_axis_are_one_channel(name: str) -> None:
    torch.manual_seed(0)
    network = build_backbone(name, (32, 32)).eval()
    images = torch.randn(2, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(network(images), network(images.unsqueeze(1)), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["mlp", "lenet", "lenet-code", "vggs", "vcnn", "resnet20", "preact18"])
def test_gradient_reaches_every_parameter(name: str) -> None:
    torch.manual_seed(0)
    network = build_backbone(name, (1, 16, 16))
    network(torch.randn(4, 1, 16, 16)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_shapes_of_items() -> None:
    assert sample_shape_of([3, 4]) == (3, 4)
    assert flat_size((3, 4, 5)) == 60
    assert image_shape((5, 7), "net", 5) == (1, 5, 7)
    for wrong in ((), (0,), (3, -1, 4)):
        with pytest.raises(InputError, match="sample_shape must be one or more positive sizes"):
            sample_shape_of(wrong)
