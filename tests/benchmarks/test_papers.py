"""The page that leads from equations to functions, tests and numbers."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from benchmarks import papers, record, tables
from coterie import InputError

TEXT = papers.PAGE.read_text(encoding="utf-8")
TESTS = record.ROOT / "tests"


def test_numbers_are_those_of_the_results() -> None:
    assert papers.refreshed(TEXT, tables.PAGE.read_text(encoding="utf-8")) == TEXT, "run `make tables`"
    assert len(re.findall(r"results\.md#", TEXT)) > 20


def test_an_unknown_row_is_named() -> None:
    with pytest.raises(InputError, match=r"papers\.md: pairs; nothing; NMI"):
        papers.refreshed('[1](results.md#pairs "nothing; NMI")', "## pairs\n")


def test_a_pending_number_waits_for_its_row() -> None:
    link = '[not measured yet](results.md#s "d; m; NMI")'
    assert papers.refreshed(link, "## s\n") == link
    rows = ["## s", "| data | variant | method | NMI |", "| --- | --- | --- | --- |", "| d |  | m | 0.5 |"]
    assert papers.refreshed(link, "\n".join(rows)) == '[0.5](results.md#s "d; m; NMI")'


def test_functions_are_there() -> None:
    names = re.findall(r"`(coterie\.[\w.]+)`", TEXT)
    assert len(set(names)) > 20
    for name in names:
        assert callable(_object(name)), name


def _object(name: str) -> object:
    """What a dotted name stands for: modules first, since a function may hide one of its name."""
    parent, _, last = name.rpartition(".")
    return getattr(importlib.import_module(parent), last)


def test_tests_are_there() -> None:
    """Each named test exists; ``::name`` alone is one of the file named before it."""
    source: Path | None = None
    found = 0
    for row in TEXT.splitlines():
        for folder, file, test in re.findall(r"`(?:(\w+)/)?(test_\w+\.py)?::(test_\w+)`", row):
            if file:
                source = TESTS / (folder or "losses") / file
            assert source is not None
            assert f"def {test}(" in source.read_text(encoding="utf-8"), f"{source}::{test}"
            found += 1
    assert found > 40
