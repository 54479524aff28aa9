"""A progress bar over all restarts, on standard error."""

from __future__ import annotations

from types import TracebackType

from tqdm.auto import tqdm

from coterie.engine.loop import Run
from coterie.engine.restarts import Session, planned_steps
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
        self._session = session
        self._per_run = task.total_steps
        self._bar = tqdm(
            total=planned_steps(task, session),
            disable=not shown,
            unit="step",
            dynamic_ncols=True,
            leave=False,
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
