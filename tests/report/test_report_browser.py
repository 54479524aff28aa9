"""The report in a real browser: it is whole, fits the window, says nothing to the console and asks nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.browser import Browser

from coterie.report.html import ReportInput, render_report


@pytest.fixture
def page(small_run: Any, tmp_path: Path) -> str:
    """Address of a report of 150 images."""
    model, images, y = small_run
    path = tmp_path / "report.html"
    path.write_text(
        render_report(
            ReportInput(model, images, [f"{row}.png" for row in range(150)], {"data": "a"}, None, y)
        ),
        encoding="utf-8",
    )
    return path.as_uri()


def test_the_report_in_a_browser(browser: Browser, page: str) -> None:
    browser.open(page)
    assert browser.evaluate("document.title") == "coterie report"
    pictures = browser.evaluate("[...document.images].map(image => [image.complete, image.naturalWidth])")
    assert len(pictures) > 50
    assert all(complete and width > 0 for complete, width in pictures)
    drawings = browser.evaluate("[...document.querySelectorAll('figure > svg')].map(svg => svg.clientHeight)")
    assert len(drawings) == 3
    assert min(drawings) > 100
    examples = browser.evaluate("document.querySelector('.samples img').getBoundingClientRect().width")
    assert 30 < examples <= 56  # the style was taken
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert {address for address in browser.requests if not address.startswith("data:image/")} == {page}
    assert browser.complaints == []


def test_a_report_that_asked_would_be_caught(browser: Browser, page: str, tmp_path: Path) -> None:
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    path = tmp_path / "other.html"
    path.write_text(text.replace("</body>", '<img src="other.png"></body>'), encoding="utf-8")
    browser.open(path.as_uri())
    assert any("Content Security Policy" in said for said in browser.complaints)
