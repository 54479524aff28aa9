"""The server of `coterie label` answers its own page and nobody else."""

from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.label_client import blobs, get, post, refused
from tests.waiting import PATIENCE, wait_until

from coterie.cli.label.answers import Answers
from coterie.cli.label.page import PAGE, SCRIPT
from coterie.cli.label.selection import representatives
from coterie.cli.label.server import LabelServer
from coterie.cli.label.session import LabelingSession
from coterie.data import Samples


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LabelServer]:
    points, probabilities, _ = blobs()
    samples = Samples(points, tuple(f"row {number}" for number in range(len(points))))
    candidates = representatives(probabilities, points)
    session = LabelingSession(samples, candidates, Answers(), tmp_path / "pairs.csv", ["x", "y"])
    with LabelServer(session, way_on="coterie fit x --pairs y") as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_the_page_and_its_files(server: LabelServer) -> None:
    assert server.address.startswith("http://127.0.0.1:")
    assert get(server.address) == PAGE
    assert get(server.address + "page.js") == SCRIPT
    names = re.findall(r'(?:src|href)="([^"]+)"', PAGE)
    assert sorted(names) == ["data:,", "page.css", "page.js"]
    assert set(re.findall(r"element\('(\w+)'\)", SCRIPT)) <= set(re.findall(r'id="(\w+)"', PAGE))
    with urllib.request.urlopen(server.address, timeout=30) as reply:
        assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert "unsafe" not in reply.headers["Content-Security-Policy"]


def test_the_last_page_shows_the_command_that_uses_the_answers(server: LabelServer) -> None:
    first = get(server.address + "state")["question"]
    post(server.address + "answer", {"i": first["i"], "j": first["j"], "same": 1})
    last = post(server.address + "stop", {})
    assert last["command"] == "coterie fit x --pairs y"
    assert last["message"].endswith("To use the answers:")


def test_answers_are_on_disk_before_the_next_question(server: LabelServer) -> None:
    path = server.session.path
    first = get(server.address + "state")["question"]
    assert first["first"]["name"] == f"row {first['i']}"
    assert [name for name, _ in first["first"]["values"]] == ["x", "y"]
    state = post(server.address + "answer", {"i": first["i"], "j": first["j"], "same": -1})
    assert path.read_text() == f"i,j,same\nrow {first['i']},row {first['j']},-1\n"
    second = state["question"]
    assert {second["i"], second["j"]} != {first["i"], first["j"]}
    assert state["message"] == "1 answers (0 same), 2 groups so far"
    skipped = post(server.address + "answer", {"i": second["i"], "j": second["j"], "same": 0})["question"]
    assert (skipped["i"], skipped["j"]) != (second["i"], second["j"])
    assert len(path.read_text().splitlines()) == 2
    assert post(server.address + "undo", {})["question"] == second
    assert post(server.address + "undo", {})["question"] == first
    assert path.read_text() == "i,j,same\n"
    assert post(server.address + "undo", {})["answers"] == 0


def test_a_second_press_of_a_key_does_not_answer_the_next_question(server: LabelServer) -> None:
    first = get(server.address + "state")["question"]
    answer = {"i": first["i"], "j": first["j"], "same": 1}
    post(server.address + "answer", answer)
    assert refused(lambda: post(server.address + "answer", answer)) == 409
    assert len(server.session.answers.given) == 1


def test_nobody_else_is_answered(server: LabelServer) -> None:
    origin, address = server.origin, server.address
    assert refused(lambda: get(origin + "/")) == 404
    assert refused(lambda: get(f"{origin}/{'x' * len(server.token)}/state")) == 404
    assert refused(lambda: get(address + "../../etc/passwd")) == 404
    assert refused(lambda: post(origin + "/answer", {})) == 404
    assert refused(lambda: post(address + "undo", {}, Origin="http://example.org")) == 400
    assert refused(lambda: post(address + "undo", {}, **{"Content-Type": "text/plain"})) == 400
    for body in (b"{", b"[]", b"x" * 20_000):
        assert refused(lambda body=body: post(address + "undo", body)) == 400  # type: ignore[misc]
    assert refused(lambda: post(address + "answer", {"i": 0})) == 409
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.request("GET", f"/{server.token}/state", headers={"Host": "rebound.example.org"})
    assert connection.getresponse().status == 404
    connection.close()


def test_an_answer_that_cannot_be_saved_is_not_taken(server: LabelServer) -> None:
    server.session.path = server.session.path.parent / "missing" / "pairs.csv"
    question = get(server.address + "state")["question"]
    body = {"i": question["i"], "j": question["j"], "same": 1}
    assert refused(lambda: post(server.address + "answer", body)) == 409
    assert server.session.answers.given == []
    assert get(server.address + "state")["question"] == question


def test_an_undo_that_cannot_be_saved_is_not_made(server: LabelServer) -> None:
    question = get(server.address + "state")["question"]
    post(server.address + "answer", {"i": question["i"], "j": question["j"], "same": 1})
    kept = server.session.path
    server.session.path = kept.parent / "missing" / "pairs.csv"
    assert refused(lambda: post(server.address + "undo", {})) == 409
    server.session.path = kept
    assert server.session.answers.count(1) == 1
    assert len(kept.read_text().splitlines()) == 2


