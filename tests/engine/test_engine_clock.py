"""How long a fit takes, from timed steps, and how much of it fits into a limit: by clocks of the tests."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.conftest import MakeTask

from coterie._errors import InputError
from coterie.engine.clock import (
    PASS_SHARE,
    SPENT,
    TIMED,
    Announcement,
    Effort,
    Limits,
    fit_into,
    fit_seconds,
    given_up,
    step_seconds,
)
from coterie.engine.loop import start_run
from coterie.engine.restarts import run_session
from coterie.engine.training import Session

PLANNED = Effort(20, 1_000, 4096)


def ticking(durations: Iterator[float]) -> Callable[[], float]:
    """A clock that moves on by these seconds between two looks."""
    times = itertools.accumulate(itertools.chain([100.0], durations))
    return lambda: next(times)


def steady(effort: Effort) -> float:
    """A thousandth of a second a step and 4,096 pixels."""
    return effort.n_restarts * effort.steps * (effort.pixels or 0) / 4096 / 1000


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_step_is_timed_by_the_median_even_where_the_clock_jumps(make_task: MakeTask, jump: float) -> None:
    task = make_task(max_steps=50)
    assert step_seconds(task, 0, ticking(itertools.repeat(0.25))) == 0.25
    assert (
        step_seconds(task, 0, ticking(itertools.chain([9.0, 9.0, 0.25, 0.25, jump], itertools.repeat(0.25))))
        == 0.25
    )


def test_a_run_of_one_step_has_no_time(make_task: MakeTask) -> None:
    assert step_seconds(make_task(max_steps=1), 0, ticking(itertools.repeat(0.25))) == 0.0


def test_timing_changes_no_run(make_task: MakeTask) -> None:
    def losses(timed: bool) -> list[float]:
        task = make_task(max_steps=12)
        if timed:
            step_seconds(task, 5)
        session = Session([5, 6])
        run_session(task, session)
        return [info["loss"] for info in session.runs]

    assert losses(timed=True) == losses(timed=False)


@pytest.mark.parametrize("jump", [0.0, 3600.0, -3600.0])
def test_a_fit_says_once_how_long_it_takes(make_task: MakeTask, jump: float) -> None:
    task = make_task(max_steps=200)
    session = Session([1, 2, 3], how="sequential")
    said: list[str] = []
    clock = ticking(itertools.chain([0.5, 0.5, 0.5 + jump], itertools.repeat(0.5)))
    run_session(task, session, [Announcement(task, session, 1, "8x8", said.append, clock)])
    (line,) = said
    # 600 steps of half a second, and evaluations
    assert line == "about 5 min (3 starts of 200 steps, 8x8)"


def test_slices_of_worker_processes_are_timed_too(make_task: MakeTask) -> None:
    task = make_task(max_steps=1_000)
    session = Session([1, 2], how="sequential")
    said: list[str] = []
    watch = Announcement(task, session, 2, "", said.append, ticking(itertools.repeat(1.0)))
    session.live = [start_run(task, index, index) for index in range(2)]
    for turn in range(2 * TIMED):
        run = session.live[turn % 2]
        run.step += 10  # ten steps in a second of each of two workers' two
        watch.on_step(run)
    (line,) = said
    assert line.startswith("about ")
    a_step = 2 * 1.0 / 10
    assert line == watch.line(a_step)


def test_the_estimate_counts_what_is_left(make_task: MakeTask) -> None:
    task = make_task(max_steps=100)
    session = Session([1, 2])
    before = fit_seconds(task, session, 1.0, 1)
    assert before > 200
    run_session(task, session)
    assert fit_seconds(task, session, 1.0, 1) == pytest.approx(before - 200)
    assert fit_seconds(task, Session([1, 2]), 1.0, 2) == pytest.approx(before / 1.7)


def test_the_last_labels_are_of_the_samples_without_views(make_task: MakeTask) -> None:
    task = make_task(max_steps=100)
    a_pass = PASS_SHARE * task.steps_per_epoch
    assert fit_seconds(task, Session([1]), 1.0, 1) == pytest.approx(100 + 2 * a_pass)
    task.objective.n_views = 3
    assert fit_seconds(task, Session([1]), 1.0, 1) == pytest.approx(100 + 1.25 * a_pass)


def test_starts_go_first_then_steps_then_pixels() -> None:
    def found(seconds: float) -> Effort:
        return fit_into(Limits(seconds / SPENT, 1, (4096, 1024, 256)), PLANNED, steady)

    assert found(20.0) == PLANNED
    assert found(19.9) == Effort(19, 1_000, 4096)
    assert found(3.0) == Effort(3, 1_000, 4096)
    fewer = found(1.5)
    assert (fewer.n_restarts, fewer.pixels) == (3, 4096)
    assert 490 <= fewer.steps <= 500
    assert found(0.9) == Effort(3, 1_000, 1024)
    assert found(0.01).pixels == 256
    assert found(0.01).n_restarts == 1


@given(
    seconds=st.floats(0.01, 1e4),
    starts=st.integers(1, 40),
    steps=st.integers(1, 5_000),
    keep=st.integers(1, 5),
)
def test_whatever_is_found_fits_and_is_no_more_than_planned(
    seconds: float, starts: int, steps: int, keep: int
) -> None:
    starts = max(starts, keep)
    planned = Effort(starts, steps, 4096)
    try:
        found = fit_into(Limits(seconds, keep, (4096, 1024)), planned, steady)
    except InputError:
        least = Effort(keep, max(min(steps, 20), steps // 20), 1024)
        assert steady(least) > SPENT * seconds
        return
    assert steady(found) <= SPENT * seconds
    assert keep <= found.n_restarts <= starts
    assert 1 <= found.steps <= steps
    assert found.pixels in (4096, 1024)


def test_a_limit_too_short_for_one_start_says_what_is_needed() -> None:
    with pytest.raises(
        InputError, match=r"time_limit=0.001 s must be at least about 1 s, which 1 start of 33 steps"
    ):
        fit_into(Limits(0.001, 1, (4096,)), PLANNED, steady)


def test_what_was_given_up_is_said() -> None:
    assert given_up(600, PLANNED, PLANNED) == ""
    found = Effort(3, 500, 1024)
    assert given_up(600, PLANNED, found) == (
        "for a time limit of 10 min: 3 of 20 starts, 500 of 1,000 steps, "
        "images averaged to at most 1024 pixels"
    )
