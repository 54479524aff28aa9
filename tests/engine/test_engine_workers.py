"""Worker processes: the same bits for any number of them, and none is left behind."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from joblib.externals.loky import process_executor
from tests.engine.crashes import crash, crash_once
from tests.engine.pools import InThisProcess, MakePool
from tests.engine.tasks import noisy_network
from tests.engine.toys import toy_task
from tests.waiting import alive, in_child, wait_until
from torch import Tensor

from coterie import InputError, Interrupted
from coterie.engine import pool as pool_module
from coterie.engine import restarts, workers
from coterie.engine.checkpoint import Checkpointer
from coterie.engine.loop import Callback, Run
from coterie.engine.pool import Pool, available_bytes, count_workers
from coterie.engine.restarts import run_session
from coterie.engine.sharing import OBJECT_NAME, SharedFolder, read_shared, write_shared
from coterie.engine.task import Task
from coterie.engine.training import STACK_SIZE, Session
from coterie.nn import Network

ROOT = Path(__file__).parents[2]
MakeTask = Callable[..., Task]
HOWS = ("sequential", "stacked", "successive-halving")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers begin after the first step, and hand runs back after every few."""
    monkeypatch.setattr(restarts, "TRIAL_SECONDS", 0.0)
    monkeypatch.setattr(restarts, "WORTH_SECONDS", 0.0)


def finished(task: Task, how: str, n_workers: int, n_runs: int = 6) -> Session:
    session = Session(list(range(20, 20 + n_runs)), 2, how)
    run_session(task, session, n_workers=n_workers)
    return session


def assert_same(first: Session, second: Session) -> None:
    assert first.runs == second.runs
    assert first.history == second.history
    assert [kept.index for kept in first.kept] == [kept.index for kept in second.kept]
    for one, other in zip(first.kept, second.kept, strict=True):
        assert all(torch.equal(value, other.state[name]) for name, value in one.state.items())


def noisy_task(make_task: MakeTask) -> Task:
    """With dropout and views of chance, and restarts that collapse."""

    def jitter(x: Tensor, generator: torch.Generator) -> Tensor:
        return x + 0.1 * torch.randn(x.shape, generator=generator)

    task = make_task(augment=jitter, max_steps=9)

    class Collapsing(type(task.objective)):  # type: ignore[misc]
        def collapsed(self, shares: Tensor) -> bool:
            return float(shares.max()) > 0.6

    return dataclasses.replace(task, objective=Collapsing())


