"""The nightly test: kills at random moments, changed models, random calls; exit code 1 where anything fails.

``python -m tests.nightly`` does all of it, which takes a quarter of an hour on an idle core; options do less.
``--record NAME`` writes the counts into tests/nightly/results.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tests.corrections.sessions import SimulatedSession
from tests.nightly.calls import Calling
from tests.nightly.commands import warm_up
from tests.nightly.kills import SCENES, Killing
from tests.nightly.label import KilledLabelling
from tests.nightly.models import Mutation
from tests.nightly.records import RESULTS, Found, write

from benchmarks import record

LABEL = "label"
# of a simulated session
_ACTIONS = 40
# what happened, how often, and what went wrong
Counts = tuple[Counter[str], list[str]]


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.nightly", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, metavar="N", help="at each place")
    parser.add_argument("--worker-kills", type=int, default=50, metavar="N", help="of a fit with two workers")
    parser.add_argument("--models", type=int, default=1_000, metavar="N", help="saved models, changed")
    parser.add_argument("--calls", type=int, default=10_000, metavar="N", help="of the public surface")
    parser.add_argument("--sessions", type=int, default=1_000, metavar="N", help="of corrections, simulated")
    parser.add_argument("--record", default=None, metavar="NAME", help="of the JSON in tests/nightly/results")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    return parser


def main(words: list[str] | None = None) -> int:
    """Run what is asked for; 1 where anything was lost, hung, or ended with an error that is none of ours."""
    given = sys.argv[1:] if words is None else words
    asked = make_parser().parse_args(given)
    torch.set_num_threads(1)
    record.commit()  # of the code that was loaded
    warm_up()
    parts: list[dict[str, Any]] = []
    for name, n, count in _parts(asked):
        if n:
            parts.append(_part(name, count))
            if asked.record is not None:  # what is done stays, whatever comes
                _write(asked, parts, shlex.join(["python", "-m", "tests.nightly", *given]))
    faults = sum(len(part["faults"]) for part in parts)
    print(f"{faults} faults", flush=True)
    return int(faults > 0)


def _parts(asked: argparse.Namespace) -> Iterator[tuple[str, int, Callable[[], Counts]]]:
    """Names, how often each is asked for, and what does it."""
    for name in (*SCENES, LABEL):
        n = asked.worker_kills if "workers" in name else asked.kills
        yield name, n, partial(_kills, name, n, asked.seed)
    yield "models", asked.models, partial(_tries, Mutation, asked.models, asked.seed)
    yield "calls", asked.calls, partial(_tries, Calling, asked.calls, asked.seed)
    yield "sessions", asked.sessions, partial(_sessions, asked.sessions, asked.seed)


def _part(name: str, count: Callable[[], Counts]) -> dict[str, Any]:
    """Do one part and print what it found."""
    begun = time.monotonic()
    counts, faults = count()
    seconds = time.monotonic() - begun
    said = ", ".join(f"{what} {n}" for what, n in sorted(counts.items()))
    print(f"{name}: {said}; {len(faults)} faults; {seconds:.0f} s", flush=True)
    for fault in faults:
        print(f"  {fault}", flush=True)
    return {"part": name, "counts": dict(sorted(counts.items())), "faults": faults, "seconds": seconds}


def _sessions(n: int, seed: int) -> Counts:
    """People who correct clusterings at random; what is shown must contradict nothing that they said."""
    counts: Counter[str] = Counter()
    faults: list[str] = []
    for number in range(n):
        with tempfile.TemporaryDirectory() as folder:
            session = SimulatedSession(Path(folder), seed + number)
            session.act(_ACTIONS)
        counts += session.counts
        faults += session.faults
    counts["sessions"] = n
    return counts, faults


def _kills(name: str, n: int, seed: int) -> Counts:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        killing = KilledLabelling(place, seed) if name == LABEL else Killing(name, place, seed)
        killing.kill(n)
    return killing.counts, killing.faults


def _tries(kind: type[Mutation | Calling], n: int, seed: int) -> Counts:
    with tempfile.TemporaryDirectory() as folder:
        trying = kind(Path(folder), seed)
        for _ in range(n):
            trying.try_one()
    return trying.counts, trying.faults


def _write(asked: argparse.Namespace, parts: list[dict[str, Any]], line: str) -> None:
    settings = {name: value for name, value in vars(asked).items() if name != "record"}
    metrics = {"faults": sum(len(part["faults"]) for part in parts), "parts": len(parts)}
    seconds = sum(part["seconds"] for part in parts)
    write(RESULTS, Found("nightly", asked.record, settings, metrics, parts, seconds, line))


if __name__ == "__main__":
    sys.exit(main())
