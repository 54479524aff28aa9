"""The page of `coterie open` with sounds, texts and rows of tables; a folder that cannot be written."""

from __future__ import annotations

import builtins
import errno
import io
import json
import os
import shutil
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.browser import Browser
from tests.cli.local_client import get, post, refused
from tests.cli.open_client import Done, served, session_of
from tests.cli.open_page import DESK, PHONE, look

from coterie.cli.open import library, work
from coterie.cli.open.library import Library
from coterie.cli.open.questions import save_questions
from coterie.cli.open.server import OpenServer
from coterie.cli.open.session import Session
from coterie.methods.pools import near_samples

Call = Callable[..., tuple[int, str, str]]
N = 12


def write_kind(run: Path, kind: str, modality: str, **more: Any) -> None:
    """What `prepare` writes of a run of two clusters."""
    explore = run / library.FOLDER
    explore.mkdir(parents=True)
    scores = np.full((N, 2), 0.1, dtype=np.float32)
    scores[np.arange(N), np.arange(N) % 2] = 0.9
    points = np.random.default_rng(0).normal(size=(N, 2)).astype(np.float32) + scores
    for name, values in ((library.SCORES, scores), (library.POINTS, points), (library.MAP, points)):
        np.save(explore / name, values)
    save_questions(run, np.arange(N), near_samples(points))
    metadata: dict[str, Any] = {
        "kind": kind,
        "modality": modality,
        "columns": [],
        "folder": "",
        "data": "x",
        "reading": [],
    }
    metadata |= {"threshold": 0.0, "method": "DDC", "loss": "", "command": "", "params": {}, "history": []}
    (explore / library.META).write_text(json.dumps(metadata | more))


