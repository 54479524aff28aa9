"""Processes of a machine that cannot give each other what one has read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coterie import InputError
from coterie._launcher import Place
from coterie.engine import processes

MESSAGE = "LOCAL_RANK must be 0 for one process of each machine, and its processes must share "


@pytest.mark.parametrize("found", [None, "gone"])
def test_processes_without_a_common_folder(
    found: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of them is the first of its machine; or the first one's folder is not seen here."""
    here = Place(rank=1, world=2, local_rank=1)
    others = [] if found is None else [(here.node, tmp_path / found)]
    said: Any = lambda value: [*others, value]  # noqa: E731
    monkeypatch.setattr(processes, "is_shared", lambda: True)
    monkeypatch.setattr("coterie._launcher.place", lambda: here)
    monkeypatch.setattr(processes, "exchange", said)
    monkeypatch.setattr(processes, "together", lambda call: call())
    with pytest.raises(InputError, match=MESSAGE):
        processes.once_a_machine(lambda: np.zeros(3))
