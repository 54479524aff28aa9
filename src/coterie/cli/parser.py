"""A parser whose options are written with dashes and whose errors are one line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from jsonargparse import ArgumentParser

from coterie._errors import InputError
from coterie.methods.base import AUGMENTS, NeuralClusterer
from coterie.methods.registry import METHODS

# set by the command itself, or of types that a command line cannot write
_NOT_OPTIONS = {"checkpoint_dir", "verbose", "augment", "backbone", "random_state"}


class DashedParser(ArgumentParser):
    """Accepts and shows ``--n-clusters`` for the parameter ``n_clusters``."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        raise InputError(message) from ex

    def format_help(self) -> str:
        text: str = super().format_help()
        return re.sub(r"--[a-z_]+", lambda match: match.group().replace("_", "-"), text)

    def parse(self, words: Sequence[str]) -> Any:
        """The options as a namespace."""
        return self.parse_args([_with_underscores(word) for word in words])


def _with_underscores(word: str) -> str:
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


def make_parser(command: str, description: str) -> DashedParser:
    return DashedParser(prog=f"coterie {command}", description=description, formatter_class=_Formatter)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Wide enough for option names and their help to stand on one line."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=100)


def method_of(words: Sequence[str]) -> str:
    """The method that the words ask for, whose parameters then become options."""
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--method", default="ccn")
    name: str = finder.parse_known_args(words)[0].method
    if name not in METHODS:
        raise InputError(f"--method: {name!r}; one of {', '.join(METHODS)} is expected")
    return name


def add_method_options(parser: DashedParser, method: type[NeuralClusterer]) -> list[str]:
    """Options for an estimator's parameters, from its typed ``__init__``; returns the parameters' names."""
    added: list[str] = parser.add_class_arguments(method, skip=_NOT_OPTIONS, fail_untyped=False)
    parser.add_argument("--backbone", type=str, default="auto", help="network, by name (default: auto)")
    parser.add_argument("--random_state", type=int, default=None, help="seed (default: a new one)")
    parser.add_argument("--augment", choices=AUGMENTS, default="auto", help="random views (default: auto)")
    return [*added, "augment", "backbone", "random_state"]
