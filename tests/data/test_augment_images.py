"""Views of images with colour: each strength alone does what its name says; recipes suit the samples."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator, Tensor

from coterie._errors import InputError
from coterie.data.augment import FeatureJitter
from coterie.data.augment_images import ImageViews
from coterie.data.views import RECIPES, recipe_for


def generator(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def batch(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(shape, generator=generator(9), dtype=dtype)


ALL = ImageViews(0.2, True, 15, 0.1, (0.6, 1.4), (0.6, 1.4), 0.1, 0.05)
GREY = ImageViews(0.2, True, 15, 0.1, (0.6, 1.4), noise=0.05)
CASES = [(ALL, (5, 3, 8, 9)), (GREY, (5, 1, 8, 8)), (GREY, (5, 8, 8)), (GREY, (5, 4, 9, 8))]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("views", "shape"), CASES)
def test_shape_range_type_and_determinism(
    views: ImageViews, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    x = batch(*shape, dtype=dtype) * 7 - 3
    before = x.clone()
    torch.manual_seed(4)
    expected = torch.rand(2)
    torch.manual_seed(4)
    first, again, other = views(x, generator()), views(x, generator()), views(x, generator(1))
    assert torch.equal(torch.rand(2), expected)  # the global generator is not drawn from
    assert first.shape == x.shape
    assert first.dtype == dtype
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(x, before)
    assert x.min() <= first.min()
    assert first.max() <= x.max()


@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 8, 9), (4, 3, 8, 8)])
def test_zero_strength_changes_nothing(shape: tuple[int, ...]) -> None:
    x = batch(*shape)
    assert torch.equal(ImageViews()(x, generator()), x)


def test_each_sample_has_its_own_draws() -> None:
    x = batch(1, 3, 8, 8).expand(6, 3, 8, 8).contiguous()
    for name, strength in (
        ("crop", 0.5),
        ("degrees", 30.0),
        ("brightness", 0.3),
        ("contrast", (0.5, 0.9)),
        ("saturation", (0.2, 0.9)),
        ("hue", 0.2),
        ("noise", 0.1),
    ):
        views = ImageViews(**{name: strength})(x, generator())  # type: ignore[arg-type]
        assert len(torch.unique(views.flatten(1), dim=0)) == 6, name


def test_a_flip_mirrors_about_half_of_the_images() -> None:
    x = batch(400, 1, 4, 5, dtype=torch.float64)
    views = ImageViews(flip=True)(x, generator())
    kept = torch.isclose(views, x).flatten(1).all(dim=1)
    mirrored = torch.isclose(views, x.flip(3)).flatten(1).all(dim=1)
    assert (kept ^ mirrored).all()
    assert 150 < int(mirrored.sum()) < 250


def test_a_crop_stays_within_the_image() -> None:
    matrices = ImageViews(crop=0.3)._matrices(torch.zeros(3000, 1, 8, 8, dtype=torch.float64), generator())
    size, shift = matrices[:, 0, 0], matrices[:, :, 2]
    assert 0.7 <= size.min() < 0.71
    assert 0.99 < size.max() <= 1
    assert (shift.abs() <= (1 - size)[:, None] + 1e-12).all()
    assert (shift.abs().max(dim=0).values > 0.25).all()


def test_rotation_is_rigid_in_pixels_of_a_wide_image_also_when_mirrored() -> None:
    matrices = ImageViews(flip=True, degrees=30)._matrices(
        torch.zeros(50, 16, 64, dtype=torch.float64), generator()
    )
    to_pixels = torch.tensor([32.0, 8.0], dtype=torch.float64).diag()
    turns = to_pixels @ matrices[:, :, :2] @ to_pixels.inverse()
    eye = torch.eye(2, dtype=torch.float64).expand(50, 2, 2)
    torch.testing.assert_close(turns @ turns.mT, eye)
    angles = torch.atan2(turns[:, 1, 0].abs(), turns[:, 1, 1]).rad2deg()
    assert 25 < angles.max() <= 30
    assert set(turns.det().round().tolist()) == {-1.0, 1.0}


def test_brightness_is_a_share_of_the_range() -> None:
    x = torch.full((500, 1, 4, 4), 5.0, dtype=torch.float64)
    x[0, 0, 0, 0], x[0, 0, 0, 1] = 0.0, 10.0
    added = (ImageViews(brightness=0.2)(x, generator()) - x)[1:].flatten(1)
    torch.testing.assert_close(added.min(dim=1).values, added.max(dim=1).values)
    assert 1.9 < added.abs().max() <= 2.0


def test_contrast_keeps_each_channel_s_mean() -> None:
    x = 5 + batch(50, 3, 6, 6, dtype=torch.float64)
    x[0, 0, 0, 0], x[0, 0, 0, 1] = 0.0, 10.0  # room, so that nothing is clipped
    views = ImageViews(contrast=(0.5, 1.5))(x, generator())
    torch.testing.assert_close(views.mean(dim=(2, 3))[1:], x.mean(dim=(2, 3))[1:])
    factor = views.std(dim=(2, 3))[1:] / x.std(dim=(2, 3))[1:]
    torch.testing.assert_close(factor, factor[:, :1].expand(-1, 3))
    assert 0.5 <= factor.min() < 0.6
    assert 1.4 < factor.max() <= 1.5


LUMA = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)


def wide_batch() -> Tensor:
    """Colours far from the ends of their range, so that nothing is clipped."""
    x = 0.4 + 0.2 * batch(50, 3, 4, 4, dtype=torch.float64)
    x[0, :, 0, 0], x[0, :, 0, 1] = -1.0, 2.0
    return x


def test_no_saturation_is_grey_of_the_same_luma() -> None:
    x = wide_batch()
    views = ImageViews(saturation=(0.0, 0.0))(x, generator())[1:]
    luma = torch.einsum("c,bchw->bhw", LUMA, x)[1:]
    torch.testing.assert_close(views, luma[:, None].expand_as(views), rtol=0, atol=1e-9)


def test_a_turn_of_the_hue_keeps_luma_and_grey() -> None:
    x = wide_batch()
    grey = x[:, :1].expand_as(x).contiguous()
    views = ImageViews(hue=0.3)
    turned = views(x, generator())
    assert (turned - x).abs().max() > 0.05
    before, after = (torch.einsum("c,bchw->bhw", LUMA, one) for one in (x, turned))
    torch.testing.assert_close(after[1:], before[1:], rtol=0, atol=1e-9)
    torch.testing.assert_close(views(grey, generator()), grey, rtol=0, atol=1e-9)


def test_a_full_turn_of_the_hue_is_none() -> None:
    mixing = ImageViews(hue=1.0)._mixing(torch.tensor([[0.5, 0.5], [0.0, 1.0]], dtype=torch.float64))
    torch.testing.assert_close(mixing, torch.eye(3, dtype=torch.float64).expand(2, 3, 3), rtol=0, atol=1e-12)


def test_noise_is_a_share_of_the_range() -> None:
    x = torch.full((100, 1, 8, 8), 50.0, dtype=torch.float64)
    x[0, 0, 0, 0], x[0, 0, 0, 1] = 0.0, 100.0
    noise = (ImageViews(noise=0.1)(x, generator()) - x)[1:]
    assert noise.std() == pytest.approx(10, rel=0.05)
    assert noise.mean() == pytest.approx(0, abs=0.5)


def test_recipes() -> None:
    assert RECIPES["none"] is None
    assert recipe_for("none", (3,)) is None
    assert recipe_for("auto", (28, 28)) is RECIPES["digits"]
    assert recipe_for("auto", (8, 8)) is RECIPES["digits"]
    assert recipe_for("auto", (3, 32, 32)) is RECIPES["objects"]
    assert recipe_for("auto", (4, 32, 32)) is RECIPES["digits"]
    for vectors in ((10,), (5, 5), (2, 3, 4, 5)):
        assert isinstance(recipe_for("auto", vectors), FeatureJitter)


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        (
            "objects",
            (1, 8, 8),
            "augment needs images of 3 channels to change hue and saturation, got 1; 'digits' accepts",
        ),
        ("objects", (8, 8), "needs images of 3 channels to change hue and saturation, got 1"),
        ("digits", (10,), r"augment needs images of shape \(h, w\) or \(c, h, w\), got shape \(10,\)"),
        (
            "letters",
            (8, 8),
            "augment='letters' must be one of auto, digits, digits-paper, objects, sounds, none, or a call",
        ),
    ],
)
def test_recipes_that_do_not_suit_are_refused(name: str, shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        recipe_for(name, shape)


def test_colours_of_grey_images_are_refused_at_the_call_too() -> None:
    with pytest.raises(InputError, match="needs images of 3 channels to change hue and saturation, got 1"):
        ALL(torch.zeros(2, 1, 8, 8), generator())


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("crop", 1.0, "crop must be below 1, got 1.0"),
        ("crop", -0.1, "crop must be a finite number >= 0"),
        ("noise", math.nan, "noise must be a finite number >= 0"),
        ("contrast", (1.2, 0.8), r"contrast must be \(low, high\)"),
        ("saturation", (-0.1, 1.0), r"saturation must be \(low, high\)"),
    ],
)
def test_strengths_out_of_range(name: str, value: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        ImageViews(**{name: value})  # type: ignore[arg-type]
