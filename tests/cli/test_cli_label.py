"""`coterie label`: the rule, what is kept, and a server that answers nobody else."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coterie import InputError, Pairs
from coterie.cli.label.answers import Answers, read_answers, write_answers
from coterie.cli.label.page import PAGE, SCRIPT
from coterie.cli.label.selection import Candidates, next_question, representatives
from coterie.cli.label.server import LabelServer
from coterie.cli.label.session import LabelingSession
from coterie.data import Samples

Call = Callable[..., tuple[int, str, str]]


# ------------------------------------------------------------------ the rule


def blobs(n_each: int = 40) -> tuple[Any, Any, Any]:
    """Four groups in the plane, of which a run has merged the last two; their classes."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(4), n_each)
    points = np.array([[0, 0], [9, 0], [0, 9], [4, 9]])[y] + rng.normal(size=(len(y), 2))
    probabilities = np.full((len(y), 3), 0.02)
    probabilities[np.arange(len(y)), np.minimum(y, 2)] = 0.96
    return points, probabilities, y


def ask(candidates: Candidates, y: Any, n: int) -> Answers:
    answers = Answers()
    for _ in range(n):
        question = next_question(candidates, answers)
        if question is None:
            break
        i, j = question
        answers.add(i, j, 1 if y[i] == y[j] else -1)
    return answers


def test_representatives_stand_for_all_rows() -> None:
    points, probabilities, _ = blobs()
    found = representatives(probabilities, points)
    assert len(set(found.rows.tolist())) == len(found.rows) == 60
    assert found.weight.sum() == pytest.approx(1)
    np.testing.assert_array_equal(found.probabilities, probabilities[found.rows])
    again = representatives(probabilities, points, asked=[3, 77])
    assert {3, 77} <= set(again.rows.tolist())
    assert again.weight.sum() == pytest.approx(1)


def test_few_questions_find_a_group_that_the_run_had_merged() -> None:
    points, probabilities, y = blobs()
    answers = ask(representatives(probabilities, points), y, 14)
    groups = answers.groups()
    assert len(groups) == 4
    assert all(len({int(y[row]) for row in group}) == 1 for group in groups)


def test_answers_tell_more_than_as_many_random_pairs() -> None:
    points, probabilities, y = blobs()
    answers = ask(representatives(probabilities, points), y, 40)
    given = [answer for answer in answers.given if answer.same]
    chosen = Pairs(*([getattr(answer, name) for answer in given] for name in ("i", "j", "same")))
    drawn = [Pairs.from_labels(y, 40, random_state=seed).closure().n_pairs for seed in range(5)]
    assert chosen.n_pairs == 40
    assert chosen.closure().n_pairs > 3 * max(drawn)


def test_no_question_is_asked_whose_answer_follows() -> None:
    points, probabilities, y = blobs(10)
    candidates = representatives(probabilities, points)
    answers = Answers()
    while (question := next_question(candidates, answers)) is not None:
        assert answers.relation(*question) == 0
        answers.add(*question, 1 if y[question[0]] == y[question[1]] else -1)
    placed = sorted(row for group in answers.groups() for row in group)
    assert placed == list(range(40))
    assert len(answers.groups()) == 4


def test_skipped_questions_do_not_come_back() -> None:
    points, probabilities, _ = blobs(3)
    candidates = representatives(probabilities, points)
    answers, seen = Answers(), set()
    while (question := next_question(candidates, answers)) is not None:
        assert frozenset(question) not in seen
        seen.add(frozenset(question))
        answers.add(*question, 0)
    assert len(seen) == 11
    assert answers.groups() == []


# ------------------------------------------------------------------ answers


def test_answers_follow_from_answers_until_undone() -> None:
    answers = Answers()
    for i, j, same in [(0, 1, 1), (2, 3, 1), (1, 2, -1), (4, 0, 0)]:
        answers.add(i, j, same)
    assert answers.groups() == [[0, 1], [2, 3]]
    assert [answers.relation(*pair) for pair in [(0, 1), (0, 3), (0, 4), (4, 5)]] == [1, -1, 0, 0]
    assert answers.was_skipped(0, 4)
    assert [answers.count(same) for same in (1, -1, 0)] == [2, 1, 1]
    answers.undo()
    answers.undo()
    assert answers.relation(0, 3) == 0
    assert not answers.was_skipped(0, 4)


