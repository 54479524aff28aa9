"""The size at which networks see images: by default small enough for minutes on a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

import coterie
from coterie import ADC, CCN, DDC, L2C, SimilarityNetwork
from coterie.data.augment import AveragedViews
from coterie.nn import AveragedBackbone

FEW: dict[str, Any] = {"n_clusters": 2, "n_restarts": 1, "max_steps": 1, "over_clustering": True}


def images(*shape: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (12, *shape), dtype=np.uint8)


def fitted(kind: Any, X: npt.NDArray[Any], **params: Any) -> Any:
    model = kind(**FEW | {"random_state": 0} | params)
    return model.fit(X, np.arange(12) % 2) if kind is CCN else model.fit(X)


def block_of(model: Any) -> int:
    backbone = model.network_.backbone
    return backbone.block if isinstance(backbone, AveragedBackbone) else 1


@pytest.mark.parametrize(
    ("kind", "shape", "block"),
    [
        (ADC, (28, 28), 2),
        (ADC, (3, 32, 32), 2),
        (ADC, (8, 8), 1),
        (DDC, (28, 28), 1),
        (DDC, (3, 48, 48), 2),
        (CCN, (3, 64, 40), 2),
    ],
)
def test_default_networks_see_few_pixels(kind: Any, shape: tuple[int, ...], block: int) -> None:
    model = fitted(kind, images(*shape))
    assert block_of(model) == block
    assert model.predict(images(*shape)).shape == (12,)


@pytest.mark.parametrize("chosen", [{"backbone": "lenet-bn"}, {"preset": "paper"}, {"max_pixels": None}])
def test_a_chosen_network_a_paper_and_no_bound_see_all(chosen: dict[str, Any]) -> None:
    assert block_of(fitted(DDC, images(40, 40), **chosen)) == 1


def test_the_bound_is_a_parameter() -> None:
    assert block_of(fitted(DDC, images(40, 40), max_pixels=100)) == 4
    with pytest.raises(coterie.InputError, match="max_pixels must be an int >= 64, 'auto' or None, got 10"):
        DDC(max_pixels=10).fit(images(40, 40))


def test_images_with_colours_take_another_network() -> None:
    names = [
        type(fitted(ADC, images(*shape), **more).network_.backbone).__name__
        for shape, more in (((16, 16), {}), ((3, 16, 16), {}), ((3, 16, 16), {"preset": "paper"}))
    ]
    assert names == ["VCNN", "LeNet", "VCNN"]


@pytest.mark.parametrize(("shape", "block"), [((3, 64, 64), 4), ((41, 30), 3)])
def test_views_are_those_of_the_small_images(shape: tuple[int, ...], block: int) -> None:
    x = torch.rand(6, *shape)
    seen: list[torch.Tensor] = []

    def shift(small: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        seen.append(small)
        return small + torch.rand(1, generator=generator)

    def averaged(images: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = torch.nn.functional.avg_pool2d(
            images, block, ceil_mode=True, count_include_pad=False
        )
        return pooled

    views = AveragedViews(shift, block)(x, torch.Generator().manual_seed(0))
    assert views.shape == x.shape
    torch.testing.assert_close(seen[0], averaged(x))
    moved = torch.rand(1, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(averaged(views), averaged(x) + moved)


@pytest.mark.parametrize("own", [True, False])
def test_views_of_the_caller_see_whole_images(own: bool) -> None:
    seen: list[tuple[int, ...]] = []

    def views(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        seen.append(tuple(x.shape[1:]))
        return x

    model = ADC(**FEW, random_state=0, augment=views if own else "digits").fit(images(28, 28))
    assert model.max_pixels_ == 256
    assert seen == [(28, 28)] * len(seen)
    assert bool(seen) == own


def test_vectors_have_no_working_size() -> None:
    assert block_of(fitted(DDC, images(5000))) == 1


def test_sets_and_similarities_take_a_bound_too() -> None:
    y = np.repeat(np.arange(3), 4)
    spn = SimilarityNetwork(max_steps=1, max_pixels=256, random_state=0).fit(images(32, 32), y)
    assert block_of(spn) == 2
    sets = L2C(max_steps=1, max_pixels=256, max_clusters=2, set_size=4, random_state=0).fit(images(32, 32), y)
    assert block_of(sets) == 2
    assert sets.predict(images(32, 32)).shape == (12,)


def test_a_saved_model_and_a_fit_from_it_have_the_same_size(tmp_path: Path) -> None:
    X = images(28, 28)
    model = fitted(ADC, X)
    coterie.save(model, tmp_path / "model")
    again = coterie.load(tmp_path / "model")
    assert (again.predict_proba(X) == model.predict_proba(X)).all()
    later = ADC(**FEW | {"max_pixels": None, "random_state": 1}).start_from(again).fit(X)
    assert block_of(later) == 2


def test_large_images_go_through_in_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.zeros((100, 128, 128), dtype=np.uint8)
    X[::2] = 255
    model = DDC(**FEW | {"random_state": 0, "max_pixels": 64}).fit(X)
    seen: list[int] = []
    outputs = model._outputs

    def watched(network: Any, rows: torch.Tensor) -> Any:
        seen.append(len(rows))
        return outputs(network, rows)

    monkeypatch.setattr(model, "_outputs", watched)
    model.predict(X)
    assert seen == [64, 36]
