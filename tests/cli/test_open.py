"""`coterie open` without a browser: sessions, what is written, new fits, lost files, and the server."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.cli.local_client import get, post, refused
from tests.cli.open_client import served, session_of
from tests.corrections.oracle import contradicted
from tests.waiting import wait_until

from coterie._errors import InputError
from coterie.cli.open import alone, library_of, work
from coterie.cli.open.parting import split_points
from coterie.cli.open.places import places
from coterie.cli.open.server import FILES, STATIC
from coterie.cli.open.session import Outdated, Session

Call = Callable[..., tuple[int, str, str]]


def labels_of(run: Path) -> dict[str, int]:
    with open(run / "labels.csv", newline="", encoding="utf-8") as file:
        return {line["id"]: int(line["label"]) for line in csv.DictReader(file)}


def card(session: Session, place: int = 0) -> Any:
    found = session.state()["clusters"][place]
    return found | session.cards([found["id"]])["cards"][found["id"]]


def wait(session: Session) -> None:
    """Until a new fit was taken over."""
    wait_until(lambda: not session.busy, "the new fit ends")


def test_what_was_said_is_written_and_survives(run: Path) -> None:
    session = session_of(run)
    first, second = card(session, 0), card(session, 1)
    rows = [tile["row"] for tile in first["certain"][:3]]
    session.act(0, "move", {"rows": rows, "cluster": second["id"]})
    session.act(1, "name", {"cluster": second["id"], "name": "reds"})
    session.finish()
    names = [session.library.names[row] for row in rows]
    assert [labels_of(run)[name] for name in names] == [second["id"]] * 3
    assert "reds" in (run / "clusters.csv").read_text(encoding="utf-8")
    again = session_of(run)
    assert again.version == 2
    assert again.words.name_of(second["id"]) == "reds"
    assert [again.bench.shown.labels[row] for row in rows] == [second["id"]] * 3
    again.finish()
    with pytest.raises(InputError, match="the program has ended"):
        again.act(2, "undo", {})


def test_samples_that_were_placed_after_the_fit_keep_their_lines(run: Path) -> None:
    session = session_of(run)
    session.write()
    with open(run / "labels.csv", "a", encoding="utf-8") as file:
        file.write("later.png,7,0.900000,1,0.050000\n")
    session.act(0, "wrong", {"rows": [0], "cluster": int(session.bench.shown.labels[0])})
    session.finish()
    assert labels_of(run)["later.png"] == 7
    assert len(labels_of(run)) == len(session.library) + 1
    # no cluster that is made from now on takes an id of these
    again = session_of(run)
    assert again.bench.fresh == 8
    again.finish()


def test_a_page_that_is_out_of_date_changes_nothing(run: Path) -> None:
    session = session_of(run)
    rows = [card(session)["certain"][0]["row"]]
    session.act(0, "wrong", {"rows": rows, "cluster": card(session)["id"]})
    with pytest.raises(Outdated, match="in another tab"):
        session.act(0, "undo", {})
    assert session.version == 1
    session.finish()


def test_a_new_fit_learns_keeps_ids_and_contradicts_nothing(run: Path) -> None:
    session = session_of(run)
    before = session.bench.shown.labels.copy()
    one, other = card(session, 0), card(session, 1)
    rows = [tile["row"] for tile in one["certain"][:2]]
    session.act(0, "move", {"rows": rows, "cluster": other["id"]})
    state = session.act(1, "name", {"cluster": one["id"], "name": "x"})
    assert state["refit"]["waiting"] == 1
    session.refit(2)
    wait(session)
    state = session.state()
    assert state["refit"]["waiting"] == 0, state
    assert state["refit"]["changed"]["n"] >= 0
    after = session.bench.shown.labels
    assert after[rows].tolist() == [other["id"]] * 2
    untouched = ~np.isin(np.arange(len(after)), rows)
    assert (after == before)[untouched].mean() >= 0.99
    session.finish()
    again = session_of(run)
    assert np.array_equal(again.bench.shown.labels, after)
    assert contradicted(again.bench.journal.entries, labels_of(run)) == []
    session = again
    session.act(3, "undo", {})
    assert np.array_equal(session.bench.scores.values, session.library.scores)
    session.finish()


def test_a_new_fit_that_fails_says_why(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = session_of(run)
    monkeypatch.setattr(work, "finish", lambda process: (_ for _ in ()).throw(InputError("no memory")))
    session.act(0, "wrong", {"rows": [0], "cluster": int(session.bench.shown.labels[0])})
    session.refit(1)
    wait(session)
    assert session.state()["refit"]["message"] == "the new fit failed: no memory"
    assert session.version == 1
    session.finish()


def test_split_shows_its_parts_first_and_needs_two_samples(run: Path) -> None:
    session = session_of(run)
    one = card(session)
    found = session.parts(one["id"], 2)["parts"]
    assert sum(len(part["rows"]) for part in found) == one["size"]
    assert session.version == 0
    session.act(0, "split", {"cluster": one["id"], "parts": [part["rows"] for part in found[1:]]})
    assert len(session.state()["clusters"]) == 5
    row = card(session)["certain"][0]["row"]
    session.act(1, "move", {"rows": [row], "cluster": None, "name": "alone"})
    alone_id = next(one["id"] for one in session.state()["clusters"] if one["name"] == "alone")
    with pytest.raises(
        InputError, match=f"cluster={alone_id} must have at least 2 samples to be split, got 1"
    ):
        session.parts(alone_id, 2)
    session.finish()


def test_one_cluster_and_five_hundred(run: Path, tmp_path: Path) -> None:
    session = session_of(run)
    ids = [one["id"] for one in session.state()["clusters"]]
    session.act(0, "merge", {"clusters": ids})
    assert len(session.state()["clusters"]) == 1
    with pytest.raises(InputError, match="at least 2 clusters"):
        session.refit(1)
    session.finish()
    many = np.eye(500, dtype=np.float32)
    np.save(run / "explore" / "scores.npy", many)
    np.save(run / "explore" / "points.npy", many[:, :20])
    (run / "explore" / "names.json").write_text(json.dumps([f"photo{row:03}.png" for row in range(500)]))
    np.save(run / "explore" / "stats.npy", np.zeros((500, 2), dtype=np.int64))
    (run / "corrections.jsonl").unlink()
    state = session_of(run).state()
    assert len(state["clusters"]) == 500


def test_files_that_are_gone_or_changed_are_shown_as_such(run: Path, tmp_path: Path) -> None:
    photos = Path(shutil.copytree(made_photos(run), tmp_path / "photos"))
    for name in os.listdir(photos):
        shutil.copystat(made_photos(run) / name, photos / name)
    meta = json.loads((run / "explore" / "meta.json").read_text())
    (run / "explore" / "meta.json").write_text(json.dumps(meta | {"folder": str(photos)}))
    session = session_of(run)
    (photos / session.library.names[3]).unlink()
    (photos / session.library.names[4]).write_bytes(b"no picture")
    states = [tile.get("state") for tile in session.tiles([2, 3, 4])["tiles"]]
    assert states == [None, "gone", "changed"]
    assert session.detail(3)["state"] == "gone"
    for row, reason in ((3, "is gone"), (4, "cannot be read")):
        with pytest.raises(InputError, match=reason):
            session.library.thumbnail(row)
    session.finish()


def made_photos(run: Path) -> Path:
    return Path(json.loads((run / "explore" / "meta.json").read_text())["folder"])


def test_two_sessions_and_a_folder_that_cannot_be_written(run: Path) -> None:
    with alone(run), pytest.raises(InputError, match="another session shows"), alone(run):
        pass
    assert not list(run.glob(".*"))
    with pytest.raises(InputError, match="cannot be written"), alone(run / "model" / "deep"):
        pass


def test_the_server_answers_its_own_page_and_nobody_else(run: Path) -> None:
    with served(session_of(run)) as server:
        page = get(server.address)
        names = re.findall(r'(?:src|href)="([\w.]+)"', page)
        assert sorted(names) == sorted({*FILES, "state"} - {""})
        assert {path.name for path in STATIC.iterdir()} == {name for name, _ in FILES.values()}
        with urllib.request.urlopen(server.address, timeout=30) as reply:
            policy = reply.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        for path in (
            "original/../../model",
            "original/%2e%2e/model",
            "original/-1",
            "original/999",
            "item/x",
        ):
            assert refused(lambda path=path: get(server.address + path)) == 404  # type: ignore[misc]  # bound now
        assert refused(lambda: get(server.address.replace(server.token, "x" * 22) + "state")) == 404
        body = {"version": 0, "do": "undo"}
        assert refused(lambda: post(server.address + "act", body, Origin="http://evil.example")) == 400
        assert refused(lambda: post(server.address + "act", body, Host="evil.example")) == 404
        assert refused(lambda: post(server.address + "act", [1])) == 400
        assert refused(lambda: post(server.address + "act", {"version": 0, "do": "fly"})) == 409
        state = get(server.address + "state")
        row = state["clusters"][0]["face"]
        with urllib.request.urlopen(f"{server.address}original/{row}", timeout=30) as reply:
            assert reply.read() == (made_photos(run) / server.session.library.names[row]).read_bytes()
        assert refused(lambda: get(f"{server.address}cards?ids=77")) == 404
        assert get(f"{server.address}cards?ids={state['clusters'][0]['id']}")["cards"]


def test_many_small_pictures_come_in_one_answer_and_none_waits_for_all(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = session_of(run)
    lost = session.library.names[3]
    session.library.names[3] = "nowhere.png"
    with served(session) as server:
        found = get(f"{server.address}pictures?rows=0,1,2,3,999")["pictures"]
        assert found.keys() == {"0", "1", "2", "3"}
        assert found["3"] == ""
        for row in range(3):
            head, content = found[str(row)].split(",")
            assert head == "data:image/jpeg;base64"
            with Image.open(io.BytesIO(b64decode(content))) as image:
                own = np.asarray(Image.open(made_photos(run) / session.library.names[row]), dtype=float)
                assert image.size == (24, 24)
                assert np.abs(np.asarray(image, dtype=float) - own).mean() < 12
        # where one takes long the rest is asked for again
        monkeypatch.setattr("coterie.cli.open.session._PATIENCE", 0.0)
        assert get(f"{server.address}pictures?rows=5,6,7")["pictures"].keys() == {"5"}
    session.library.names[3] = lost


def test_pictures_of_cards_are_ready_before_the_page_is_opened(run: Path) -> None:
    session = session_of(run)
    kept = {int(path.stem.split("-")[0]) for path in (run / "explore" / "thumbnails").rglob("*.jpg")}
    clusters = [one["id"] for one in session.state()["clusters"]]
    cards = session.cards(clusters)["cards"].values()
    assert {tile["row"] for one in cards for tile in one["certain"] + one["doubtful"]} <= kept


def test_members_by_name_and_search_are_shown_part_by_part(run: Path) -> None:
    session = session_of(run)
    one = card(session)
    names = [tile["name"] for tile in session.members(one["id"], "name", 0, 400)["tiles"]]
    assert names == sorted(names)
    assert len(names) == one["size"] == 12
    assert [tile["name"] for tile in session.members(one["id"], "name", 3, 5)["tiles"]] == names[3:5]
    found = session.search("PHOTO0", 2, 4)
    assert (found["size"], len(found["tiles"])) == (45, 2)
    assert [tile["name"] for tile in session.search("&", 0, 9)["tiles"]] == ["a&b.png"]
    assert session.search("nowhere", 0, 9) == {"version": 0, "size": 0, "tiles": []}


def test_a_contradiction_comes_with_its_chain(run: Path) -> None:
    session = session_of(run)
    with served(session) as server:
        rows = [tile["row"] for tile in card(session)["certain"][:2]]
        post(server.address + "act", {"version": 0, "do": "pair", "rows": rows, "same": True})
        with pytest.raises(urllib.error.HTTPError) as caught:
            post(server.address + "act", {"version": 1, "do": "pair", "rows": rows, "same": False})
        with caught.value as error:
            chain = json.loads(error.read())["chain"]
        assert [(link["by"] or {}).get("who") for link in chain] == ["ann", None]
        assert chain[1]["note"] == "said now"
        assert session.version == 1


def test_the_map_and_parts_follow_the_points() -> None:
    rng = np.random.default_rng(0)
    points = np.repeat(np.eye(3) * 5, 30, axis=0) + rng.normal(scale=0.1, size=(90, 3))
    found = places(points.astype(np.float32), landmarks=60)
    middles = np.array([np.median(found[start : start + 30], axis=0) for start in (0, 30, 60)])
    own = np.linalg.norm(found - np.repeat(middles, 30, axis=0), axis=1)
    apart = min(np.linalg.norm(middles[a] - middles[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert np.quantile(own, 0.9) < apart
    parts = split_points(points.astype(np.float32), 3)
    assert [len(set(parts[start : start + 30].tolist())) for start in (0, 30, 60)] == [1, 1, 1]
    assert places(np.zeros((2, 3), dtype=np.float32)).shape == (2, 2)


def test_the_page_is_prepared_again_for_another_model(run: Path) -> None:
    assert library_of(run, None).meta["method"] == "SelfDistillation"
    before = (run / "explore" / "meta.json").stat().st_mtime_ns
    library_of(run, None)
    assert (run / "explore" / "meta.json").stat().st_mtime_ns == before
    os.utime(run / "model")
    library_of(run, None)
    assert (run / "explore" / "meta.json").stat().st_mtime_ns > before


def test_the_command(run: Path, call: Call) -> None:
    code, out, err = call("open", str(run / "nowhere"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    code, _, err = call("open", str(run), "--data", str(run / "gone"))
    assert code == 2
    assert err.count("error") == 1


def test_the_server_needs_no_torch() -> None:
    code = "import coterie.cli.open, sys; sys.exit(any(name in sys.modules for name in ('torch', 'sklearn')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
