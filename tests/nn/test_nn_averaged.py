"""Networks at a working size: images averaged over blocks."""

from __future__ import annotations

import pytest
import torch

from coterie.nn import (
    VCNN,
    Averaged,
    AveragedBackbone,
    averaged_shape,
    block_for,
    build_backbone,
    rows_at_once,
)


@pytest.mark.parametrize(
    ("shape", "most", "block"),
    [
        ((28, 28), 320, 2),
        ((3, 32, 32), 320, 2),
        ((3, 64, 64), 320, 4),
        ((3, 128, 128), 320, 8),
        ((40, 64), 320, 3),
        ((8, 8), 320, 1),
        ((28, 28), 1024, 1),
        ((3, 128, 128), 1024, 4),
        ((3, 128, 128), None, 1),
        ((100_000,), 320, 1),
        ((2, 3, 64, 64), 320, 1),
    ],
)
def test_the_smallest_block_under_the_bound(shape: tuple[int, ...], most: int | None, block: int) -> None:
    assert block_for(shape, most) == block
    small = averaged_shape(shape, block)
    assert len(small) == len(shape)
    if block > 1:
        assert most is not None
        assert small[-2] * small[-1] <= most


def test_blocks_are_averaged_also_at_the_edges() -> None:
    x = torch.arange(30.0).reshape(1, 1, 5, 6)
    seen: list[torch.Tensor] = []

    class Keep(VCNN):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x)
            return x.flatten(1)

    AveragedBackbone(Keep((1, 8, 8)), 4)(x)
    expected = [
        [x[0, 0, :4, :4].mean(), x[0, 0, :4, 4:].mean()],
        [x[0, 0, 4:, :4].mean(), x[0, 0, 4:, 4:].mean()],
    ]
    torch.testing.assert_close(seen[0][0, 0], torch.tensor(expected))


@pytest.mark.parametrize("shape", [(28, 28), (3, 61, 33)])
def test_the_network_is_that_of_the_small_images(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    network = build_backbone(Averaged("vcnn", 2), shape)
    small = build_backbone("vcnn", averaged_shape(shape, 2))
    assert network.out_features == small.out_features
    assert [one.shape for one in network.parameters()] == [one.shape for one in small.parameters()]
    assert network(torch.zeros(2, *shape)).shape == (2, small.out_features)


@pytest.mark.parametrize("shape", [(10,), (28, 28), (3, 64, 64), (3, 128, 128), (3, 4096, 4096)])
def test_rows_at_once_are_bounded_multiples_of_eight(shape: tuple[int, ...]) -> None:
    rows = rows_at_once(shape)
    assert rows % 8 == 0
    assert 8 <= rows <= 1000
    if len(shape) > 1 and rows > 8:
        assert rows * shape[-1] * shape[-2] * 64 * 4 <= 256 * 2**20
