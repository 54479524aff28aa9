"""`coterie label` in a real browser, by keyboard and mouse: after each answer `pairs.csv` holds them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.browser import Browser
from tests.waiting import wait_until

Call = Callable[..., tuple[int, str, str]]
Table = Callable[[str | Path], list[list[str]]]


@pytest.fixture
def label(folder: Path, call: Call, digits: Any) -> Any:
    """A started `coterie label` about a run on images, and the address of its page."""
    X, _ = digits
    np.save("images.npy", (X * 15).reshape(-1, 8, 8).astype(np.uint8))
    quick = ["--n-clusters", "10", "--n-restarts", "1", "--max-steps", "2", "--over-clustering", "true"]
    assert call("fit", "images.npy", "--labels", "y.npy", "--out", "run", *quick)[0] == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "coterie", "label", "run"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield process, process.stdout.readline().removeprefix("open ").strip()
    process.kill()
    process.wait()
    process.stdout.close()


def shown(browser: Browser) -> list[str]:
    """Names of the two samples on the page."""
    found: list[str] = browser.evaluate(
        "[...document.querySelectorAll('figcaption')].map(it => it.textContent)"
    )
    return found


def press(browser: Browser, key: str) -> list[str]:
    """Press a key; the two samples about which the page asks next."""
    before = browser.evaluate("element('state').textContent"), shown(browser)
    browser.press(key)
    wait_until(lambda: (browser.evaluate("element('state').textContent"), shown(browser)) != before, key)
    return shown(browser)


def test_answers_in_a_browser(label: Any, browser: Browser, table: Table) -> None:
    process, address = label
    path = Path("run", "pairs.csv")
    browser.open(address)
    browser.wait_for("question !== null")
    first = shown(browser)
    pictures = browser.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert len(pictures) == 2
    assert min(pictures) > 0

    assert browser.evaluate("element('undo').disabled")
    browser.evaluate("element('same').click()")
    browser.wait_for("!element('undo').disabled")
    assert table(path) == [["i", "j", "same"], [*first, "1"]]
    assert press(browser, "u") == first
    assert table(path) == [["i", "j", "same"]]

    second = press(browser, "s")
    assert second != first
    assert table(path) == [["i", "j", "same"], [*first, "1"]]
    third = press(browser, "d")
    assert table(path) == [["i", "j", "same"], [*first, "1"], [*second, "-1"]]
    fourth = press(browser, " ")
    assert fourth != third
    assert len(table(path)) == 3
    assert press(browser, "u") == third
    assert len(table(path)) == 3
    assert press(browser, "u") == second
    assert table(path) == [["i", "j", "same"], [*first, "1"]]
    press(browser, "D")
    assert table(path)[-1] == [*second, "-1"]

    press(browser, "q")
    assert browser.evaluate("element('state').textContent").startswith("Finished: 2 answers (1 same)")
    assert process.wait(60) == 0
    assert browser.complaints == []
    browser.evaluate("element('undo').click()")
    browser.wait_for("element('state').textContent.startsWith('The program has ended. All answers')")
    assert table(path)[1:] == [[*first, "1"], [*second, "-1"]]
    own = address.rsplit("/", 2)[0]
    assert all(request.startswith((own, "data:")) for request in browser.requests)
