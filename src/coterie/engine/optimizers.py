"""torch's optimizers as they are without torch.compile.

torch marks their methods for its compiler, and the first call of one imports it: that takes as long as the
import of torch itself, and nothing here is compiled.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

import torch
from torch.optim import SGD, Adadelta, Adam, Optimizer

_MARKED = ("add_param_group", "state_dict", "load_state_dict", "zero_grad")


def _unmarked(kind: type[Optimizer]) -> type[Optimizer]:
    """An optimizer whose methods are those that the marks wrap; they do the same."""
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in _MARKED}
    return type(kind.__name__, (kind,), {**methods, "step": torch.no_grad()(inspect.unwrap(kind.step))})


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "adam": _unmarked(Adam),
    "adadelta": _unmarked(Adadelta),
    "sgd": _unmarked(SGD),
}
