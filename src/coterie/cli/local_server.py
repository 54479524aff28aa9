"""A web server for one person on this machine: bound to loopback, a secret in every address."""

from __future__ import annotations

import io
import json
import secrets
import socket
import sys
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from coterie._errors import InputError

HOST = "127.0.0.1"
# for a request that is sent by halves, or a byte now and then: seconds until its thread gives up
_TIMEOUT = 10.0


class Reply(NamedTuple):
    """What a browser gets.

    Attributes
    ----------
    kind : str
        Media type.
    content : bytes
    status : HTTPStatus
    """

    kind: str
    content: bytes
    status: HTTPStatus = HTTPStatus.OK


def as_json(content: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Reply:
    """An object as a reply."""
    return Reply("application/json", json.dumps(content).encode(), status)


class LocalServer(ThreadingHTTPServer):
    """Serves the page of one program; what it serves, `get` and `post` of a subclass say.

    Parameters
    ----------
    port : int
        0 takes a free one.
    handler : type
        Of requests.
    """

    daemon_threads = True
    request_queue_size = 128  # of five, a browser's next connection waits for seconds
    # bytes of a request, and what the page may load beside its own scripts, styles and addresses
    largest_body = 10_000
    sources = "img-src data:"

    def __init__(self, port: int, handler: type[LocalHandler]) -> None:
        self.token = secrets.token_urlsafe(16)
        try:
            super().__init__((HOST, port), handler)
        except (OSError, OverflowError) as error:
            raise InputError(f"--port: {port} cannot be used: {error}") from error

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://{HOST}:{self.server_port}"

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"{self.origin}/{self.token}/"

    @property
    def policy(self) -> str:
        """The page's content security policy."""
        return (
            f"default-src 'none'; script-src 'self'; style-src 'self'; {self.sources}; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )

    def get(self, name: str) -> Reply | None:
        """What lies at an address; None: nothing."""
        raise NotImplementedError

    def post(self, name: str, body: dict[str, Any]) -> Reply | None:
        """What an action comes to; None: there is no such action."""
        raise NotImplementedError

    def accepts(self, name: str) -> bool:
        """Whether an action is called so."""
        raise NotImplementedError

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that has gone before its answer; anything else is a fault to be seen."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def refusal(self, error: InputError) -> Reply:
        """What is said of an action that is refused."""
        return as_json({"error": str(error)}, HTTPStatus.CONFLICT)


class _InTime(io.RawIOBase):
    """What a connection sends until a time has come; then reading it raises `TimeoutError`."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection = connection
        self._end = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class LocalHandler(BaseHTTPRequestHandler):
    """Answers the server's own page and nobody else."""

    server: LocalServer
    timeout = _TIMEOUT
    server_version = "coterie"
    sys_version = ""

    def setup(self) -> None:
        """Bound the time of the whole request, not that of each byte."""
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(_InTime(self.connection, self.timeout))

    def do_GET(self) -> None:
        """The page's files, and what it asks for."""
        name = self._name()
        try:
            reply = None if name is None else self.server.get(name)
        except InputError as error:
            reply = as_json({"error": str(error)}, HTTPStatus.NOT_FOUND)
        self._send(reply or as_json({"error": "no such page"}, HTTPStatus.NOT_FOUND))

    def do_POST(self) -> None:
        """Actions."""
        name, body = self._name(), self._body()
        if name is None or not self.server.accepts(name):
            self._send(as_json({"error": "no such page"}, HTTPStatus.NOT_FOUND))
        elif body is None:
            reason = "the request must be a JSON object sent by this page"
            self._send(as_json({"error": reason}, HTTPStatus.BAD_REQUEST))
        else:
            self._send(self._act(name, body))

    def _act(self, name: str, body: dict[str, Any]) -> Reply:
        try:
            reply = self.server.post(name, body)
        except InputError as error:
            reply = self.server.refusal(error)
        except OSError as error:
            reason = f"the answer could not be saved: {error.strerror}"
            reply = as_json({"error": reason}, HTTPStatus.INSUFFICIENT_STORAGE)
        return reply or as_json({"error": "no such page"}, HTTPStatus.NOT_FOUND)

    def _name(self) -> str | None:
        """The path of the request, or None if the token or the Host header is wrong."""
        start = f"/{self.server.token}/"
        own_host = self.headers.get("Host") == self.server.origin.removeprefix("http://")
        right = secrets.compare_digest(self.path[: len(start)].encode(), start.encode())
        return self.path[len(start) :] if own_host and right else None

    def _body(self) -> dict[str, Any] | None:
        """The JSON object that a page of this origin sent, or None; the connection ends then."""
        found = self._sent()
        self.close_connection = self.close_connection or found is None  # there may be more of it
        return found

    def _sent(self) -> dict[str, Any] | None:
        length = self.headers.get("Content-Length", "")
        # isdigit alone also takes digits of other scripts
        if not (length.isascii() and length.isdigit() and len(length) <= len(str(self.server.largest_body))):
            return None
        if int(length) > self.server.largest_body:
            return None
        content = self.rfile.read(int(length))
        if self.headers.get("Origin", self.server.origin) != self.server.origin:
            return None
        if self.headers.get_content_type() != "application/json":
            return None
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in (
            ("Content-Type", reply.kind),
            ("Content-Length", str(len(reply.content))),
            ("Content-Security-Policy", self.server.policy),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: standard error is for warnings."""
