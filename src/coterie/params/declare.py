"""Parameters stated once: type, default, check and text.

Signatures, checks, documentation and the options of the command line all follow from these declarations.
They import no torch, so that help can be shown without it.
"""

import difflib
import functools
import inspect
import sys
from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from types import NoneType, SimpleNamespace
from typing import (
    Any,
    ClassVar,
    Literal,
    TypeVar,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from coterie._checks import Range, check_value
from coterie._errors import InputTypeError
from coterie.params.checks import Check
from coterie.params.documentation import compose

C = TypeVar("C", bound=type)


def param(
    *,
    default: Any,
    text: str,
    check: Range | Check | None = None,
    kw_only: bool = True,
    **traits: Any,
) -> Any:
    """One parameter of an estimator, in the body of a class that `parameters` decorates.

    Parameters
    ----------
    default : object
        Immutable.
    text : str
        What it means, for the documentation and the command line.
    check : Range or callable, optional
        Range of numbers, or ``check(name, value)`` that raises an error in place of the check that follows
        from the type.
    kw_only : bool, default=True
        Whether it must be passed by name.
    **traits
        Those of `Parameter`: python_text, option, option_default, metavar, also, shapes_network, traced.

    Returns
    -------
    dataclasses.Field
    """
    given = {"text": " ".join(text.split()), "check": check, **traits}
    return field(default=default, kw_only=kw_only, metadata=given)


@dataclass(frozen=True)
class Parameter:
    """A declared parameter.

    Attributes
    ----------
    name : str
    hint : type
        Its annotation.
    default : object
    text : str
    check : Range, callable or None
    python_text : str
        What else the documentation says, which does not concern the command line.
    option : bool
        Whether the command line has an option of this name.
    option_default : object
        Its default on the command line; None: the same as in Python.
    metavar : str or None
        What stands for its value in the help of the command line.
    also : str or None
        Another name of that option.
    shapes_network : bool
        Whether the form of the network follows from it, so that a fit that starts from another takes it over.
    traced : bool
        Whether the result depends on it, so that a fit with another value cannot resume a checkpoint.
    """

    name: str
    hint: Any
    default: Any
    text: str
    check: Range | Check | None = None
    python_text: str = ""
    option: bool = True
    option_default: Any = None
    metavar: str | None = None
    also: str | None = None
    shapes_network: bool = False
    traced: bool = True

    @property
    def kinds(self) -> tuple[Any, ...]:
        """The alternatives of the annotation."""
        return get_args(self.hint) if get_origin(self.hint) not in (None, Literal) else (self.hint,)

    @property
    def choices(self) -> tuple[Any, ...]:
        """Values that are accepted as they stand: those of Literal, None, True and False."""
        found: list[Any] = []
        for kind in self.kinds:
            found += get_args(kind) if get_origin(kind) is Literal else ()
            found += (True, False) if kind is bool else ()
        return (*found, None) if NoneType in self.kinds else tuple(found)

    @property
    def types(self) -> tuple[Any, ...]:
        """The alternatives that are no choices."""
        kinds = (get_origin(kind) or kind for kind in self.kinds if get_origin(kind) is not Literal)
        return tuple(kind for kind in kinds if kind not in (bool, NoneType))

    @property
    def written_types(self) -> tuple[Any, ...]:
        """The types whose values can be written on a command line."""
        return tuple(kind for kind in self.types if kind in (int, float, str))

    def check_value(self, value: object) -> None:
        """Raise InputError or InputTypeError where this value is not accepted."""
        self._check(self.name, value, self.types)

    def check_option(self, value: object) -> None:
        """The same for a value of the command line, called as it is there."""
        self._check(f"--{self.name.replace('_', '-')}", value, self.written_types)

    def _check(self, name: str, value: object, types: tuple[Any, ...]) -> None:
        if callable(self.check):
            self.check(name, value)
        else:
            check_value(name, value, self.choices, types, self.check or Range())


def parameters_of(declared: Any) -> dict[str, Parameter]:
    """The parameters of a class by name: positional ones, its own, and those it shares with others."""
    known = {one.name: one for one in fields(declared)}
    owners = {
        name: kind for kind in reversed(declared.__mro__) for name in vars(kind).get("__annotations__", {})
    }
    own_first = dict.fromkeys(
        name for kind in declared.__mro__ for name in vars(kind).get("__annotations__", {})
    )
    positional = [one.name for one in known.values() if not one.kw_only]
    names = dict.fromkeys([*positional, *(name for name in own_first if name in known)])
    return {
        name: Parameter(
            name, _hint_of(known[name], owners[name]), known[name].default, **known[name].metadata
        )
        for name in names
    }


def _hint_of(one: Field[Any], owner: type) -> Any:
    """An annotation, which is text where its module postpones the evaluation of annotations."""
    if not isinstance(one.type, str):
        return one.type
    written = SimpleNamespace(__annotations__={one.name: one.type})
    return get_type_hints(written, vars(sys.modules[owner.__module__]))[one.name]


def summary_of(declared: type) -> str:
    """What a method does, in a line: its `_summary`, or the first line of its documentation."""
    own: str = getattr(declared, "_summary", "")
    return own or inspect.cleandoc(declared.__doc__ or "").partition("\n")[0]


def check_parameters(estimator: object) -> None:
    """Raise where a parameter of an estimator has a value that its declaration does not accept."""
    for name, parameter in parameters_of(type(estimator)).items():
        parameter.check_value(getattr(estimator, name))


def refuse_unknown(kind: type, names: Any, error: type[Exception]) -> None:
    """Raise where a class has no parameter of one of these names, and say which name is nearest."""
    known = parameters_of(kind)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"its parameters are {', '.join(known)}"
            raise error(f"{kind.__name__} has no parameter {name}; {hint}")


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(param,))
def parameters(declared: C) -> C:
    """Class decorator: make ``__init__`` and the documentation from the parameters that a class declares.

    Parameters
    ----------
    declared : type
        Its parameters are annotated names with `param` as their value, in its body or in those of its bases.
        Those that its own `_without` names stay at their defaults: they are no parameters of this class.

    Returns
    -------
    type
        The same class.

    Examples
    --------
    >>> from coterie.params import Range, parameters, param
    >>> @parameters
    ... class Sampling:
    ...     '''How samples are drawn.'''
    ...     size: int = param(default=8, check=Range(1), text="Samples in a batch.")
    >>> Sampling(size=4).size
    4
    >>> print(Sampling.__doc__)
    How samples are drawn.
    <BLANKLINE>
    Parameters
    ----------
    size : int, default=8
        Samples in a batch.
    """
    for name in vars(declared).get("_without", ()):
        declared.__annotations__[name] = ClassVar[Any]
    made: Any = dataclass(eq=False, repr=False, match_args=False)(declared)
    _refuse_hidden(made)
    made.__init__ = _naming_the_nearest(made)
    made.__doc__ = compose(made, parameters_of(made).values())
    return cast(C, made)


def _refuse_hidden(declared: Any) -> None:
    """Raise if a later base declares a parameter again: a dataclass would not see it."""
    for one in fields(declared):
        first = next(kind for kind in declared.__mro__ if one.name in vars(kind).get("__annotations__", {}))
        if vars(first)["__dataclass_fields__"][one.name] is not one:
            raise InputTypeError(f"{declared.__name__} must have {first.__name__} as its first base")


def _naming_the_nearest(declared: Any) -> Callable[..., None]:
    """The ``__init__`` of a dataclass, which names the parameter that an unknown one is nearest to."""
    store: Callable[..., None] = declared.__init__

    @functools.wraps(store)
    def __init__(self: Any, *args: Any, **given: Any) -> None:
        refuse_unknown(declared, given, InputTypeError)
        store(self, *args, **given)

    signature = inspect.signature(store)
    by_name = signature.parameters
    ordered = [by_name["self"], *(by_name[name] for name in parameters_of(declared))]
    __init__.__signature__ = signature.replace(parameters=ordered)  # type: ignore[attr-defined]
    return __init__
