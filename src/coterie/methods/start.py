"""The weights with which a fit begins that continues from another model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coterie._errors import InputError

if TYPE_CHECKING:
    from coterie.methods.base import NeuralEstimator

# layers above the features, which are fresh where their shapes differ
_FRESH = ("head.", "all_heads.", "hidden.")


def start_weights(estimator: NeuralEstimator, start: Any, network: Any) -> Any:
    """Load the weights of a fitted model into a fresh network, in place.

    Parameters
    ----------
    estimator : NeuralEstimator
        The estimator of the new fit.
    start : NeuralEstimator
        A fitted one, of any method. Layers above the features whose shape differs stay fresh.
    network : nn.Module

    Returns
    -------
    nn.Module
        The same object.

    Raises
    ------
    InputError
        The two were fitted on samples of different shapes, or their networks differ below the head.
    """
    if start.sample_shape_ != estimator.sample_shape_:
        raise InputError(
            f"X must hold samples of the shape of start_from, {start.sample_shape_}, "
            f"got {estimator.sample_shape_}"
        )
    given = start.network_.state_dict()
    own = network.state_dict()
    fits = {name: value for name, value in given.items() if name in own and value.shape == own[name].shape}
    missing = [name for name in own if name not in fits and not name.startswith(_FRESH)]
    if missing:
        raise InputError(
            f"start_from must have a network of the same form: backbone={estimator.backbone!r} has a "
            f"{missing[0]} that its backbone={start.backbone!r} lacks, or has in another shape"
        )
    network.load_state_dict(own | fits)
    return network
