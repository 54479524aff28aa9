"""What the views of the page show: cards, search, the map; what of them stays over an action."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.browser import Browser
from tests.cli.open_client import served, session_of
from tests.cli.open_page import DESK, PHONE, go, look, open_cluster, select, version

from coterie.cli.open import library
from coterie.cli.open.library import Library
from coterie.cli.open.server import OpenServer
from coterie.cli.open.session import Session

_READY = "page.view?.rows && page.view.side"


def pictured(page: Browser) -> None:
    """Until all pictures in sight are there."""
    page.wait_for("""document.images.length > 3 && [...document.images].filter(one =>
        one.getBoundingClientRect().top < innerHeight).every(one => one.naturalWidth)""")


def asked(page: Browser, what: str) -> list[str]:
    return [one for one in page.requests if f"/{what}?" in one]


def click(page: Browser, place: Any, *, shift: bool = False, to: Any = None) -> None:
    """Press the mouse at a place, and release it there or at another."""
    flags = {"modifiers": 8 if shift else 0, "button": "left", "buttons": 1, "clickCount": 1}
    page.send("Input.dispatchMouseEvent", type="mousePressed", x=place[0], y=place[1], **flags)
    if to is not None:
        page.send("Input.dispatchMouseEvent", type="mouseMoved", x=to[0], y=to[1], **flags)
    end = place if to is None else to
    page.send("Input.dispatchMouseEvent", type="mouseReleased", x=end[0], y=end[1], **flags)


def on_map(page: Browser, row: int) -> Any:
    """Where a sample is in the window."""
    return page.evaluate(
        f"(() => {{ const box = page.view.canvas.getBoundingClientRect(), [x, y] = page.view.place({row});"
        "return [box.left + x, box.top + y]; })()"
    )


def open_map(page: Browser) -> None:
    go(page, "map")
    page.wait_for(_READY)


def test_a_view_asks_for_its_pictures_together(page: Browser) -> None:
    pictured(page)
    assert page.evaluate("document.images.length") == 48
    assert len(asked(page, "cards")) == 1
    assert len(asked(page, "pictures")) == 1
    assert all("data:image/" in one for one in page.evaluate("[...document.images].map(one => one.src)"))
    # those that were seen are not asked for again
    page.requests.clear()
    open_cluster(page, 0)
    pictured(page)
    assert asked(page, "pictures") == []
    assert page.complaints == []


def test_cards_are_filled_as_they_come_into_sight(run: Path, browser: Browser) -> None:
    explore, n = run / library.FOLDER, 500
    names = json.loads((explore / library.NAMES).read_text())
    folder = Path(json.loads((explore / library.META).read_text())["folder"])
    for row in range(n):
        if row >= len(names):
            names.append(f"copy{row}.png")
    found = (folder / names[5]).stat()
    np.save(explore / library.SCORES, np.eye(n, dtype=np.float32))
    np.save(explore / library.POINTS, np.eye(n, 20, dtype=np.float32))
    np.save(explore / library.STATS, np.full((n, 2), [found.st_size, found.st_mtime_ns]))
    (explore / library.NAMES).write_text(json.dumps(names))
    with served(Session(run, Library(explore), "ann")) as server:
        look(browser, *DESK)
        browser.open(server.address)
        browser.wait_for(
            "document.querySelectorAll('.card').length === 500 && !!document.querySelector('.tile')"
        )
        assert browser.evaluate("document.querySelectorAll('.tile').length") < 100
        tiles = "document.querySelectorAll('[data-cluster=\"499\"] .tile').length"
        assert browser.evaluate(tiles) == 0
        browser.evaluate("document.querySelector('[data-cluster=\"499\"]').scrollIntoView()")
        browser.wait_for(f"{tiles} === 1")
        browser.open("about:blank")


def test_search_finds_names_of_files(page: Browser, server: OpenServer) -> None:
    page.press("/")
    for letter in "Photo01":
        page.press(letter)
    page.press("Enter")
    page.wait_for("document.querySelectorAll('.grid .tile[data-row]').length === 10")
    names = page.evaluate("[...document.querySelectorAll('.grid .tile')].map(one => one.title.split(' ')[0])")
    assert sorted(names) == [f"photo01{digit}.png" for digit in range(10)]
    assert page.evaluate("document.querySelector('h1').textContent") == "10 names hold “Photo01”"
    rows = select(page, 0, 1)
    page.press("v")
    page.wait_for("document.querySelector('dialog').open")
    page.evaluate("document.getElementById('new').click()")
    version(page, 1)
    assert len({int(server.session.bench.shown.labels[row]) for row in rows}) == 1
    go(page, "find/" + "%22%3Cb%3E")
    page.wait_for("document.querySelector('h1').textContent === '0 names hold “\"<b>”'")


def test_the_map_zooms_points_selects_and_keeps_its_place(page: Browser, server: OpenServer) -> None:
    open_map(page)
    labels = server.session.bench.shown.labels
    place = on_map(page, 7)
    page.send("Input.dispatchMouseEvent", type="mouseMoved", x=place[0], y=place[1])
    page.wait_for("!document.getElementById('hover').hidden")
    page.wait_for("document.querySelector('#hover img')?.naturalWidth")
    assert "photo" in page.evaluate("document.getElementById('hover').textContent")
    page.evaluate("document.getElementById('zoom-in').click()")
    page.wait_for("page.view.scale === 1.5")
    page.evaluate("page.view.canvas.focus()")
    for key in ("+", "-", "ArrowLeft"):
        page.press(key)
    page.wait_for("page.view.x !== 0 && Math.abs(page.view.scale - 1.5) < 1e-9")
    page.press("0")
    page.wait_for("page.view.scale === 1 && page.view.x === 0")
    # one cluster alone, then a frame around all: its members are selected
    page.evaluate("document.querySelectorAll('.legend button')[1].click()")
    only = page.evaluate("page.view.only")
    box = page.evaluate("(b => [b.left, b.top, b.right, b.bottom])(page.view.canvas.getBoundingClientRect())")
    click(page, (box[0] + 5, box[1] + 5), shift=True, to=(box[2] - 5, box[3] - 5))
    rows = page.evaluate("[...page.selection]")
    assert sorted(rows) == np.flatnonzero(labels == only).tolist()
    page.evaluate("document.getElementById('zoom-in').click()")
    page.press("v")
    page.wait_for("document.querySelector('dialog').open")
    page.evaluate("document.getElementById('new').click()")
    version(page, 1)
    assert set(server.session.bench.shown.labels[rows].tolist()) == {4}
    page.wait_for("document.querySelector('.legend').textContent.includes('cluster 4')")
    assert page.evaluate("page.view.scale") == 1.5
    # a click opens, a press of Select and a drag selects without Shift
    page.evaluate("document.getElementById('whole').click()")
    page.evaluate("page.view.only = null; document.getElementById('frame').click()")
    click(page, (box[0] + 5, box[1] + 5), to=(box[2] - 5, box[3] - 5))
    page.wait_for("page.selection.size === 48")
    click(page, on_map(page, 7))
    page.wait_for("document.querySelector('dialog').open")
    assert page.complaints == []


def test_a_map_that_is_missing_is_drawn(run: Path, browser: Browser) -> None:
    (run / library.FOLDER / library.MAP).unlink()
    with served(session_of(run)) as server:
        look(browser, *PHONE)
        browser.open(server.address + "#/map")
        browser.wait_for(_READY)
        assert browser.evaluate("document.querySelectorAll('.legend button').length") == 4
        browser.open("about:blank")


def test_thirty_clusters_have_thirty_looks(page: Browser) -> None:
    """Colours of Okabe and Ito, which stay apart for the colour-blind, in four shapes."""
    each = "[...Array(32).keys()].map(one => JSON.stringify(lookOf(one)))"
    looks = page.evaluate(f"import('./parts.js').then(({{lookOf}}) => {each})")
    assert len(set(looks)) == 32


def test_what_is_being_typed_outlives_what_another_tab_does(page: Browser, server: OpenServer) -> None:
    named = server.session.state()["clusters"][1]["id"]
    box = f"document.querySelector('[data-named=\"{named}\"]')"
    page.evaluate(f"{box}.focus(); {box}.select()")
    for letter in "redd":
        page.press(letter)
    other = server.session.state()["clusters"][0]["id"]
    server.session.act(0, "name", {"cluster": other, "name": "from another tab"})
    version(page, 1)
    page.wait_for("[...document.querySelectorAll('input')].some(one => one.value === 'from another tab')")
    assert page.evaluate("document.activeElement.value") == "redd"
    page.press("y")
    page.press("Enter")
    version(page, 2)
    assert server.session.bench.cluster_names[named] == "reddy"


def test_the_focus_stays_in_the_grid_over_an_action(page: Browser, server: OpenServer) -> None:
    open_cluster(page, 0)
    for key in ("ArrowRight", "ArrowRight", " ", "w"):
        page.press(key)
    version(page, 1)
    page.wait_for("document.activeElement.matches('.grid .tile') && page.view.known.size === page.view.size")
    assert page.evaluate("document.activeElement.dataset.place") == "1"
    for key in ("ArrowRight", " ", "w"):
        page.press(key)
    version(page, 2)
    assert [entry.do for entry in server.session.bench.journal.entries] == ["wrong", "wrong"]


def test_a_range_takes_samples_that_were_not_seen_yet(
    page: Browser, server: OpenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(page, 500, 300)
    open_cluster(page, 0)
    page.evaluate("page.view.known.delete(6), page.view.asked.clear()")
    first, last = (f"document.querySelector('.tile[data-place=\"{place}\"]')" for place in (0, 9))
    page.evaluate(f"{first}.click(); page.view.focus(9)")
    page.evaluate(f"{last}.dispatchEvent(new MouseEvent('click', {{bubbles: true, shiftKey: true}}))")
    page.wait_for("page.selection.size === 10")


@pytest.mark.parametrize("modifier", [2, 4])  # Ctrl, and the command key of a Mac
def test_all_members_are_selected_at_once(page: Browser, server: OpenServer, modifier: int) -> None:
    look(page, 500, 300)
    open_cluster(page, 0)
    size = server.session.state()["clusters"][0]["size"]
    page.evaluate("page.view.known.delete(6), page.view.asked.clear()")
    page.send("Input.dispatchKeyEvent", type="keyDown", key="a", modifiers=modifier)
    page.wait_for(f"page.selection.size === {size}")
    page.wait_for(f"document.getElementById('bar').textContent.startsWith('{size} selected')")
    page.press("Escape")
    page.evaluate("document.getElementById('search').focus()")
    page.send("Input.dispatchKeyEvent", type="keyDown", key="a", modifiers=modifier)
    assert page.evaluate("page.selection.size") == 0


def test_losses_and_parameters_are_last_and_a_sample_is_left_by_keys(page: Browser) -> None:
    links = page.evaluate("[...document.querySelectorAll('nav a')].map(one => one.textContent)")
    assert links == ["Clusters", "Questions", "Map", "History", "About"]
    go(page, "about")
    page.wait_for("document.querySelectorAll('h2').length === 2")
    assert page.evaluate("[...document.querySelectorAll('h2')].map(one => one.textContent)") == [
        "Losses",
        "Parameters",
    ]
    assert page.evaluate("document.querySelector('main').textContent.includes('n_clusters')")
    open_cluster(page, 0)
    page.evaluate("page.view.focus(0)")
    page.press("Enter")
    title = "document.querySelector('dialog[open] h2')?.textContent"
    page.wait_for(f"!!{title}")
    first = page.evaluate(title)
    page.press("ArrowRight")
    page.wait_for(f"{title} !== {json.dumps(first)}")
    page.press("ArrowLeft")
    page.wait_for(f"{title} === {json.dumps(first)}")
