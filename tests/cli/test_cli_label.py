"""`coterie label` as a command: what is kept, how it ends, and what it refuses."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.local_client import get, post
from tests.cli.open_client import forked_work
from tests.forked import Python

from coterie.cli.open import work
from coterie.cli.open.server import OpenServer

# connections may stay open for hours
PATIENT = "from coterie.cli.open import server; server._Handler.timeout = 1e4; "
Call = Callable[..., tuple[int, str, str]]
START = work.start
QUICK = ("--n-clusters", "10", "--n-restarts", "1", "--max-steps", "2", "--over-clustering", "true")


@pytest.fixture(autouse=True)
def works_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """Works of sessions in this process import nothing anew."""
    monkeypatch.setattr(work, "start", forked_work)


def start_label(*words: str, code: str = "") -> tuple[Python, str]:
    """A session in its own process, which runs some code first; and its address."""
    code += "from coterie.cli.open import work; from tests.cli.open_client import forked_work; "
    code += "work.start = forked_work; import sys; from coterie.cli import main; sys.exit(main(sys.argv[1:]))"
    process = Python(["-c", code, "label", "run", *words])
    return process, process.first_line().removeprefix("open ").removesuffix("#/ask")


def answer(address: str, version: int, same: bool) -> None:
    """Answer the question that is open."""
    rows = [sample["row"] for sample in get(address + "question")["pair"]]
    post(address + "act", {"version": version, "do": "pair", "rows": rows, "same": same})


@pytest.fixture
def run(folder: Path, call: Call) -> Path:
    """A run to ask about."""
    assert call("fit", "x.npy", "--labels", "y.npy", "--out", "run", *QUICK)[0] == 0
    return folder / "run"


def test_two_sessions_at_once_are_refused(run: Path, call: Call) -> None:
    process, address = start_label()
    code, out, err = call("label", "run")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "RUN: another session shows run; finish it first, or use its page in a second tab" in err
    with contextlib.suppress(http.client.RemoteDisconnected):  # it may end before it has replied
        post(address + "stop", {})
    process.communicate()
    assert process.returncode == 0
    assert not list(run.glob(".*"))
    code, _, err = call("open", "run", "--port", "99999")
    assert (code, "--port: 99999" in err) == (2, True)


def test_a_kill_loses_no_acknowledged_answer(run: Path) -> None:
    kept = 0
    for answers in (1, 5):
        process, address = start_label()
        for number in range(answers):
            answer(address, kept + number, same=False)
        kept += answers
        process.kill()
        process.communicate()
        assert len((run / "corrections.jsonl").read_text().splitlines()) == kept


def test_a_stop_does_not_wait_for_open_connections(run: Path) -> None:
    # of connections that may stay open for so long, waiting for any of them shows on the slowest machine
    process, address = start_label(code=PATIENT)
    port = int(address.split(":")[2].split("/")[0])
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            half = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            half.sendall(b"POST /x HTTP/1.0\r\n")
        assert get(address + "question")["answers"] == 0
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 130


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_a_session(stop: signal.Signals) -> None:
    process, _ = start_label()
    process.send_signal(stop)
    _, err = process.communicate()
    said = "coterie: looking at all samples\ncoterie label: stopped; no corrections\n"
    assert (process.returncode, err) == (130, said)


def test_from_run_to_answers_to_run(run: Path, folder: Path, call: Call, digits: Any) -> None:
    _, y = digits
    process, address = start_label()
    for number in range(6):
        i, j = (sample["row"] for sample in get(address + "question")["pair"])
        answer(address, number, same=bool(y[i] == y[j]))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "stopped; 6 corrections in run/corrections.jsonl" in err
    use = "--pairs run/pairs.csv --closure --neighbors 5 --init run --out NEW"
    assert f"to use them in a whole new fit: coterie fit {folder}/x.npy {use}" in err
    words = ["--pairs", "run/pairs.csv", "--closure", "--neighbors", "5", "--init", "run", "--out", "new"]
    code, _, err = call("fit", "x.npy", *words, *QUICK)
    assert code == 0, err


@pytest.mark.usefixtures("run")
def test_finishing_on_the_page_ends_the_command(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    replies = []

    def start_one(*words: str) -> Any:
        """As a user's own command does; the map, which is begun in the same way, needs no other start."""
        return START(*words) if words[0] == "prepare" else forked_work(*words)

    monkeypatch.setattr(work, "start", start_one)

    def finish(server: OpenServer, poll_interval: float) -> None:
        """Serve as usual, with somebody who presses the button at once."""
        pressed = threading.Thread(target=lambda: replies.append(post(server.address + "stop", {})))
        pressed.start()
        super(OpenServer, server).serve_forever(poll_interval)
        pressed.join()

    monkeypatch.setattr(OpenServer, "serve_forever", finish)
    code, out, err = call("label", "run", "--who", "ann")
    assert (code, err) == (0, "coterie: looking at all samples\n")
    assert out.startswith("open http://127.0.0.1:")
    assert out.endswith("corrections go to run; Ctrl-C ends\nno corrections\n")
    assert replies == [{"ended": True, "command": ""}]


@pytest.mark.usefixtures("run")
def test_label_refuses(call: Call) -> None:
    for words, message in (
        (["nowhere"], "RUN: nowhere/model does not exist; RUN must be a folder"),
        (["run", "--data", "gone.npy"], "gone.npy cannot be read"),
        (["run", "--port", "99999"], "--port: 99999 cannot be used"),
    ):
        code, out, err = call("label", *words)
        assert (code, out, err.count("error")) == (2, "", 1)
        assert message in err