@pytest.mark.parametrize("ids", [None, ["a", "b", "c", "d", "e"]])
def test_answers_come_back_from_their_file(tmp_path: Path, ids: list[str] | None) -> None:
    path = tmp_path / "pairs.csv"
    names = ids or [str(row) for row in range(5)]
    assert read_answers(path, ids, 5).given == []
    answers = Answers()
    write_answers(path, answers, names)
    assert read_answers(path, ids, 5).given == []
    for i, j, same in [(0, 1, 1), (1, 2, -1), (3, 4, 0)]:
        answers.add(i, j, same)
    write_answers(path, answers, names)
    again = read_answers(path, ids, 5)
    assert again.groups() == [[0, 1], [2]]
    assert again.relation(0, 2) == -1
    assert again.was_skipped(3, 4)
    assert [answer.same for answer in again.given] == [0, 1, -1]
    answers.undo()
    write_answers(path, answers, names)
    assert not read_answers(path, ids, 5).was_skipped(3, 4)
    assert Pairs.from_csv(path, ids=ids).n_pairs == 2
    path.write_text("i,j,same\n0,7,1\n")
    with pytest.raises(InputError):
        read_answers(path, ids, 5)


# ------------------------------------------------------------------ the server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LabelServer]:
    points, probabilities, _ = blobs()
    samples = Samples(points, tuple(f"row {number}" for number in range(len(points))))
    candidates = representatives(probabilities, points)
    session = LabelingSession(samples, candidates, Answers(), tmp_path / "pairs.csv", ["x", "y"])
    with LabelServer(session, way_on="coterie fit x --pairs y") as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def get(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=30) as reply:
        text = reply.read().decode()
        return json.loads(text) if reply.headers.get_content_type() == "application/json" else text


