"""Texts from files to the report and to the page that asks, in a real browser: they are shown as text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.browser import Browser
from tests.cli.open_client import Done, served, session_of
from tests.cli.open_page import DESK, look
from tests.encoders.fixtures import toys as toys
from tests.encoders.toys import FISHES, FRUITS

from coterie.cli.open import work

Call = Callable[..., tuple[int, str, str]]
# what a page could take for markup, a script or an entity
MARKUP = (
    "<b>a cab</b>",
    '<img src=x onerror="window.hit=1">',
    "<script>window.hit=1</script>",
    "a &lt; b &amp; c",
)
TEXTS = [" ".join([MARKUP[row % 4], *text.split()]) for row, text in enumerate([*FRUITS, *FISHES])]


@pytest.fixture
def run(toys: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> Path:
    """A run of texts, one a line."""
    monkeypatch.chdir(tmp_path)
    Path("lines.txt").write_text("\n".join(TEXTS) + "\n")
    words = ("--text", "lines", "--encoder", "toy-texts", "--n-clusters", "2", "--max-steps", "60")
    code, _, err = call("fit", "lines.txt", *words, "--random-state", "0", "--n-jobs", "1", "--out", "run")
    assert code == 0, err
    return tmp_path / "run"


def texts_at(browser: Browser, selector: str) -> list[str]:
    """What stands at places of the page, spaces as one."""
    script = f"[...document.querySelectorAll({selector!r})].map(one => one.textContent)"
    return [" ".join(text.split()) for text in browser.evaluate(script)]


def nothing_ran(browser: Browser) -> bool:
    """Whether no text became an element or a script."""
    made = "document.querySelectorAll('main b, p.text b, img[src=x]').length"
    return bool(browser.evaluate(f"window.hit === undefined && {made} === 0"))


def test_the_report_shows_texts_as_text(run: Path, call: Call, browser: Browser) -> None:
    assert call("report", str(run))[0] == 0
    browser.open((run / "report.html").as_uri())
    browser.wait_for("document.readyState === 'complete'")
    shown = texts_at(browser, "p.text")
    assert len(shown) >= 8
    assert all(any(one.startswith(text) for text in TEXTS) for one in shown)
    assert {mark for mark in MARKUP if any(one.startswith(mark) for one in shown)} == set(MARKUP)
    assert nothing_ran(browser)
    browser.open("about:blank")


def test_the_page_that_asks_shows_texts_as_text(
    run: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "start", Done)
    look(browser, *DESK)
    with served(session_of(run)) as server:
        browser.open(server.address + "#/ask")
        browser.wait_for("page.state && document.querySelectorAll('.pair figure').length === 2")
        pair = texts_at(browser, ".pair figure")
        assert all(any(text in one for text in TEXTS) for one in pair)
        assert pair[0] != pair[1]
        assert nothing_ran(browser)
        browser.press("s")
        browser.wait_for("page.state.version === 1")
        browser.evaluate("location.hash = '#/'")
        browser.wait_for("document.querySelectorAll('.card .tile').length >= 4")
        tiles = texts_at(browser, ".card .tile .body")
        assert all(one in TEXTS for one in tiles)
        assert nothing_ran(browser)
        assert browser.complaints == []
        browser.open("about:blank")
    browser.send("Emulation.clearDeviceMetricsOverride")
