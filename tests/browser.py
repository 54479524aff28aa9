"""A headless Chromium that tests drive through a pipe, by its DevTools protocol: no driver, no open port."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE, wait_until

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-pipe",
)


def find_chromium() -> str:
    """The browser's program; a missing one is a failure, since a test that skips never runs."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    raise AssertionError(
        "the tests of pages need Chromium: apt-get install chromium, or another Chromium on PATH"
    )


class Browser:
    """One page of one browser.

    Parameters
    ----------
    profile : Path
        An empty folder.

    Attributes
    ----------
    requests : list of str
        Addresses that the page asked for since `open`.
    complaints : list of str
        Errors and warnings of its console and of the browser since then.
    """

    def __init__(self, profile: Path) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        its_input, self._input = os.pipe()
        self._output, its_output = os.pipe()
        # the browser reads descriptor 3 and writes descriptor 4
        onto = 'exec "${@:3}" 3<&"$1" 4>&"$2"'
        command = [find_chromium(), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(
            ["bash", "-c", onto, "bash", str(its_input), str(its_output), *command],
            pass_fds=(its_input, its_output),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(its_input)
        os.close(its_output)
        self._received = b""
        self._number = 0
        self._session = ""
        targets = self.send("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self.send("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> Any:
        """Give a command and wait for its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._input, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._number:
            self._note(answer)
        assert "error" not in answer, f"{method}: {answer['error']['message']}"
        return answer["result"]

    def open(self, address: str) -> None:
        """Load a page, and wait until its scripts and pictures are there."""
        self.requests.clear()
        self.complaints.clear()
        failed = self.send("Page.navigate", url=address).get("errorText")
        assert failed is None, f"{address}: {failed}"
        self.wait_for("document.readyState === 'complete'")

    def evaluate(self, script: str) -> Any:
        """The value of an expression on the page; of a promise, what it comes to."""
        found = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, f"{script}: {found['exceptionDetails']}"
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key, by its character or its name."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" and len(key) == 1 else {}
            self.send("Input.dispatchKeyEvent", type=kind, key=key, **text)

    def wait_for(self, script: str) -> None:
        """Wait until an expression holds on the page."""
        wait_until(lambda: bool(self.evaluate(script)), script)

    def close(self) -> None:
        """End the browser."""
        os.close(self._input)
        os.close(self._output)
        self._process.terminate()
        self._process.wait(PATIENCE)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._received:
            content = os.read(self._output, 1 << 16)
            assert content, f"the browser has ended with {self._process.wait(PATIENCE)}"
            self._received += content
        message, _, self._received = self._received.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def _note(self, event: dict[str, Any]) -> None:
        """Keep what a test may ask about later."""
        given = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])
        elif event.get("method") == "Log.entryAdded":
            self.complaints.append(given["entry"]["text"])
        elif event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(given["exceptionDetails"]["text"])
        elif event.get("method") == "Runtime.consoleAPICalled" and given["type"] in ("error", "warning"):
            self.complaints.append(str([value.get("value") for value in given["args"]]))
