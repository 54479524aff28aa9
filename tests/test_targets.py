"""What `make` does on a bare machine, with stand-ins for Python and for the machine's package manager."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# what the Makefile and .ci/browser may use beside what is tried; no browser is among it
TOOLS = ("sh", "make", "mkdir", "touch", "chmod", "id", "basename", "dirname")
# `python3 -m venv FOLDER` makes programs that print what they are asked; anything else is printed
PYTHON = """#!/bin/sh
echo "$(basename "$0") $*"
[ "$1 $2" = "-m venv" ] || exit 0
for folder; do :; done
mkdir -p "$folder/bin"
for name in python pip pytest coterie; do
    printf '#!/bin/sh\\necho "%s/%s $*"\\n' "$folder" "$name" > "$folder/bin/$name"
    chmod +x "$folder/bin/$name"
done
"""
# it brings a browser only after it was asked for its lists
APT_GET = """#!/bin/sh
echo "apt-get $*"
new="$BARE/tools/chromium"
case "$1" in
update) touch "$BARE/updated" ;;
install) [ -e "$BARE/updated" ] && printf '#!/bin/sh\\n' > "$new" && chmod +x "$new" ;;
esac
"""


def program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A clone's files for `make`, and a machine with few programs: no pip, no browser, no package manager."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in (".ci", "constraints"):
        shutil.copytree(ROOT / name, tmp_path / name)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found is not None, name
        (tools / name).symlink_to(found)
    program(tools / "python3", PYTHON)
    program(tools / "sudo", '#!/bin/sh\nexec "$@"\n')
    return tmp_path


def make(bare: Path, *words: str, code: int = 0) -> list[str]:
    """Lines that `make` prints."""
    done = subprocess.run(
        ["make", *words],
        cwd=bare,
        env={"PATH": str(bare / "tools"), "BARE": str(bare), "HOME": os.environ.get("HOME", "/")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == (code == 0), done.stdout
    return done.stdout.splitlines()


def place(lines: list[str], start: str) -> int:
    """The number of the only line that begins so."""
    (found,) = (number for number, line in enumerate(lines) if line.startswith(start))
    return found


def test_demo_says_what_it_waits_for(bare: Path) -> None:
    lines = make(bare, "demo")
    said = place(lines, "making .venv: pip downloads PyTorch and about 60 other packages")
    pip = place(lines, ".venv/pip install --disable-pip-version-check -c constraints/cpu.txt -e .[dev]")
    alone = place(lines, ".venv/pip install --disable-pip-version-check --no-deps timm>=1")
    assert said < pip < alone < place(lines, ".venv/coterie demo")
    assert not re.search(r" -q| --quiet", lines[pip])
    again = make(bare, "demo")
    assert not [line for line in again if "venv" in line and not line.startswith(".venv/")]
    assert ".venv/coterie demo" in again


def test_the_tests_use_the_browser_that_is_there(bare: Path) -> None:
    program(bare / "tools" / "apt-get", APT_GET)
    for name in ("chromium", "chromium-browser", "google-chrome"):
        program(bare / "tools" / name, "#!/bin/sh\n")
        lines = make(bare, "test")
        assert not [line for line in lines if line.startswith("apt-get")]
        place(lines, ".venv/pytest ")
        (bare / "tools" / name).unlink()


def test_the_tests_install_a_browser_where_there_is_none(bare: Path) -> None:
    program(bare / "tools" / "apt-get", APT_GET)
    lines = make(bare, "test")
    said, installed = place(lines, "no Chromium found; installing one"), place(lines, "apt-get install")
    assert said < place(lines, "apt-get update") < installed < place(lines, ".venv/pytest ")
    assert not [line for line in make(bare, "test") if line.startswith("apt-get")]


def test_a_machine_without_a_package_manager_is_told_what_is_missing(bare: Path) -> None:
    lines = make(bare, "test", code=2)
    place(lines, "install Chromium and put it on PATH, then run make test again")
    assert not [line for line in lines if line.startswith(".venv/pytest ")]


def test_the_suite_with_the_lowest_and_the_newest_versions(bare: Path) -> None:
    lowest = make(bare, "test-lowest", "TESTS=tests/contract")
    pip = place(lowest, ".venv/pip --python build/lowest/bin/python install")
    assert lowest[pip].endswith("-r constraints/lowest.txt")
    assert pip < place(lowest, "build/lowest/python -m pytest -n 2 tests/contract")
    newest = make(bare, "test-newest")
    pip = place(newest, "build/newest/pip install --quiet --upgrade --upgrade-strategy eager")
    alone = place(newest, "build/newest/pip install --quiet --upgrade --no-deps timm>=1")
    assert pip < alone < place(newest, "build/newest/pytest -n 2 tests src")
    place(
        make(bare, "test-random"), ".venv/pytest -n 2 --random-order --random-order-bucket=global tests src"
    )


def test_the_checks_of_a_clean_checkout_have_a_slice_of_everything() -> None:
    steps = (ROOT / ".ci" / "run").read_text().splitlines()
    assert {
        "make lint types",
        "make test",
        "make test-lowest TESTS=tests/contract",
        "make docs-check",
    } <= set(steps)
    nightly = steps[[line.startswith(".venv/bin/python -m tests.nightly ") for line in steps].index(True)]
    asked = dict(re.findall(r"--([\w-]+) (\d+)", nightly))
    assert {name for name, n in asked.items() if int(n)} == {
        "kills",
        "worker-kills",
        "models",
        "calls",
        "sessions",
    }
    assert [line for line in steps if line.startswith(".venv/bin/python -m tests.nightly.soak ")]


def test_the_readme_needs_no_more_than_its_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ (make .*?)(?:\s*#.*)?$", readme, re.MULTILINE)
    assert commands == ["make demo", "make test", "make lint types"]
    assert "pip install '.[image]'" in readme
    # the package is on no index: a page names the folder
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        assert not re.findall(r"^\$ pip install '?coterie", page.read_text(encoding="utf-8"), re.MULTILINE), (
            page
        )
