"""From a spec to a network: names, auto, given modules, callables, seeds, and every refusal's message."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from coterie._errors import InputError, InputTypeError
from coterie.nn import (
    BACKBONES,
    MLP,
    BackboneSpec,
    ClusterNetwork,
    LeNet,
    PreActResNet,
    auto_backbone,
    build_backbone,
    build_network,
    channels_last,
    has_convolutions,
)
from coterie.nn.backbone import with_channel


def small_encoder() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 7), nn.BatchNorm1d(7))


class Recorder(nn.Module):
    """Keeps the shape and the mode that it was last called with."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: tuple[tuple[int, ...], bool, bool] | None = None

    def forward(self, x: Tensor) -> Tensor:
        self.seen = (tuple(x.shape), self.training, torch.is_grad_enabled())
        return x.flatten(1)


@pytest.mark.parametrize("name", [name for name in BACKBONES if name != "preact101"])
def test_every_name_maps_images_to_its_width(name: str) -> None:
    backbone = build_backbone(name, (3, 32, 32)).eval()
    with torch.no_grad():
        assert backbone(torch.zeros(2, 3, 32, 32)).shape == (2, backbone.out_features)


def test_preact101_by_name() -> None:
    with torch.device("meta"):
        assert build_backbone("preact101", (3, 32, 32)).out_features == 2048


@pytest.mark.parametrize(
    ("sample_shape", "name"),
    [
        ((1,), "mlp"),
        ((2048,), "mlp"),
        ((8, 8), "mlp"),
        ((13, 40), "mlp"),
        ((3, 13, 13), "mlp"),
        ((14, 14), "lenet-code"),
        ((1, 16, 64), "lenet-code"),
        ((28, 28), "lenet-bn"),
        ((3, 64, 64), "lenet-bn"),
        ((65, 64), "preact18"),
        ((20, 200), "preact18"),
        ((3, 96, 96), "preact18"),
    ],
)
def test_auto(sample_shape: tuple[int, ...], name: str) -> None:
    assert auto_backbone(sample_shape) == name
    assert type(build_backbone("auto", sample_shape)) is type(build_backbone(name, sample_shape))


def test_auto_builds_these_classes() -> None:
    assert isinstance(build_backbone("auto", (4,)), MLP)
    assert isinstance(build_backbone("auto", (14, 14)), LeNet)
    assert isinstance(build_backbone("auto", (3, 96, 96)), PreActResNet)


def test_given_module_is_copied_with_its_weights() -> None:
    encoder = small_encoder()
    backbone = build_backbone(encoder, (8, 8))
    assert backbone.out_features == 7
    for own, given in zip(backbone.parameters(), encoder.parameters(), strict=True):
        assert own is not given
        torch.testing.assert_close(own, given, rtol=0, atol=0)
    with torch.no_grad():
        next(backbone.parameters()).zero_()
    assert next(encoder.parameters()).abs().sum() > 0
    images = torch.randn(3, 8, 8)
    torch.testing.assert_close(
        build_backbone(encoder.eval(), (8, 8)).eval()(images), encoder(images), rtol=0, atol=0
    )


def test_dry_run_is_quiet_and_leaves_no_trace() -> None:
    encoder = nn.Sequential(Recorder(), nn.Dropout(), nn.BatchNorm1d(64), nn.Linear(64, 3))
    encoder[2].eval()
    for parameter in encoder[2].parameters():
        parameter.requires_grad_(False)
    before = torch.get_rng_state()
    backbone = build_backbone(encoder, (8, 8))
    assert torch.equal(torch.get_rng_state(), before)
    copied = cast(nn.Sequential, backbone.module)
    assert cast(Recorder, copied[0]).seen == ((2, 1, 8, 8), False, False)
    assert cast(Recorder, encoder[0]).seen is None
    assert [part.training for part in copied] == [True, True, False, True]
    assert [p.requires_grad for p in copied.parameters()] == [False, False, True, True]
    assert cast(nn.BatchNorm1d, copied[2]).num_batches_tracked == 0


def test_given_module_in_double() -> None:
    network = build_network(small_encoder().double(), (64,), 4, seed=0)
    assert network.head.weight.dtype == torch.float64
    assert network(torch.randn(3, 64, dtype=torch.float64))[1].shape == (3, 4)


def test_given_module_without_parameters_and_with_lazy_ones() -> None:
    assert build_backbone(nn.Flatten(), (2, 3, 4, 5)).out_features == 120
    lazy = nn.Sequential(nn.Flatten(), nn.LazyLinear(6))
    assert build_backbone(lazy, (3, 5, 5)).out_features == 6