def post(address: str, body: Any, **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(address, content, {"Content-Type": "application/json"} | headers)
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.loads(reply.read())


def refused(ask: Callable[[], Any]) -> int:
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask()
    with caught.value as error:
        return int(error.code)


def test_the_page_and_its_files(server: LabelServer) -> None:
    assert server.address.startswith("http://127.0.0.1:")
    assert get(server.address) == PAGE
    assert get(server.address + "page.js") == SCRIPT
    names = re.findall(r'(?:src|href)="([^"]+)"', PAGE)
    assert sorted(names) == ["data:,", "page.css", "page.js"]
    assert set(re.findall(r"element\('(\w+)'\)", SCRIPT)) <= set(re.findall(r'id="(\w+)"', PAGE))
    with urllib.request.urlopen(server.address, timeout=30) as reply:
        assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert "unsafe" not in reply.headers["Content-Security-Policy"]


def test_the_last_page_shows_the_command_that_uses_the_answers(server: LabelServer) -> None:
    first = get(server.address + "state")["question"]
    post(server.address + "answer", {"i": first["i"], "j": first["j"], "same": 1})
    last = post(server.address + "stop", {})
    assert last["command"] == "coterie fit x --pairs y"
    assert last["message"].endswith("To use the answers:")


def test_answers_are_on_disk_before_the_next_question(server: LabelServer) -> None:
    path = server.session.path
    first = get(server.address + "state")["question"]
    assert first["first"]["name"] == f"row {first['i']}"
    assert [name for name, _ in first["first"]["values"]] == ["x", "y"]
    state = post(server.address + "answer", {"i": first["i"], "j": first["j"], "same": -1})
    assert path.read_text() == f"i,j,same\nrow {first['i']},row {first['j']},-1\n"
    second = state["question"]
    assert {second["i"], second["j"]} != {first["i"], first["j"]}
    assert state["message"] == "1 answers (0 same), 2 groups so far"
    skipped = post(server.address + "answer", {"i": second["i"], "j": second["j"], "same": 0})["question"]
    assert (skipped["i"], skipped["j"]) != (second["i"], second["j"])
    assert len(path.read_text().splitlines()) == 2
    assert post(server.address + "undo", {})["question"] == second
    assert post(server.address + "undo", {})["question"] == first
    assert path.read_text() == "i,j,same\n"
    assert post(server.address + "undo", {})["answers"] == 0


def test_a_second_press_of_a_key_does_not_answer_the_next_question(server: LabelServer) -> None:
    first = get(server.address + "state")["question"]
    answer = {"i": first["i"], "j": first["j"], "same": 1}
    post(server.address + "answer", answer)
    assert refused(lambda: post(server.address + "answer", answer)) == 409
    assert len(server.session.answers.given) == 1


def test_nobody_else_is_answered(server: LabelServer) -> None:
    origin, address = server.origin, server.address
    assert refused(lambda: get(origin + "/")) == 404
    assert refused(lambda: get(f"{origin}/{'x' * len(server.token)}/state")) == 404
    assert refused(lambda: get(address + "../../etc/passwd")) == 404
    assert refused(lambda: post(origin + "/answer", {})) == 404
    assert refused(lambda: post(address + "undo", {}, Origin="http://example.org")) == 400
    assert refused(lambda: post(address + "undo", {}, **{"Content-Type": "text/plain"})) == 400
    for body in (b"{", b"[]", b"x" * 20_000):
        assert refused(lambda body=body: post(address + "undo", body)) == 400  # type: ignore[misc]
    assert refused(lambda: post(address + "answer", {"i": 0})) == 409
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.request("GET", f"/{server.token}/state", headers={"Host": "rebound.example.org"})
    assert connection.getresponse().status == 404
    connection.close()


def test_an_answer_that_cannot_be_saved_is_not_taken(server: LabelServer) -> None:
    server.session.path = server.session.path.parent / "missing" / "pairs.csv"
    question = get(server.address + "state")["question"]
    body = {"i": question["i"], "j": question["j"], "same": 1}
    assert refused(lambda: post(server.address + "answer", body)) == 409
    assert server.session.answers.given == []
    assert get(server.address + "state")["question"] == question


def test_an_undo_that_cannot_be_saved_is_not_made(server: LabelServer) -> None:
    question = get(server.address + "state")["question"]
    post(server.address + "answer", {"i": question["i"], "j": question["j"], "same": 1})
    kept = server.session.path
    server.session.path = kept.parent / "missing" / "pairs.csv"
    assert refused(lambda: post(server.address + "undo", {})) == 409
    server.session.path = kept
    assert server.session.answers.count(1) == 1
    assert len(kept.read_text().splitlines()) == 2


@pytest.mark.parametrize("same", [1.0, True, -1.0, 0.0, "1", None, [1], {"a": 1}])
def test_an_answer_that_is_no_integer_is_refused(server: LabelServer, same: Any) -> None:
    question = get(server.address + "state")["question"]
    asked = {"i": question["i"], "j": question["j"]}
    for body in (asked | {"same": same}, {**asked, "i": float(asked["i"]), "same": 1}):
        assert refused(lambda body=body: post(server.address + "answer", body)) == 409  # type: ignore[misc]
    assert server.session.answers.given == []
    assert not server.session.path.exists()


def raw(server: LabelServer, body: bytes, length: str) -> bytes:
    """What the server says to a request whose length is written as one likes."""
    lines = [f"POST /{server.token}/undo HTTP/1.0", f"Host: {server.origin.removeprefix('http://')}"]
    lines += ["Content-Type: application/json", f"Content-Length: {length}", "", ""]
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1") + body)
        return connection.makefile("rb").readline()


@pytest.mark.parametrize("length", ["²", "+2", "-2", "2.0", "0x2", " ", "9" * 5000, "2_0"])
def test_a_length_that_is_no_ascii_number_is_refused(server: LabelServer, length: str) -> None:
    assert b" 400 " in raw(server, b"{}", length)


def test_deep_json_is_refused(server: LabelServer) -> None:
    body = b'{"i":' + b"[" * 9000
    assert b" 400 " in raw(server, body, str(len(body)))
    assert b" 200 " in raw(server, b"{}", "2")


def test_half_a_request_holds_no_thread(server: LabelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.cli.label.server._Handler.timeout", 0.3)
    before = threading.active_count()
    halves = [socket.create_connection(("127.0.0.1", server.server_port)) for _ in range(50)]
    for half in halves:
        half.sendall(b"POST /x HTTP/1.0\r\nContent-Length: 9\r\n")
    assert get(server.address + "state")["answers"] == 0
    end = time.monotonic() + 30
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.05)
    for half in halves:
        half.close()
    assert threading.active_count() <= before


def test_pictures_are_sent_as_data(tmp_path: Path) -> None:
    _, probabilities, _ = blobs(5)
    images = np.random.default_rng(0).integers(0, 255, (20, 8, 8), dtype=np.uint8)
    candidates = representatives(probabilities, images.reshape(20, -1))
    session = LabelingSession(Samples(images), candidates, Answers(), tmp_path / "pairs.csv")
    question = session.state()["question"]
    assert question["first"]["picture"].startswith("data:image/png;base64,")
    assert question["second"]["name"] == str(question["j"])


# ------------------------------------------------------------------ the command


def start_label(*words: str) -> tuple[subprocess.Popen[str], str]:
    """A session in its own process, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "coterie", "label", "run", *words],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().removeprefix("open ").strip()


@pytest.fixture
def run(folder: Path, call: Call) -> Path:
    """A run to ask about."""
    quick = ["--n-clusters", "10", "--n-restarts", "1", "--max-steps", "2", "--over-clustering", "true"]
    assert call("fit", "x.npy", "--labels", "y.npy", "--out", "run", *quick)[0] == 0
    return folder / "run"


def test_two_sessions_at_once_are_refused(run: Path, call: Call) -> None:
    process, address = start_label()
    code, out, err = call("label", "run")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--pairs: another coterie label writes run/pairs.csv; finish it first, or give another file" in err
    post(address + "stop", {})
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert not list(run.glob(".*"))


@pytest.mark.parametrize("answers", [1, 3, 6])
def test_a_kill_loses_no_acknowledged_answer(run: Path, answers: int) -> None:
    kept = 0
    for _ in range(2):
        process, address = start_label()
        state = get(address + "state")
        for _ in range(answers):
            asked = {name: state["question"][name] for name in ("i", "j")}
            state = post(address + "answer", asked | {"same": -1})
        kept += answers
        process.kill()
        process.communicate()
        assert len((run / "pairs.csv").read_text().splitlines()) == kept + 1


def test_a_stop_does_not_wait_for_open_connections(run: Path) -> None:
    process, address = start_label()
    port = int(address.split(":")[2].split("/")[0])
    halves = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    for half in halves:
        half.sendall(b"POST /x HTTP/1.0\r\n")
    assert get(address + "state")["answers"] == 0
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - begun < 5, err
    assert process.returncode == 130
    for half in halves:
        half.close()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_from_run_to_answers_to_run(folder: Path, call: Call, digits: Any, stop: signal.Signals) -> None:
    quick = ["--n-clusters", "10", "--n-restarts", "1", "--max-steps", "40", "--random-state", "0"]
    quick += ["--over-clustering", "true"]
    assert call("fit", "x.npy", "--labels", "y.npy", "--out", "run", *quick)[0] == 0
    _, y = digits
    process = subprocess.Popen(
        [sys.executable, "-m", "coterie", "label", "run"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    address = process.stdout.readline().removeprefix("open ").strip()
    state = get(address + "state")
    for _ in range(6):
        i, j = state["question"]["i"], state["question"]["j"]
        state = post(address + "answer", {"i": i, "j": j, "same": 1 if y[i] == y[j] else -1})
    process.send_signal(stop)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "stopped; 6 answers (" in err
    use = "--pairs run/pairs.csv --closure --neighbors 5 --init run --out NEW"
    assert f"to use them: coterie fit {folder}/x.npy {use}" in err
    words = ["--pairs", "run/pairs.csv", "--closure", "--neighbors", "5", "--init", "run", "--out", "new"]
    code, _, err = call("fit", "x.npy", *words, *quick)
    assert code == 0, err


def test_finishing_on_the_page_ends_the_command(
    folder: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = ["--n-clusters", "10", "--n-restarts", "1", "--max-steps", "2", "--over-clustering", "true"]
    assert call("fit", "x.npy", "--labels", "y.npy", "--out", "run", *quick)[0] == 0
    replies = []

    def finish(server: LabelServer, poll_interval: float) -> None:
        """Serve as usual, with somebody who presses the button at once."""
        pressed = threading.Thread(target=lambda: replies.append(post(server.address + "stop", {})))
        pressed.start()
        super(LabelServer, server).serve_forever(poll_interval)
        pressed.join()

    monkeypatch.setattr(LabelServer, "serve_forever", finish)
    code, out, err = call("label", "run", "--pairs", "mine.csv")
    assert (code, err) == (0, "")
    assert out.startswith("open http://127.0.0.1:")
    assert out.endswith("answers go to mine.csv; Ctrl-C ends\nno answers\n")
    assert replies[0]["message"].startswith("Finished: 0 answers")


def test_label_refuses(folder: Path, call: Call) -> None:
    quick = ["--n-clusters", "10", "--n-restarts", "1", "--max-steps", "2", "--over-clustering", "true"]
    assert call("fit", "x.npy", "--labels", "y.npy", "--out", "run", *quick)[0] == 0
    for words, message in (
        (["nowhere"], "no model file at nowhere/model"),
        (["run", "--data", "gone.npy"], "gone.npy cannot be read"),
        (["run", "--port", "99999"], "--port: 99999 cannot be used"),
    ):
        code, out, err = call("label", *words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err
