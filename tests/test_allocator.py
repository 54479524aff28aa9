"""Memory that is freed and asked for again: kept by the process, or given back to the system."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.forked import Python

from coterie._allocator import keep_freed_memory
from coterie.engine.pool import Pool

BYTES = 40 * 2**20
PAGES = BYTES // resource.getpagesize()
# the first blocks may lie at different places, each of them new
ROUNDS = 10
IS_GLIBC = "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", ())
VARIABLES = ("MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES")


def new_pages(*shared: object) -> int:
    """Pages that the system hands out for a block, the like of which has just been freed."""
    faults = 0
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.empty(BYTES, dtype=torch.uint8).fill_(1)
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    return faults


# a process of its own: this one may have run the command before
BARE = """
import resource
from coterie._allocator import keep_freed_memory
assert {ask}
for _ in range({rounds}):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"1" * {size}
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def new_pages_of_a_process(ask: str) -> int:
    """The same of a fresh Python, in which an expression holds."""
    code = BARE.format(ask=ask, size=BYTES, rounds=ROUNDS)
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return int(ended.stdout)


@pytest.mark.skipif(not IS_GLIBC, reason="the C library is not glibc")
def test_blocks_are_given_back_by_glibc_and_kept_when_asked() -> None:
    assert new_pages_of_a_process("True") > PAGES / 2
    assert new_pages_of_a_process("keep_freed_memory()") < PAGES / 20


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MALLOC_TOP_PAD_", "131072"),
        ("MALLOC_MMAP_MAX_", "65536"),
        ("MALLOC_TRIM_THRESHOLD_", "131072"),
        ("GLIBC_TUNABLES", "glibc.rtld.nns=4:glibc.malloc.perturb=0"),
    ],
)
def test_a_user_who_sets_the_allocator_keeps_that(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert not keep_freed_memory()


@pytest.mark.parametrize("error", [AttributeError, ValueError, OSError])
def test_other_libraries_are_left_alone(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def confstr(name: str) -> str:
        raise error(name)

    monkeypatch.setattr("os.confstr", confstr)
    assert not keep_freed_memory()


@pytest.mark.skipif(not IS_GLIBC, reason="the C library is not glibc")
def test_workers_keep_freed_memory() -> None:
    with Pool(None, 1) as pool:
        assert pool.map(new_pages, [()])[0] < PAGES / 20


@pytest.mark.skipif(not IS_GLIBC, reason="the C library is not glibc")
def test_the_command_fit_keeps_freed_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(30, 3)))
    words = ["fit", str(tmp_path / "x.npy"), "--out", str(tmp_path / "run"), "--method", "ddc"]
    words += ["--n-clusters", "2", "--n-restarts", "1", "--max-steps", "1", "--n-jobs", "1"]
    measure = "from tests.test_allocator import new_pages; print(new_pages())"
    process = Python(["-c", f"from coterie.cli import main; assert main({words}) == 0; {measure}"])
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert int(out.splitlines()[-1]) < PAGES / 20
