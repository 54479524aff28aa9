"""Processes that share a batch draw the views that one process draws of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import Generator, Tensor
from torch.nn import functional

from coterie._joint import JointBatch, drawn, sharing_rows, value_range
from coterie.data.augment import AffineJitter, Augment, AveragedViews, FeatureJitter, is_by_rows
from coterie.data.augment_images import RECIPES, ImageViews
from coterie.data.augment_sounds import SoundViews
from coterie.methods.l2c import _ViewsOfSamples

ALL_COLOURS = ImageViews(0.2, True, 10, 0.2, (0.4, 1.8), (0.7, 1.3), 0.2, 0.1)
VIEWS: dict[str, tuple[Augment, tuple[int, ...]]] = {
    "features": (FeatureJitter(), (6,)),
    "jitter": (AffineJitter(), (1, 15, 17)),
    "digits": (RECIPES["digits"], (14, 14)),
    "colours": (ALL_COLOURS, (3, 9, 8)),
    "sounds": (SoundViews(), (12, 20)),
    "averaged": (AveragedViews(RECIPES["digits"], 2), (1, 16, 16)),
    "sets": (_ViewsOfSamples(FeatureJitter()), (5, 4)),
}


def parts(total: int, world: int, copies: int, augment: Augment, x: Tensor) -> list[JointBatch]:
    """The rows of each process; all of them know the range of what is augmented."""
    rows = np.array_split(np.arange(total), world)
    ends = np.cumsum([len(own) for own in rows])
    seen = functional.avg_pool2d(x, augment.block) if isinstance(augment, AveragedViews) else x
    bounds = torch.stack([-seen.amin(), seen.amax()])
    return [
        JointBatch(int(end) - len(own), len(own), total, copies, lambda _: bounds)
        for own, end in zip(rows, ends, strict=True)
    ]


@settings(deadline=None)
@given(
    name=st.sampled_from(sorted(VIEWS)),
    total=st.integers(1, 9),
    world=st.integers(1, 4),
    copies=st.integers(1, 3),
    seed=st.integers(0, 2**32),
)
def test_each_process_draws_the_views_of_its_rows(
    name: str, total: int, world: int, copies: int, seed: int
) -> None:
    augment, shape = VIEWS[name]
    assert is_by_rows(augment)
    x = torch.randn(total, *shape, generator=Generator().manual_seed(seed))
    repeat = (copies, *[1] * len(shape))
    whole = augment(x.repeat(repeat), Generator().manual_seed(seed)).reshape(copies, total, *shape)
    for joint in parts(total, world, copies, augment, x):
        own = slice(joint.start, joint.start + joint.size)
        if joint.size:
            with sharing_rows(joint):
                views = augment(x[own].repeat(repeat), Generator().manual_seed(seed))
            torch.testing.assert_close(views.reshape(copies, joint.size, *shape), whole[:, own])


def test_views_differ_from_row_to_row() -> None:
    """Else the test above would hold of views that each process draws for itself."""
    x = torch.randn(1, 6).repeat(8, 1)
    whole = FeatureJitter()(x, Generator().manual_seed(0))
    assert len(np.unique(whole.numpy(), axis=0)) == 8


@pytest.mark.parametrize("augment", [lambda x, generator: x, AveragedViews(lambda x, generator: x, 2)])
def test_other_augmentations_are_not_taken_for_such(augment: Callable[..., Any]) -> None:
    assert not is_by_rows(augment)


def test_the_range_of_a_share_without_rows_is_that_of_the_others() -> None:
    seen: list[list[float]] = []

    def largest(values: Tensor) -> Tensor:
        seen.append(values.tolist())
        return torch.tensor([2.0, 3.0])

    with sharing_rows(JointBatch(2, 0, 2, 1, largest)):
        low, high = value_range(torch.empty(0, 4))
    assert (float(low), float(high)) == (-2.0, 3.0)
    assert seen == [[-torch.inf, -torch.inf]]


def test_an_axis_that_does_not_hold_the_rows_is_drawn_here() -> None:
    with sharing_rows(JointBatch(0, 4, 8, 1, lambda values: values)):
        assert tuple(drawn((3, 2), 0, torch.rand).shape) == (3, 2)
        assert tuple(drawn((4, 2), 0, torch.rand).shape) == (4, 2)
