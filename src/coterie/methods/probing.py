"""The restarts that count clusters, in this process or, where they take long, in worker processes."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

from coterie.engine.pool import Pool
from coterie.engine.restarts import WORTH_SECONDS
from coterie.engine.sharing import CANNOT_TRAVEL
from coterie.methods.count import PROBES, Probe

# trains the restart of a number
Train = Callable[[int], Probe]


def train_probes(train: Train, elsewhere: Train, workers: Callable[[], int]) -> list[Probe]:
    """Train the restarts that count.

    The first one is trained here: the time it takes says whether workers pay for the others.

    Parameters
    ----------
    train, elsewhere : callable
        ``train(number)``: the restart of a number, in this process and in a worker; both give the same.
    workers : callable
        ``workers()``, called after the first restart: how many processes there may be.

    Returns
    -------
    list of Probe
        In the order of their numbers.
    """
    begun = time.monotonic()
    first = train(0)
    others = range(1, PROBES)
    if (time.monotonic() - begun) * len(others) > WORTH_SECONDS and (n_workers := workers()) > 1:
        try:
            pool = Pool(elsewhere, n_workers)
        except CANNOT_TRAVEL as error:
            warnings.warn(f"n_jobs: {error}; the fit continues in one process", stacklevel=2)
        else:
            with pool:
                found = pool.map(_train, [(number,) for number in others])
            return [first, *map(_with_warnings, found)]
    return [first, *map(train, others)]


def _train(train: Train, number: int) -> tuple[Probe, list[Warning | str]]:
    """In a worker: a restart, and what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        probe = train(number)
    return probe, [one.message for one in caught]


def _with_warnings(found: tuple[Probe, list[Any]]) -> Probe:
    probe, messages = found
    for message in messages:
        warnings.warn(message, stacklevel=5)
    return probe
