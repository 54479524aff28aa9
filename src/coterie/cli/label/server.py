"""A web server for one person on this machine: bound to loopback, a secret in every address."""

from __future__ import annotations

import json
import secrets
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from coterie._errors import InputError
from coterie.cli.label.page import PAGE, SCRIPT, STYLE
from coterie.cli.label.session import LabelingSession

HOST = "127.0.0.1"
_FILES = {
    "": ("text/html; charset=utf-8", PAGE),
    "page.css": ("text/css; charset=utf-8", STYLE),
    "page.js": ("text/javascript; charset=utf-8", SCRIPT),
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_LARGEST_BODY = 10_000
# for a request that is sent by halves: seconds until its thread gives up
_TIMEOUT = 10.0


class LabelServer(ThreadingHTTPServer):
    """Serves one session until it is finished.

    Parameters
    ----------
    session : LabelingSession
    port : int
        0 takes a free one.
    way_on : str
        The command that uses the answers, for the last page.
    """

    daemon_threads = True
    request_queue_size = 128  # of five, a browser's next connection waits for seconds

    def __init__(self, session: LabelingSession, port: int = 0, way_on: str = "") -> None:
        self.session = session
        self.way_on = way_on
        self.token = secrets.token_urlsafe(16)
        try:
            super().__init__((HOST, port), _Handler)
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


class _Handler(BaseHTTPRequestHandler):
    server: LabelServer
    timeout = _TIMEOUT
    server_version = "coterie"
    sys_version = ""

    def do_GET(self) -> None:
        """The page's files, and the state."""
        name = self._name()
        if name in _FILES:
            kind, text = _FILES[name]
            self._send(HTTPStatus.OK, kind, text)
        elif name == "state":
            self._send_json(self.server.session.state())
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "no such page")

    def do_POST(self) -> None:
        """Answers, undoing and the end."""
        name, body = self._name(), self._body()
        if name is None or name not in ("answer", "undo", "stop"):
            self._refuse(HTTPStatus.NOT_FOUND, "no such page")
        elif body is None:
            self._refuse(HTTPStatus.BAD_REQUEST, "the request must be a JSON object sent by this page")
        else:
            self._act(name, body)

    def _act(self, name: str, body: dict[str, Any]) -> None:
        session = self.server.session
        try:
            if name == "answer":
                self._send_json(session.answer(body.get("i", -1), body.get("j", -1), body.get("same", 2)))
            elif name == "undo":
                self._send_json(session.undo())
            else:
                state = session.state()
                command = self.server.way_on if state["answers"] else ""
                said = f"Finished: {state['message']}." + " To use the answers:" * bool(command)
                self._send_json(state | {"question": None, "message": said, "command": command})
                threading.Thread(target=self.server.shutdown).start()
        except InputError as error:
            self._refuse(HTTPStatus.CONFLICT, str(error))
        except OSError as error:
            self._refuse(HTTPStatus.INSUFFICIENT_STORAGE, f"the answer could not be saved: {error.strerror}")

    def _name(self) -> str | None:
        """The path of the request, or None if the token or the Host header is wrong."""
        start = f"/{self.server.token}/"
        own_host = self.headers.get("Host") == self.server.origin.removeprefix("http://")
        right = secrets.compare_digest(self.path[: len(start)].encode(), start.encode())
        return self.path[len(start) :] if own_host and right else None

    def _body(self) -> dict[str, Any] | None:
        """The JSON object that was sent by a page of this origin, or None."""
        length = self.headers.get("Content-Length", "")
        # isdigit alone also takes digits of other scripts
        if not (length.isascii() and length.isdigit() and len(length) <= len(str(_LARGEST_BODY))):
            return None
        if int(length) > _LARGEST_BODY:
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

    def _send_json(self, content: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(status, "application/json", json.dumps(content))

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self._send_json({"error": reason}, status)

    def _send(self, status: HTTPStatus, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(content))),
            ("Content-Security-Policy", _POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: standard error is for warnings."""
