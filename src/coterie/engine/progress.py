"""A progress bar over all restarts, on standard error."""

from __future__ import annotations

from types import TracebackType

from tqdm.auto import tqdm

from coterie.engine.loop import Run
from coterie.engine.restarts import Session
from coterie.engine.task import Task


class ProgressBar:
    """Counts steps of all restarts and shows the last epoch's loss.

    Parameters
    ----------
    task : Task
    session : Session
    shown : bool
    """

    def __init__(self, task: Task, session: Session, shown: bool) -> None:
        self._per_run = task.total_steps
        self._restarts = len(session.seeds)
        self._bar = tqdm(
            total=self._per_run * self._restarts,
            disable=not shown,
            unit="step",
            dynamic_ncols=True,
            leave=False,
        )

    def on_step(self, run: Run) -> None:
        """Move on by one step; a run that stopped early jumps to its end."""
        if self._bar.disable:
            return
        done = run.step if run.stopped is None else self._per_run
        self._bar.update(run.index * self._per_run + done - self._bar.n)
        if run.history:
            loss = run.history[-1]["loss"]
            self._bar.desc = f"restart {run.index + 1}/{self._restarts}, loss {loss:.4f}: "

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
