"""The methods by name: the library's own, those of installed packages, and those given to `register`.

A package adds a method by an entry point of the group ``coterie.methods``: its name, and the class as
``module:Class``. Such a method is imported when it is used, and not to be listed.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from coterie._errors import InputError, InputTypeError
from coterie.params import summary_of
from coterie.params.methods import METHODS, Supervision
from coterie.params.shared import TrainingParams

if TYPE_CHECKING:
    from coterie.methods.base import NeuralEstimator

GROUP = "coterie.methods"
_REGISTERED: dict[str, type[NeuralEstimator]] = {}


def register(name: str, method: type[NeuralEstimator]) -> None:
    """Make a method known by a name in this process: to saving and loading, and to the command line.

    A package does the same for every process by an entry point of the group ``coterie.methods``.

    Parameters
    ----------
    name : str
        Not that of a method of the library.
    method : type
        An estimator derived from `NeuralClusterer`.

    Raises
    ------
    InputError, InputTypeError
        The name is taken, or the class is no estimator of this library's kind.
    """
    if not _is_method(method):
        raise InputTypeError(f"method must be a class derived from NeuralClusterer, got {method!r}")
    known = find_method(name) if name in METHODS else _REGISTERED.get(name, method)
    if known is not method:
        raise InputError(
            f"name={name!r} is already used by {known.__module__}.{known.__qualname__}; choose another"
        )
    _REGISTERED[name] = method


@dataclass(frozen=True)
class Listed:
    """A description of a method that does not import it.

    Attributes
    ----------
    name : str
    summary : str
        The first line of its class's documentation, or its package's summary where it is not imported.
    papers : tuple of str
        arXiv numbers.
    package : str or None
        The distribution that brings it; None for the library's own.
    """

    name: str
    summary: str
    papers: tuple[str, ...]
    package: str | None


def list_methods() -> list[Listed]:
    """Every known method: the library's own, then the others."""
    declared = {name: place.params for name, place in METHODS.items()} | _REGISTERED
    here = [Listed(name, summary_of(kind), kind._papers, None) for name, kind in declared.items()]
    others = [point for point in _installed().values() if point.name not in declared]
    return here + [Listed(point.name, _summary(point), (), package_of(point)) for point in others]


def params_of(name: str) -> type[TrainingParams]:
    """The class that declares a method's parameters; one of the library's own is not imported for it.

    Raises
    ------
    InputError
        As `find_method`.
    """
    return METHODS[name].params if name in METHODS else find_method(name)


def supervision_of(name: str) -> Supervision:
    """What a method's ``fit`` uses in addition to X; one of the library's own is not imported for it.

    Raises
    ------
    InputError
        As `find_method`.
    """
    return METHODS[name].supervision if name in METHODS else supervision_by_class(find_method(name))


def supervision_by_class(kind: type[NeuralEstimator]) -> Supervision:
    """What a class's ``fit`` uses in addition to X, by its signature and its tags."""
    required = bool(kind().__sklearn_tags__().target_tags.required)
    named = inspect.signature(kind.fit).parameters.keys() & {"y", "pairs", "similarity"}
    # where y is there for scikit-learn's conventions alone, labels would be left out unseen
    return Supervision(frozenset(named if required else named - {"y"}), required)


def find_method(name: str) -> type[NeuralEstimator]:
    """The class of a method; that of another package is imported now.

    Raises
    ------
    InputError
        No method has this name, or its entry point names no estimator of this library's kind.
    """
    if name in METHODS:
        place = METHODS[name]
        own: type[NeuralEstimator] = getattr(importlib.import_module(place.module), place.name)
        return own
    if name in _REGISTERED:
        return _REGISTERED[name]
    point = _installed().get(name)
    if point is None:
        raise InputError(f"method must be one of {', '.join(method_names())}, got {name!r}{_nearest(name)}")
    loaded: Any = point.load()
    if not _is_method(loaded):
        raise InputError(
            f"method {name!r} of the package {package_of(point)}: its entry point must name a class derived "
            f"from NeuralClusterer, got {point.value}"
        )
    found: type[NeuralEstimator] = loaded
    return found


def _is_method(kind: object) -> bool:
    from coterie.methods.base import NeuralEstimator  # torch is not needed to list methods

    return inspect.isclass(kind) and issubclass(kind, NeuralEstimator)


def method_names() -> list[str]:
    """Names of every known method."""
    return list(dict.fromkeys([*METHODS, *_REGISTERED, *_installed()]))


def is_known(name: str) -> bool:
    """Whether a method has this name; installed packages are asked last."""
    return name in METHODS or name in _REGISTERED or name in _installed()


def method_of(estimator: object) -> str:
    """The name of an estimator's method, under which it is saved.

    Raises
    ------
    InputTypeError
        Its class is not known by a name.
    """
    kind = type(estimator)
    here = {name: f"{place.module}:{place.name}" for name, place in METHODS.items()}
    for name, value in here.items():
        if value == f"{kind.__module__}:{kind.__qualname__}":
            return name
    for name, known in _REGISTERED.items():
        if known is kind:
            return name
    for name, point in _installed().items():
        if point.value == f"{kind.__module__}:{kind.__qualname__}":
            return name
    raise InputTypeError(
        f"estimator must be of a known method ({', '.join(method_names())}), got {kind.__name__}; "
        "coterie.register gives a method of your own a name"
    )


def package_of_method(name: str) -> str | None:
    """The distribution that brings a method; None for the library's own and for registered ones."""
    point = None if name in METHODS or name in _REGISTERED else _installed().get(name)
    return None if point is None else package_of(point)


def package_of(point: EntryPoint) -> str:
    """Name of the distribution of an entry point."""
    return point.dist.name if point.dist is not None else point.value.partition(":")[0]


def _installed() -> dict[str, EntryPoint]:
    """Entry points by name; the first of several with one name."""
    return {point.name: point for point in reversed(tuple(entry_points(group=GROUP)))}


def _summary(point: EntryPoint) -> str:
    return "" if point.dist is None else str(point.dist.metadata["Summary"] or "")


def _nearest(name: str) -> str:
    found = difflib.get_close_matches(name, method_names(), 1)
    return f"; did you mean {found[0]!r}?" if found else ""
