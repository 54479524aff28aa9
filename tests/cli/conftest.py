"""Fixtures of the command line: a folder with data in every format, and a way to call a command."""

from __future__ import annotations

import csv
import gzip
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.browser import Browser
from tests.cli.open_client import Done, make_run, served, session_of
from tests.cli.open_page import DESK, look

from coterie import Pairs
from coterie.cli import main
from coterie.cli.open import work
from coterie.cli.open.server import OpenServer

Call = Callable[..., tuple[int, str, str]]
Table = Callable[[str | Path], list[list[str]]]


def _as_idx(X: Any) -> bytes:
    images: npt.NDArray[np.uint8] = X.reshape(-1, 8, 8).astype(np.uint8)
    return struct.pack(">BBBB3I", 0, 0, 8, 3, *images.shape) + images.tobytes()


@pytest.fixture
def files(digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with digits and their labels."""
    X, y = digits
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    np.save("y.npy", y)
    return tmp_path


@pytest.fixture
def folder(digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the same digits in every format."""
    X, y = digits
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    np.savez("both.npz", X=X, y=y)
    np.savetxt("x.csv", X, fmt="%g", delimiter=",")
    Path("x.idx").write_bytes(_as_idx(X))
    Path("images-idx3-ubyte.gz").write_bytes(gzip.compress(_as_idx(X)))
    np.save("y.npy", y)
    Path("y.csv").write_text("label\n" + "\n".join(map(str, y)) + "\n")
    Pairs.from_labels(y, 600, random_state=0).to_csv("pairs.csv")
    return tmp_path


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command; its exit code and what it printed."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def table() -> Table:
    """Rows of a CSV file."""

    def read(path: str | Path) -> list[list[str]]:
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.reader(file))

    return read


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on pictures of four colours that was looked at once; tests change a copy, `run`."""
    made = make_run(tmp_path_factory.mktemp("opened"))
    session_of(made).finish()
    Done("map", str(made))
    return made


@pytest.fixture
def run(opened: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it; works of its page are done in this process."""
    monkeypatch.setattr(work, "start", Done)
    return Path(shutil.copytree(opened, tmp_path / "run"))


@pytest.fixture
def server(run: Path) -> Iterator[OpenServer]:
    """The page of that run."""
    with served(session_of(run)) as found:
        yield found


@pytest.fixture
def page(server: OpenServer, browser: Browser) -> Iterator[Browser]:
    look(browser, *DESK)
    browser.open(server.address)
    browser.wait_for("page.state && document.querySelectorAll('.card').length === 4")
    yield browser
    browser.send("Emulation.clearDeviceMetricsOverride")
    browser.send("Emulation.setEmulatedMedia", features=[])
    browser.open("about:blank")  # the page asks again and again whether its program is there
