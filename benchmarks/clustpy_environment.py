"""ClustPy in an environment of its own: ``python -m benchmarks.clustpy_environment`` makes it.

It sees the packages of the environment that makes it, so that torch and scikit-learn are the same; ClustPy
itself is compiled on the way, which needs a C compiler. Of torchvision, which ClustPy imports for data sets
that are not used here, it has an empty stub.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.datasets import DataMissingError
from benchmarks.record import ROOT

FOLDER = ROOT / "build" / "clustpy"
VERSION = "0.0.3"
MAKE = "python -m benchmarks.clustpy_environment"
# What ClustPy names while it is imported, for annotations alone.
STUB = {
    "__init__.py": "from . import datasets\n",
    "datasets.py": "class VisionDataset:\n    pass\n",
    "models/__init__.py": "",
    "models/_api.py": "class Weights:\n    pass\n\n\nclass WeightsEnum:\n    pass\n",
}


def interpreter() -> Path:
    """Python of the environment.

    Raises
    ------
    DataMissingError
        The environment has not been made.
    """
    path = FOLDER / "bin" / "python"
    if not path.exists():
        raise DataMissingError(f"ClustPy's environment {FOLDER} is missing: make it with `{MAKE}`")
    return path


def make(folder: Path = FOLDER) -> None:
    """Make the environment, anew where there is one."""
    venv.create(folder, clear=True, with_pip=True)
    python = str(folder / "bin" / "python")
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(
        subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()
    )
    (packages / "parent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for name, text in STUB.items():
        path = packages / "torchvision" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run([python, "-m", "pip", "install", "--no-deps", f"clustpy=={VERSION}"], check=True)
    subprocess.run([python, "-c", "import clustpy.deep"], check=True)


def fit(
    method: str, points: npt.NDArray[Any], n_clusters: int, seed: int, epochs: int | None
) -> dict[str, Any]:
    """Cluster with one of ClustPy's methods in a process of its environment.

    Parameters
    ----------
    method : {"dec", "idec", "dcn", "acedec"}
    points : float32 array of shape (n, d)
    n_clusters, seed : int
    epochs : int or None
        Of the pretraining and of the clustering; None: ClustPy's.

    Returns
    -------
    dict
        "labels" (list of int), "parameters" and what `processes.spent` measures of the fit.

    Raises
    ------
    DataMissingError
        The environment has not been made.
    ValueError
        The process failed; the message holds its last line.
    """
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "points.npy"
        np.save(path, points)
        asked = {"method": method, "n_clusters": n_clusters, "seed": seed, "epochs": epochs}
        done = subprocess.run(
            [
                str(interpreter()),
                "-W",
                "ignore",
                "-m",
                "benchmarks.clustpy_fit",
                str(path),
                json.dumps(asked),
            ],
            check=False,
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ValueError(f"ClustPy's {method} failed: {last}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    make()
    print(f"made {FOLDER}", file=sys.stderr)
