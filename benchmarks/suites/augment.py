"""Random views of 128 colour images of 32x32 pixels on one core: ours beside kornia, in turn."""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.columns import metric
from benchmarks.suites.base import Case, Options, Outcome, Suite
from coterie.data.augment_images import ImageViews

SHAPE = (128, 3, 32, 32)
STRENGTHS = {"crop": 0.2, "degrees": 15.0, "brightness": 0.1, "factors": 0.4, "hue": 0.1, "noise": 0.05}


def _cases(options: Options) -> list[Case]:
    repeats = 3 if options.quick else 100
    return [
        Case("augment", "views", "noise32", "", draw, {"repeats": repeats, "shape": SHAPE, **STRENGTHS})
        for draw in options.draws or (0,)
    ]


def run(case: Case) -> Outcome:
    """Median time of a batch for both, each timed after the other in an order drawn anew every time."""
    generator = torch.Generator().manual_seed(case.draw)
    images = torch.rand(SHAPE, generator=generator)
    ours = _ours()
    sides: dict[str, Callable[[], Any]] = {"ours": lambda: ours(images, generator)}
    kornia = _kornia()
    if kornia is not None:
        theirs, version = kornia
        sides["kornia"] = lambda: theirs(images)
    metrics: dict[str, Any] = {
        f"{name}_seconds": statistics.median(seconds)
        for name, seconds in _alternate(sides, case.settings["repeats"], case.draw).items()
    }
    resolved = {"threads": torch.get_num_threads(), "views": repr(ours)}
    if kornia is None:
        return Outcome(metrics, resolved=resolved, departures=["kornia is not installed: no comparison"])
    metrics["ratio"] = metrics["ours_seconds"] / metrics["kornia_seconds"]
    # kornia turns hues in HSV space, and resamples once more for the rotation
    departures = ["hue: a rotation in YIQ space here, in HSV space in kornia"]
    return Outcome(metrics, resolved=resolved | {"kornia": version}, departures=departures)


def _ours() -> ImageViews:
    low, high = 1 - STRENGTHS["factors"], 1 + STRENGTHS["factors"]
    return ImageViews(
        crop=STRENGTHS["crop"],
        flip=True,
        degrees=STRENGTHS["degrees"],
        brightness=STRENGTHS["brightness"],
        contrast=(low, high),
        saturation=(low, high),
        hue=STRENGTHS["hue"],
        noise=STRENGTHS["noise"],
    )


def _kornia() -> tuple[Callable[[Tensor], Tensor], str] | None:
    """The same views made of kornia's parts, and its version; None where it is not installed."""
    try:
        kornia: Any = importlib.import_module("kornia")
        parts: Any = importlib.import_module("kornia.augmentation")
    except ImportError:
        return None
    smallest = (1 - STRENGTHS["crop"]) ** 2
    factors = STRENGTHS["factors"]
    views = nn.Sequential(
        parts.RandomResizedCrop(SHAPE[2:], scale=(smallest, 1.0), ratio=(1.0, 1.0), p=1.0),
        parts.RandomHorizontalFlip(p=0.5),
        parts.RandomRotation(STRENGTHS["degrees"], p=1.0),
        parts.ColorJitter(STRENGTHS["brightness"], factors, factors, STRENGTHS["hue"], p=1.0),
        parts.RandomGaussianNoise(std=STRENGTHS["noise"], p=1.0),
    )
    return views, str(kornia.__version__)


def _alternate(sides: dict[str, Callable[[], Any]], repeats: int, seed: int) -> dict[str, list[float]]:
    rng = np.random.default_rng(seed)
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for side in sides.values():
        side()  # warm caches
    for _ in range(repeats):
        for name in rng.permutation(list(sides)).tolist():
            start = time.perf_counter()
            sides[name]()
            taken[name].append(time.perf_counter() - start)
    return taken


AUGMENT = Suite(
    "augment",
    "Random views of 128x3x32x32 images against kornia's (bar: 0.6 of its time)",
    ("views",),
    (0,),
    _cases,
    run,
    columns=(
        metric("ours / kornia, medians of wall time", "ratio"),
        metric("ours, s a batch", "ours_seconds", digits=4),
        metric("kornia, s a batch", "kornia_seconds", digits=4),
    ),
)
