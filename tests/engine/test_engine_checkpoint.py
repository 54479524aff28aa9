"""Checkpoints: a run stopped at any step goes on as if it had not been."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.engine.tasks import AllParts, Stop, StopAfter, TwoTerms, centred, noisy_network
from torch import Generator, Tensor

from coterie import DamagedFileError, InputError, Interrupted
from coterie.data import LabelBatches
from coterie.engine.checkpoint import FILE_NAME, Checkpointer
from coterie.engine.loop import Run
from coterie.engine.restarts import run_session
from coterie.engine.storage import read_tensors, write_tensors
from coterie.engine.task import Task
from coterie.engine.training import Session
from coterie.nn import Network

MakeTask = Callable[..., Task]
SEEDS = [11, 12]
DOCS = Path(__file__).parents[2] / "docs"
# as it is, outside these tests
SECONDS = Checkpointer.seconds
STEPS = 5  # of each restart, at 3 an epoch: the last epoch is cut short


class Raise:
    """Sends this process a signal after so many steps."""

    def __init__(self, number: signal.Signals, steps: int) -> None:
        self.number, self.left = number, steps

    def on_step(self, run: Run) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.number)


def jitter(x: Tensor, generator: Generator) -> Tensor:
    return x + 0.1 * torch.randn(x.shape, generator=generator)


def all_parts(border: int, patience: int | None = None) -> dict[str, Any]:
    """Views, an auxiliary module with dropout and buffers, and a phase that begins at a step."""
    objective = AllParts(LabelBatches(np.arange(30) % 3, 10), 10, border, patience=patience)
    return {"augment": jitter, "objective": objective, "make_network": centred_network, "warmup_steps": 3}


def centred_network(seed: int) -> Network:
    return centred(noisy_network(seed))


VARIANTS: dict[str, dict[str, Any]] = {
    "adam": {"optimizer": "adam", "weight_decay": 0.01},
    "momentum": {"optimizer": "sgd", "momentum": 0.9},
    "plain sgd": {"optimizer": "sgd"},
    "augment": {"optimizer": "adam", "augment": jitter},
    "phases across an epoch": all_parts(4),
    "phases at an epoch's end": all_parts(3),
}


def session_in(
    folder: Path, task: Task, *callbacks: Any, fingerprint: str = "same", fresh: Session | None = None
) -> Session:
    checkpointer = Checkpointer(folder, fingerprint, task)
    with checkpointer.active():
        session = checkpointer.restore(fresh or Session(SEEDS.copy(), 2))
        run_session(task, session, [*callbacks[:-1], checkpointer, *callbacks[-1:]])
        checkpointer.write()
    return session


def assert_equal(first: Session, second: Session) -> None:
    assert first.runs == second.runs
    assert first.history == second.history
    assert [list(entry) for entry in first.history + first.runs] == [
        list(entry) for entry in second.history + second.runs
    ]
    assert [(kept.index, kept.loss) for kept in first.kept] == [
        (kept.index, kept.loss) for kept in second.kept
    ]
    for one, other in zip(first.kept, second.kept, strict=True):
        assert all(torch.equal(one.state[name], other.state[name]) for name in one.state)


@pytest.fixture(autouse=True)
def write_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Checkpointer, "seconds", 0.0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_resume_is_bitwise_after_every_step(make_task: MakeTask, tmp_path: Path, variant: str) -> None:
    task = make_task(max_steps=STEPS, **VARIANTS[variant])
    whole = Session(SEEDS.copy(), 2)
    run_session(task, whole)
    for step in range(1, 2 * STEPS + 1):
        folder = tmp_path / str(step)
        with pytest.raises(Stop):
            session_in(folder, task, StopAfter(step))
        torch.manual_seed(step)  # what another process would have there
        again = make_task(max_steps=STEPS, **VARIANTS[variant])
        assert_equal(session_in(folder, again), whole)


@pytest.mark.parametrize("variant", ["adam", "phases across an epoch", "phases at an epoch's end"])
def test_resume_after_every_single_step(make_task: MakeTask, tmp_path: Path, variant: str) -> None:
    task = make_task(max_steps=STEPS, **VARIANTS[variant])
    whole = Session(SEEDS.copy(), 2)
    run_session(task, whole)
    for _ in range(2 * STEPS):
        with pytest.raises(Stop):
            session_in(tmp_path, task, StopAfter(1))
    assert_equal(session_in(tmp_path, task), whole)


def test_a_phase_that_ends_early_does_so_on_resume(
    make_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coterie.engine.recipe.MIN_STALE_STEPS", 1)
    # with a tolerance of 1 no later epoch improves: the phase of 12 steps ends after two epochs of 3
    settings = {"max_steps": 12, "tolerance": 1.0}
    whole = Session(SEEDS.copy(), 2)
    run_session(make_task(**settings, **all_parts(12, patience=1)), whole)
    assert [epoch["phase"] for epoch in whole.history] == [1, 1, 2, 2] * len(SEEDS)
    task = make_task(**settings, **all_parts(12, patience=1))
    for _ in range(12 * len(SEEDS)):
        with pytest.raises(Stop):
            session_in(tmp_path, task, StopAfter(1))
    assert_equal(session_in(tmp_path, task), whole)


def test_a_phase_is_not_entered_again_on_resume(make_task: MakeTask, tmp_path: Path) -> None:
    settings = all_parts(4)
    task = make_task(max_steps=STEPS, **settings)
    for _ in range(2 * STEPS):
        with pytest.raises(Stop):
            session_in(tmp_path, task, StopAfter(1))
    session_in(tmp_path, task)
    assert len(set(settings["objective"].entries)) == len(settings["objective"].entries) == len(SEEDS)


def together(how: str) -> Session:
    return Session([11, 12, 13, 14, 15, 16], how=how)


@pytest.mark.parametrize("variant", ["adam", "momentum", "plain sgd", "phases across an epoch"])
@pytest.mark.parametrize("how", ["successive-halving", "stacked"])
def test_restarts_beside_each_other_resume_after_every_step(
    make_task: MakeTask, tmp_path: Path, how: str, variant: str
) -> None:
    task = make_task(max_steps=9, **VARIANTS[variant])
    whole, counter = together(how), StopAfter(-1)
    run_session(task, whole, [counter])
    assert {info["how"] for info in whole.runs} == {how}
    for _ in range(-counter.left - 1):
        with pytest.raises(Stop):
            session_in(tmp_path, task, StopAfter(1), fresh=together(how))
        torch.manual_seed(1)
    assert_equal(session_in(tmp_path, task, fresh=together(how)), whole)


def test_replaced_restarts_resume(make_task: MakeTask, tmp_path: Path) -> None:
    class Collapsing(TwoTerms):
        def collapsed(self, shares: Tensor) -> bool:
            return float(shares.max()) > 0.5

    task = make_task(objective=Collapsing(), max_steps=4)
    whole, counter = Session([11, 12]), StopAfter(-1)
    run_session(task, whole, [counter])
    assert any(info["replaced"] for info in whole.runs)
    for _ in range(-counter.left - 1):
        with pytest.raises(Stop):
            session_in(tmp_path, task, StopAfter(1), fresh=Session([11, 12]))
    assert_equal(session_in(tmp_path, task, fresh=Session([11, 12])), whole)


def test_steps_since_the_last_checkpoint_are_done_again(
    make_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make_task(max_steps=STEPS)
    whole = Session(SEEDS.copy(), 2)
    run_session(task, whole)
    with pytest.raises(Stop):
        session_in(tmp_path, task, StopAfter(4))
    monkeypatch.setattr(Checkpointer, "seconds", 1e9)
    with pytest.raises(Stop):
        session_in(tmp_path, task, StopAfter(6))
    assert_equal(session_in(tmp_path, task), whole)


def test_a_finished_session_is_read_back(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(max_steps=STEPS)
    whole = session_in(tmp_path, task)
    never = StopAfter(1)
    assert_equal(session_in(tmp_path, task, never), whole)
    assert never.left == 1


def test_the_callers_generator_is_no_part_of_a_run(make_task: MakeTask) -> None:
    sessions = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        session = Session(SEEDS.copy())
        run_session(make_task(max_steps=STEPS), session)
        sessions.append(session)
    assert_equal(*sessions)


@pytest.mark.parametrize(("part", "name"), [("meta", "rung"), ("live", "entered_at")])
def test_a_checkpoint_of_another_version_is_named(
    make_task: MakeTask, tmp_path: Path, part: str, name: str
) -> None:
    task = make_task(max_steps=STEPS)
    with pytest.raises(Stop):
        session_in(tmp_path, task, StopAfter(2))
    path = tmp_path / FILE_NAME
    tensors, meta = read_tensors(path, "checkpoint")
    del (meta if part == "meta" else meta["live"][0])[name]
    write_tensors(path, "checkpoint", tensors, meta)
    with pytest.raises(InputError, match="was written by another version of coterie"):
        session_in(tmp_path, task)


@pytest.mark.parametrize(
    "forged",
    [
        {"fingerprint": 3},
        {"live": 3},
        {"live": [3]},
        {"kept": [{"index": 0}]},
        {"seeds": "x", "live": [{}]},
        {"kept": None},
    ],
    ids=str,
)
def test_a_forged_checkpoint_is_refused(make_task: MakeTask, tmp_path: Path, forged: dict[str, Any]) -> None:
    with pytest.raises(Stop):
        session_in(tmp_path, make_task(max_steps=STEPS), StopAfter(4))
    tensors, meta = read_tensors(tmp_path / FILE_NAME, "checkpoint")
    write_tensors(tmp_path / FILE_NAME, "checkpoint", tensors, meta | forged)
    with pytest.raises(InputError, match="checkpoint_dir: "):
        session_in(tmp_path, make_task(max_steps=STEPS))


def test_a_checkpoint_without_its_tensors_is_refused(make_task: MakeTask, tmp_path: Path) -> None:
    with pytest.raises(Stop):
        session_in(tmp_path, make_task(max_steps=STEPS), StopAfter(4))
    _, meta = read_tensors(tmp_path / FILE_NAME, "checkpoint")
    write_tensors(tmp_path / FILE_NAME, "checkpoint", {}, meta)
    with pytest.raises(DamagedFileError, match=r"checkpoint_dir: .* is damaged: no fit"):
        session_in(tmp_path, make_task(max_steps=STEPS))


def test_another_fit_is_refused(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(max_steps=STEPS)
    session_in(tmp_path, task)
    with pytest.raises(InputError, match="belongs to a fit with other parameters or other data"):
        session_in(tmp_path, task, fingerprint="other")


@pytest.mark.parametrize("size", [0, 100, -1])
def test_a_damaged_checkpoint_is_named(make_task: MakeTask, tmp_path: Path, size: int) -> None:
    task = make_task(max_steps=STEPS)
    session_in(tmp_path, task)
    file = tmp_path / FILE_NAME
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(DamagedFileError, match=str(file)):
        session_in(tmp_path, task)


def test_two_at_once_are_refused(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(max_steps=STEPS)
    refused = pytest.raises(InputError, match="another process is training in")
    with Checkpointer(tmp_path, "same", task).active(), refused:
        session_in(tmp_path, task)
    session_in(tmp_path, task)


def test_a_folder_that_cannot_be_made_is_named(make_task: MakeTask, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for folder in (file, file / "below", Path("/proc/none")):
        with pytest.raises(InputError, match=f"checkpoint_dir: {folder} must be a writable folder"):
            session_in(folder, make_task())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("step", [1, 4, STEPS, 2 * STEPS])
def test_a_signal_ends_with_a_checkpoint(
    make_task: MakeTask, tmp_path: Path, number: signal.Signals, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checkpointer, "seconds", 1e9)
    task = make_task(max_steps=STEPS)
    whole = Session(SEEDS.copy(), 2)
    run_session(task, whole)
    handlers = [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    where = f"at step {(step - 1) % STEPS + 1} of restart {(step - 1) // STEPS}; "
    with pytest.raises(Interrupted, match=f"stopped by {number.name} {where}.*{FILE_NAME}"):
        session_in(tmp_path, task, Raise(number, step), StopAfter(-1))
    assert [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == handlers
    assert_equal(session_in(tmp_path, task), whole)


def test_the_docs_say_what_a_power_cut_costs() -> None:
    """The time since the last checkpoint; nothing is said to cost nothing."""
    said = {page.stem: " ".join(page.read_text(encoding="utf-8").split()) for page in DOCS.glob("*.md")}
    at_most = f"at most {SECONDS:g} s"
    for name in ("running", "command_line"):
        assert re.search(
            rf"power cut [^.:]*costs the time since the last checkpoint[:,] {at_most}", said[name]
        )
    assert f"writes a checkpoint every {SECONDS:g} s" in said["running"]
    assert f"a stopped run resumes from its last checkpoint, {at_most} old" in said["python"]
    assert not [name for name, text in said.items() if re.search(r"costs? nothing|loses? nothing", text)]


def test_a_signal_after_the_last_step_is_not_lost(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(max_steps=STEPS)
    with pytest.raises(Interrupted, match="after the last step"):
        session_in(tmp_path, task, Raise(signal.SIGINT, 2 * STEPS))
    assert session_in(tmp_path, task).finished


def test_a_platform_without_hangups(
    make_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coterie._signals.STOP_SIGNALS", (signal.SIGINT, signal.SIGTERM))
    before = signal.getsignal(signal.SIGHUP)
    with Checkpointer(tmp_path, "same", make_task()).active():
        assert signal.getsignal(signal.SIGHUP) == before
