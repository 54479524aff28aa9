"""Dropout of a batch whose rows several processes share: each drops what one process would of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from coterie._joint import drawn

_Module = TypeVar("_Module", bound=nn.Module)


class JointDropout(nn.Dropout):
    """`nn.Dropout` whose mask is drawn for the rows of all processes, from generators that are alike.

    The first axis holds the rows. In eval mode, or in one process, it computes what `nn.Dropout` does.

    Examples
    --------
    >>> tuple(JointDropout(0.5)(torch.ones(4, 3)).shape)
    (4, 3)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop values of input (b, ...); the output has its shape."""
        if not self.training or not self.p:
            return input

        def mask(shape: Sequence[int]) -> Tensor:
            # values are drawn in the order of the memory
            layout = torch.channels_last if _is_channels_last(input) else torch.contiguous_format
            ones = torch.ones(tuple(shape), dtype=input.dtype, device=input.device)
            return functional.dropout(ones.contiguous(memory_format=layout), self.p, training=True)

        return input * drawn(input.shape, 0, mask)


def _is_channels_last(x: Tensor) -> bool:
    return x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)


def convert_dropout(module: _Module) -> _Module:
    """Turn every `nn.Dropout` of a network into a `JointDropout`, in place; other kinds are left alone.

    Examples
    --------
    >>> type(convert_dropout(nn.Sequential(nn.Dropout(0.2)))[0]).__name__
    'JointDropout'
    """
    for part in module.modules():
        if type(part) is nn.Dropout:
            part.__class__ = JointDropout
    return module
