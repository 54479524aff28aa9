"""The server of `coterie label`: the page that asks, and the answers."""

from __future__ import annotations

import threading
from typing import Any

from coterie.cli.label.page import PAGE, SCRIPT, STYLE
from coterie.cli.label.session import LabelingSession
from coterie.cli.local_server import LocalHandler, LocalServer, Reply, as_json

_FILES = {
    "": ("text/html; charset=utf-8", PAGE),
    "page.css": ("text/css; charset=utf-8", STYLE),
    "page.js": ("text/javascript; charset=utf-8", SCRIPT),
}


class _Handler(LocalHandler):
    """Of requests to this page."""


class LabelServer(LocalServer):
    """Serves one session until it is finished.

    Parameters
    ----------
    session : LabelingSession
    port : int
        0 takes a free one.
    way_on : str
        The command that uses the answers, for the last page.
    """

    def __init__(self, session: LabelingSession, port: int = 0, way_on: str = "") -> None:
        self.session = session
        self.way_on = way_on
        super().__init__(port, _Handler)

    def get(self, name: str) -> Reply | None:
        """The page's files, and the state."""
        if name in _FILES:
            kind, text = _FILES[name]
            return Reply(kind, text.encode())
        return as_json(self.session.state()) if name == "state" else None

    def accepts(self, name: str) -> bool:
        """Answers, undoing and the end."""
        return name in ("answer", "undo", "stop")

    def post(self, name: str, body: dict[str, Any]) -> Reply | None:
        """The state after an action."""
        session = self.session
        if name == "answer":
            return as_json(session.answer(body.get("i", -1), body.get("j", -1), body.get("same", 2)))
        if name == "undo":
            return as_json(session.undo())
        state = session.state()
        command = self.way_on if state["answers"] else ""
        said = f"Finished: {state['message']}." + " To use the answers:" * bool(command)
        threading.Thread(target=self.shutdown).start()
        return as_json(state | {"question": None, "message": said, "command": command})
