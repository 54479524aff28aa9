"""`coterie label`: a page on this machine that asks "same or different?" where the answer helps most."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from coterie._errors import InputError, Interrupted
from coterie.cli.label.answers import read_answers
from coterie.cli.label.selection import representatives
from coterie.cli.label.server import LabelServer
from coterie.cli.label.session import LabelingSession
from coterie.cli.neighbor_space import NeighborSpace
from coterie.cli.options.label import FILE
from coterie.cli.options.reading import reading_words
from coterie.cli.run_folder import Fitted, load_fitted
from coterie.data.files import held


def run(options: Any, words: Sequence[str]) -> None:
    """Serve until the page's finish button or Ctrl-C; the answers are saved in either case."""
    path = Path(options.run, FILE) if options.pairs is None else Path(options.pairs)
    fitted = load_fitted(options.run, options.data)
    with _alone(path):  # before the answers are read: those of two sessions would overwrite each other
        session = _sitting(fitted, path)
        use = ["coterie", "fit", fitted.data, "--pairs", str(path), "--closure", "--neighbors", "5"]
        use += reading_words(fitted.metadata)
        way_on = shlex.join([*use, "--init", options.run, "--out", "NEW"])
        _serve(session, options.port, way_on)
    print(_ending(session, way_on))


def _serve(session: LabelingSession, port: int, way_on: str) -> None:
    with LabelServer(session, port, way_on) as server:
        try:
            print(f"open {server.address}\nanswers go to {session.path}; Ctrl-C ends", flush=True)
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt as stop:
            raise Interrupted(f"stopped; {_ending(session, way_on)}") from stop
        finally:
            session.finish()


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of a file of answers."""
    taken = f"--pairs: another coterie label writes {path}; finish it first, or give another file"
    lock = path.with_name(f".{path.name}.lock")
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(held(lock, taken))
        except OSError as error:
            raise InputError(
                f"--pairs: {path} cannot be written: {error.strerror}; create its folder first"
            ) from error
        stack.callback(lock.unlink, missing_ok=True)
        yield


def _sitting(fitted: Fitted, path: Path) -> LabelingSession:
    estimator, samples = fitted.estimator, fitted.samples
    if len(samples.X) < 2:
        raise InputError(f"--data: {fitted.data} must have at least 2 rows to compare, got 1")
    probabilities = estimator.predict_proba(samples.X)
    answers = read_answers(path, samples.ids, len(samples.X))
    asked = [row for group in answers.groups() for row in group]
    candidates = representatives(probabilities, NeighborSpace(samples.X, estimator), asked)
    return LabelingSession(samples, candidates, answers, path, fitted.columns)


def _ending(session: LabelingSession, way_on: str) -> str:
    n_same, n_different = session.answers.count(1), session.answers.count(-1)
    if not n_same + n_different:
        return "no answers"
    return f"{n_same + n_different} answers ({n_same} same) in {session.path}\nto use them: {way_on}"
