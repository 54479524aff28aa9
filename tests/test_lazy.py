"""Names that import their modules at first use."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

PACKAGES = ("coterie", "coterie.data", "coterie.data.readers", "coterie.nn")


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_is_there(name: str) -> None:
    package: Any = importlib.import_module(name)
    assert sorted(package._MODULES) == sorted(package.__all__)
    for one in package.__all__:
        assert getattr(package, one) is getattr(package, one)
        assert getattr(getattr(package, one), "__name__", one).rpartition(".")[2] == one or one.isupper()


@pytest.mark.parametrize("name", PACKAGES)
def test_a_name_that_does_not_exist(name: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        getattr(importlib.import_module(name), "noth" + "ing")
