"""The project and an outside method as packages: built, installed into a fresh environment and used there."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from sklearn.datasets import load_digits

ROOT = Path(__file__).parents[2]
OUTSIDE = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "coterie-information"
version = "1.0"
description = "Clusters by information."
dependencies = ["coterie"]
[project.entry-points."coterie.methods"]
information = "information:Information"
[tool.hatch.build.targets.wheel]
include = ["information.py"]
"""
# pip alone would want the network
OFFLINE = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check")


def run(*words: str | Path, folder: Path, code: int = 0) -> str:
    """What a command prints, away from this checkout and its path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(word) for word in words]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr if code else done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, folder=ROOT)
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def wheel(sdist: Path) -> Path:
    """Built from the source distribution, which therefore holds all that the wheel needs."""
    run(sys.executable, "-m", "pip", "wheel", *OFFLINE, "-w", sdist.parent, sdist, folder=sdist.parent)
    (path,) = sdist.parent.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel and the outside method; it shares dependencies alone."""
    outside = tmp_path_factory.mktemp("outside")
    (outside / "pyproject.toml").write_text(OUTSIDE)
    (outside / "information.py").write_text((ROOT / "examples" / "add_a_method.py").read_text())
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    dependencies = [path for path in sys.path if path.endswith("site-packages")]
    Path(paths["purelib"], "dependencies.pth").write_text("\n".join(dependencies))
    python = Path(paths["scripts"], "python")
    install = (sys.executable, "-m", "pip", "--python", python, "install", "--ignore-installed", *OFFLINE)
    run(*install, wheel, outside, folder=folder)
    return python.parent


def test_the_source_distribution_holds_the_source_and_no_records(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"src/coterie/py.typed", "tests/conftest.py", "benchmarks/run.py", "LICENSE", "README.md"} <= names
    assert not [name for name in names if name.startswith(("benchmarks/results", ".venv"))]


def test_the_wheel_holds_types_and_every_shipped_model(wheel: Path) -> None:
    source = ROOT / "src"
    shipped = {path.relative_to(source).as_posix() for path in source.glob("coterie/pretrained/*.*")}
    assert len(shipped) >= 6
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"coterie/py.typed", "coterie/__main__.py"} | shipped <= names
    tops = {name.partition("/")[0] for name in names}
    assert len(tops) == 2
    assert all(name.startswith("coterie") for name in tops)


def test_the_lowest_versions_are_those_that_the_project_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    declared = [
        Requirement(text) for name in ("parquet", "image", "audio", "onnx", "track") for text in extras[name]
    ]
    declared += [Requirement(text) for text in project["dependencies"]]
    lines = (ROOT / "constraints/lowest.txt").read_text().splitlines()
    pinned = [Requirement(line) for line in lines if not line.startswith("#")]
    lowest = {wanted.name: next(iter(wanted.specifier)).version for wanted in pinned}
    for wanted in declared:
        if wanted.name != "torch":
            (bound,) = (part.version for part in wanted.specifier if part.operator == ">=")
            assert Version(lowest[wanted.name]) == Version(bound), wanted


@pytest.fixture(scope="module")
def used(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a run of the outside method, and what was printed of it and of the package.

    One process for all of it: each start imports torch.
    """
    folder = tmp_path_factory.mktemp("used")
    np.save(folder / "digits.npy", load_digits().data[:120])
    words = ("--n-clusters", "4", "--max-steps", "5", "--over-clustering", "true", "--random-state", "0")
    fit = ("fit", "digits.npy", "--method", "information", *words, "--out", "run")
    code = (
        "import coterie, numpy as np\n"
        "from coterie.cli import main\n"
        "from coterie.methods.l2c import PRETRAINED\n"
        "print(coterie.__file__, *(coterie.L2C.from_pretrained(name).max_clusters for name in PRETRAINED))\n"
        f"assert main({fit}) == main(('report', 'run')) == 0\n"
        "model, X = coterie.load('run/model'), np.load('digits.npy')\n"
        "coterie.save(model, 'again')\n"
        "print(type(model).__module__, (coterie.load('again').predict(X) == model.labels_).all())"
    )
    return folder, run(environment / "python", "-c", code, folder=folder)


def test_the_wheel_works_where_it_is_installed(environment: Path, used: tuple[Path, str]) -> None:
    place, *largest = used[1].splitlines()[0].split()
    assert Path(place).is_relative_to(environment.parent)
    assert largest == ["5", "10", "20"]


def test_an_outside_method_is_fitted_reported_saved_and_loaded(
    environment: Path, used: tuple[Path, str]
) -> None:
    folder, printed = used
    assert "wrote run/\n" in printed
    assert "run/report.html" in printed
    assert printed.endswith("information True\n")
    listed = run(environment / "coterie", "methods", folder=folder)
    assert "information Clusters by information. (package coterie-information)" in " ".join(listed.split())
    uninstall = (
        sys.executable,
        "-m",
        "pip",
        "--python",
        environment / "python",
        "uninstall",
        "--quiet",
        "--yes",
    )
    run(*uninstall, "coterie-information", folder=folder)
    refused = run(environment / "coterie", "predict", "run", "digits.npy", folder=folder, code=2)
    assert "method 'information', which is not installed: pip install coterie-information" in refused
