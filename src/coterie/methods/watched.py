"""An estimator's session: restarts with a progress bar, trackers, checkpoints and worker processes."""

from __future__ import annotations

import contextlib
import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from coterie._streams import Notes
from coterie.engine.checkpoint import Checkpointer
from coterie.engine.clock import Announcement
from coterie.engine.loop import Callback
from coterie.engine.pool import count_workers
from coterie.engine.progress import ProgressBar
from coterie.engine.restarts import run_session
from coterie.engine.runtime import Runtime
from coterie.engine.task import Task
from coterie.engine.training import Session
from coterie.nn import averaged_shape

if TYPE_CHECKING:
    from coterie.methods.base import NeuralEstimator


def run_watched(estimator: NeuralEstimator, task: Task, fresh: Session, fingerprint: str) -> Session:
    """Run a session, with checkpoints if the estimator has a folder for them.

    Parameters
    ----------
    estimator : NeuralEstimator
    task : Task
    fresh : Session
    fingerprint : str
        A checkpoint of another fingerprint is refused.

    Returns
    -------
    Session
        `fresh`, or the one that the checkpoint held.
    """
    with contextlib.ExitStack() as stack:
        if estimator.checkpoint_dir is None:
            watching = watch(estimator, stack, task, fresh)
            run_session(task, fresh, watching, count_session_workers(estimator, task, fresh))
            return fresh
        checkpointer = Checkpointer(Path(estimator.checkpoint_dir), fingerprint, task)
        stack.enter_context(checkpointer.active())
        session = checkpointer.restore(fresh)
        watching = [*watch(estimator, stack, task, session), checkpointer]
        run_session(task, session, watching, count_session_workers(estimator, task, session))
        checkpointer.write()
        return session


def count_session_workers(estimator: NeuralEstimator, task: Task, session: Session) -> int:
    """Worker processes for restarts."""
    return workers_for(estimator, task.runtime, len(session.seeds), torch.get_num_threads())


def workers_for(estimator: NeuralEstimator, runtime: Runtime, needed: int, threads: int) -> int:
    """Processes for independent pieces of work; one under a launcher or on an accelerator."""
    if runtime.world > 1 or runtime.device.type != "cpu":
        return 1
    return count_workers(estimator.n_jobs, needed, threads)


def say(estimator: NeuralEstimator, runtime: Runtime, text: str) -> None:
    """Print a line on standard error if progress is shown."""
    if _shows_progress(estimator, runtime) and text:
        print(f"coterie: {text}", file=Notes(sys.stderr))


def watch(
    estimator: NeuralEstimator, stack: contextlib.ExitStack, task: Task, session: Session
) -> list[Callback]:
    """The progress bar, and the trackers if there are any."""
    shown = _shows_progress(estimator, task.runtime)
    watching: list[Callback] = [stack.enter_context(ProgressBar(task, session, shown))]
    if shown:
        n_workers = count_session_workers(estimator, task, session)
        speak = functools.partial(say, estimator, task.runtime)
        watching.append(Announcement(task, session, n_workers, _size_in_words(estimator), speak))
    if estimator._tracking is not None:
        from coterie.engine.trackers import EpochLog

        log = EpochLog(estimator._tracking, session, task.runtime, estimator.get_params())
        watching.append(stack.enter_context(log))
    return watching


def _shows_progress(estimator: NeuralEstimator, runtime: Runtime) -> bool:
    return bool(estimator.verbose) and runtime.is_main


def _size_in_words(estimator: NeuralEstimator) -> str:
    """Size of images, and the size at which the network sees them."""
    shape = estimator.sample_shape_
    if len(shape) not in (2, 3):
        return ""
    size = "{}x{}".format(*shape[-2:])
    block = estimator._averaged_block()
    small = "{}x{}".format(*averaged_shape(shape, block)[-2:])
    return size if block == 1 else f"{size} averaged to {small}"
