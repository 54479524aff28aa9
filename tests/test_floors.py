"""The floors of the design hold, and nothing unsafe or unloadable is imported."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
MOST_LINES = 450
MOST_OF_ESTIMATORS, MOST_OF_DDC = 2_200, 300
FORBIDDEN = {"torchvision", "torchaudio", "timm", "lightly", "pickle", "joblib", "dill", "cloudpickle"}


def test_import_floors() -> None:
    lint = "from importlinter.cli import lint_imports_command as lint; lint(['--no-cache'])"
    done = subprocess.run([sys.executable, "-c", lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def imported(file: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(file.read_text())))
    plain = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_forbidden_packages(file: Path) -> None:
    # what goes to a fit's own worker processes and back never comes from a file
    own = {"pickle", "joblib", "cloudpickle"} if file.name in ("pool.py", "sharing.py") else set()
    assert not {name.partition(".")[0] for name in imported(file)} & (FORBIDDEN - own)


def test_files_are_short_enough_to_read() -> None:
    files = [*SOURCES, *(ROOT / "tests").rglob("*.py")]
    lines = {str(file.relative_to(ROOT)): file.read_text().count("\n") for file in files}
    assert {file: n for file, n in lines.items() if n > MOST_LINES} == {}


def test_the_map_names_every_file_of_the_engine() -> None:
    rows = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()
    (engine,) = (row for row in rows if row.startswith("| 3 | `engine/`"))
    files = {path.name for path in (ROOT / "src/coterie/engine").glob("*.py")} - {"__init__.py"}
    assert set(re.findall(r"`(\w+\.py)`", engine)) == files


def test_the_six_estimators_are_short_enough_to_read() -> None:
    names = ("base", "ccn", "ddc", "adc", "l2c", "similarity")
    lines = {name: (ROOT / f"src/coterie/methods/{name}.py").read_text().count("\n") for name in names}
    assert sum(lines.values()) <= MOST_OF_ESTIMATORS, lines
    assert lines["ddc"] <= MOST_OF_DDC
