"""What fits into a device's memory: the data, and where a step does not, the batch that would."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from coterie._errors import InputError
from coterie.engine.runtime import Runtime

# fewer samples are no batch
SMALLEST_BATCH = 2


def does_not_fit(runtime: Runtime, network: nn.Module, samples: Tensor, batch_size: int) -> InputError:
    """The error of a step that ran out of memory, with the batch size that would fit.

    Halves of the batch go through the network, forth and back, until one fits.

    Parameters
    ----------
    runtime : Runtime
    network : nn.Module
        As it is without the other processes.
    samples : tensor of shape (b, ...)
        This process's share of the batch, or fewer of its rows.
    batch_size : int
        That was asked for.
    """
    size, rows = batch_size, len(samples)
    while rows > SMALLEST_BATCH:
        size, rows = max(SMALLEST_BATCH, size // 2), max(SMALLEST_BATCH, rows // 2)
        _let_go(runtime, network)
        try:
            values = runtime.forward(network, samples[:rows], training=True)
            torch.autograd.backward([value.float().sum() for value in values if value.requires_grad])
        except torch.OutOfMemoryError:
            continue
        finally:
            _let_go(runtime, network)
        return InputError(
            f"batch_size={batch_size} does not fit into the memory of {runtime.device}; "
            f"batch_size={size} fits"
        )
    return InputError(
        f"batch_size={batch_size} does not fit into the memory of {runtime.device}, and no smaller one does: "
        "take a smaller network, max_pixels, or device='cpu'"
    )


def _let_go(runtime: Runtime, network: nn.Module) -> None:
    network.zero_grad(set_to_none=True)
    if runtime.device.type == "cuda":
        torch.cuda.empty_cache()
