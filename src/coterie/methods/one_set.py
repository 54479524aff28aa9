"""The clustering of one set by a trained network of sets, in one pass or in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from coterie._errors import InputError
from coterie.data.arrays import SampleArray
from coterie.engine.runtime import choose_threads, torch_threads
from coterie.methods.forward import eval_mode
from coterie.methods.large_sets import follow_sample, merge_subsets
from coterie.nn.set_network import ItemVectors
from coterie.params.l2c import SUBSET_SIZE

if TYPE_CHECKING:
    from coterie.methods.l2c import L2C

_ROUNDING = 1e-12  # of values of 1


def set_points(model: L2C, samples: SampleArray) -> npt.NDArray[np.float32]:
    """What is clustered: the embeddings; of a set whose form alone counts, at unit scale.

    float32 holds neither the differences of points far from 0 nor their small squares.
    """
    if not getattr(model.network_.clusterer, "rescale", False):
        return model._embed(samples)
    if not isinstance(model.network_.backbone, ItemVectors):
        return at_unit_scale(model._embed(samples).astype(np.float64))
    factor = model.scaling_.factor / np.abs(model.scaling_.factor).max()
    points = samples[:].astype(np.float64)
    return at_unit_scale(points / (np.abs(points).max() or 1.0) * factor)


def cluster_set(model: L2C, samples: SampleArray) -> tuple[Tensor, list[Tensor]]:
    """P(k) (K,) and assignments (n, k) of checked samples, in one pass or merged, float64 on the CPU."""
    device = next(model.network_.parameters()).device
    clusterer, widths = model.network_.clusterer, list(range(1, model.max_clusters + 1))
    embedding = torch.from_numpy(set_points(model, samples)).to(device)

    def cluster(rows: Tensor) -> tuple[Tensor, list[Tensor]]:
        count_logits, packed, *_ = clusterer(embedding[rows.to(device)])
        if not bool(count_logits.isfinite().all() and packed.isfinite().all()):
            raise InputError(
                "X must be on the scale of the sets in fit; it gives values beyond float32. Check its units, "
                "or divide by a constant in fit and predict alike"
            )
        parts = torch.split(packed.cpu().double(), widths, dim=2)
        return count_logits.cpu().double().softmax(dim=1), list(parts)

    threads = choose_threads(model.threads, model.network_, device)
    with torch_threads(threads), torch.inference_mode(), eval_mode(model.network_):
        if len(samples) > model.max_set_size and model.network == "table":
            count_proba, parts = follow_sample(cluster, embedding, model.max_set_size)
        elif len(samples) > model.max_set_size:
            count_proba, parts = merge_subsets(cluster, len(samples), SUBSET_SIZE)
        else:
            counts, sets = cluster(torch.arange(len(samples)).unsqueeze(0))
            count_proba, parts = counts[0], [part[0] for part in sets]
    # a copy: numbers made in inference mode cannot be changed outside it
    return count_proba.clone(), [part / part.sum(dim=1, keepdim=True) for part in parts]


def at_unit_scale(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """A set (n, e) of mean 0 and mean square 1; of spread 0 where it is no more than rounding error."""
    largest = np.abs(values).max()
    centred = values / (largest or 1.0)
    centred -= centred.mean(axis=0)
    spread = float(np.sqrt(np.square(centred).mean()))
    return (centred / spread if spread > _ROUNDING else np.zeros_like(centred)).astype(np.float32)
