"""Every epoch's terms for experiment trackers, through accelerate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from accelerate import Accelerator
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker, get_available_trackers

from coterie._errors import InputError, InputTypeError
from coterie.engine.loop import Run
from coterie.engine.runtime import Runtime
from coterie.engine.training import Session

PROJECT = "coterie"
# keys of a record other than its terms
_PLACE = ("restart", "epoch", "step")


@dataclass(frozen=True)
class Tracking:
    """The trackers of a fit.

    Attributes
    ----------
    trackers : tuple of str or GeneralTracker
        Names that accelerate knows, or trackers of the caller's.
    folder : str or None
        Where those that write files do.
    """

    trackers: tuple[Any, ...]
    folder: str | None = None

    def __post_init__(self) -> None:
        for tracker in self.trackers:
            if not isinstance(tracker, GeneralTracker):
                self._check_name(tracker)

    def _check_name(self, tracker: Any) -> None:
        if not isinstance(tracker, str):
            raise InputTypeError(
                f"trackers must be names or accelerate's GeneralTracker, got {type(tracker).__name__}"
            )
        if tracker not in LOGGER_TYPE_TO_CLASS:
            raise InputError(f"trackers: {tracker!r} must be one of {', '.join(LOGGER_TYPE_TO_CLASS)}")
        if tracker not in [str(name) for name in get_available_trackers()]:
            raise ImportError(f"trackers: {tracker} is not installed: pip install {tracker}")
        if LOGGER_TYPE_TO_CLASS[tracker].requires_logging_directory and self.folder is None:
            raise InputError(f"folder must name a folder for the files of {tracker}, got None")


class EpochLog:
    """Tells trackers of each epoch that closes, as ``term/restart``; a callback of the training loop.

    Parameters
    ----------
    tracking : Tracking
    session : Session
        The fit that is resumed has reported its epochs so far.
    runtime : Runtime
    params : mapping of str to object
        Of the estimator.
    """

    def __init__(
        self, tracking: Tracking, session: Session, runtime: Runtime, params: Mapping[str, object]
    ) -> None:
        self._tracking = tracking
        self._session = session
        self._runtime = runtime
        self._params = {name: _plain(value) for name, value in params.items()}
        self._told = {run.index: len(run.history) for run in session.live}

    def on_step(self, run: Run) -> None:
        """Report the epochs that closed with this step, of all runs that train together."""
        for one in self._session.live:
            for record in one.history[self._told.get(one.index, 0) :]:
                values = {
                    f"{name}/{one.index}": value for name, value in record.items() if name not in _PLACE
                }
                self._accelerator.log(values, step=int(record["step"]))
            self._told[one.index] = len(one.history)

    def __enter__(self) -> EpochLog:
        if self._tracking.folder is not None:
            Path(self._tracking.folder).mkdir(parents=True, exist_ok=True)
        self._accelerator = Accelerator(
            cpu=self._runtime.device.type == "cpu",
            log_with=list(self._tracking.trackers),
            project_dir=self._tracking.folder,
        )
        self._accelerator.init_trackers(PROJECT, config=self._params)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for tracker in self._accelerator.trackers:
            tracker.finish()


def _plain(value: object) -> bool | int | float | str:
    """A value of the types that all trackers take."""
    return value if isinstance(value, bool | int | float | str) else repr(value)
