"""Each process drops what one process would drop of its rows."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from coterie._joint import JointBatch, sharing_rows
from coterie.nn.joint_dropout import JointDropout, convert_dropout


def dropped(layer: nn.Module, x: Tensor) -> Tensor:
    torch.manual_seed(3)
    result: Tensor = layer(x)
    return result


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("world", [2, 3])
def test_parts_are_those_of_the_whole(world: int, layout: torch.memory_format, copies: int) -> None:
    total = 7
    x = torch.randn(copies * total, 4, 3, 5).contiguous(memory_format=layout)
    whole = dropped(nn.Dropout(0.4), x).reshape(copies, total, 4, 3, 5)
    assert 0.2 < float((whole == 0).double().mean()) < 0.6
    for start in range(0, total, world):
        own = slice(start, min(start + world, total))
        rows = x.reshape(copies, total, 4, 3, 5)[:, own].flatten(0, 1).contiguous(memory_format=layout)
        with sharing_rows(JointBatch(start, own.stop - start, total, copies, lambda values: values)):
            part = dropped(JointDropout(0.4), rows)
        assert torch.equal(part.reshape(copies, own.stop - start, 4, 3, 5), whole[:, own])


def test_alone_and_in_eval_mode_it_is_plain_dropout() -> None:
    x = torch.randn(6, 5)
    assert torch.equal(dropped(JointDropout(0.4), x), dropped(nn.Dropout(0.4), x))
    assert torch.equal(JointDropout(0.4).eval()(x), x)
    assert torch.equal(JointDropout(0.0)(x), x)


def test_conversion_leaves_other_layers_alone() -> None:
    network = convert_dropout(nn.Sequential(nn.Dropout(0.1), nn.AlphaDropout(0.1), nn.Linear(2, 2)))
    assert [type(layer) for layer in network] == [JointDropout, nn.AlphaDropout, nn.Linear]
    assert network[0].p == 0.1
