"""Views of sounds: what moves, what is masked, and what never changes."""

from __future__ import annotations

import pytest
import torch

from coterie._errors import InputError
from coterie.data.augment_sounds import SoundViews
from coterie.data.views import RECIPES, default_augment, recipe_for


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_shift_moves_frames_alone_and_repeats_the_ends() -> None:
    x = torch.arange(20.0).expand(50, 3, 20).clone() + 100 * torch.arange(3.0)[None, :, None]
    views = SoundViews(shift=0.25, time_mask=0, frequency_mask=0)(x, generator())
    for view in views:
        step = int((view[0] - x[0, 0]).mode().values)
        assert abs(step) <= 5
        expected = (torch.arange(20) + step).clamp(0, 19).float()
        assert torch.equal(view, expected + 100 * torch.arange(3.0)[:, None])
    assert len({tuple(view[0].tolist()) for view in views}) > 5


@pytest.mark.parametrize("shape", [(40, 64), (1, 40, 64), (2, 40, 64)])
def test_masks_are_bands_of_the_mean(shape: tuple[int, ...]) -> None:
    x = torch.rand(30, *shape, generator=generator(1), dtype=torch.float64)
    views = SoundViews(shift=0)(x, generator())
    masked = views != x
    mean = x.mean(dim=tuple(range(1, x.dim())), keepdim=True).expand_as(x)
    assert torch.equal(views[masked], mean[masked])
    frames = masked.reshape(30, -1, 64).all(dim=1).sum(dim=1)
    pitches = masked.reshape(30, -1, 40, 64).all(dim=1).all(dim=2).sum(dim=1)
    assert 0 < frames.max() <= 13
    assert 0 < pitches.max() <= 8
    assert (masked.reshape(30, -1).double().mean(dim=1) < 0.36).all()


def test_a_view_depends_on_its_generator_alone() -> None:
    x = torch.randn(4, 40, 30)
    assert torch.equal(SoundViews()(x, generator(3)), SoundViews()(x, generator(3)))
    assert not torch.equal(SoundViews()(x, generator(3)), SoundViews()(x, generator(4)))
    assert torch.equal(SoundViews(0, 0, 0)(x, generator()), x)


@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan")])
@pytest.mark.parametrize("name", ["shift", "time_mask", "frequency_mask"])
def test_strengths_out_of_range(name: str, value: float) -> None:
    with pytest.raises(InputError, match=name):
        SoundViews(**{name: value})


def test_vectors_are_no_spectrograms() -> None:
    with pytest.raises(InputError, match=r"augment='sounds' must be used with spectrograms .* shape \(10,\)"):
        recipe_for("sounds", (10,))
    with pytest.raises(InputError, match="augment='sounds'"):
        SoundViews()(torch.zeros(2, 10), generator())


def test_auto_takes_them_for_sounds() -> None:
    assert recipe_for("auto", (40, 64), "sound") == RECIPES["sounds"] == default_augment((40, 64), "sound")
    assert recipe_for("auto", (40, 64), "image") == RECIPES["digits"]
