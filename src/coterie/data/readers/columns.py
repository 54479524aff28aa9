"""What the columns of a table are for: ids, labels, features."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coterie._errors import InputError
from coterie.data.readers.options import TableOptions

ID_NAME = "id"
# what pandas calls the index that it writes: before the columns of a CSV file, after those of Parquet
FIRST_NAMES = ("", "unnamed: 0", "__index_level_0__")
LAST_NAME = "__index_level_0__"
_LABEL_NAMES = ("label", "labels")


@dataclass(frozen=True)
class Roles:
    """Places of columns by what they are for.

    Attributes
    ----------
    id : int or None
    label : int or None
        Of the classes that were asked for.
    features : tuple of int
    text : int or None
        Of the texts that were asked for; there are then no features.
    """

    id: int | None
    label: int | None
    features: tuple[int, ...]
    text: int | None = None

    @property
    def as_text(self) -> tuple[int, ...]:
        """Columns whose entries count as they are written."""
        return tuple(place for place in (self.id, self.label, self.text) if place is not None)


def find_roles(
    file: Path,
    names: Sequence[str] | None,
    width: int,
    options: TableOptions,
    wanted: Sequence[str] | None = None,
) -> Roles:
    """Find out what the columns are for: features are those wanted, or all others than ids and labels.

    Raises
    ------
    InputError
        A column that is asked for is not there, or is asked for twice, or no feature is left.
    """
    called = [str(number + 1) for number in range(width)] if names is None else list(names)
    if not called:
        raise InputError(f"{file} must have at least one column")
    label = _place(file, "--label", options.label, called, names is None)
    place = _id_place(file, called, names is not None, options)
    if options.text is not None:
        text = _place(file, "--text", options.text, called, names is None)
        _refuse_overlap(file, called, {"--id": [place], "--label": [label], "--text": [text]}, [])
        return Roles(place, label, (), text)
    if wanted and names is not None:
        return Roles(place, label, _wanted_places(file, called, wanted, {place, label}))
    asked = [_place(file, "--features", name, called, names is None) for name in options.features]
    dropped = [_place(file, "--drop", name, called, names is None) for name in options.drop]
    _refuse_overlap(file, called, {"--id": [place], "--label": [label], "--features": asked}, dropped)
    left = {place, label, *dropped}
    if names is not None and not asked:
        left |= _left_labels(file, called, label, left)
    features = tuple(p for p in asked or range(width) if p is not None and p not in left)
    if not features:
        raise InputError(f"{file} must have a column of numbers, got {', '.join(called)}")
    return Roles(place, label, features)


def _wanted_places(
    file: Path, called: list[str], wanted: Sequence[str], others: set[int | None]
) -> tuple[int, ...]:
    """Places of the features of an earlier reading, in their order; others are left out with a warning."""
    missing = [name for name in wanted if name not in called]
    if missing:
        raise InputError(
            f"{file} must have the columns {_shown(list(wanted))}, as in the fit, got {_shown(called)}"
        )
    further = [name for place, name in enumerate(called) if name not in wanted and place not in others]
    if further:
        warnings.warn(
            f"{file}: columns that the fit did not use are ignored: {_shown(further)}", stacklevel=7
        )
    return tuple(called.index(name) for name in wanted)


def _refuse_overlap(
    file: Path, called: list[str], uses: dict[str, list[int | None]], dropped: list[int | None]
) -> None:
    """Raise where a column is asked for in two ways."""
    seen: dict[int, str] = {}
    for option, places in {**uses, "--drop": dropped}.items():
        for place in places:
            if place is None:
                continue
            earlier = seen.setdefault(place, option)
            if earlier != option:
                raise InputError(
                    f"{file}: {earlier} and {option} must name different columns; both name {called[place]}"
                )


def _place(file: Path, option: str, name: str | None, called: list[str], numbered: bool) -> int | None:
    """The place of a column that an option names."""
    if name is None:
        return None
    found = [place for place, own in enumerate(called) if own == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"{file}: {option} {name} must name one column; {len(found)} columns are called so")
    listed = f"1..{len(called)}, which have no names" if numbered else _shown(called)
    near = difflib.get_close_matches(name, called, 1)
    hint = f"; did you mean {near[0]!r}?" if near and not numbered else ""
    raise InputError(f"{file}: {option} {name} must be one of the columns {listed}{hint}")


def _shown(called: list[str]) -> str:
    return ", ".join(called[:20]) + ", ..." * (len(called) > 20)


def _id_place(file: Path, called: list[str], named: bool, options: TableOptions) -> int | None:
    """The column that was asked for, the one called id, or the index that pandas wrote."""
    if options.id is not None or not named:
        return _place(file, "--id", options.id, called, not named)
    lower = [name.strip().lower() for name in called]
    found = [
        place for place, name in enumerate(lower) if name == ID_NAME and called[place] not in options.drop
    ]
    if len(found) > 1:
        raise InputError(
            f"{file} must have at most one column called {ID_NAME}, got {len(found)}; choose one with --id"
        )
    if found:
        return found[0]
    place = 0 if lower[0] in FIRST_NAMES else len(lower) - 1 if lower[-1] == LAST_NAME else None
    if place is not None and len(called) > 1:
        shown = called[place] or "without a name"
        warnings.warn(f"{file}: column {shown} is used as ids, as pandas writes its index", stacklevel=6)
        return place
    return None


def _left_labels(file: Path, called: list[str], label: int | None, left: set[int | None]) -> set[int]:
    """Columns called label: clusters are not to be found from the labels that lie in the same file."""
    if label is not None:
        return set()
    found = {p for p, name in enumerate(called) if name.strip().lower() in _LABEL_NAMES and p not in left}
    if found:
        names = ", ".join(called[place] for place in sorted(found))
        warnings.warn(
            f"{file}: column {names} is not used as a feature; pass it to --label if it holds the classes, "
            "or to --drop to ignore it without this warning",
            stacklevel=6,
        )
    return found
