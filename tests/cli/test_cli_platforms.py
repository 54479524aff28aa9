"""Platforms that lack what Linux has, such as Windows: imitated in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# what others import of it they have; what coterie asks for afterwards is not there
LESS = """
import builtins, os, pkgutil, signal, sys
import joblib.externals.loky, pandas, safetensors.torch, sklearn, torch, tqdm.auto, filelock, networkx
import sklearn.cluster, sklearn.manifold, matplotlib.figure, accelerate

for name in ("fork", "forkpty", "register_at_fork", "killpg", "getpgid", "setsid", "mkfifo", "sysconf",
             "geteuid", "getuid", "getgid", "statvfs", "sched_getaffinity", "uname"):
    delattr(os, name)
for name in ("SIGHUP", "SIGKILL", "SIGALRM", "SIGUSR1", "SIGPIPE", "alarm", "setitimer", "pause"):
    delattr(signal, name)
real = builtins.__import__

def less(name, scope=None, *more):
    asks = (scope or {}).get("__name__", "")
    if asks.startswith("coterie") and name in ("fcntl", "resource", "pwd", "grp", "termios", "pty", "syslog"):
        raise ImportError(name)
    return real(name, scope, *more)

builtins.__import__ = less
"""
ALL = """
import importlib, coterie
for one in pkgutil.walk_packages(coterie.__path__, "coterie."):
    if not one.name.endswith("__main__"):
        importlib.import_module(one.name)
from coterie.data import files
assert files.fcntl is None
"""
FIT = """
from coterie.cli import main
sizes = ["--n-clusters", "3", "--max-steps", "3", "--over-clustering", "true", "--method", "ddc"]
sizes += ["--out", "run", "--n-restarts", "2", "--n-jobs", "1"]
assert main(["fit", "x.npy", *sizes]) == 0
assert main(["fit", "x.npy", *sizes, "--resume"]) == 0
assert main(["predict", "run", "x.npy", "--out", "labels.csv"]) == 0
"""
STOP = """
from coterie.engine.checkpoint import Checkpointer
Checkpointer.seconds, write = 0.0, Checkpointer.write

def stop(checkpointer):
    write(checkpointer)
    signal.raise_signal(signal.SIGINT)

Checkpointer.write = stop
words = ["fit", "x.npy", "--n-clusters", "3", "--max-steps", "9", "--method", "ddc", "--out", "stopped"]
assert main([*words, "--over-clustering", "true", "--n-restarts", "1"]) == 130
Checkpointer.write = write
assert main([*words, "--over-clustering", "true", "--n-restarts", "1", "--resume"]) == 0
"""


def test_nothing_needs_what_windows_lacks(files: Path) -> None:
    """All modules are imported; a fit, predictions, a stop and a resume work."""
    done = subprocess.run(
        [sys.executable, "-c", LESS + ALL + FIT + STOP],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
