"""Guided back-propagation: which parts of its input speak for a row's cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from coterie._checks import check_int
from coterie._errors import InputError
from coterie.data.arrays import ScaledSource
from coterie.methods.clusterer import NeuralClusterer
from coterie.methods.forward import eval_mode

_BATCH = 250


def guided_backpropagation(
    estimator: NeuralClusterer, X: Any, cluster: int | None = None
) -> npt.NDArray[np.float32]:
    """Gradient of a cluster's logit in the scaled input, by positive contributions alone.

    Going back through a ReLU, only positive gradients are passed on, so that what remains are the parts of
    the input that speak for the cluster (Springenberg et al., arXiv:1412.6806; section 4.7 of the DDC paper,
    arXiv:1902.04981).

    Parameters
    ----------
    estimator : CCN, DDC or ADC
        Fitted; of a vote, the best run explains. Its network needs ReLU layers.
    X : array-like of shape (n, ...)
        Samples as in ``fit``.
    cluster : int, optional
        Whose logit, of the network's outputs; by default that of each row's own.

    Returns
    -------
    float32 array of the shape of X

    Raises
    ------
    InputError, InputTypeError
        X does not fit, the cluster is out of range, or the network has no ReLU layer.
    NotFittedError

    Examples
    --------
    >>> import numpy as np
    >>> from coterie import DDC
    >>> X = np.random.default_rng(0).normal(size=(40, 8, 8)).astype("float32")
    >>> model = DDC(n_clusters=2, n_restarts=1, max_steps=2, over_clustering=True, random_state=0).fit(X)
    >>> guided_backpropagation(model, X[:3]).shape
    (3, 8, 8)
    """
    check_is_fitted(estimator, "network_")
    if cluster is not None:
        check_int("cluster", cluster, 0, estimator.network_.head.out_features - 1)
    samples = estimator._check_samples(X, reset=False)
    network = estimator.network_
    source = ScaledSource(samples, estimator.scaling_, next(network.parameters()).device)
    parts = []
    with eval_mode(network), _positive_gradients(network):
        for start in range(0, len(source), _BATCH):
            rows = source.take(np.arange(start, min(start + _BATCH, len(source)))).requires_grad_()
            logits = network.named(network(rows))["logits"]
            chosen = (
                logits.argmax(dim=1) if cluster is None else torch.full_like(logits[:, 0], cluster).long()
            )
            (gradient,) = torch.autograd.grad(logits.gather(1, chosen[:, None]).sum(), rows)
            parts.append(gradient.cpu().numpy())
    return np.concatenate(parts)


@contextmanager
def _positive_gradients(network: nn.Module) -> Iterator[None]:
    """Let a network's ReLU layers pass on positive gradients alone."""
    layers = [module for module in network.modules() if isinstance(module, nn.ReLU)]
    if not layers:
        raise InputError("estimator must have a network with ReLU layers; guided back-propagation needs them")
    hooks = [layer.register_full_backward_hook(_keep_positive) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _keep_positive(
    layer: nn.Module, inwards: tuple[Tensor, ...], outwards: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """The gradients of a ReLU's input without their negative part."""
    return tuple(gradient.clamp_min(0) for gradient in inwards)