@pytest.mark.parametrize("how", HOWS)
def test_the_number_of_workers_changes_no_bit(
    make_task: MakeTask, how: str, lasting_pool: MakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = noisy_task(make_task)
    alone = finished(task, how, 1)
    monkeypatch.setattr(restarts, "Pool", lasting_pool)
    assert any(info["replaced"] for info in alone.runs)
    assert_same(finished(task, how, 2), alone)


@pytest.mark.parametrize("deaths", [0, 2])
@pytest.mark.parametrize("name", ["teacher", "neighbors"])
def test_slices_and_deaths_change_no_bit(name: str, deaths: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a teacher and a sampler hold travels with the run; slices of one step are the shortest."""
    task = toy_task(name)
    alone = finished(task, "successive-halving", 1, 4)
    monkeypatch.setattr(restarts, "Pool", partial(InThisProcess, deaths=deaths))
    monkeypatch.setattr(workers, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(workers, "SLICE_SHARE", 0)
    assert_same(finished(task, "successive-halving", 3, 4), alone)


@pytest.mark.parametrize("then", [1, 3])
def test_a_stopped_fit_resumes_with_another_number_of_workers(
    make_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: int
) -> None:
    monkeypatch.setattr(restarts, "Pool", InThisProcess)
    monkeypatch.setattr(workers, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(workers, "SLICE_SHARE", 0)
    monkeypatch.setattr(Checkpointer, "seconds", 0.0)
    task = noisy_task(make_task)
    alone = finished(task, "sequential", 1)

    class Kill:
        left = 17

        def on_step(self, run: Run) -> None:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGTERM)

    def fit(n_workers: int, *callbacks: Callback) -> Session:
        checkpointer = Checkpointer(tmp_path, "same", task)
        with checkpointer.active():
            session = checkpointer.restore(Session(list(range(20, 26)), 2))
            run_session(task, session, [*callbacks, checkpointer], n_workers)
        return session

    with pytest.raises(Interrupted, match="stopped by SIGTERM"):
        fit(2, Kill())
    assert_same(fit(then), alone)


def test_what_cannot_travel_is_trained_here(make_task: MakeTask) -> None:
    task = make_task(max_steps=6)
    lock = threading.Lock()

    def locked(seed: int) -> Network:
        with lock:
            return noisy_network(seed)

    with pytest.warns(UserWarning, match=r"n_jobs: cannot pickle .*lock.*; the fit continues in one process"):
        session = finished(dataclasses.replace(task, make_network=locked), "sequential", 2, 3)
    assert_same(session, finished(task, "sequential", 1, 3))


def test_short_fits_start_no_worker(make_task: MakeTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarts, "WORTH_SECONDS", 1e9)
    monkeypatch.setattr(restarts, "Pool", None)
    assert len(finished(make_task(max_steps=6), "sequential", 2, 3).runs) == 3


def test_a_dead_worker_is_replaced_and_dying_ones_end_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "MOST_DEATHS", 1)
    with Pool(None, 1) as pool:
        assert pool.result(pool.submit(crash, "live")) == os.getpid()
        # it dies between two calls
        assert pool.submit(crash, "die").exception() is not None
        assert pool.result(pool.submit(crash, "live")) is None
        assert pool.result(pool.submit(crash, "live")) == os.getpid()
        # and in the middle of one, again and again
        assert pool.result(pool.submit(crash, "die")) is None
        with pytest.raises(InputError, match="n_jobs: 2 worker processes died in a row"):
            pool.result(pool.submit(crash, "die"))


def grow(shared: None, mebibytes: int) -> int:
    """Keep memory, and end when loky looks at it again."""
    process_executor._MEMORY_LEAK_CHECK_DELAY = 0.05
    sys.modules[f"kept {mebibytes}"] = np.ones(mebibytes * 2**17)  # type: ignore[assignment]
    time.sleep(0.1)
    return os.getpid()


def test_a_worker_whose_caches_fill_up_stays() -> None:
    with Pool(None, 1) as pool:
        assert len({pool.result(pool.submit(grow, mebibytes)) for mebibytes in (1, 320, 2)}) == 1


def test_calls_whose_worker_died_are_repeated(tmp_path: Path) -> None:
    with Pool(str(tmp_path), 1) as pool:
        assert pool.map(crash_once, [(number,) for number in range(5)]) == [0, 1, 4, 9, 16]
    assert (tmp_path / "died").exists()


PARENT = """
import os, sys, time
from coterie.engine.pool import Pool

def wait(shared):
    print(os.getpid(), flush=True)
    time.sleep(600)

if __name__ == "__main__":
    pool = Pool(None, 1)
    print(pool._folder.path, flush=True)
    pool.submit(wait).result()
"""


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py")], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        folder, worker = Path(process.stdout.readline().strip()), int(process.stdout.readline())
        assert folder.is_dir()
        assert alive(worker)
    finally:
        process.kill()
        process.communicate()
    wait_until(lambda: not alive(worker) and not folder.exists(), "the worker ends and removes its folder")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of fork beside threads
def test_folders_of_killed_processes_are_removed_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a scheduler kills a fit together with its workers."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    live, strange = SharedFolder(), tmp_path / "coterie-of-somebody"
    write_shared(3, live.path)
    strange.mkdir()

    def write_and_die() -> None:
        write_shared(np.arange(300_000), SharedFolder().path)
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(write_and_die) == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 3
    SharedFolder().remove()
    assert sorted(tmp_path.iterdir()) == sorted([live.path, strange])
    live.remove()
    assert list(tmp_path.iterdir()) == [strange]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of fork beside threads, which is what is tried
def test_a_forked_child_has_workers_of_its_own() -> None:
    def use_own() -> None:
        with Pool(None, 1) as own:
            assert own.result(own.submit(crash, "live")) == os.getpid()

    with Pool(None, 1) as pool:
        assert pool.result(pool.submit(crash, "live")) == os.getpid()
        assert in_child(use_own) == 0
        assert pool.result(pool.submit(crash, "live")) == os.getpid()


def test_large_arrays_are_mapped_from_one_file(tmp_path: Path) -> None:
    large, small = np.arange(300_000), np.arange(3)
    write_shared({"one": large, "same": [large], "small": small, "call": lambda: large.sum()}, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.npy", OBJECT_NAME]
    found = read_shared(tmp_path)
    assert isinstance(found["one"], np.memmap)
    assert found["one"].flags.writeable
    np.testing.assert_array_equal(found["same"][0], large)
    np.testing.assert_array_equal(found["small"], small)
    assert found["call"]() == large.sum()
    found["one"][0] = 7
    assert read_shared(tmp_path)["one"][0] == 0


def test_stacks_have_a_fixed_size(make_task: MakeTask) -> None:
    sizes: set[int] = set()

    class Watch:
        def on_step(self, run: Run) -> None:
            assert session.stack is not None
            sizes.add(len(session.stack.runs))

    session = Session(list(range(2 * STACK_SIZE + 1)), how="stacked")
    run_session(make_task(max_steps=2), session, [Watch()])
    assert sizes == {STACK_SIZE, 1}


def test_n_jobs_as_scikit_learn_means_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joblib, "effective_n_jobs", lambda n_jobs: {None: 1, -1: 8, 3: 3}[n_jobs])
    monkeypatch.setattr(pool_module, "available_bytes", lambda: 2**40)
    assert [count_workers(n_jobs, 20, 1) for n_jobs in (None, 3, -1)] == [1, 3, 8]
    assert count_workers(-1, 5, 1) == 5
    assert [count_workers(-1, 20, threads) for threads in (2, 8, 16)] == [4, 1, 1]


def test_memory_limits_workers_with_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joblib, "effective_n_jobs", lambda n_jobs: 8)
    monkeypatch.setattr(pool_module, "available_bytes", lambda: 3 * 2**30)
    with pytest.warns(UserWarning, match="n_jobs: memory allows 2 of 8 worker processes"):
        assert count_workers(-1, 20, 1, 2**30 - pool_module.WORKER_BYTES + 2**28) == 2
    monkeypatch.setattr(pool_module, "available_bytes", lambda: 1)
    with pytest.warns(UserWarning, match="memory allows 1 of 8"):
        assert count_workers(-1, 20, 1) == 1
    monkeypatch.setattr(pool_module, "available_bytes", lambda: None)
    assert count_workers(-1, 20, 1) == 8


def test_the_memory_of_this_machine_is_known() -> None:
    available = available_bytes()
    assert available is None or 2**20 < available < 2**50
