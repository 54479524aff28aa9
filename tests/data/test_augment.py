"""Random views: of the shape that came, drawn per sample, from the generator alone."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator, Tensor

from coterie.data.augment import AffineJitter, Augment, FeatureJitter
from coterie.data.views import default_augment


def generator(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def batch(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(shape, generator=generator(9), dtype=dtype)


IMAGES = [(5, 16, 16), (5, 3, 16, 20), (1, 1, 15, 14)]
VIEWS: list[tuple[Augment, tuple[int, ...]]] = [
    *((AffineJitter(), shape) for shape in IMAGES),
    *((FeatureJitter(), shape) for shape in [(6, 10), *IMAGES]),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("augment", "shape"), VIEWS)
def test_shape_type_and_determinism(augment: Augment, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = batch(*shape, dtype=dtype)
    before = x.clone()
    first, again, other = augment(x, generator()), augment(x, generator()), augment(x, generator(1))
    assert first.shape == x.shape
    assert first.dtype == dtype
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(x, before)


@pytest.mark.parametrize(("augment", "shape"), VIEWS)
def test_the_global_generator_is_not_drawn_from(augment: Augment, shape: tuple[int, ...]) -> None:
    torch.manual_seed(4)
    expected = torch.rand(2)
    torch.manual_seed(4)
    augment(batch(*shape), generator())
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize("augment", [AffineJitter(), FeatureJitter()])
def test_each_sample_has_its_own_view(augment: Augment) -> None:
    views = augment(batch(1, 16, 16).expand(4, 16, 16).contiguous(), generator())
    assert all(not torch.equal(views[0], view) for view in views[1:])


@pytest.mark.parametrize("shape", IMAGES)
def test_zero_strength_changes_nothing(shape: tuple[int, ...]) -> None:
    x = batch(*shape, dtype=torch.float64)
    still = AffineJitter(degrees=0, zoom=0, shift=0)(x, generator())
    torch.testing.assert_close(still, x, rtol=0, atol=1e-12)
    assert torch.equal(FeatureJitter(noise=0, dropout=0)(x, generator()), x)


def test_images_stay_within_the_range_of_their_pixels() -> None:
    x = batch(20, 1, 16, 16)
    views = AffineJitter(degrees=90, zoom=0.5, shift=0.5)(x, generator())
    assert x.min() <= views.min()
    assert views.max() <= x.max()


def test_the_draws_stay_within_their_bounds() -> None:
    jitter = AffineJitter(degrees=10, zoom=0.1, shift=0.05)
    matrices = jitter._matrices(torch.zeros(2000, 1, 16, 16, dtype=torch.float64), generator())
    size = matrices[:, :, :2].det().sqrt()
    angle = torch.atan2(matrices[:, 1, 0], matrices[:, 0, 0]).rad2deg()
    for values, bound in ((size - 1, 0.1), (angle, 10.0), (matrices[:, :, 2], 0.1)):
        assert 0.95 * bound < values.abs().max() <= bound


def test_a_rotation_is_rigid_in_pixels_of_a_wide_image() -> None:
    matrix = AffineJitter(30, 0, 0)._matrices(torch.zeros(1, 16, 64, dtype=torch.float64), generator())[0]
    to_pixels = torch.tensor([32.0, 8.0], dtype=torch.float64).diag()
    turn = to_pixels @ matrix[:, :2] @ to_pixels.inverse()
    torch.testing.assert_close(turn @ turn.T, torch.eye(2, dtype=torch.float64))


def test_a_shift_is_a_share_of_the_side() -> None:
    x = torch.zeros(200, 20, 40, dtype=torch.float64)
    x[:, 10, 20] = 1
    views = AffineJitter(degrees=0, zoom=0, shift=0.1)(x, generator())
    down, across = views.sum(2).argmax(1) - 10, views.sum(1).argmax(1) - 20
    assert down.abs().max() == 2
    assert across.abs().max() == 4


def test_noise_and_dropout_of_features() -> None:
    zeros, ones = torch.zeros(200, 50, dtype=torch.float64), torch.ones(200, 50, dtype=torch.float64)
    noise = FeatureJitter(noise=0.3, dropout=0)(zeros, generator())
    assert noise.std() == pytest.approx(0.3, rel=0.05)
    dropped = FeatureJitter(noise=0, dropout=0.25)(ones, generator())
    assert set(dropped.flatten().tolist()) == {0, 1}
    assert 1 - dropped.mean().item() == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((10,), FeatureJitter), ((8, 8), FeatureJitter), ((28, 28), AffineJitter), ((3, 32, 32), AffineJitter)],
)
def test_the_default_follows_the_shape(shape: tuple[int, ...], kind: type) -> None:
    assert isinstance(default_augment(shape), kind)


def test_a_quarter_turn() -> None:
    class Quarter(AffineJitter):
        def _matrices(self, x: Tensor, generator: Generator) -> Tensor:
            turn = math.pi / 2
            rows = [[math.cos(turn), -math.sin(turn), 0], [math.sin(turn), math.cos(turn), 0]]
            return torch.tensor(rows, dtype=x.dtype).expand(len(x), 2, 3)

    x = batch(2, 6, 6, dtype=torch.float64)
    torch.testing.assert_close(Quarter()(x, generator()), torch.rot90(x, 1, (1, 2)), rtol=0, atol=1e-12)
