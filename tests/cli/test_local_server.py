"""A server of a page answers this page and nobody else, whatever a client sends."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.cli.local_client import get, post, refused
from tests.waiting import PATIENCE, wait_until

from coterie._errors import InputError
from coterie.cli.local_server import LocalHandler, LocalServer, Reply, as_json


class Counter(LocalServer):
    """Counts what it is asked to."""

    n = 0

    def get(self, name: str) -> Reply | None:
        return as_json(self.state()) if name == "state" else None

    def state(self) -> dict[str, Any]:
        return {"n": self.n}

    def accepts(self, name: str) -> bool:
        return name in ("count", "refuse", "full")

    def post(self, name: str, body: dict[str, Any]) -> Reply | None:
        if name == "refuse":
            raise InputError("no")
        if name == "full":
            raise OSError(28, "No space left on device")
        self.n += 1
        return as_json(self.state())


@pytest.fixture
def server() -> Iterator[Counter]:
    with Counter(0, LocalHandler) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_what_it_refuses_comes_with_a_reason(server: Counter) -> None:
    assert server.address.startswith("http://127.0.0.1:")
    assert post(server.address + "count", {}) == {"n": 1}
    assert refused(lambda: post(server.address + "refuse", {})) == 409
    assert refused(lambda: post(server.address + "full", {})) == 507
    assert get(server.address + "state") == {"n": 1}


def test_nobody_else_is_answered(server: Counter) -> None:
    origin, address = server.origin, server.address
    assert refused(lambda: get(origin + "/")) == 404
    assert refused(lambda: get(f"{origin}/{'x' * len(server.token)}/state")) == 404
    assert refused(lambda: get(address + "../../etc/passwd")) == 404
    assert refused(lambda: post(origin + "/count", {})) == 404
    assert refused(lambda: post(address + "count", {}, Origin="http://example.org")) == 400
    assert refused(lambda: post(address + "count", {}, **{"Content-Type": "text/plain"})) == 400
    for body in (b"{", b"[]", b"x" * 20_000):
        assert refused(lambda body=body: post(address + "count", body)) == 400  # type: ignore[misc]
    assert refused(lambda: post(address + "fly", {})) == 404
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.request("GET", f"/{server.token}/state", headers={"Host": "rebound.example.org"})
    assert connection.getresponse().status == 404
    connection.close()


def raw(server: Counter, body: bytes, length: str) -> bytes:
    """What the server says to a request whose length is written as one likes."""
    lines = [f"POST /{server.token}/count HTTP/1.0", f"Host: {server.origin.removeprefix('http://')}"]
    lines += ["Content-Type: application/json", f"Content-Length: {length}", "", ""]
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1") + body)
        return connection.makefile("rb").readline()


@pytest.mark.parametrize("length", ["²", "+2", "-2", "2.0", "0x2", " ", "9" * 5000, "2_0"])
def test_a_length_that_is_no_ascii_number_is_refused(server: Counter, length: str) -> None:
    assert b" 400 " in raw(server, b"{}", length)


def test_deep_json_is_refused(server: Counter) -> None:
    body = b'{"i":' + b"[" * 9000
    assert b" 400 " in raw(server, body, str(len(body)))
    assert b" 200 " in raw(server, b"{}", "2")


def test_half_a_request_holds_no_thread(server: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.cli.local_server.LocalHandler.timeout", 0.3)
    before = threading.active_count()
    halves = [socket.create_connection(("127.0.0.1", server.server_port)) for _ in range(50)]
    for half in halves:
        half.sendall(b"POST /x HTTP/1.0\r\nContent-Length: 9\r\n")
    assert get(server.address + "state")["n"] == 0
    wait_until(lambda: threading.active_count() <= before, "no thread is held")
    for half in halves:
        half.close()


def test_a_byte_now_and_then_holds_no_thread(server: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert get(server.address + "state")["n"] == 0


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
def test_heads_that_no_browser_sends(server: Counter, head: bytes, status: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as connection:
        connection.sendall(head)
        connection.shutdown(socket.SHUT_WR)
        assert status in connection.makefile("rb").readline()
    assert get(server.address + "state")["n"] == 0


def test_a_browser_that_goes_before_its_answer_leaves_no_traceback(
    server: Counter, capfd: pytest.CaptureFixture[str]
) -> None:
    head = f"GET /{server.token}/state HTTP/1.0\r\nHost: {server.origin.removeprefix('http://')}\r\n\r\n"
    for sent in (head.encode(), b"GET /", b""):
        for _ in range(5):
            connection = socket.create_connection(("127.0.0.1", server.server_port))
            # reset, not closed
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(sent)
            connection.close()
    assert get(server.address + "state")["n"] == 0
    assert capfd.readouterr().err == ""


def test_a_fault_of_ours_is_seen(
    server: Counter, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "state", lambda: 1 / 0)
    with pytest.raises((OSError, http.client.HTTPException)):
        get(server.address + "state")
    said: list[str] = []

    def seen() -> bool:
        said.append(capfd.readouterr().err)
        return "ZeroDivisionError" in "".join(said)

    wait_until(seen, "the error is printed")
