"""Pictures of pages for the README and the documentation: ``make pictures``.

They show two real runs: pieces of photos, which ``coterie demo --photos`` writes, clustered by the vectors
of an encoder, in a report; and images, which ``coterie demo --images`` writes, clustered by ADC, in a report
and on the page.
"""

from __future__ import annotations

import base64
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.browser import Browser

FOLDER = Path(__file__).parent / "_static"
SEED = ("--random-state", "0")
FIT = ("fit", "images", "--method", "adc", "--encoder", "none", "--n-clusters", "10", *SEED)
FIT_PHOTOS = ("fit", "photos", "--n-clusters", "6", *SEED)
_HEADING = "[...document.querySelectorAll('h2')].find(h => h.textContent === 'Examples').scrollIntoView()"
_DRAWN = "page.view?.points?.length && page.view.clusters"


@dataclass(frozen=True)
class Picture:
    """What is to be seen on a picture.

    Attributes
    ----------
    name : str
        Of the file.
    view : str
        Of the page of `coterie open`.
    shown : str
        A script that holds once it is there.
    size : (int, int)
        Of the window.
    dark : bool
    """

    name: str
    view: str
    shown: str
    size: tuple[int, int] = (1100, 760)
    dark: bool = False


_TILES = """document.images.length > 9 && [...document.images].filter(
    one => one.getBoundingClientRect().top < innerHeight).every(one => one.naturalWidth)"""
# what is loaded is drawn some frames later
_PAINTED = """Promise.all([...document.images].filter(one => one.complete)
    .map(one => one.decode().catch(() => 0))).then(() => new Promise(done => setTimeout(done, 500)))"""
_OF_PAGE = (
    Picture("open.png", "", _TILES),
    Picture("open-map.png", "map", _DRAWN),
    Picture("open-questions.png", "ask", "document.querySelectorAll('.pair img').length === 2"),
    Picture("open-phone.png", "", _TILES, (390, 760), dark=True),
)


def make_runs(folder: Path) -> None:
    """Cluster images into folder/run and photos into folder/photos-run; two minutes of one core."""
    for words in (
        ("demo", "--images", "images"),
        (*FIT, "--out", "run"),
        ("report", "run"),
        ("demo", "--photos", "photos"),
        (*FIT_PHOTOS, "--out", "photos-run"),
        ("report", "photos-run"),
    ):
        subprocess.run([sys.executable, "-m", "coterie", *words], cwd=folder, check=True)


@contextlib.contextmanager
def served(run: Path) -> Iterator[str]:
    """Serve the page of a run; its address."""
    words = [sys.executable, "-m", "coterie", "open", run.name, "--who", "ann"]
    with subprocess.Popen(words, cwd=run.parent, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None, "it is a pipe"
        yield process.stdout.readline().removeprefix("open ").strip()
        process.terminate()


def photograph(browser: Browser, address: str, picture: Picture, script: str = "") -> None:
    """Write the window of a page as PNG."""
    width, height = picture.size
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.send("Emulation.setDeviceMetricsOverride", **size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if picture.dark else "light"}
    browser.send("Emulation.setEmulatedMedia", features=[scheme])
    browser.open(address + (f"#/{picture.view}" if picture.view else ""))
    browser.wait_for(picture.shown)
    browser.send("Runtime.evaluate", expression=_PAINTED, awaitPromise=True)
    if script:
        browser.evaluate(script)
    found = browser.send("Page.captureScreenshot", format="png")["data"]
    (FOLDER / picture.name).write_bytes(base64.b64decode(found))


def main() -> None:
    """Make all pictures."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        make_runs(folder)
        browser = Browser(folder / "profile")
        try:
            for run, file, height in (("run", "report.png", 820), ("photos-run", "photos.png", 690)):
                report = Picture(file, "", "document.readyState === 'complete'", (1000, height))
                photograph(browser, (folder / run / "report.html").as_uri(), report, _HEADING)
            with served(folder / "run") as address:
                for picture in _OF_PAGE:
                    browser.open("about:blank")  # another view alone would load nothing anew
                    photograph(browser, address, picture)
                browser.open("about:blank")
        finally:
            browser.close()


if __name__ == "__main__":
    main()
