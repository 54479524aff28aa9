"""A digest of a fit: another one where the result may differ."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np

from coterie._errors import InputError
from coterie.data.arrays import SampleArray, data_digest
from coterie.engine.processes import exchange, is_shared
from coterie.methods.identity import identity_of
from coterie.params import parameters_of

if TYPE_CHECKING:
    from coterie.methods.base import NeuralEstimator


def check_same_samples(samples: SampleArray) -> None:
    """Raise where the processes of a launcher have not all read the same samples.

    Raises
    ------
    InputError
        They differ; the message names the processes.
    """
    if not is_shared():
        return
    found = exchange((len(samples), data_digest(samples)))
    others = [rank for rank, one in enumerate(found) if one != found[0]]
    if others:
        sizes = ", ".join(f"rank {rank} has {found[rank][0]} rows" for rank in (0, *others[:4]))
        raise InputError(
            f"X must be the same on every process, but it differs ({sizes}); give all machines the same files"
        )


def fit_fingerprint(
    estimator: NeuralEstimator, samples: SampleArray, n_restarts: int, supervision: str
) -> str:
    """A digest of parameters, samples, supervision and start of a fit, without its seeds.

    Parameters
    ----------
    estimator : NeuralEstimator
    samples : array of shape (n, ...)
    n_restarts : int
    supervision : str
        A digest of labels, pairs or a similarity network.

    Returns
    -------
    str
    """
    traced = [name for name, one in parameters_of(type(estimator)).items() if one.traced]
    params = {name: repr(getattr(estimator, name)) for name in traced}
    if isinstance(estimator.random_state, int | np.integer):
        params["random_state"] = repr(int(estimator.random_state))
    for name in ("backbone", "augment"):
        # the text of an object of the caller's may hold its address, which changes from run to run
        if not isinstance(getattr(estimator, name), str):
            params[name] = identity_of(name, getattr(estimator, name))
    parts = [type(estimator).__name__, params, n_restarts, supervision, data_digest(samples)]
    parts.append(estimator.modality_)
    if estimator._start is not None:
        weights = estimator._start.network_.state_dict().values()
        parts.append(data_digest(*(value.cpu().numpy() for value in weights if value.dim())))
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
