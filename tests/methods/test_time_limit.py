"""A time limit: what fits is decided once, said, and kept with the run."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

import coterie
from coterie import ADC, DDC
from coterie._errors import Interrupted
from coterie.engine import clock
from coterie.engine.runtime import Runtime
from coterie.methods import in_time
from coterie.methods import watched as sessions
from coterie.params.duration import seconds_of

X = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
IMAGES = np.random.default_rng(0).integers(0, 256, (40, 24, 24), dtype=np.uint8)


def slow(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let every step seem to last so long."""
    monkeypatch.setattr(in_time, "step_seconds", lambda task, seed: seconds)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90),
        ("10min", 600),
        ("1.5h", 5400),
        (" 2 min ", 120),
        ("45", 45),
        (30, 30),
        (0.5, 0.5),
        (None, None),
    ],
)
def test_times_are_read(written: Any, seconds: float | None) -> None:
    assert seconds_of(written) == seconds


@pytest.mark.parametrize(
    "wrong", ["", "soon", "-5s", "10 m", "0", 0, -1, float("nan"), float("inf"), "1e999h", True]
)
def test_what_is_no_time(wrong: Any) -> None:
    with pytest.raises(
        coterie.InputError, match=r"must be a time above 0 such as '90s', '10min', '1\.5h' or 90"
    ):
        DDC(time_limit=wrong).fit(X)


def test_without_a_limit_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(task: object, seed: int) -> float:
        raise AssertionError("measured")

    monkeypatch.setattr(in_time, "step_seconds", fail)
    model = DDC(n_clusters=3, n_restarts=2, max_steps=4, over_clustering=True, random_state=0).fit(X)
    assert "time_limit" not in model.runs_[0]


def test_enough_time_changes_nothing_but_what_is_noted() -> None:
    plain = DDC(n_clusters=3, n_restarts=2, max_steps=12, over_clustering=True, random_state=0)
    limited = clone(plain).set_params(time_limit="2h")
    np.testing.assert_array_equal(plain.fit(X).predict_proba(X), limited.fit(X).predict_proba(X))
    noted = {"time_limit": 7200.0, "planned_restarts": 2, "planned_steps": 12, "max_pixels": 1024}
    assert limited.runs_ == [run | noted for run in plain.runs_]


def test_starts_and_steps_are_made_to_fit_and_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slow(monkeypatch, 0.1)
    model = DDC(n_clusters=3, max_steps=100, over_clustering=True, random_state=0, time_limit=25, verbose=1)
    model.fit(X)
    run = model.runs_[0]
    assert (len(model.runs_), run["planned_restarts"]) == (3, 3)
    assert max(info["steps"] for info in model.runs_) == run["planned_steps"] < 100
    said = capsys.readouterr().err
    assert f"coterie: for a time limit of 25 s: 3 of 20 starts, {run['planned_steps']} of 100 steps" in said


def test_images_become_smaller_where_starts_and_steps_do_not_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int | None] = []

    def seconds(task: Any, seed: int) -> float:
        measured.append(model.max_pixels_)
        return 1.0 if len(measured) == 1 else 0.05

    monkeypatch.setattr(in_time, "step_seconds", seconds)
    model = DDC(n_clusters=3, max_steps=40, over_clustering=True, random_state=0, time_limit=20)
    model.fit(IMAGES)
    assert measured == [1024, 144]
    assert model.runs_[0]["max_pixels"] == model.max_pixels_ == 144
    assert model.predict(IMAGES).shape == (40,)


def test_a_chosen_network_keeps_its_images(monkeypatch: pytest.MonkeyPatch) -> None:
    slow(monkeypatch, 1.0)
    model = DDC(n_clusters=3, backbone="lenet-code", max_steps=40, random_state=0, time_limit=20)
    with pytest.raises(coterie.InputError, match=r"time_limit=20 s must be at least about \d+ s"):
        model.fit(IMAGES)


def test_phases_shrink_with_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    slow(monkeypatch, 0.1)
    model = ADC(n_clusters=3, n_restarts=1, max_steps=80, over_clustering=True, random_state=0, time_limit=9)
    model.fit(X)
    total = model.runs_[0]["planned_steps"]
    assert 20 <= total < 80
    of_phase = [epoch["phase"] for epoch in model.history_]
    assert sorted(set(of_phase)) == [1, 2, 3]


