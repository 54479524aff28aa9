"""Fixtures of tests that need encoders."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.encoders.toys import TOYS, ToyTexts

from coterie.encoders import register_encoder, registry


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The toy encoders by name, in this test alone; nothing was embedded yet."""
    monkeypatch.setattr(registry, "_REGISTERED", {})
    for name, kind in TOYS.items():
        register_encoder(name, kind)
    ToyTexts.embedded.clear()
    yield
    ToyTexts.embedded.clear()
