"""A progress bar over all restarts, on standard error."""

from __future__ import annotations

import sys
from types import TracebackType

from tqdm.auto import tqdm

from coterie.engine.loop import Run
from coterie.engine.restarts import Session, planned_steps
from coterie.engine.task import Task

# seconds between two lines in a file, where a bar cannot be drawn over the last one
SPARSE = 30.0


class ProgressBar:
    """Counts steps of all restarts and shows the last epoch's loss; in a file, as a line now and then.

    Parameters
    ----------
    task : Task
    session : Session
    shown : bool
    """

    def __init__(self, task: Task, session: Session, shown: bool) -> None:
        self._session = session
        self._per_run = task.total_steps
        drawn = sys.stderr.isatty()
        self._bar = tqdm(
            total=planned_steps(task, session),
            disable=not shown,
            unit="step",
            dynamic_ncols=drawn,
            ncols=None if drawn else 100,
            leave=not drawn,
            mininterval=0.1 if drawn else SPARSE,
            maxinterval=10.0 if drawn else SPARSE,
            bar_format=None if drawn else "{desc}{n_fmt}/{total_fmt} [{elapsed}<{remaining}]\n",
        )

    def on_step(self, run: Run) -> None:
        """Move on by the steps done; a run that stopped early jumps to its end."""
        if self._bar.disable:
            return
        done = [self._counted(one.step, one.stopped) for one in self._session.live]
        done += [self._counted(info["steps"], info["stopped"]) for info in self._session.runs]
        self._bar.update(sum(done) - self._bar.n)
        if run.history:
            loss = run.history[-1]["loss"]
            self._bar.desc = f"restart {run.index + 1}/{len(self._session.seeds)}, loss {loss:.4f}: "

    def _counted(self, steps: int, stopped: str | None) -> int:
        return steps if stopped in (None, "pruned") else self._per_run

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
