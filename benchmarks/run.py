"""Run a suite: ``python -m benchmarks.run SUITE``. One JSON file per case; a case that has one is skipped."""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import record
from benchmarks.clock import Clock, minutes
from benchmarks.datasets import DataMissingError
from benchmarks.suites import SUITES, Case, Options, Suite
from coterie._errors import Interrupted
from coterie.data.files import atomic_write

QUICK_RESULTS = record.ROOT / "build" / "benchmarks-quick"


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("--draws", type=_integers, default=(), help="e.g. 0,1,2; default: those reported")
    parser.add_argument("--methods", type=_words, default=(), help="default: all of the suite")
    parser.add_argument("--sizes", type=_integers, default=(), help="numbers of pairs, or of labels a class")
    parser.add_argument(
        "--data", help="another data set, e.g. mnist-validation, to tune without the test set"
    )
    parser.add_argument("--train-rows", type=int, help="use the first rows of the training set only")
    parser.add_argument("--epochs", type=int, help="of the supervised suites")
    parser.add_argument("--networks", type=_words, default=(), help="of the cifar10 suite")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=_assignment,
        metavar="NAME=VALUE",
        help="a parameter of the estimator, its value as JSON; may be repeated",
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name holds this text")
    parser.add_argument(
        "--minutes",
        type=minutes,
        help="after which it ends; cases without a result then wait for another call",
    )
    parser.add_argument("--out", type=Path, help=f"folder of the results; default {record.RESULTS}")
    parser.add_argument("--redo", action="store_true", help="run cases that have a result again")
    parser.add_argument("--list", action="store_true", help="list the cases and what is there; run nothing")
    parser.add_argument("--quick", action="store_true", help=f"a few steps on few rows, into {QUICK_RESULTS}")
    return parser


def _integers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _assignment(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r}: NAME=VALUE is expected")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def make_options(parsed: argparse.Namespace) -> Options:
    """What a parsed command line asks of a suite."""
    return Options(
        draws=parsed.draws,
        sizes=parsed.sizes,
        methods=parsed.methods,
        data=parsed.data,
        quick=parsed.quick,
        train_rows=parsed.train_rows,
        epochs=parsed.epochs,
        networks=parsed.networks,
        parameters=dict(parsed.set),
    )


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; the exit status."""
    parser = make_parser()
    given = sys.argv[1:] if arguments is None else arguments
    parsed = parser.parse_args(given)
    torch.set_num_threads(1)
    record.commit()  # of the code that was loaded, not of what lies there hours later
    options = make_options(parsed)
    out = parsed.out or (QUICK_RESULTS if parsed.quick else record.RESULTS)
    suite = SUITES[parsed.suite]
    command = shlex.join(["python", "-m", "benchmarks.run", *given])
    try:
        cases = [case for case in suite.make_cases(options) if parsed.only in case.name]
        if parsed.list:
            list_cases(cases, out)
            return 0
        left = [case for case in cases if parsed.redo or not is_done(case, out)]
        return _run_all(suite, left, out, command, Clock(parsed.minutes) if parsed.minutes else None)
    except (DataMissingError, ValueError) as error:
        report(f"error: {error}")
        return 2


def _run_all(suite: Suite, cases: list[Case], out: Path, command: str, clock: Clock | None) -> int:
    """Run cases until the minutes are over; one that fails or lacks its data is named, and the others run."""
    problems, done = 0, 0
    try:
        with clock.stops() if clock else contextlib.nullcontext():
            for number, case in enumerate(cases, start=1):
                report(f"[{number}/{len(cases)}] {case.suite}/{case.name}")
                problem = _run_one(suite, case, out, command)
                if problem:
                    report(f"  {problem}")
                    problems += 1
                done += 1
    except Interrupted:
        if clock is None or clock.left() > 0:  # it was not the clock
            raise
        report("  stopped: the minutes are over")
    report(f"{done - problems} run, {problems} failed" + (f", {len(cases) - done} wait" if clock else ""))
    return 2 if problems else 0


def _run_one(suite: Suite, case: Case, out: Path, command: str) -> str:
    """Run one case; what was wrong, or nothing."""
    if result_path(case, out).exists() and not is_done(case, out):
        report("  its result is of other settings and is replaced")
    try:
        run_case(suite, case, out, command)
    except DataMissingError as error:
        return f"skipped, data are missing: {error}"
    except ValueError as error:  # every restart diverged, say
        return f"failed: {error}"
    return ""


def report(line: str) -> None:
    """Say something on standard error, at once."""
    print(line, file=sys.stderr, flush=True)


def list_cases(cases: list[Case], out: Path) -> None:
    """Say which cases have a result."""
    for case in cases:
        print(f"{_state(case, out):8}{case.suite}/{case.name}")


def _state(case: Case, out: Path) -> str:
    """Of a case's result: "done", "missing", or "changed" where it is of other settings."""
    if is_done(case, out):
        return "done"
    return "changed" if result_path(case, out).exists() else "missing"


def result_path(case: Case, out: Path) -> Path:
    """Where a case's result lies."""
    return out / case.suite / f"{case.name}.json"


def is_done(case: Case, out: Path) -> bool:
    """Whether a result of this case with the same settings is there."""
    path = result_path(case, out)
    if not path.exists():
        return False
    return bool(record.read(path)["settings"] == record.plain(case.settings))


def run_case(suite: Suite, case: Case, out: Path, command: str) -> dict[str, Any]:
    """Run a case and write its result.

    Returns
    -------
    dict
        The record.
    """
    start = time.perf_counter()
    outcome = suite.run_case(case)
    result = {
        "suite": case.suite,
        "method": case.method,
        "data": case.data,
        "variant": case.variant,
        "draw": case.draw,
        "settings": case.settings,
        "resolved": outcome.resolved,
        "metrics": outcome.metrics,
        "runs": outcome.runs,
        "departures": outcome.departures,
        "seconds": round(time.perf_counter() - start, 2),
        "command": command,
        **record.surroundings(),
    }
    ordered = {name: result[name] for name in record.SCHEMA}
    path = result_path(case, out)
    record.write(path, ordered)
    if outcome.arrays:
        with atomic_write(path.with_suffix(".npz")) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, **dict[str, Any](outcome.arrays))
    report(f"  {result['seconds']:.0f} s, {_summary(outcome.metrics)}")
    return ordered


def _summary(metrics: dict[str, Any]) -> str:
    shown = ("loss", "test_purity", "test_nmi_geometric", "test_mapped_accuracy", "test_accuracy")
    numbers = [name for name in shown if name in metrics] or list(metrics)[:4]
    return ", ".join(f"{name} {metrics[name]:.4f}" for name in numbers if isinstance(metrics[name], float))


if __name__ == "__main__":
    sys.exit(main())
