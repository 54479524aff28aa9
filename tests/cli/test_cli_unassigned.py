"""What leaving samples unassigned costs: on the page, in the report, and where a threshold is chosen."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.cli.open_client import classes_of, session_of

from coterie.cli.open.questions import Questions

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def answered(run: Path) -> Path:
    """Ten pictures are in wrong clusters, of doubtful probability; 25 questions were answered rightly."""
    scores = np.load(run / "explore" / "scores.npy")
    rows = np.arange(0, 40, 4)
    scores[rows] = np.roll(scores[rows], 1, axis=1) * 0.3 + 0.175
    np.save(run / "explore" / "scores.npy", scores)
    session = session_of(run)
    classes = classes_of(session)
    for _ in range(25):
        i, j = (sample["row"] for sample in session.question()["pair"])
        session.act(session.version, "pair", {"rows": [i, j], "same": classes[i] == classes[j]})
    session.finish()
    return run


def test_the_page_the_report_and_predict_say_the_same(answered: Path, call: Call, tmp_path: Path) -> None:
    session = session_of(answered)
    costs = session.question()["costs"]
    assert [row[0] for row in costs["rows"]] == [0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99]
    assert costs["rows"][0][1] == 0
    assert all(later[1] >= row[1] for row, later in zip(costs["rows"], costs["rows"][1:], strict=False))
    assert all(0 <= row[2] <= 1 for row in costs["rows"])
    # what is doubtful is wrong more often
    assert costs["rows"][5][2] < costs["rows"][0][2]
    assert re.fullmatch(r"expected calibration error 0\.\d{3} on \d+ answers", costs["calibration"])
    session.finish()
    code, out, err = call("report", str(answered))
    assert code == 0, err
    assert out.startswith("--threshold  unassigned  wrong of the others\n")
    page = (answered / "report.html").read_text(encoding="utf-8")
    for threshold, unassigned, wrong in costs["rows"]:
        assert re.search(rf"{threshold:.2f} +{unassigned:.1%} +{wrong:.1%}\n", out)
        assert f"<tr><td>{threshold:.2f}</td><td>{unassigned:.1%}</td><td>{wrong:.1%}</td></tr>" in page
    assert costs["calibration"] in out
    assert costs["calibration"] in page
    photos = Path(session.library.meta["folder"])
    code, out, err = call(
        "predict", str(answered), str(photos), "--threshold", "0.9", "--out", str(tmp_path / "out.csv")
    )
    assert code == 0, err
    wrong, without = (f"{100 * costs['rows'][place][2]:.1f}%" for place in (5, 0))
    said = f"about {wrong} of the assigned samples are wrong, {without} if all were assigned"
    assert out == f"{said}; {costs['calibration']}\nwrote {tmp_path / 'out.csv'}\n"


def test_without_an_answer_nothing_is_said(run: Path, call: Call) -> None:
    session = session_of(run)
    assert session.question()["costs"] is None
    assert Questions(session.library).costs(session.bench) is None
    session.act(0, "name", {"cluster": 0, "name": "reds"})
    session.finish()
    code, out, _ = call("report", str(run))
    assert (code, out) == (0, f"wrote {run / 'report.html'}\n")
    assert "unassigned" not in (run / "report.html").read_text(encoding="utf-8")
