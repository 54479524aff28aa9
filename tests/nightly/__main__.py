"""The nightly test: kills at random moments, changed models, random calls; exit code 1 where anything fails.

``python -m tests.nightly`` does all of it, which takes a quarter of an hour on an idle core; options do less.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch
from tests.corrections.sessions import SimulatedSession
from tests.nightly.calls import Calling
from tests.nightly.commands import warm_up
from tests.nightly.kills import SCENES, Killing
from tests.nightly.label import KilledLabelling
from tests.nightly.models import Mutation

LABEL = "label"
# of a simulated session
_ACTIONS = 40


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.nightly", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, metavar="N", help="at each place")
    parser.add_argument("--worker-kills", type=int, default=50, metavar="N", help="of a fit with two workers")
    parser.add_argument("--models", type=int, default=1_000, metavar="N", help="saved models, changed")
    parser.add_argument("--calls", type=int, default=10_000, metavar="N", help="of the public surface")
    parser.add_argument("--sessions", type=int, default=1_000, metavar="N", help="of corrections, simulated")
    parser.add_argument("--record", type=Path, default=None, metavar="FILE", help="JSON of these sessions")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    return parser


def main(words: list[str] | None = None) -> int:
    """Run what is asked for; 1 where anything was lost, hung, or ended with an error that is none of ours."""
    asked = make_parser().parse_args(words)
    torch.set_num_threads(1)
    warm_up()
    faults = 0
    for name in SCENES:
        n = asked.worker_kills if "workers" in name else asked.kills
        faults += _kills(name, n, asked.seed)
    faults += _kills(LABEL, asked.kills, asked.seed)
    for kind, n in ((Mutation, asked.models), (Calling, asked.calls)):
        faults += _tries(kind, n, asked.seed)
    faults += _sessions(asked.sessions, asked.seed, asked.record)
    print(f"{faults} faults", flush=True)
    return int(faults > 0)


def _sessions(n: int, seed: int, record: Path | None) -> int:
    """People who correct clusterings at random; what is shown must contradict nothing that they said."""
    if not n:
        return 0
    begun = time.monotonic()
    counts: Counter[str] = Counter()
    faults: list[str] = []
    for number in range(n):
        with tempfile.TemporaryDirectory() as folder:
            session = SimulatedSession(Path(folder), seed + number)
            session.act(_ACTIONS)
        counts += session.counts
        faults += session.faults
    if record is not None:
        found = {"sessions": n, "actions": n * _ACTIONS, "seed": seed, "contradicted": counts["contradicted"]}
        counted = dict(sorted(counts.items()))
        record.write_text(json.dumps(found | {"faults": faults, "counts": counted}, indent=1) + "\n")
    return _report("sessions", counts, faults, begun)


def _kills(name: str, n: int, seed: int) -> int:
    if not n:
        return 0
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        killing = KilledLabelling(place, seed) if name == LABEL else Killing(name, place, seed)
        killing.kill(n)
    return _report(name, killing.counts, killing.faults, begun)


def _tries(kind: type[Mutation | Calling], n: int, seed: int) -> int:
    if not n:
        return 0
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        trying = kind(Path(folder), seed)
        for _ in range(n):
            trying.try_one()
    return _report("models" if kind is Mutation else "calls", trying.counts, trying.faults, begun)


def _report(name: str, counts: Counter[str], faults: list[str], begun: float) -> int:
    said = ", ".join(f"{what} {count}" for what, count in sorted(counts.items()))
    print(f"{name}: {said}; {len(faults)} faults; {time.monotonic() - begun:.0f} s", flush=True)
    for fault in faults:
        print(f"  {fault}", flush=True)
    return len(faults)


if __name__ == "__main__":
    sys.exit(main())
