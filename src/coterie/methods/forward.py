"""A network's outputs for samples: in eval mode, in batches of bounded size, whoever else is in the batch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from coterie._errors import InputError
from coterie.data.arrays import ScaledSource
from coterie.engine.runtime import choose_threads, torch_threads
from coterie.nn import Network, has_convolutions, rows_at_once

# matrix products of fewer rows take other kernels, and a sample's numbers would depend on its company
ROWS_TOGETHER = 8
# float32 logits that differ by one digit here differ by 6e-14, which a float64 probability shows
TIED_LOGITS = 1e-6
# a network's outputs for scaled rows, by name, and what is wanted of them
Outputs = Callable[[Network, Tensor], Mapping[str, Tensor]]
Pick = Callable[[Mapping[str, Tensor]], Tensor]


def map_samples(
    source: ScaledSource,
    network: Network,
    outputs: Outputs,
    pick: Pick,
    threads: int | str,
    part: slice | None = None,
) -> npt.NDArray[Any]:
    """What `pick` makes of a network's outputs for all samples, or for a part of them.

    The result is one array from the start: parts put together at the end would take twice the memory.

    Parameters
    ----------
    source : ScaledSource
        On the network's device.
    network : Network
    outputs : callable
        ``outputs(network, rows)``.
    pick : callable
        Maps these to a tensor of one entry a row.
    threads : int or "auto"
    part : slice, optional
        Contiguous.

    Returns
    -------
    array of shape (n, ...)

    Raises
    ------
    InputError
        A sample is too far from those of the fit for float32.
    """
    device = next(network.parameters()).device
    multiple = 1 if has_convolutions(network) else ROWS_TOGETHER
    together = rows_at_once(source.shape)
    result: npt.NDArray[Any] = np.empty(0)
    with (
        torch_threads(choose_threads(threads, network, device)),
        torch.inference_mode(),
        eval_mode(network),
    ):
        first, end, _ = (part or slice(None)).indices(len(source))
        for start in range(first, end, together):
            rows = source.take(slice(start, min(start + together, end)))
            source.expect(slice(start + together, start + 2 * together))
            given = outputs(network, _fill_up(rows, multiple))
            _refuse_overflow(given, start)
            found = pick(given)[: len(rows)].cpu().numpy()
            if start == first:
                result = np.empty((end - first, *found.shape[1:]), found.dtype)
            result[start - first : start - first + len(rows)] = found
    return result


def embedding(found: Mapping[str, Tensor]) -> Tensor:
    return found["embedding"]


def softmax(found: Mapping[str, Tensor]) -> Tensor:
    """Rows of float64, which sum to 1 to the last digit that a caller may check.

    Step by step: torch's own softmax over few columns takes three times as long on a CPU.
    """
    logits = found["logits"].double()
    odds = (logits - logits.amax(dim=1, keepdim=True)).exp_()
    return odds.div_(odds.sum(dim=1, keepdim=True))


def argmax(found: Mapping[str, Tensor]) -> Tensor:
    """The first of the largest probabilities, as numpy's argmax of them."""
    logits = found["logits"]
    top, best = logits.max(dim=1)
    # nearer to 0, different logits of float32 may have the same probability
    if logits.dtype != torch.float32 or bool((top.abs() < TIED_LOGITS).any()):
        return softmax(found).argmax(dim=1)
    return best


def _refuse_overflow(outputs: Mapping[str, Tensor], start: int) -> None:
    """Raise where a sample is so far from those of the fit that float32 cannot hold what comes of it."""
    for name in outputs.keys() & {"embedding", "logits"}:
        # a sum of finite numbers that overflows is looked at again; single numbers take a fifth of the pass
        if bool(outputs[name].sum().isfinite()):
            continue
        wrong = ~outputs[name].isfinite().flatten(1).all(dim=1)
        if bool(wrong.any()):
            row = start + int(wrong.int().argmax())
            raise InputError(
                f"X must be on the scale of the samples in fit; row {row} gives values beyond "
                "float32. Check its units, or divide by a constant in fit and predict alike"
            )


def _fill_up(rows: Tensor, multiple: int) -> Tensor:
    """The rows with the last one repeated up to a multiple of some number of rows."""
    missing = -len(rows) % multiple
    return torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])]) if missing else rows


@contextlib.contextmanager
def eval_mode(network: nn.Module) -> Iterator[None]:
    """The network in eval mode, and afterwards in the mode it was in."""
    before = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(before)