def test_callable_is_called_once_per_build() -> None:
    made: list[nn.Module] = []

    def make() -> nn.Module:
        made.append(small_encoder())
        return made[-1]

    first, second = (build_network(make, (64,), 4, seed=seed) for seed in (0, 1))
    assert len(made) == 2
    assert not torch.equal(next(first.parameters()), next(second.parameters()))
    assert not torch.equal(first.head.weight, second.head.weight)


def test_callable_that_returns_one_module_shares_no_weights() -> None:
    encoder = small_encoder()
    first, second = (build_backbone(lambda: encoder, (64,)) for _ in range(2))
    assert next(first.parameters()) is not next(second.parameters())


def test_a_class_is_a_callable() -> None:
    assert build_backbone(nn.Flatten, (2, 8, 8)).out_features == 128


SPECS: list[BackboneSpec] = ["mlp", "lenet", small_encoder]


@pytest.mark.parametrize("spec", SPECS)
def test_seed_decides_the_weights(spec: BackboneSpec) -> None:
    sample_shape = (8, 8) if spec is small_encoder else (28, 28)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = (build_network(spec, sample_shape, 3, seed=seed) for seed in (7, 7, 8))
    assert torch.equal(torch.get_rng_state(), before)
    states = [network.state_dict() for network in (one, same, other)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not torch.equal(states[0]["head.weight"], states[2]["head.weight"])


def test_given_module_keeps_its_weights_and_gets_a_fresh_head() -> None:
    encoder = small_encoder()
    one, other = (build_network(encoder, (64,), 3, seed=seed) for seed in (0, 1))
    assert torch.equal(next(one.parameters()), next(other.parameters()))
    assert not torch.equal(one.head.weight, other.head.weight)


def test_forward_gives_embedding_and_logits() -> None:
    network = build_network("auto", (1, 28, 28), 10, seed=0).eval()
    x = torch.randn(4, 1, 28, 28)
    embedding, logits = network(x)
    assert embedding.shape == (4, 500)
    assert logits.shape == (4, 10)
    torch.testing.assert_close(network.embed(x), embedding, rtol=0, atol=0)
    torch.testing.assert_close(network.head(embedding), logits, rtol=0, atol=0)


def test_networks_stack_for_restarts_in_one_pass() -> None:
    networks = [build_network("lenet-bn", (16, 16), 3, seed=seed) for seed in range(3)]
    parameters, buffers = torch.func.stack_module_state(cast(Any, networks))
    x = torch.randn(4, 16, 16)

    def one(own: dict[str, Tensor], kept: dict[str, Tensor]) -> Tensor:
        logits: Tensor = torch.func.functional_call(networks[0], (own, kept), (x,))[1]
        return logits

    stacked = torch.vmap(one)(parameters, buffers)
    alone = torch.stack([network(x)[1] for network in networks])
    torch.testing.assert_close(stacked, alone, rtol=1e-4, atol=1e-5)


def test_n_clusters_must_be_positive() -> None:
    with pytest.raises(InputError, match="n_clusters=0 must be >= 1"):
        ClusterNetwork(MLP(3), 0)


@pytest.mark.parametrize("name", ["lenet", "vggs", "preact18"])
def test_channels_last_changes_the_layout_only(name: str) -> None:
    network = build_network(name, (3, 32, 32), 3, seed=0).eval()
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        before = network(x)[1]
        assert channels_last(network) is network
        torch.testing.assert_close(network(x)[1], before, rtol=1e-4, atol=1e-5)
    weights = [p for p in network.parameters() if p.dim() == 4]
    assert weights
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in weights)


def test_has_convolutions() -> None:
    assert has_convolutions(build_network("lenet", (28, 28), 2, seed=0))
    assert has_convolutions(nn.Sequential(nn.Conv1d(1, 1, 1)))
    assert not has_convolutions(channels_last(build_network("mlp", (28, 28), 2, seed=0)))


def test_unknown_name_lists_and_suggests() -> None:
    names = ", ".join(BACKBONES)
    message = f"backbone='LeNet5' must be one of auto, {names}; did you mean 'lenet'?"
    with pytest.raises(InputError, match=re.escape(message)):
        build_backbone("LeNet5", (28, 28))
    with pytest.raises(InputError, match=r"backbone='xyzzy' must be one of [^;]*$"):
        build_backbone("xyzzy", (28, 28))


@pytest.mark.parametrize(
    "name", [name for name in BACKBONES if name not in ("identity", "features") and not name.endswith("mlp")]
)
def test_image_networks_refuse_vectors(name: str) -> None:
    with pytest.raises(
        InputError, match=r"^backbone: '.+' needs images of shape .* got samples of shape \(64,\)"
    ):
        build_backbone(name, (64,))


