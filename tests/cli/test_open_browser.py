"""The page of `coterie open` in a real browser: actions, undo, reload, two tabs, lost connections, widths."""

from __future__ import annotations

import json
import subprocess

import pytest
from tests.browser import Browser
from tests.cli.open_page import PHONE, go, look, open_cluster, select, version

from coterie.cli.open import work
from coterie.cli.open.server import OpenServer


def test_every_action_by_keys_and_clicks(page: Browser, server: OpenServer) -> None:
    shown = server.session
    ids = [one["id"] for one in shown.state()["clusters"]]
    open_cluster(page, ids[0])
    rows = select(page, 0, 1)
    page.press("w")
    version(page, 1)
    assert all(shown.bench.shown.labels[row] != ids[0] for row in rows)
    page.press("u")
    version(page, 2)
    assert all(shown.bench.shown.labels[row] == ids[0] for row in rows)
    page.press("y")
    version(page, 3)
    page.press("u")
    version(page, 4)
    page.wait_for("document.querySelectorAll('.grid .tile img').length > 3")
    for key, do in (("s", "pair"), ("d", "pair"), ("t", "together")):
        select(page, 0, 1)
        before = shown.version
        page.press(key)
        if key == "d":
            page.wait_for("document.getElementById('chain')?.children.length === 2")
            page.evaluate("[...document.querySelectorAll('dialog button')].at(-1).click()")
        version(page, before + 1)
        assert shown.bench.journal.entries[-1].do == do
        page.press("u")
        version(page, before + 2)
        if key == "s":
            page.press("y")
            version(page, before + 3)
        page.wait_for("document.querySelectorAll('.grid .tile img').length > 3")
    # the browser's own line on the refusal
    assert ["409" in line for line in page.complaints] == [True]


def test_move_merge_split_and_names(page: Browser, server: OpenServer) -> None:
    shown = server.session
    ids = [one["id"] for one in shown.state()["clusters"]]
    open_cluster(page, ids[0])
    rows = select(page, 2, 3, 4)
    page.press("v")
    page.wait_for("document.querySelector('dialog').open")
    page.evaluate("document.querySelector('dialog input').value = '<img src=x onerror=alert(1)>'")
    page.evaluate("document.querySelector('dialog input').dispatchEvent(new Event('input'))")
    page.evaluate("document.getElementById('new').click()")
    version(page, 1)
    assert {int(shown.bench.shown.labels[row]) for row in rows} == {4}
    go(page, "")
    page.wait_for("document.querySelectorAll('.card').length === 5")
    assert page.evaluate("document.querySelector('.card img[src=\"x\"]')") is None
    assert page.evaluate(
        "[...document.querySelectorAll('.card h2 input')].some(i => i.value.startsWith('<img'))"
    )
    open_cluster(page, ids[1])
    page.press("m")
    page.wait_for("document.querySelector('dialog').open")
    page.evaluate("document.querySelector('.pick button').click()")
    version(page, 2)
    assert shown.bench.journal.entries[-1].do == "merge"
    page.press("x")
    page.wait_for("document.querySelectorAll('.part').length === 2")
    page.evaluate("[...document.querySelectorAll('dialog button')].at(-1).click()")
    version(page, 3)
    assert shown.bench.journal.entries[-1].do == "split"
    page.evaluate("document.querySelector('h1 input').focus(); document.activeElement.value = 'reds'")
    page.evaluate("document.activeElement.blur()")
    version(page, 4)
    assert shown.bench.cluster_names[ids[1]] == "reds"
    go(page, "history")
    page.wait_for("document.querySelectorAll('.history li').length === 4")
    page.evaluate("document.querySelectorAll('.history li button')[1].click()")
    version(page, 5)
    assert shown.bench.journal.entries[-1].what["instead"] == [[3, None]]
    assert page.complaints == []


def test_a_reload_and_a_second_tab_see_everything(page: Browser, server: OpenServer) -> None:
    cluster = server.session.state()["clusters"][0]
    open_cluster(page, cluster["id"])
    select(page, 0)
    page.press("w")
    version(page, 1)
    page.open(server.address)
    page.wait_for("page.state?.version === 1 && document.querySelectorAll('.card').length")
    # what another tab does is shown without asking
    server.session.act(1, "name", {"cluster": cluster["id"], "name": "from another tab"})
    page.wait_for(
        "[...document.querySelectorAll('.card h2 input')].some(i => i.value === 'from another tab')"
    )
    # and what this one does at the same moment is refused
    page.evaluate("page.state.version = 0")
    page.press("u")
    page.wait_for("document.getElementById('notice').textContent.includes('in another tab')")
    assert server.session.version == 2


