"""Progress on a terminal is a bar; in a file it is a line now and then."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest

from coterie.engine import progress
from coterie.engine.progress import ProgressBar
from coterie.engine.restarts import run_session
from coterie.engine.task import Task
from coterie.engine.training import Session


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(
    task: Task, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, session: Session | None = None
) -> str:
    monkeypatch.setattr("sys.stderr", stream)
    session = session or Session([11, 12])
    with ProgressBar(task, session, shown=True) as bar:
        run_session(task, session, [bar])
    return stream.getvalue()


def test_a_log_has_few_lines(make_task: Callable[..., Task], monkeypatch: pytest.MonkeyPatch) -> None:
    task = make_task(max_steps=400)
    lines = shown(task, io.StringIO(), monkeypatch).split("\n")
    assert next(line.strip().split(" [")[0] for line in lines if line.strip()) == "0/800"
    assert "restart 1 of 2, loss" in lines[-3]
    assert "800/800 [" in lines[-3]
    assert len(lines) <= 5

    monkeypatch.setattr(progress, "SPARSE", 0.0)
    assert len(shown(task, io.StringIO(), monkeypatch).split("\n")) > 20


def test_restarts_have_one_number_everywhere(
    make_task: Callable[..., Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From 0: in progress, in what is known of each, and of each epoch."""
    monkeypatch.setattr(progress, "SPARSE", 0.0)
    task, session, stream = make_task(max_steps=9), Session([11, 12, 13]), io.StringIO()
    text = shown(task, stream, monkeypatch, session)
    assert {int(number) for number in re.findall(r"restart (\d+) of 3", text)} == {0, 1, 2}
    assert [info["restart"] for info in session.runs] == [0, 1, 2]
    assert {epoch["restart"] for epoch in session.history} == {0, 1, 2}


def test_a_terminal_has_a_bar(make_task: Callable[..., Task], monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(make_task(max_steps=5), Terminal(), monkeypatch)
    assert "\n" not in text
    assert "0/10 [" in text
