"""The server of `coterie open`: the page's files, samples by their row, and actions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from coterie._errors import InputError
from coterie.cli.local_server import LocalHandler, LocalServer, Reply, as_json
from coterie.cli.open.session import Outdated, Session
from coterie.corrections.relations import Contradiction

STATIC = Path(__file__).with_name("static")
FILES = {
    "": ("page.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    **{
        name: (name, "text/javascript; charset=utf-8")
        for name in ("app.js", "ask.js", "cards.js", "grid.js", "map.js", "parts.js", "pictures.js")
    },
}
_ACTIONS = ("act", "parts", "refit", "stop-refit", "stop")


class _Handler(LocalHandler):
    """Keeps connections: a page asks again and again."""

    protocol_version = "HTTP/1.1"


class OpenServer(LocalServer):
    """Serves one session until it is finished.

    Parameters
    ----------
    session : Session
    port : int
        0 takes a free one.
    """

    largest_body = 4_000_000
    sources = "img-src 'self' data:; media-src 'self'"

    def __init__(self, session: Session, port: int = 0) -> None:
        self.session = session
        super().__init__(port, _Handler)

    def get(self, name: str) -> Reply | None:
        """The page's files, what is shown, and samples, which are asked for by their row number alone."""
        address = urlsplit(name)
        if address.path in FILES:
            file, kind = FILES[address.path]
            return Reply(kind, (STATIC / file).read_bytes())
        asked = {key: values[-1] for key, values in parse_qs(address.query).items()}
        head, _, rest = address.path.partition("/")
        if head in _SAMPLES:
            row = _number(rest)
            if not 0 <= row < len(self.session.library):
                raise InputError(f"row={row} must be in 0..{len(self.session.library) - 1}")
            return _SAMPLES[head](self.session, row)
        found = _SHOWN.get(address.path)
        return None if found is None else found(self.session, asked)

    def accepts(self, name: str) -> bool:
        """Whether an action is called so."""
        return name in _ACTIONS

    def post(self, name: str, body: dict[str, Any]) -> Reply | None:
        """What an action comes to."""
        session = self.session
        if name == "act":
            return as_json(session.act(body.get("version"), body.get("do"), body))
        if name == "parts":
            return as_json(session.parts(body.get("cluster"), body.get("n")))
        if name == "refit":
            return as_json(session.refit(body.get("version")))
        if name == "stop-refit":
            return as_json(session.stop_refit())
        threading.Thread(target=self.shutdown).start()
        return as_json({"ended": True, "command": session.way_on()})

    def refusal(self, error: InputError) -> Reply:
        """A refusal, with the shortest chain where it contradicts what was said."""
        said: dict[str, Any] = {"error": str(error), "outdated": isinstance(error, Outdated)}
        if isinstance(error, Contradiction):
            said["chain"] = self.session.words.explain(error.chain)
        return as_json(said, HTTPStatus.CONFLICT)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise InputError(f"{text!r:.20} must be a number")
    return int(text)


def _numbers(text: str) -> list[int]:
    return [_number(one) for one in text.split(",") if one]


def _original(session: Session, row: int) -> Reply:
    content = session.library.original(row)
    return Reply(content.kind, content.data)


def _item(session: Session, row: int) -> Reply:
    return as_json(session.detail(row))


def _state(session: Session, asked: dict[str, str]) -> Reply:
    return as_json(session.state())


def _version(session: Session, asked: dict[str, str]) -> Reply:
    return as_json({"version": session.version, "busy": session.busy})


def _cards(session: Session, asked: dict[str, str]) -> Reply:
    return as_json(session.cards(_numbers(asked.get("ids", ""))))


def _pictures(session: Session, asked: dict[str, str]) -> Reply:
    return as_json(session.pictures(_numbers(asked.get("rows", ""))))


def _members(session: Session, asked: dict[str, str]) -> Reply:
    cluster = -1 if asked.get("cluster") == "-1" else _number(asked.get("cluster", ""))
    start, stop = _number(asked.get("from", "")), _number(asked.get("to", ""))
    return as_json(session.members(cluster, asked.get("order", ""), start, stop))


def _search(session: Session, asked: dict[str, str]) -> Reply:
    start, stop = _number(asked.get("from", "")), _number(asked.get("to", ""))
    return as_json(session.search(asked.get("q", ""), start, stop))


def _question(session: Session, asked: dict[str, str]) -> Reply:
    return as_json(session.question())


def _tiles(session: Session, asked: dict[str, str]) -> Reply:
    return as_json(session.tiles(_numbers(asked.get("rows", ""))))


def _map(session: Session, asked: dict[str, str]) -> Reply | None:
    found = session.library.map()
    if found is None:
        session.draw_map()
        return as_json({"error": "the map is being drawn"}, HTTPStatus.ACCEPTED)
    return Reply("application/octet-stream", found.astype("<f4").tobytes())


def _labels(session: Session, asked: dict[str, str]) -> Reply:
    return Reply("application/octet-stream", session.labels())


_SAMPLES: dict[str, Callable[[Session, int], Reply]] = {
    "original": _original,
    "item": _item,
}
_SHOWN: dict[str, Callable[[Session, dict[str, str]], Reply | None]] = {
    "state": _state,
    "version": _version,
    "cards": _cards,
    "pictures": _pictures,
    "members": _members,
    "search": _search,
    "question": _question,
    "tiles": _tiles,
    "map": _map,
    "labels": _labels,
}
