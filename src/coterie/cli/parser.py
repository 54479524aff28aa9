"""A parser whose options are written with dashes and whose errors are one line."""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import re
import textwrap
from collections.abc import Callable, Sequence
from importlib.metadata import version as installed_version
from typing import Any, NoReturn

from jsonargparse import ArgumentParser

from coterie._errors import InputError
from coterie.params import Parameter, parameters_of, summary_of
from coterie.params.shared import TrainingParams

_WIDTH = 100
_LINE = r"""^[\s{]*["']?%s["']?\s*:\s*["']?([^\s"'#,}]+)"""
# types that a command line can write
_METAVARS = {int: "N", float: "X", str: "NAME"}


class DashedParser(ArgumentParser):
    """Accepts and shows ``--n-clusters`` for the parameter ``n_clusters``.

    Attributes
    ----------
    declared : list of Parameter
        Those whose values are checked as an estimator checks them, before anything is read.
    checks : list of callable
        Further checks of the options, which raise an InputError.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        self.declared: list[Parameter] = []
        self.checks: list[Callable[[Any], object]] = []
        super().__init__(*args, **settings)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise the message with options written as the caller writes them."""
        text = re.sub(
            r"are required: (.+)", lambda match: f"are required: {self._as_written(match[1])}", message
        )
        text = re.sub(r'Parser key "(\w+)":', r"--\1:", text)
        text = re.sub(r"a <class '(\w+)'>", r"\1", text)
        raise InputError(_dashed(text)) from ex

    def format_help(self) -> str:
        """The help, in which an option is called what it is called on the command line."""
        text: str = super().format_help()
        options = {option[2:] for option in self._option_string_actions if option.startswith("--")}
        text = re.sub(
            r"`(\w+)`", lambda match: f"--{match[1]}" if match[1] in options else match[1], _dashed(text)
        )
        return _dashed(text)

    def _as_written(self, names: str) -> str:
        """Names of arguments, comma separated, with the dashes or capitals that the usage shows."""
        positional = {action.dest: str(action.metavar) for action in self._get_positional_actions()}
        return ", ".join(positional.get(name, f"--{name}") for name in names.split(", "))

    def parse(self, words: Sequence[str]) -> Any:
        """The options as a namespace."""
        options = self.parse_args([_with_underscores(word) for word in words])
        for one in self.declared:
            one.check_option(getattr(options, one.name))
        for check in self.checks:
            check(options)
        return options


def _dashed(text: str) -> str:
    return re.sub(r"(?<![\w-])--[a-z_]+", lambda match: match.group().replace("_", "-"), text)


def _with_underscores(word: str) -> str:
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


def make_parser(command: str, description: str) -> DashedParser:
    """A parser of one command; its description is wrapped here, since the methods' own is not to be."""
    text = textwrap.fill(description, _WIDTH)
    return DashedParser(
        prog=f"coterie {command}", description=text, formatter_class=_Formatter, allow_abbrev=False
    )


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Wide enough for option names and their help to stand on one line; shows defaults."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=_WIDTH)

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        if action.default in (None, argparse.SUPPRESS) or action.nargs == 0 or "(default:" in text:
            return text
        return f"{text} (default: {_written(action.default)})"


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Finder(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(message)


def asked_for(words: Sequence[str], *names: str) -> list[str | None]:
    """What the words or their config file say of options on which other options depend."""
    finder = _Finder(add_help=False, allow_abbrev=False)
    for name in (*names, "config"):
        finder.add_argument(f"--{name}", default=None)
    found = vars(finder.parse_known_args(words)[0])
    config = _text_of(found["config"])
    return [found[name] or _named_in(config, name) for name in names]


def _text_of(config: str | None) -> str:
    """A config file as text; its faults are for the parser to find."""
    if config is None or not os.path.isfile(config):
        return ""
    with open(config, encoding="utf-8", errors="replace") as file:
        return file.read()


def _named_in(config: str, name: str) -> str | None:
    """What the text of a config file says of an option."""
    named = re.search(_LINE % name, config, re.MULTILINE)
    return None if named is None or named[1] == "null" else named[1]


def version() -> str:
    """Name and version, as ``coterie --version`` prints them."""
    return f"coterie {installed_version('coterie')}"


def option_names(parser: DashedParser) -> list[str]:
    """Options of a parser as they are written on the command line."""
    return [_dashed(name) for name in parser._option_string_actions if name.startswith("--")]


def method_parameters(declared: type[TrainingParams]) -> dict[str, Parameter]:
    """The parameters of a method that are options, by name."""
    return {name: one for name, one in parameters_of(declared).items() if one.option}


def add_method_options(parser: DashedParser, declared: type[TrainingParams]) -> None:
    """Options for the parameters that a method declares."""
    known = list(method_parameters(declared).values())
    group = parser.add_argument_group(summary_of(declared).rstrip("."))
    for one in known:
        names = [f"--{name}" for name in (one.name, one.also) if name]
        default = one.default if one.option_default is None else one.option_default
        read = functools.partial(_value, one)
        action = group.add_argument(*names, dest=one.name, type=read, default=default, help=one.text)
        action.metavar = one.metavar or _metavar(one)
    parser.declared += known


def _value(one: Parameter, text: Any) -> Any:
    """What is written for a parameter, as a value of its type where it has one of these."""
    if not isinstance(text, str):  # of a config file
        return text
    named = {str(choice).lower(): choice for choice in one.choices} | {"null": None}
    if text.lower() in named:
        return named[text.lower()]
    for kind in one.written_types:
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def _metavar(one: Parameter) -> str:
    for kind in one.written_types:
        return _METAVARS[kind]
    choices = [str(choice).lower() for choice in one.choices if choice is not None]
    return f"{{{','.join(choices)}}}"
