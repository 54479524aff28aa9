"""`coterie label`: a page on this machine that asks "same or different?" where the answer helps most."""

from __future__ import annotations

import contextlib
import shlex
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from coterie._errors import InputError
from coterie.cli.label.answers import read_answers
from coterie.cli.label.selection import representatives
from coterie.cli.label.server import LabelServer
from coterie.cli.label.session import LabelingSession
from coterie.cli.neighbor_space import NeighborSpace
from coterie.cli.parser import DashedParser, make_parser
from coterie.cli.run_folder import Fitted, load_fitted

HELP = "ask which pairs belong together, on a local page"
FILE = "pairs.csv"


def parser(words: Sequence[str]) -> DashedParser:
    """The options."""
    made = make_parser(
        "label",
        "Serve a page on this machine that asks whether pairs of rows belong together, those first whose "
        "answer helps most. Answers are kept at once; fit --pairs FILE --closure --neighbors 5 --init RUN "
        "uses them.",
    )
    made.add_argument("run", metavar="RUN", type=str, help="folder that coterie fit wrote")
    made.add_argument(
        "--data", type=str, default=None, metavar="DATA", help="data of the fit, where it has moved since"
    )
    made.add_argument(
        "--pairs", type=str, default=None, metavar="FILE", help=f"file of answers (default: {FILE} in RUN)"
    )
    made.add_argument("--port", type=int, default=0, metavar="N", help="port (default: a free one)")
    return made


def run(words: list[str]) -> None:
    """Serve until the page's finish button or Ctrl-C; the answers are saved in either case."""
    options = parser(words).parse(words)
    fitted = load_fitted(options.run, options.data)
    session = _sitting(fitted, Path(options.run, FILE) if options.pairs is None else Path(options.pairs))
    use = ["coterie", "fit", fitted.data, "--pairs", str(session.path), "--closure", "--neighbors", "5"]
    way_on = shlex.join([*use, "--init", options.run, "--out", "NEW"])
    with LabelServer(session, options.port) as server, _ended_by_signals():
        try:
            print(f"open {server.address}\nanswers go to {session.path}; Ctrl-C ends", flush=True)
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt as stop:
            raise KeyboardInterrupt(f"stopped; {_ending(session, way_on)}") from stop
    print(_ending(session, way_on))


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM ends the session as Ctrl-C does, and SIGINT even where a shell's background job ignores it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _sitting(fitted: Fitted, path: Path) -> LabelingSession:
    estimator, samples = fitted.estimator, fitted.samples
    if len(samples.X) < 2:
        raise InputError(f"--data: {fitted.data} has one row; two are expected")
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
