"""What a person has said is never contradicted by what is shown: simulated sessions."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.corrections.sessions import WEIGHTS, SimulatedSession


def test_simulated_sessions_contradict_nothing(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    for seed in range(25):
        folder = tmp_path / str(seed)
        folder.mkdir()
        session = SimulatedSession(folder, seed)
        session.act(40)
        assert session.faults == []
        counts += session.counts
    assert counts["contradicted"] == 0
    # the sessions came to what they are to test
    assert all(counts[kind] for kind in (*WEIGHTS, "refused", "contradictions refused"))


@pytest.mark.parametrize("kind", ["move", "wrong", "together", "pair"])
def test_the_second_look_finds_what_is_wrong(tmp_path: Path, kind: str) -> None:
    session = SimulatedSession(tmp_path, 3)
    bench = session.bench
    given = {"rows": [0, 1], "cluster": bench.shown.clusters[0], "same": True}
    bench.act(kind, given)
    bench.shown.labels[:2] = [bench.shown.clusters[0], 77] if kind != "move" else [77, 77]
    session._look("test")
    assert session.counts["contradicted"] > 0
