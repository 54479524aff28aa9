"""The page of `coterie open` in a browser, as tests drive it."""

from __future__ import annotations

from tests.browser import Browser

PHONE, DESK = (375, 740), (1200, 800)


def look(browser: Browser, width: int, height: int, *, dark: bool = False) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.send("Emulation.setDeviceMetricsOverride", **size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.send("Emulation.setEmulatedMedia", features=[scheme])


def go(page: Browser, place: str) -> None:
    page.evaluate(f"location.hash = '#/{place}'")


def open_cluster(page: Browser, cluster: int) -> None:
    go(page, f"c/{cluster}")
    page.wait_for("document.querySelectorAll('.grid .tile img').length > 3")


def select(page: Browser, *places: int) -> list[int]:
    """Click tiles; their rows."""
    rows = []
    for place in places:
        rows.append(
            page.evaluate(f"Number(document.querySelector('.tile[data-place=\"{place}\"]').dataset.row)")
        )
        page.evaluate(f"document.querySelector('.tile[data-place=\"{place}\"]').click()")
    return rows


def version(page: Browser, number: int) -> None:
    page.wait_for(f"page.state.version === {number}")
