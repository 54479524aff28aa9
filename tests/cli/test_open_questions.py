"""What the page asks about, how answers are kept, and answers that a file brings."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.local_client import get, post, refused
from tests.cli.open_client import classes_of, served, session_of
from tests.corrections.oracle import contradicted

from coterie import InputError, Pairs
from coterie.cli.open import opened as open_run
from coterie.cli.open.questions import Questions
from coterie.cli.open.session import Outdated, Session
from coterie.corrections.relations import Contradiction
from coterie.methods.labeling_session import LabelingSession
from coterie.methods.pools import near_samples


def rows_of(session: Session) -> tuple[int, int]:
    first, second = session.question()["pair"]
    return first["row"], second["row"]


def about_samples(session: Session) -> tuple[int, int]:
    """The next question about samples; those about clusters before it are skipped."""
    while session.question()["clusters"]:
        answer(session, None)
    return rows_of(session)


def test_answers_of_a_session_are_shown_written_and_undone(run: Path) -> None:
    session = session_of(run)
    first = about_samples(session)
    session.act(session.version, "pair", {"rows": list(first), "same": True})
    second = rows_of(session)
    assert set(second) != set(first)
    session.act(session.version, "skip", {"rows": list(second)})
    third = about_samples(session)
    assert set(third) != set(second)
    session.act(session.version, "pair", {"rows": list(third), "same": False})
    labels = session.bench.shown.labels
    assert labels[first[0]] == labels[first[1]]
    assert labels[third[0]] != labels[third[1]] or labels[third[0]] == -1
    found = session.question()
    assert (found["answers"], found["same"]) == (2, 1)
    # a skipped question is nothing that a fit could learn
    assert session.state()["refit"]["waiting"] == 2
    session.finish()
    names = session.library.names
    pairs = Pairs.from_csv(run / "pairs.csv", ids=names)
    said = {
        (frozenset((names[i], names[j])), same)
        for i, j, same in zip(pairs.i, pairs.j, pairs.same, strict=True)
    }
    assert (frozenset(names[row] for row in first), 1) in said
    again = session_of(run)
    assert set(rows_of(again)) not in ({*first}, {*second}, {*third})
    while again.bench.journal.active()[-1].what["rows"] != [names[row] for row in second]:
        again.act(again.version, "undo", {})
    again.act(again.version, "undo", {})
    assert set(rows_of(again)) == set(second)
    again.finish()


def test_answers_of_a_file_are_one_action(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.csv"
    names = session_of(run).library.names
    file.write_text(f"i,j,same\n{names[5]},{names[6]},1\n{names[6]},{names[30]},-1\n")
    with open_run(run, None, "ann", str(file)) as session:
        assert capsys.readouterr().err == f"coterie: took over 2 answers of {file}\n"
        assert session.version == 1
        assert session.question()["answers"] == 2
        labels = session.bench.shown.labels
        assert labels[5] == labels[6]
        # what was answered is among what is asked about next
        assert {5, 6, 30} <= set(session.questions.rows.tolist())
        assert session.words.in_words(session.bench.journal.entries[0]) == "2 answers of a file"
        session.act(1, "undo", {})
        assert session.question()["answers"] == 0
        session.finish()


def test_earlier_answers_of_a_run_are_taken_over_once(run: Path) -> None:
    names = session_of(run).library.names
    (run / "pairs.csv").write_text(f"i,j,same\n{names[5]},{names[6]},1\n")
    for _ in range(2):
        with open_run(run, None, None) as session:
            assert session.version == 1
            session.finish()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("nobody,{1},1", "nobody"),
        ("{0},{1},1\n{1},{2},1\n{0},{2},-1", "contradict"),
        ("{0},{1}", "line 2 must"),
    ],
)
def test_a_file_of_answers_that_is_wrong_changes_nothing(
    run: Path, tmp_path: Path, lines: str, said: str
) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("i,j,same\n" + lines.format(*session_of(run).library.names) + "\n")
    with pytest.raises(InputError, match=said), open_run(run, None, None, str(file)):
        pass
    assert not (run / "corrections.jsonl").exists()


def answer(session: Session, same: bool | None) -> None:
    """Answer the question that is open as the page does."""
    rows = list(rows_of(session))
    said = {"do": "skip", "rows": rows} if same is None else {"do": "pair", "rows": rows, "same": same}
    session.act(session.version, said["do"], said)


def shown(session: Session) -> list[str]:
    """Statements of the journal that what is shown contradicts."""
    labels = session.bench.shown.labels.tolist()
    return contradicted(session.bench.journal.entries, dict(zip(session.library.names, labels, strict=True)))


def test_the_page_asks_what_ask_would(run: Path) -> None:
    session = session_of(run)
    classes = classes_of(session)
    rule = LabelingSession(
        np.asarray(session.library.scores), near_samples(np.load(session.library.folder / "features.npy"))
    )
    for _ in range(12):
        asked = rows_of(session)
        assert asked == rule.next()
        assert session.questions.progress(session.bench).wrong == pytest.approx(rule.share_wrong)  # type: ignore[union-attr]
        same = classes[asked[0]] == classes[asked[1]]
        answer(session, same)
        rule.take(same)
    session.finish()


def test_the_same_journal_gives_the_same_question(run: Path) -> None:
    """After a kill, in a second tab, after undo and redo."""
    session, rng = session_of(run), np.random.default_rng(0)
    for _ in range(8):
        before = session.question()
        other = session_of(run)
        assert other.question() == before
        answer(session, bool(rng.integers(2)))
        with pytest.raises(Outdated):
            answer_at(session, before)
        session.act(session.version, "undo", {})
        assert session.question()["pair"] == before["pair"]
        session.act(session.version, "redo", {})
    session.finish()


def answer_at(session: Session, found: dict[str, Any]) -> None:
    """Answer a question as a tab does that has seen it earlier."""
    rows = [sample["row"] for sample in found["pair"]]
    session.act(found["version"], "pair", {"rows": rows, "same": True})


@pytest.mark.parametrize("seed", range(2))
def test_answers_at_random_contradict_nothing(run: Path, seed: int) -> None:
    session, rng = session_of(run), np.random.default_rng(seed)
    n_again = 0
    for _ in range(40):
        found = session.question()
        if found["pair"] is None:
            break
        rows = [sample["row"] for sample in found["pair"]]
        again = session._asked is not None and bool(session._asked.earlier)
        assert again or session.bench.relations.relation(*rows) == 0
        n_again += again
        answer(session, (True, False, None)[rng.choice(3, p=(0.4, 0.5, 0.1))])
        assert shown(session) == []
    assert n_again >= 2
    session.finish()


def question_again(session: Session) -> tuple[int, int]:
    """Answer rightly until an earlier question comes back."""
    classes = classes_of(session)
    for _ in range(60):
        rows = rows_of(session)
        assert session._asked is not None
        if session._asked.earlier:
            return rows
        answer(session, classes[rows[0]] == classes[rows[1]])
    raise AssertionError("no question came back")


def test_a_second_answer_that_differs_brings_a_third(run: Path) -> None:
    session = session_of(run)
    rows = question_again(session)
    first = session.bench.relations.relation(*rows) == 1
    answer(session, not first)
    last = session.bench.journal.entries[-1]
    assert (last.do, last.what["same"], len(last.what["instead"])) == ("doubt", not first, 1)
    found = session.question()
    assert [sample["row"] for sample in found["pair"]] == list(rows)
    assert found["again"] == [1, 1]
    # neither holds until there is a third answer
    assert session.bench.relations.relation(*rows) == 0
    session.act(session.version, "undo", {})
    assert session.bench.relations.relation(*rows) == (1 if first else -1)
    assert rows_of(session) == rows
    answer(session, not first)
    answer(session, first)
    assert session.bench.journal.entries[-1].do == "pair"
    assert session.bench.relations.relation(*rows) == (1 if first else -1)
    assert rows_of(session) != rows
    assert shown(session) == []
    session.finish()


def test_the_same_answer_again_is_kept(run: Path) -> None:
    session = session_of(run)
    rows = question_again(session)
    answer(session, session.bench.relations.relation(*rows) == 1)
    assert session.question()["again"] == [1, 0]
    assert rows_of(session) != rows
    session.finish()


@pytest.mark.parametrize("one", [True, False])
def test_two_clusters_that_may_be_one(run: Path, one: bool) -> None:
    scores = np.load(run / "explore" / "scores.npy")
    labels = scores.argmax(axis=1)
    halves = np.where((labels == 0) & (np.cumsum(labels == 0) % 2 == 0), 4, labels)
    np.save(run / "explore" / "scores.npy", np.eye(5, dtype=np.float32)[halves] * 0.9 + 0.02)
    session = session_of(run)
    for _ in range(12):
        found = session.question()
        if found["clusters"]:
            break
        answer(session, bool(labels[rows_of(session)[0]] == labels[rows_of(session)[1]]))
    assert {cluster["id"] for cluster in found["clusters"]} == {0, 4}
    assert all(len(cluster["tiles"]) > 2 for cluster in found["clusters"])
    answer(session, one)
    entry = session.bench.journal.entries[-1]
    assert (entry.do, sorted(entry.what["clusters"])) == ("merge" if one else "apart", [0, 4])
    assert len(session.state()["clusters"]) == (4 if one else 5)
    found = session.question()
    assert {cluster["id"] for cluster in found["clusters"]} != {0, 4}
    assert shown(session) == []
    if not one:  # and what was said holds against a later merge, until it is said instead
        with pytest.raises(Contradiction):
            session.act(session.version, "merge", {"clusters": [0, 4]})
        session.act(session.version, "merge", {"clusters": [0, 4], "instead": True})
        assert len(session.state()["clusters"]) == 4
    session.finish()


def test_questions_follow_corrections_of_every_kind(run: Path) -> None:
    session = session_of(run)
    ids = [one["id"] for one in session.state()["clusters"]]
    session.act(0, "merge", {"clusters": ids[:2]})
    rows = session.members(ids[2], "certain", 0, 20)["tiles"]
    session.act(1, "split", {"cluster": ids[2], "parts": [[tile["row"] for tile in rows[:5]]]})
    session.act(2, "move", {"rows": [rows[6]["row"]], "cluster": None, "name": "alone"})
    session.act(3, "wrong", {"rows": [rows[7]["row"]], "cluster": ids[2]})
    for _ in range(15):
        found = session.question()
        i, j = (sample["row"] for sample in found["pair"])
        assert session.bench.relations.relation(i, j) == 0
        assert found["progress"].startswith("about ")
        answer(session, None)
    assert shown(session) == []
    ids = [one["id"] for one in session.state()["clusters"]]
    session.act(session.version, "merge", {"clusters": ids, "instead": True})
    assert session.question()["pair"] is not None  # whether the last one is one thing
    session.finish()


def test_where_no_sample_is_in_a_cluster_nothing_is_asked(run: Path) -> None:
    scores = np.load(run / "explore" / "scores.npy")
    np.save(run / "explore" / "scores.npy", np.zeros_like(scores))
    found = session_of(run).question()
    assert (found["pair"], found["clusters"], found["progress"]) == (None, [], "")


def test_what_more_answers_bring_is_said_after_some(run: Path) -> None:
    session = session_of(run)
    classes = classes_of(session)
    said = []
    for _ in range(12):
        found = session.question()
        said.append(found["progress"])
        i, j = (sample["row"] for sample in found["pair"])
        answer(session, classes[i] == classes[j])
    part = r"about \d+\.\d% is still wrong \(between \d+% and \d+%\)"
    assert all(re.fullmatch(part, one) for one in said[:10])
    assert all(re.match(rf"{part}; 20 more answers would take it to", one) for one in said[10:])
    session.finish()


def test_actions_of_another_form_are_refused(run: Path) -> None:
    with served(session_of(run)) as server:
        rows = [sample["row"] for sample in get(server.address + "question")["pair"]]
        for body in (
            {"do": "doubt", "rows": rows, "same": True, "entries": [7]},
            {"do": "doubt", "rows": rows, "same": True},
            {"do": "apart", "clusters": [0]},
            {"do": "move", "rows": rows, "cluster": 0, "asked": {"wrong": "much"}},
        ):
            assert refused(lambda body=body: post(server.address + "act", {"version": 0, **body})) == 409  # type: ignore[misc]
        assert server.session.version == 0


def test_questions_need_no_torch(run: Path) -> None:
    session_of(run).finish()
    code = (
        "import sys; from pathlib import Path; from coterie.cli.open.session import Session; "
        "from coterie.cli.open.library import Library; run = Path(sys.argv[1]); "
        "assert Session(run, Library(run / 'explore')).question()['pair']; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'sklearn')))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(run)], check=False).returncode == 0


def test_questions_follow_the_present_fit(run: Path) -> None:
    session = session_of(run)
    values = np.roll(np.asarray(session.library.scores), 1, axis=1)
    values[:12] = 0.25
    before = Questions(session.library).next(session.bench)
    np.save(run / "refit.npy", values)
    session.bench._scores_of = lambda fit: values if fit else np.asarray(session.library.scores)
    session.bench.adopt(values, {"folder": "refits/0001"})
    after = Questions(session.library)
    found = after.next(session.bench)
    assert found is not None
    assert before is not None
    assert found.metadata["wrong"] > before.metadata["wrong"]
    session.finish()
