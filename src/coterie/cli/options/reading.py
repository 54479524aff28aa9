"""Options on how files are read: given, taken over from a run, and written again for the next command."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from typing import Any

from coterie._errors import InputError
from coterie.cli.parser import DashedParser

# of one image after resizing: a network has no use for more, and a typing error takes all memory
_MOST_PIXELS = 4096 * 4096
_FLAGS = {
    "strict": "refuse images, sounds or columns that would have to be changed",
    "skip_broken": "leave out files that cannot be read",
    "cyclic_dates": "also encode the time of the year, of the week and of the day of a table's dates",
}
_TEXTS = {
    "image_size": ("HxW", "size of all images, such as 32x32"),
    "sep": ("C", "separator of a table's columns: a character, tab or space"),
    "decimal": ("C", "decimal separator of a table: a comma or a point"),
    "header": ("yes|no", "whether the first line of a table names its columns"),
    "id": ("COL", "column of a table with the ids of the samples"),
    "label": (
        "COL",
        "column of a table with classes: used as --labels where the method takes labels, otherwise to score",
    ),
    "text": ("COL", "column of texts in a table, for an encoder; lines: each line of a .txt file"),
    "features": ("A,B", "the only columns of a table to use"),
    "drop": ("A,B", "columns of a table to leave out"),
}
# what an earlier fit decides: its models expect the same columns
_OF_THE_FIT = ("features", "drop", "label", "cyclic_dates", "image_size")
_SEPARATORS = {"tab": "\t", "\\t": "\t", "space": r"\s+", " ": r"\s+"}


def add_reading_options(parser: DashedParser, *, new: bool = True) -> None:
    """Options on how files are read; without those that a run has decided where it is not a `new` one."""
    for name, text in _FLAGS.items():
        if new or name not in _OF_THE_FIT:
            parser.add_argument(f"--{name}", action="store_true", help=text)
    for name, (shown, text) in _TEXTS.items():
        if new or name not in _OF_THE_FIT:
            parser.add_argument(f"--{name}", type=str, default=None, metavar=shown, help=text)
    parser.checks.append(lambda options: reading_values(given_options(options)))


def given_options(options: Any, metadata: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The reading options that were given, else those of an earlier run, as `metadata` keeps them."""
    earlier = (metadata or {}).get("reading_options") or {}
    columns = ((metadata or {}).get("reading") or {}).get("columns")
    said: dict[str, Any] = {}
    for name in (*_FLAGS, *_TEXTS):
        # new files of named columns need not have those that the fit left out
        inherited = None if columns and not hasattr(options, name) else earlier.get(name)
        value = getattr(options, name, None) or inherited
        if value:
            said[name] = value
    return said


def reading_words(metadata: Mapping[str, Any]) -> list[str]:
    """The reading options of a run as words of a command.

    Examples
    --------
    >>> reading_words({"reading_options": {"skip_broken": True, "sep": ";"}})
    ['--skip-broken', '--sep', ';']
    """
    said = metadata.get("reading_options") or {}
    words: list[str] = []
    for name, value in said.items():
        option = f"--{name.replace('_', '-')}"
        # a value that begins with a dash would be taken for an option
        words += (
            [option] if value is True else [f"{option}={value}"] if value.startswith("-") else [option, value]
        )
    return words


def reading_values(said: Mapping[str, Any]) -> dict[str, Any]:
    """What reading options mean, by their names, as the readers take it.

    Raises
    ------
    InputError
        A value means nothing.
    """
    size = said.get("image_size")
    return {
        **{name: bool(said.get(name)) for name in _FLAGS},
        "image_size": None if size is None else _size(size),
        "sep": _separator(said.get("sep")),
        "decimal": _decimal(said.get("decimal")),
        "header": _yes_or_no(said.get("header")),
        "id": said.get("id"),
        "label": said.get("label"),
        "text": said.get("text"),
        "features": _names("features", said.get("features")),
        "drop": _names("drop", said.get("drop")),
    }


def _separator(text: str | None) -> str | None:
    found = None if text is None else _SEPARATORS.get(text, text)
    if found is not None and found not in _SEPARATORS.values() and (len(found) != 1 or found in '"\r\n'):
        raise InputError(f"--sep {text!r} must be one character, tab or space")
    return found


def _decimal(text: str | None) -> str | None:
    if text not in (None, ",", "."):
        raise InputError(f"--decimal {text!r} must be a comma or a point")
    return text


def _yes_or_no(text: str | None) -> bool | None:
    if text not in (None, "yes", "no"):
        raise InputError(f"--header {text!r} must be yes or no")
    return None if text is None else text == "yes"


def _names(option: str, text: str | None) -> tuple[str, ...]:
    """Names of columns, separated by commas; a name that holds a comma stands in double quotes."""
    if text is None:
        return ()
    try:
        (names,) = csv.reader([text], strict=True)
    except (csv.Error, ValueError) as error:
        raise InputError(f"--{option} {text!r} must be names of columns, separated by commas") from error
    return tuple(names)


def _size(text: str) -> tuple[int, int]:
    parts = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if parts is None:
        raise InputError(f"--image-size={text!r} must be a height and a width, such as 32x32")
    height, width = int(parts[1]), int(parts[2])
    if height * width > _MOST_PIXELS:
        raise InputError(f"--image-size: {text} must have at most {_MOST_PIXELS} pixels; give a smaller size")
    return height, width


def are_reading_options(found: object) -> bool:
    """Whether options are such as a fit writes."""
    if not isinstance(found, Mapping):
        return False
    flags = all(found[name] is True for name in _FLAGS if name in found)
    texts = all(isinstance(found[name], str) for name in _TEXTS if name in found)
    return flags and texts and found.keys() <= {*_FLAGS, *_TEXTS}
