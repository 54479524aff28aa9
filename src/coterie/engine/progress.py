"""A progress bar over all restarts, on standard error."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from tqdm.auto import tqdm

from coterie._streams import Notes
from coterie.engine.loop import Run
from coterie.engine.restarts import planned_steps, steps_done
from coterie.engine.task import Task
from coterie.engine.training import Session

# seconds between two lines in a file, where a bar cannot be drawn over the last one
SPARSE = 30.0


def make_bar(total: int, unit: str, shown: bool) -> Any:
    """A bar with the time that is left; in a file, a line now and then in place of one that is redrawn."""
    stream = Notes(sys.stderr)
    drawn = stream.isatty()
    return tqdm(
        total=total,
        file=stream,
        disable=not shown,
        unit=unit,
        dynamic_ncols=drawn,
        ncols=None if drawn else 100,
        leave=not drawn,
        mininterval=0.1 if drawn else SPARSE,
        maxinterval=10.0 if drawn else SPARSE,
        bar_format=None if drawn else "{desc}{n_fmt}/{total_fmt} [{elapsed}<{remaining}]\n",
    )


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
        self._task = task
        self._bar = make_bar(planned_steps(task, session), "step", shown)

    def on_step(self, run: Run) -> None:
        """Move on by the steps done; a run that stopped early jumps to its end."""
        if self._bar.disable:
            return
        self._bar.update(steps_done(self._task, self._session) - self._bar.n)
        if run.history:
            loss = run.history[-1]["loss"]
            self._bar.desc = f"restart {run.index} of {len(self._session.seeds)}, loss {loss:.4f}: "

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
