"""The page of `coterie open` on very many pictures: ``python -m tests.nightly.page --record FILE``.

The pictures are files of 32x32 pixels in 30 clusters, no two of them the same; nothing is kept of an earlier
session but what `prepare` writes. Measured in a headless Chromium: seconds until the server answers, from the
address to the first view with its pictures, the longest time without a frame while a cluster is scrolled
through, and the largest memory of the server; the load of the machine is said. With ``--questions``, in
place of all that: seconds to prepare the questions from 512 features of each picture, until the first one,
and from an answer to the next one.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tests.browser import Browser

from coterie.cli.open import library
from coterie.cli.open.prepare import ready_cards
from coterie.cli.open.questions import save_questions
from coterie.cli.open.session import Session
from coterie.methods.pools import drawn_rows, near_samples

CLUSTERS = 30
_SERVE = (
    "import sys; from pathlib import Path; from coterie.cli.open import serve; "
    "from coterie.cli.open.library import Library; from coterie.cli.open.session import Session; "
    "run = Path(sys.argv[1]); serve(Session(run, Library(run / 'explore')), 0)"
)
# all cards in sight have their pictures, and two frames later they are painted
_SHOWN = """(() => { const cards = [...document.querySelectorAll('.card')].filter(
    one => one.getBoundingClientRect().top < innerHeight);
    const ready = one => one.querySelectorAll('img').length === 16
        && [...one.querySelectorAll('img')].every(image => image.complete && image.naturalWidth);
    return cards.length > 3 && cards.every(ready); })()"""
_PAINTED = """Promise.all([...document.images].filter(one => one.getBoundingClientRect().top < innerHeight)
    .map(one => one.decode())).then(() => new Promise(
        done => requestAnimationFrame(() => requestAnimationFrame(() => done(true)))))"""
_SCROLL = """new Promise(done => { let last = performance.now(), longest = 0, n = 0; const step = now => {
    longest = Math.max(longest, now - last); last = now; scrollBy(0, 900);
    if (++n < 120) requestAnimationFrame(step); else done(longest); }; requestAnimationFrame(step); })"""


def write_run(folder: Path, n: int) -> Path:
    """Pictures, and what `prepare` would write of a run on them."""
    photos, run = folder / "photos", folder / "run"
    explore = run / library.FOLDER
    photos.mkdir()
    explore.mkdir(parents=True)
    rng = np.random.default_rng(0)
    labels = rng.integers(CLUSTERS, size=n)
    colours = rng.integers(30, 226, size=(CLUSTERS, 3))
    names: list[str] = []
    stats: list[tuple[int, int]] = []
    for row in range(n):
        file = photos / f"{row:06}.png"
        pixels = np.clip(colours[labels[row]] + rng.integers(-25, 25, size=(32, 32, 3)), 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(file, compress_level=1)
        found = file.stat()
        names.append(file.name)
        stats.append((found.st_size, found.st_mtime_ns))
    scores = rng.dirichlet(np.full(CLUSTERS, 0.02), size=n).astype(np.float32)
    best = scores.argmax(axis=1)
    scores[np.arange(n), best], scores[np.arange(n), labels] = (
        scores[np.arange(n), labels],
        scores[np.arange(n), best],
    )
    for name, values in (
        (library.SCORES, scores),
        (library.POINTS, rng.normal(size=(n, 50)).astype(np.float32)),
        (library.STATS, np.array(stats, dtype=np.int64)),
        (library.MAP, rng.random((n, 2), dtype=np.float32)),
    ):
        np.save(explore / name, values)
    metadata: dict[str, Any] = {"kind": "files", "modality": "image", "folder": str(photos), "columns": []}
    metadata |= {"data": str(photos), "reading": []}
    metadata |= {"threshold": 0.0, "method": "none", "loss": "", "command": "", "params": {}, "history": []}
    (explore / library.META).write_text(json.dumps(metadata))
    (explore / library.NAMES).write_text(json.dumps(names))
    ready_cards(library.Library(explore))
    return run


def measure(folder: Path, n: int) -> dict[str, Any]:
    """Seconds, milliseconds and MB of one session; pictures that no card shows are made on the way."""
    run = write_run(folder, n)
    begun = time.monotonic()
    server = subprocess.Popen([sys.executable, "-c", _SERVE, str(run)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    address = server.stdout.readline().removeprefix("open ").strip()
    found: dict[str, Any] = {"rows": n, "clusters": CLUSTERS, "start_s": round(time.monotonic() - begun, 2)}
    found["load_average"] = round(os.getloadavg()[0], 1)
    browser = Browser(folder / "profile")
    size = {"width": 1200, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.send("Emulation.setDeviceMetricsOverride", **size)
    try:
        for name in ("first_view_s", "again_s"):
            browser.open("about:blank")
            begun = time.monotonic()
            browser.open(address)
            browser.wait_for(_SHOWN)
            browser.evaluate(_PAINTED)
            found[f"{name.removesuffix('_s')}_requests"] = sum(
                one.startswith("http") for one in browser.requests
            )
            found[name] = round(time.monotonic() - begun, 2)
        browser.evaluate("location.hash = '#/c/0'")
        browser.wait_for("document.querySelectorAll('.grid .tile img[src]').length > 20")
        found["longest_frame_ms"] = round(browser.evaluate(_SCROLL))
        row = browser.evaluate("page.state.clusters[0].face")
        begun = time.monotonic()
        sent = f"{{version: 0, do: 'wrong', rows: [{row}], cluster: page.state.clusters[0].id}}"
        how = "method: 'POST', headers: {'Content-Type': 'application/json'}"
        browser.evaluate(f"fetch('act', {{{how}, body: JSON.stringify({sent})}}).then(r => r.json())")
        found["action_s"] = round(time.monotonic() - begun, 2)
        time.sleep(3)
        status = Path(f"/proc/{server.pid}/status").read_text()
        peak = re.search(r"VmHWM:\s+(\d+)", status)
        assert peak is not None, "Linux says how much memory a process had"
        found["server_peak_mb"] = round(int(peak[1]) / 1024)
    finally:
        browser.close()
        server.terminate()
        server.wait()
    return found


def measure_questions(folder: Path, n: int) -> dict[str, Any]:
    """Seconds until there are questions, and of one; whether two samples differ is said at random."""
    run = write_run(folder, n)
    explore, rng = run / library.FOLDER, np.random.default_rng(1)
    scores = np.load(explore / library.SCORES)
    centers = rng.normal(size=(CLUSTERS, 512)).astype(np.float32)
    features = centers[scores.argmax(axis=1)] + rng.normal(size=(n, 512)).astype(np.float32)
    begun = time.monotonic()
    rows = drawn_rows(n)
    save_questions(run, rows, near_samples(features[rows]))
    prepared = time.monotonic()
    session = Session(run, library.Library(explore))
    found = session.question()
    first, waits = time.monotonic(), []
    for _ in range(20):
        begun_answer = time.monotonic()
        pair = [one["row"] for one in found["pair"]]
        session.act(session.version, "pair", {"rows": pair, "same": bool(rng.integers(2))})
        found = session.question()
        waits.append(time.monotonic() - begun_answer)
    session.finish()
    seconds = {
        "prepare_questions_s": prepared - begun,
        "first_question_s": first - prepared,
        "next_question_s": float(np.median(waits)),
    }
    found_s = {name: round(value, 2) for name, value in seconds.items()}
    return {"rows": n, "clusters": CLUSTERS, "load_average": round(os.getloadavg()[0], 1)} | found_s


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(prog="python -m tests.nightly.page", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, metavar="N")
    parser.add_argument("--record", type=Path, default=None, metavar="FILE")
    parser.add_argument("--questions", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = (measure_questions if asked.questions else measure)(Path(folder), asked.rows)
        found = json.dumps(measured, indent=1)
    print(found)
    if asked.record is not None:
        asked.record.write_text(found + "\n")


if __name__ == "__main__":
    main()