def test_questions_by_keys_and_clicks(page: Browser, server: OpenServer) -> None:
    shown = server.session

    def asked() -> list[str]:
        """Names of the two samples that are asked about, once they or their clusters are shown."""
        question = shown.question()
        wanted = [sample["name"] for sample in question["pair"]]
        called = [one["name"] or f"cluster {one['id']}" for one in question["clusters"]] or wanted
        names = "[...document.querySelectorAll('.pair figcaption')].map(one => one.textContent)"
        page.wait_for(f"JSON.stringify({names}) === JSON.stringify({json.dumps(called)})")
        return wanted

    go(page, "ask")
    first = asked()
    page.wait_for("[...document.querySelectorAll('.pair img')].every(one => one.naturalWidth)")
    assert page.evaluate("document.querySelectorAll('.pair img').length") >= 2
    page.press("d")
    version(page, 1)
    second = asked()
    page.evaluate("document.getElementById('different').click()")
    version(page, 2)
    third = asked()
    # the button was pressed once: space skips, and does not press it again
    page.press(" ")
    version(page, 3)
    assert asked() not in (first, second, third)
    entries = shown.bench.journal.entries
    # two samples are different, or the clusters that they stand for are apart
    assert [entry.do in ("pair", "apart") for entry in entries] == [True, True, False]
    assert [entry.what["rows"] for entry in entries if entry.do != "apart"][-1:] == [third]
    assert (entries[2].do, shown.question()["same"]) == ("skip", 0)
    assert page.evaluate("document.getElementById('answers').textContent").startswith("2 answers so far, 0")
    page.press("u")
    version(page, 4)
    assert asked() == third
    # a second press answers nothing before the next question is seen
    page.evaluate(
        "document.getElementById('different').click(); document.getElementById('different').click()"
    )
    version(page, 5)
    asked()
    assert shown.version == 5
    assert page.complaints == []


def test_a_new_fit_can_be_stopped(page: Browser, server: OpenServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        work, "start", lambda *words: subprocess.Popen(["sleep", "600"], stderr=-1, text=True)
    )
    shown = server.session
    open_cluster(page, shown.state()["clusters"][0]["id"])
    select(page, 0)
    page.press("w")
    version(page, 1)
    before = shown.bench.shown.labels.copy()
    for stop in ("page.press", "click"):
        page.press("l")
        page.wait_for("page.state.refit.running")
        assert page.evaluate("document.getElementById('refit').textContent") == "Stop learning"
        if stop == "click":
            page.evaluate("document.getElementById('refit').click()")
        else:
            page.press("l")
        page.wait_for("document.getElementById('notice').textContent === 'the new fit was stopped'")
        page.wait_for("!page.state.refit.running")
    assert shown.version == 1
    assert not list((shown.run / "refits").iterdir())
    assert (shown.bench.shown.labels == before).all()


def test_learning_says_what_has_changed(page: Browser, server: OpenServer) -> None:
    cluster = server.session.state()["clusters"][0]["id"]
    open_cluster(page, cluster)
    select(page, 0)
    page.press("w")
    version(page, 1)
    page.press("l")
    version(page, 2)
    page.wait_for("page.state.refit.waiting === 0 && page.state.refit.changed")
    assert server.session.bench.journal.entries[-1].do == "fit"


def test_a_lost_connection_is_said(page: Browser, server: OpenServer) -> None:
    page.send(
        "Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0
    )
    page.wait_for("document.getElementById('notice').textContent.startsWith('No connection')")
    page.send(
        "Network.emulateNetworkConditions",
        offline=False,
        latency=0,
        downloadThroughput=-1,
        uploadThroughput=-1,
    )
    page.wait_for("document.getElementById('notice').hidden")


@pytest.mark.parametrize("dark", [False, True])
def test_no_view_is_wider_than_a_phone(page: Browser, server: OpenServer, dark: bool) -> None:
    look(page, *PHONE, dark=dark)
    for view in ("", "c/0", "ask", "map", "history", "about", "find/photo"):
        go(page, view)
        page.wait_for("document.querySelector('main').children.length > 0")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(21, 23, 26)") == dark


def test_the_keyboard_alone_opens_and_selects(page: Browser, server: OpenServer) -> None:
    open_cluster(page, 0)
    page.press("ArrowRight")
    page.press("ArrowRight")
    page.press(" ")
    page.wait_for("page.selection.size === 1")
    page.press("Enter")
    page.wait_for("document.querySelector('dialog').open && !!document.querySelector('dialog img.full')")
    page.evaluate("document.querySelector('dialog').close()")
    page.press("Escape")
    page.wait_for("page.selection.size === 0")
    page.press("/")
    assert page.evaluate("document.activeElement.id") == "search"


def test_no_request_leaves_the_machine(page: Browser, server: OpenServer) -> None:
    go(page, "map")
    page.wait_for("page.view?.points?.length && page.view.clusters")
    assert all(request.startswith((server.address, "data:")) for request in page.requests)
    assert page.complaints == []
