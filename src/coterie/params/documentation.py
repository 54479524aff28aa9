"""The documentation of a class, with the parameters and attributes that it declares."""

import inspect
import textwrap
from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from coterie._checks import alternatives

if TYPE_CHECKING:
    from coterie.params.declare import Parameter

_WIDTH = 106
_ATTRIBUTES = "Attributes"
_TYPES: dict[Any, str] = {
    PathLike: "path",
    np.random.RandomState: "RandomState",
    np.random.Generator: "Generator",
}


def compose(declared: type, known: "Iterable[Parameter]") -> str:
    """A class's documentation in numpydoc's form.

    The sections of parameters and attributes are made from the declarations, and its own attributes follow
    those that it shares.

    Parameters
    ----------
    declared : type
        Declared classes among its bases may have a `_summary`, the first line, and `_attributes`, a text.
    known : iterable of Parameter
    """
    text, sections = _split(inspect.cleandoc(vars(declared).get("__doc__") or ""))
    summary = "" if declared.__dict__.get("_summary") else getattr(declared, "_summary", "")
    shared = [vars(kind)["_attributes"] for kind in declared.__mro__ if "_attributes" in vars(kind)]
    entries = [inspect.cleandoc(one) for one in shared]
    if _ATTRIBUTES in sections:
        entries.append(sections.pop(_ATTRIBUTES))
    made = {"Parameters": "\n".join(entry_of(one) for one in known)}
    made |= {_ATTRIBUTES: "\n".join(entries)} if entries else {}
    parts = [
        summary,
        text,
        *(f"{name}\n{'-' * len(name)}\n{body}" for name, body in (made | sections).items()),
    ]
    return "\n\n".join(part for part in parts if part)


def entry_of(parameter: "Parameter") -> str:
    """A parameter's entry in the section of parameters."""
    head = f"{parameter.name} : {type_in_words(parameter)}, default={_quoted(parameter.default)}"
    return (
        head + "\n" + textwrap.indent(textwrap.fill(parameter.text, _WIDTH, break_on_hyphens=False), "    ")
    )


def type_in_words(parameter: "Parameter") -> str:
    """The type as numpydoc writes it: ``int or "auto"``, ``{"a", "b"}``."""
    choices = [one for one in parameter.choices if isinstance(one, str)]
    words = [f"{{{', '.join(map(_quoted, choices))}}}"] if len(choices) > 1 else list(map(_quoted, choices))
    types = [_TYPES.get(kind, getattr(kind, "__name__", str(kind)).lower()) for kind in parameter.types]
    flags = ["bool"] if True in parameter.choices else []
    last = ["None"] if None in parameter.choices else []
    return alternatives([*types, *flags, *words, *last])


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _split(text: str) -> tuple[str, dict[str, str]]:
    """A documentation's text, and its sections by name."""
    lines = text.splitlines()
    heads = [at for at, line in enumerate(lines[1:]) if line and set(line) == {"-"}]
    sections = {
        lines[head]: "\n".join(lines[head + 2 : end]).strip()
        for head, end in zip(heads, [*heads[1:], len(lines)], strict=False)
    }
    return "\n".join(lines[: heads[0]] if heads else lines).strip(), sections