@pytest.mark.parametrize(
    ("name", "smallest"),
    [
        ("lenet", 16),
        ("lenet-code", 4),
        ("vcnn", 8),
        ("vggs", 16),
        ("vggxs", 16),
        ("vgg8", 32),
        ("vgg16", 32),
        ("resnet20", 8),
        ("preact18", 8),
    ],
)
def test_image_networks_refuse_smaller_images_and_only_those(name: str, smallest: int) -> None:
    message = rf"^backbone: '.+' needs images of at least {smallest} x {smallest}, got samples of shape"
    with pytest.raises(InputError, match=message):
        build_backbone(name, (3, smallest, smallest - 1))
    with torch.device("meta"):
        backbone = build_backbone(name, (3, smallest, smallest)).eval()
        assert backbone(torch.zeros(2, 3, smallest, smallest)).shape == (2, backbone.out_features)


def test_auto_refuses_items_of_many_axes() -> None:
    with pytest.raises(InputError, match=r"backbone='auto' needs samples of shape .* got \(2, 3, 4, 5\)"):
        build_backbone("auto", (2, 3, 4, 5))


def test_module_that_fails_on_the_dry_run() -> None:
    with pytest.raises(InputError, match=r"given Linear fails on two rows of shape \(2, 5\)") as caught:
        build_backbone(nn.Linear(4, 2), (5,))
    assert isinstance(caught.value.__cause__, RuntimeError)


class Two(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


class Whole(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten()[None]


@pytest.mark.parametrize(
    ("module", "got"),
    [
        (nn.Identity(), r"shape \(2, 3, 8, 8\)"),
        (Whole(), r"shape \(1, 384\)"),
        (Two(), "tuple"),
        (nn.Flatten(0), r"shape \(384,\)"),
    ],
)
def test_module_with_another_output(module: nn.Module, got: str) -> None:
    with pytest.raises(InputError, match=rf"must map two rows of shape .* got {got}"):
        build_backbone(module, (3, 8, 8))


def test_module_that_cannot_be_copied() -> None:
    module = nn.Linear(3, 2)
    cast(Any, module).computed = module.weight * 2
    with pytest.raises(InputError, match="backbone: the given Linear cannot be copied") as caught:
        build_backbone(module, (3,))
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_callables_that_do_not_fit() -> None:
    with pytest.raises(InputError, match=r"the callable must return an nn.Module, got NoneType"):
        build_backbone(cast(Callable[[], nn.Module], lambda: None), (4,))
    with pytest.raises(
        InputError, match="the callable must accept a call without arguments, but missing a required"
    ):
        build_backbone(cast(Callable[[], nn.Module], nn.Linear), (4,))


def test_an_error_inside_the_callable_passes_through() -> None:
    def fails() -> nn.Module:
        raise TypeError("inside")

    with pytest.raises(TypeError, match=r"^inside$"):
        build_backbone(fails, (4,))


@pytest.mark.parametrize("spec", [None, 3, ("mlp",)])
def test_other_types(spec: object) -> None:
    with pytest.raises(InputTypeError, match=f"backbone must be 'auto', .* got {type(spec).__name__}"):
        build_backbone(cast(BackboneSpec, spec), (4,))


@pytest.mark.parametrize("shape", [(3, 6, 5), (3, 1, 6, 5), (1, 1, 6, 5)])
def test_images_of_one_channel_have_the_layout_of_channels_last(shape: tuple[int, ...]) -> None:
    """By their strides alone they could be either, and torch would take the slower one."""
    x = torch.arange(float(torch.Size(shape).numel())).reshape(shape)
    given = with_channel(x)
    assert given.shape == (shape[0], 1, 6, 5)
    assert given.stride() == (30, 1, 5, 1)
    assert torch.equal(given.flatten(), x.flatten())
    colours = torch.zeros(2, 3, 6, 5)
    assert with_channel(colours) is colours


@pytest.mark.parametrize("name", ["lenet-bn", "ddc-cnn", "vcnn"])
def test_the_layout_changes_nothing_but_rounding(name: str) -> None:
    network = build_network(name, (28, 28), 4, 0).double().eval()
    images = torch.randn(3, 28, 28, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    backbone = network.backbone
    plain = backbone.get_submodule("wide")(
        backbone.get_submodule("features")(images.unsqueeze(1).clone()).flatten(1)
    )
    for given in (images, images.unsqueeze(1)):
        torch.testing.assert_close(network.embed(given), plain, rtol=0, atol=1e-12)