def test_a_vote_keeps_its_voters(monkeypatch: pytest.MonkeyPatch) -> None:
    slow(monkeypatch, 0.1)
    model = DDC(n_clusters=3, vote=5, max_steps=100, over_clustering=True, random_state=0, time_limit=40).fit(
        X
    )
    assert len(model.members_) == model.runs_[0]["planned_restarts"] == 5


def test_a_resumed_fit_keeps_its_decision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slow(monkeypatch, 0.1)
    settings: dict[str, Any] = {"n_clusters": 3, "max_steps": 100, "over_clustering": True, "random_state": 0}
    whole = DDC(**settings, time_limit=25).fit(X)

    class Stop:
        def on_step(self, run: Any) -> None:
            if run.step == 7:
                raise Interrupted("stopped")

    stopped = DDC(**settings, time_limit=25, checkpoint_dir=tmp_path)
    watch = sessions.watch
    monkeypatch.setattr("coterie.engine.checkpoint.Checkpointer.seconds", 0.0)
    monkeypatch.setattr(sessions, "watch", lambda *given: [*watch(*given), Stop()])
    with pytest.raises(Interrupted):
        stopped.fit(X)
    monkeypatch.setattr(sessions, "watch", watch)
    slow(monkeypatch, 1e-6)  # a faster machine decides nothing anew
    resumed = clone(stopped).fit(X)
    np.testing.assert_array_equal(whole.predict_proba(X), resumed.predict_proba(X))
    assert resumed.runs_ == whole.runs_
    other = clone(stopped).set_params(time_limit=50)
    with pytest.raises(coterie.InputError, match="belongs to a fit with other parameters"):
        other.fit(X)


def test_processes_decide_by_the_first_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every number that a decision rests on is the first process's."""
    asked: list[float] = []
    costs: list[float] = []
    fit_into, agree = clock.fit_into, Runtime.agree

    def watched(limits: clock.Limits, planned: clock.Effort, cost: Any) -> clock.Effort:
        def noted(effort: clock.Effort) -> float:
            costs.append(cost(effort))
            return costs[-1]

        return fit_into(limits, planned, noted)

    def told(self: Runtime, value: Any) -> Any:
        if isinstance(value, float):
            asked.append(value)
        return agree(self, value)

    monkeypatch.setattr(in_time, "fit_into", watched)
    monkeypatch.setattr(Runtime, "agree", told)
    slow(monkeypatch, 0.1)
    DDC(n_clusters=3, max_steps=50, over_clustering=True, random_state=0, time_limit=20).fit(X)
    assert len(costs) > 3
    assert set(costs) <= set(asked)
    assert 0.1 in asked


def test_counting_clusters_takes_half_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    fit_into = clock.fit_into

    def watched(limits: clock.Limits, planned: clock.Effort, cost: Any) -> clock.Effort:
        asked.append(limits.seconds)
        return fit_into(limits, planned, cost)

    monkeypatch.setattr(in_time, "fit_into", watched)
    settings: dict[str, Any] = {"n_restarts": 1, "max_steps": 2, "over_clustering": True, "random_state": 0}
    DDC(n_clusters="auto", time_limit="10min", **settings).fit(X)
    assert asked[:5] == [60.0] * 5
    assert asked[-1] == 300.0


def test_the_decision_is_saved_with_the_model(tmp_path: Path) -> None:
    model = DDC(
        n_clusters=3, n_restarts=1, max_steps=3, over_clustering=True, random_state=0, time_limit="1h"
    )
    coterie.save(model.fit(X), tmp_path / "model")
    again = coterie.load(tmp_path / "model")
    assert again.runs_ == json.loads(json.dumps(model.runs_))
    assert again.time_limit == "1h"


def test_shorter_courses_keep_their_form() -> None:
    from coterie.engine.recipe import Recipe

    recipe = Recipe("adam", 1e-3, 100, 60, drops=(0.5,), drop_every=100, warmup_steps=20)
    short = recipe.shortened(50, 200)
    assert (short.max_steps, short.drop_every, short.warmup_steps, short.drops) == (50, 25, 5, (0.5,))
    rates = [
        [one.learning_rate_at(step, total) for step in range(total)]
        for one, total in ((recipe, 200), (short, 50))
    ]
    assert list(itertools.islice(rates[0], 40, None, 40)) == list(itertools.islice(rates[1], 10, None, 10))