@pytest.mark.parametrize("same", [1.0, True, -1.0, 0.0, "1", None, [1], {"a": 1}])
def test_an_answer_that_is_no_integer_is_refused(server: LabelServer, same: Any) -> None:
    question = get(server.address + "state")["question"]
    asked = {"i": question["i"], "j": question["j"]}
    for body in (asked | {"same": same}, {**asked, "i": float(asked["i"]), "same": 1}):
        assert refused(lambda body=body: post(server.address + "answer", body)) == 409  # type: ignore[misc]
    assert server.session.answers.given == []
    assert not server.session.path.exists()


def raw(server: LabelServer, body: bytes, length: str) -> bytes:
    """What the server says to a request whose length is written as one likes."""
    lines = [f"POST /{server.token}/undo HTTP/1.0", f"Host: {server.origin.removeprefix('http://')}"]
    lines += ["Content-Type: application/json", f"Content-Length: {length}", "", ""]
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1") + body)
        return connection.makefile("rb").readline()


@pytest.mark.parametrize("length", ["²", "+2", "-2", "2.0", "0x2", " ", "9" * 5000, "2_0"])
def test_a_length_that_is_no_ascii_number_is_refused(server: LabelServer, length: str) -> None:
    assert b" 400 " in raw(server, b"{}", length)


def test_deep_json_is_refused(server: LabelServer) -> None:
    body = b'{"i":' + b"[" * 9000
    assert b" 400 " in raw(server, body, str(len(body)))
    assert b" 200 " in raw(server, b"{}", "2")


def test_half_a_request_holds_no_thread(server: LabelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.cli.local_server.LocalHandler.timeout", 0.3)
    before = threading.active_count()
    halves = [socket.create_connection(("127.0.0.1", server.server_port)) for _ in range(50)]
    for half in halves:
        half.sendall(b"POST /x HTTP/1.0\r\nContent-Length: 9\r\n")
    assert get(server.address + "state")["answers"] == 0
    wait_until(lambda: threading.active_count() <= before, "no thread is held")
    for half in halves:
        half.close()


def test_a_byte_now_and_then_holds_no_thread(server: LabelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, the request never does."""
    monkeypatch.setattr("coterie.cli.local_server.LocalHandler.timeout", 0.5)
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=60) as connection:
        ended = False
        while not ended and time.monotonic() - begun < PATIENCE:
            try:
                connection.sendall(b"x")
                time.sleep(0.1)
                connection.settimeout(0.001)
                ended = connection.recv(1) == b""
            except TimeoutError:
                pass  # it is still open
            except OSError:
                ended = True
    assert ended
    assert get(server.address + "state")["answers"] == 0


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.0\r\n\r\n", b" 414 "),
        (b"GET / HTTP/1.0\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", b" 431 "),
        (b"GET / HTTP/1.0\r\n" + b"A: x\r\n" * 200 + b"\r\n", b" 431 "),
        (b"BREW / HTTP/1.0\r\n\r\n", b" 501 "),
        (b"GET /\xff\xfe\x00 HTTP/1.0\r\n\r\n", b" 404 "),
    ],
)
def test_heads_that_no_browser_sends(server: LabelServer, head: bytes, status: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as connection:
        connection.sendall(head)
        connection.shutdown(socket.SHUT_WR)
        assert status in connection.makefile("rb").readline()
    assert get(server.address + "state")["answers"] == 0


def test_a_browser_that_goes_before_its_answer_leaves_no_traceback(
    server: LabelServer, capfd: pytest.CaptureFixture[str]
) -> None:
    head = f"GET /{server.token}/state HTTP/1.0\r\nHost: {server.origin.removeprefix('http://')}\r\n\r\n"
    for sent in (head.encode(), b"GET /", b""):
        for _ in range(5):
            connection = socket.create_connection(("127.0.0.1", server.server_port))
            # reset, not closed
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(sent)
            connection.close()
    assert get(server.address + "state")["answers"] == 0
    assert capfd.readouterr().err == ""


def test_a_fault_of_ours_is_seen(
    server: LabelServer, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.session, "state", lambda: 1 / 0)
    with pytest.raises((OSError, http.client.HTTPException)):
        get(server.address + "state")
    said: list[str] = []

    def seen() -> bool:
        said.append(capfd.readouterr().err)
        return "ZeroDivisionError" in "".join(said)

    wait_until(seen, "the error is printed")


def test_pictures_are_sent_as_data(tmp_path: Path) -> None:
    _, probabilities, _ = blobs(5)
    images = np.random.default_rng(0).integers(0, 255, (20, 8, 8), dtype=np.uint8)
    candidates = representatives(probabilities, images.reshape(20, -1))
    session = LabelingSession(Samples(images), candidates, Answers(), tmp_path / "pairs.csv")
    question = session.state()["question"]
    assert question["first"]["picture"].startswith("data:image/png;base64,")
    assert question["second"]["name"] == str(question["j"])