def sounds(run: Path) -> None:
    """Tones."""
    folder = run.parent / "sounds"
    folder.mkdir()
    names = [f"tone{row:02}.wav" for row in range(N)]
    for row, name in enumerate(names):
        tone = np.sin(np.arange(4000) * (0.1 + 0.05 * (row % 2)))
        with wave.open(str(folder / name), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes((20_000 * tone).astype("<i2").tobytes())
    write_kind(run, "files", "sound", folder=str(folder))
    stats = [(file.stat().st_size, file.stat().st_mtime_ns) for file in (folder / name for name in names)]
    np.save(run / library.FOLDER / library.STATS, np.array(stats))
    (run / library.FOLDER / library.NAMES).write_text(json.dumps(names))


def texts(run: Path) -> None:
    """Stories, of which some could be taken for markup."""
    write_kind(run, "texts", "text")
    told = [f"story {row} <b>of</b> {'cats & dogs ' * 60}the end {row}" for row in range(N)]
    (run / library.FOLDER / library.TEXTS).write_text(json.dumps(told))
    (run / library.FOLDER / library.NAMES).write_text(json.dumps([str(row) for row in range(N)]))


def table(run: Path) -> None:
    """Rows of three columns."""
    write_kind(run, "values", "table", columns=["height <cm>", "weight", "age"])
    np.save(run / library.FOLDER / library.VALUES, np.arange(3 * N, dtype=np.float32).reshape(N, 3))
    (run / library.FOLDER / library.NAMES).write_text(json.dumps([f"row {row}" for row in range(N)]))


@pytest.fixture(params=[sounds, texts, table])
def kind(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    found: Callable[[Path], None] = request.param
    return found


@pytest.fixture
def server(
    tmp_path: Path, kind: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[OpenServer]:
    monkeypatch.setattr(work, "start", Done)
    run = tmp_path / "run"
    kind(run)
    with served(Session(run, Library(run / library.FOLDER), "ann")) as found:
        yield found


def test_samples_are_shown_as_what_they_are(
    server: OpenServer, kind: Callable[[Path], None], browser: Browser
) -> None:
    look(browser, *DESK)
    browser.open(server.address)
    browser.wait_for("page.state && document.querySelectorAll('.card .tile').length === 12")
    shown = browser.evaluate("document.querySelector('.card .tile').textContent")
    row = browser.evaluate("Number(document.querySelector('.card .tile').dataset.row)")
    browser.evaluate("document.querySelector('.card .tile').click()")
    browser.wait_for("document.querySelector('dialog').open")
    whole = browser.evaluate("document.querySelector('dialog').textContent")
    if kind is sounds:
        assert shown == f"tone{row:02}.wav"
        browser.wait_for("document.querySelector('dialog audio').duration > 0.4")
        browser.press("a")  # a browser plays nothing before somebody has pressed something
        browser.evaluate("document.querySelector('dialog audio').play()")
        browser.wait_for("document.querySelector('dialog audio').currentTime > 0")
    elif kind is texts:
        assert shown.startswith(f"story {row} <b>of</b> cats & dogs")
        assert f"the end {row}" not in shown
        assert f"the end {row}" in whole
    else:
        assert shown == f"height <cm>: {3 * row}\nweight: {3 * row + 1}\nage: {3 * row + 2}"
        cells = "[...document.querySelectorAll('dialog tr')].map(one => one.textContent)"
        assert browser.evaluate(cells) == [
            f"height <cm>{3 * row}",
            f"weight{3 * row + 1}",
            f"age{3 * row + 2}",
        ]
    browser.evaluate("document.querySelector('dialog').close(); location.hash = '#/ask'")
    browser.wait_for("document.querySelectorAll('.pair figure').length === 2")
    browser.press("s")
    browser.wait_for("page.state.version === 1")
    look(browser, *PHONE)
    for view in ("", "c/0", "ask", "map", "history", "about"):
        browser.evaluate(f"location.hash = '#/{view}'")
        browser.wait_for("document.querySelector('main').children.length > 0")
        assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
    browser.send("Emulation.clearDeviceMetricsOverride")
    assert browser.complaints == []
    assert all(request.startswith((server.address, "data:")) for request in browser.requests)
    browser.open("about:blank")


def make_read_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the operating system refuse to write below a folder, as a read-only mount does, also for root."""
    os_open, io_open = os.open, builtins.open

    def inside(path: Any) -> bool:
        return isinstance(path, str | os.PathLike) and Path(path).absolute().is_relative_to(folder)

    def refuse(path: Any) -> OSError:
        return OSError(errno.EROFS, os.strerror(errno.EROFS), os.fspath(path))

    def opened(path: Any, flags: int, *more: Any, **others: Any) -> int:
        if inside(path) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise refuse(path)
        return os_open(path, flags, *more, **others)

    def io_opened(file: Any, mode: str = "r", *more: Any, **others: Any) -> Any:
        if inside(file) and set(mode) & set("wax+"):
            raise refuse(file)
        return io_open(file, mode, *more, **others)

    def no_folder(path: Any, *more: Any, **others: Any) -> None:
        raise refuse(path)

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "mkdir", no_folder)
    for module in (builtins, io):
        monkeypatch.setattr(module, "open", io_opened)


@pytest.mark.parametrize("command", ["open", "label"])
def test_a_folder_that_cannot_be_written_is_refused(
    run: Path, call: Call, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    make_read_only(run, monkeypatch)
    code, out, err = call(command, str(run))
    monkeypatch.undo()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"{run} cannot be written: Read-only file system" in err
    assert "open a copy" in err
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_folder_that_becomes_read_only_loses_nothing(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = session_of(run)
    rows = [session.state()["clusters"][0]["face"]]
    with served(session) as server:
        post(server.address + "act", {"version": 0, "do": "move", "rows": rows, "cluster": None})
        labels = session.bench.shown.labels.copy()
        with monkeypatch.context() as patch:
            make_read_only(run, patch)
            body = {"version": 1, "do": "undo"}
            assert refused(lambda: post(server.address + "act", body)) == 409
            assert refused(lambda: post(server.address + "refit", {"version": 1})) in (409, 507)
        assert (session.bench.shown.labels == labels).all()
        assert get(server.address + "state")["version"] == 1
        assert not session.busy
        # and goes on once it can be written
        assert post(server.address + "act", {"version": 1, "do": "undo"})["version"] == 2


def test_data_that_have_moved_are_asked_for(
    run: Path, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = json.loads((run / "run.json").read_text())
    photos = Path(shutil.copytree(metadata["data"], tmp_path / "photos"))
    gone = tmp_path / "gone"
    (run / "run.json").write_text(json.dumps(metadata | {"data": str(gone)}))
    meta = run / library.FOLDER / library.META
    meta.write_text(json.dumps(json.loads(meta.read_text()) | {"data": str(gone), "folder": str(gone)}))
    code, _, err = call("open", str(run))
    assert code == 2
    assert f"--data is required: {run} was fitted to {gone}, which no longer exists; give its new path" in err
    monkeypatch.setattr(OpenServer, "serve_forever", lambda server, poll_interval: None)
    code, _, err = call("open", str(run), "--data", str(photos))
    assert code == 0, err
    assert Library(run / library.FOLDER).thumbnail(0).kind == "image/jpeg"


def test_many_clusters_and_lost_files_on_the_page(run: Path, browser: Browser) -> None:
    explore, n = run / library.FOLDER, 500
    photos = Path(json.loads((explore / library.META).read_text())["folder"])
    names = [f"photo{row:03}.png" for row in range(n)]
    stats = np.full((n, 2), -1)
    for row in range(3, 48):  # those that are there
        found = (photos / names[row]).stat()
        stats[row] = found.st_size + (row == 5), found.st_mtime_ns
    np.save(explore / library.SCORES, np.eye(n, dtype=np.float32))
    np.save(explore / library.POINTS, np.eye(n, 20, dtype=np.float32))
    np.save(explore / library.MAP, np.random.default_rng(0).random((n, 2), dtype=np.float32))
    np.save(explore / library.STATS, stats)
    (explore / library.NAMES).write_text(json.dumps(names))
    with served(Session(run, Library(explore), "ann")) as server:
        look(browser, *DESK)
        browser.open(server.address)
        browser.wait_for("page.state && document.querySelectorAll('.card').length === 500")
        for cluster, state in ((3, None), (5, "file has changed"), (499, "file is gone")):
            card = f"document.querySelector('[data-cluster=\"{cluster}\"]')"
            browser.evaluate(f"{card}.scrollIntoView()")
            browser.wait_for(f"!!{card}.querySelector('.tile')")
            assert browser.evaluate(f"{card}.querySelector('.tile .state')?.textContent ?? null") == state
        browser.evaluate("location.hash = '#/map'")
        browser.wait_for("document.querySelectorAll('.legend button').length === 500")
        browser.evaluate("location.hash = '#/c/499'")
        browser.wait_for("document.querySelector('.grid .tile')?.textContent.includes('file is gone')")
        browser.open("about:blank")
