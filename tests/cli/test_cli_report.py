"""`coterie report`: where it finds the data, what it says when it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Call = Callable[..., tuple[int, str, str]]
QUICK = ["--n-clusters", "10", "--n-restarts", "1", "--max-steps", "20", "--over-clustering", "true"]


def test_report(folder: Path, call: Call, digits: Any) -> None:
    assert call("fit", "x.npy", "--labels", "y.npy", "--out", "run", *QUICK)[0] == 0
    assert call("report", "run") == (0, "wrote run/report.html\n", "")
    page = Path("run/report.html").read_text()
    assert "CCN: 150 rows in" in page
    assert "Over 150 rows with a known label" in page
    assert "coterie fit x.npy --labels y.npy" in page

    Path("some.csv").write_text("id,label\n3,a\n4,b\n")
    words = ("report", "run", "--labels", "some.csv", "--out", "page.html")
    assert call(*words) == (0, "wrote page.html\n", "")
    assert "Over 2 rows with a known label" in Path("page.html").read_text()

    Path("x.npy").rename("moved.npy")
    code, _, err = call("report", "run")
    assert (code, "x.npy, which no longer exists; give its new path" in err) == (2, True)
    assert call("report", "run", "--data", "moved.npy")[0] == 0
    np.save("x.npy", digits[0][:100])
    code, _, err = call("report", "run")
    assert (code, "x.npy must be the data of the fit, which had 150 rows, got 100 rows" in err) == (2, True)
    code, _, err = call("report", "nowhere")
    assert (code, "nowhere/model does not exist; it must be a model file" in err) == (2, True)
