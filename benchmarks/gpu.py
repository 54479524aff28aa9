"""What minutes on a GPU are best used for: ``python -m benchmarks.gpu --minutes 8``.

It works through a list of suites in the order of their worth. A case that has a result with the same
settings is skipped; a case that is under way when the minutes end leaves a checkpoint, with which the next
call goes on; a case without checkpoints that would take longer than is left waits for another call.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks import record, run
from benchmarks.clock import Clock, minutes
from benchmarks.datasets import DataMissingError
from benchmarks.estimators import Recorded
from benchmarks.suites import SUITES, Case, omniglot
from coterie._errors import Interrupted

CHECKPOINTS = record.ROOT / "build" / "gpu-checkpoints"
# Of estimators, with --quick.
FEW: dict[str, Any] = {"max_steps": 3, "batch_size": 20}


@dataclass(frozen=True)
class Job:
    """Cases of one suite.

    Attributes
    ----------
    suite : str
    words : str
        Arguments of `benchmarks.run` that choose its cases, with draws that no other row has used.
    seconds : float
        What a case takes on one GPU, a guess until one has been timed.
    resumable : bool
        Whether a case that is stopped leaves a checkpoint.
    """

    suite: str
    words: str
    seconds: float
    resumable: bool = True


TEN = ",".join(str(draw) for draw in range(140, 150))
JOBS = (
    Job("ddc-mnist", "--methods ddc --train-rows 60000 --draws 140 --set preset=paper", 900),
    Job(
        "adc",
        f"--data mnist --methods adc --train-rows 60000 --draws {TEN} "
        "--set preset=paper-mnist --set n_restarts=1",
        240,
    ),
    Job(
        "cifar10",
        "--networks lenet,vgg8,vgg11,vgg16,preact18,preact101 --train-rows 50000 --epochs 70 --draws 140",
        180,
    ),
    Job(
        "omniglot",
        "--methods spn,k-means,spectral,ccn-ccl,ccn-kcl,ccn-ccl-100,ccn-kcl-100 --draws 1",
        30,
    ),
    Job("l2c-metrics", "--methods implicit --draws 140", 120, resumable=False),
    Job("l2c-images", "--methods l2c-lstm --draws 140", 300, resumable=False),
    Job("step", "--draws 1", 30, resumable=False),
    Job("restarts", "--methods mlp-wide,lenet --draws 140", 60, resumable=False),
)


@dataclass
class Work:
    """Where results go, and what has happened so far.

    Attributes
    ----------
    out, checkpoints : Path
    command : str
        For the records.
    quick : bool
    done : int
    waiting, problems : list of str
        Cases for another call; and what was wrong.
    """

    out: Path
    checkpoints: Path
    command: str
    quick: bool = False
    done: int = 0
    waiting: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def run_job(self, job: Job, clock: Clock) -> None:
        """Run the cases of a job that have no result, while there is time."""
        guess = job.seconds
        for case in cases_of(job, self.quick):
            if self._has_result(case):
                continue
            if clock.left() < (0 if job.resumable else guess):
                self._wait(case, f"about {guess:.0f} s, but {max(0.0, clock.left()):.0f} s are left")
                continue
            start = time.monotonic()
            try:
                self._run(job, case)
            except DataMissingError as error:
                self._note(f"{job.suite}: data are missing: {error}")
                return
            except ValueError as error:
                self._note(f"{case.suite}/{case.name} failed: {error}")
            guess = max(1.0, time.monotonic() - start)

    def _has_result(self, case: Case) -> bool:
        if run.is_done(case, self.out):
            # the network itself lies in build/, which another machine does not have
            is_network = case.suite == "omniglot" and case.method == "spn"
            return not is_network or omniglot.spn_path(case.draw, self.quick).exists()
        if run.result_path(case, self.out).exists():
            run.report(f"{case.suite}/{case.name}: its result is of other settings and is replaced")
        return False

    def _run(self, job: Job, case: Case) -> None:
        folder = self.checkpoints / checkpoint_name(case)
        run.report(f"{case.suite}/{case.name}" + (" (goes on)" if folder.exists() else ""))
        Recorded.checkpoints = folder if job.resumable else None
        try:
            run.run_case(SUITES[case.suite], case, self.out, self.command)
        except Interrupted:
            self._wait(case, "stopped, and goes on the next time" if folder.exists() else "stopped")
            raise
        finally:
            Recorded.checkpoints = None
        shutil.rmtree(folder, ignore_errors=True)
        self.done += 1

    def _wait(self, case: Case, why: str) -> None:
        run.report(f"{case.suite}/{case.name}: {why}")
        self.waiting.append(case.name)

    def _note(self, problem: str) -> None:
        run.report(problem)
        self.problems.append(problem)


def cases_of(job: Job, quick: bool) -> list[Case]:
    """The cases of a job; quick: one of each method, on few rows."""
    parsed = run.make_parser().parse_args([job.suite, *shlex.split(job.words)])
    options = run.make_options(parsed)
    if not quick:
        return SUITES[job.suite].make_cases(options)
    small = dataclasses.replace(
        options,
        quick=True,
        train_rows=None,
        epochs=None,
        draws=options.draws[:1],
        networks=(),
        parameters={**options.parameters, **FEW},
    )
    found: dict[str, Case] = {}
    for case in SUITES[job.suite].make_cases(small):
        found.setdefault(case.method, case)
    return list(found.values())


def checkpoint_name(case: Case) -> str:
    """A folder's name that no case of other settings has."""
    settings = json.dumps(record.plain(case.settings), sort_keys=True)
    return f"{case.suite}-{case.name}-{hashlib.sha256(settings.encode()).hexdigest()[:8]}"


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--minutes", type=minutes, default=8.0, help="after which it ends; default 8")
    parser.add_argument("--only", default="", metavar="SUITE,...", help="these suites alone")
    parser.add_argument("--out", type=Path, help=f"folder of the results; default {record.RESULTS}")
    parser.add_argument("--checkpoints", type=Path, default=CHECKPOINTS, help=f"default {CHECKPOINTS}")
    parser.add_argument("--list", action="store_true", help="list the cases and what is there; run nothing")
    parser.add_argument("--quick", action="store_true", help="a few steps of each case, on a CPU too")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Work through the list; 0, or 2 where data are missing or a case failed."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parsed = make_parser().parse_args(given)
    clock = Clock(parsed.minutes)
    chosen = set(parsed.only.split(",")) if parsed.only else {job.suite for job in JOBS}
    if unknown := chosen - {job.suite for job in JOBS}:
        run.report(f"error: --only must name suites of the list, got {', '.join(sorted(unknown))}")
        return 2
    jobs = [job for job in JOBS if job.suite in chosen]
    out = parsed.out or (run.QUICK_RESULTS if parsed.quick else record.RESULTS)
    if parsed.list:
        for job in jobs:
            run.list_cases(cases_of(job, parsed.quick), out)
        return 0
    if not parsed.quick and not torch.cuda.is_available():
        run.report("error: there is no GPU here; --quick runs a few steps of each case on a CPU")
        return 2
    record.commit()  # of the code that was loaded, not of what lies there later
    command = shlex.join(["python", "-m", "benchmarks.gpu", *given])
    work = Work(out, parsed.checkpoints, command, parsed.quick)
    return _work_through(jobs, clock, work)


def run_tests(work: Work) -> None:
    """Run the tests that need a GPU: what follows means little where they fail."""
    # a new machine's own warnings are no failure
    command = [sys.executable, "-m", "pytest", "-W", "default", "-m", "gpu", "tests/gpu"]
    if subprocess.run(command, cwd=record.ROOT, check=False).returncode:
        work.problems.append("tests")
        run.report("the tests that need a GPU fail")


def _work_through(jobs: Sequence[Job], clock: Clock, work: Work) -> int:
    try:
        with clock.stops():
            if torch.cuda.is_available():
                run_tests(work)
            for job in jobs:
                work.run_job(job, clock)
    except Interrupted:
        if clock.left() > 0:  # it was not the clock
            raise
    run.report(
        f"{work.done} run, {len(work.waiting)} or more for another call, {len(work.problems)} problems"
    )
    return 2 if work.problems else 0


if __name__ == "__main__":
    sys.exit(main())
