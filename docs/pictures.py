"""Pictures of pages for the README and the documentation: ``make pictures``.

They show a real run: the images that ``coterie demo --images`` writes, clustered by ADC.
"""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.browser import Browser

FOLDER = Path(__file__).parent / "_static"
WIDTH, HEIGHT = 1000, 820
FIT = ("fit", "photos", "--method", "adc", "--n-clusters", "10", "--random-state", "0", "--out", "run")


def make_report(folder: Path) -> Path:
    """Cluster the images and write the report of the run; a minute of one core."""
    for words in (("demo", "--images", "photos"), FIT, ("report", "run")):
        subprocess.run([sys.executable, "-m", "coterie", *words], cwd=folder, check=True)
    return folder / "run" / "report.html"


def photograph(browser: Browser, page: Path, target: Path, heading: str) -> None:
    """Write the window of a page below a heading as PNG."""
    size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    browser.send("Emulation.setDeviceMetricsOverride", **size)
    browser.open(page.as_uri())
    browser.evaluate(
        f"[...document.querySelectorAll('h2')].find(h => h.textContent === '{heading}').scrollIntoView()"
    )
    picture = browser.send("Page.captureScreenshot", format="png")["data"]
    target.write_bytes(base64.b64decode(picture))


def main() -> None:
    """Make all pictures."""
    with tempfile.TemporaryDirectory() as name:
        page = make_report(Path(name))
        browser = Browser(Path(name, "profile"))
        try:
            photograph(browser, page, FOLDER / "report.png", "Examples")
        finally:
            browser.close()


if __name__ == "__main__":
    main()
