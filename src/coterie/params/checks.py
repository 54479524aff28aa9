"""Checks of parameters that a type and a range do not say."""

from collections.abc import Callable
from numbers import Integral

import numpy as np

from coterie._checks import Range, check_value
from coterie._errors import InputError, InputTypeError

Check = Callable[[str, object], object]


def check_seed(name: str, value: object) -> None:
    """A seed, a source of random numbers, or None."""
    if isinstance(value, Integral) and not isinstance(value, bool) and 0 <= int(value) < 2**32:
        return
    if value is not None and not isinstance(value, np.random.RandomState | np.random.Generator):
        raise InputError(
            f"{name} must be an int in 0..2**32-1, a Generator, a RandomState or None, got {value!r}"
        )


def check_weights(*names: str) -> Check:
    """A check of weights by name: a dict of numbers from 0 on with these names, or None."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, dict | None):
            raise InputTypeError(f"{name} must be a dict or None, got {value!r}")
        for key, weight in (value or {}).items():
            if key not in names:
                raise InputError(f"{name} must have names among {', '.join(names)}, got {key!r}")
            check_value(f"{name}[{key!r}]", weight, (), (float,), Range(0))

    return check


def check_device(name: str, value: object) -> None:
    """A device's name, or a torch.device, which is known by its class: torch is not imported here."""
    if not isinstance(value, str) and type(value).__name__ != "device":
        raise InputTypeError(f"{name} must be a str or a torch.device, got {value!r}")


def check_jobs(name: str, value: object) -> None:
    """A number of processes as scikit-learn counts them: not 0, negative from all cores, or None."""
    check_value(name, value, (None,), (int,), Range())
    if value == 0:
        raise InputError(f"{name} must be an int but 0, or None, got 0; -1 stands for all cores")


def check_encoder(name: str, value: object) -> None:
    """None, a name, or an object that embeds."""
    if value is None or (isinstance(value, str) and value):
        return
    if isinstance(value, str | type) or not hasattr(value, "embed"):
        raise InputTypeError(f"{name} must be None, 'auto', a name or an encoder, got {value!r}")
