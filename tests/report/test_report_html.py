"""The report holds what it promises, asks for nothing, escapes what is given, and stays small."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from PIL import Image

from coterie import CCN
from coterie.report.figures import cluster_sizes, loss_curves, similarity_matrix
from coterie.report.findings import Findings, find, find_warnings
from coterie.report.html import ReportInput, render_report
from coterie.report.pictures import SIDE, item_picture, value_range

VOID = {"meta", "img", "path", "use", "rect", "circle", "line", "br", "image"}


class Page(HTMLParser):
    """Tags, texts and addresses of a page; tells whether its tags close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [
            value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "data")
        ]
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


def names(n: int) -> list[str]:
    return [f"{row}.png" for row in range(n)]


@pytest.fixture(scope="module")
def given(small_run: Any) -> ReportInput:
    model, images, y = small_run
    truth = np.array(
        [None if row % 5 == 0 else f"digit {label}" for row, label in enumerate(y)], dtype=object
    )
    metadata = {"command": "coterie fit <images> & more", "data": "images"}
    return ReportInput(model, images, names(150), metadata, None, truth)


@pytest.fixture(scope="module")
def page_text(given: ReportInput) -> str:
    return render_report(given)


def test_sections_in_order_and_well_formed(page_text: str) -> None:
    page = Page(page_text)
    assert page.open == []
    assert page.headings[0] == f"CCN: 150 rows in {page.headings[0].split()[-2]} clusters"
    assert page.headings[1:] == [
        "Parameters",
        "Training",
        "Clusters",
        "Examples",
        "Map of the embedding",
        "Known labels",
        "How clusters keep apart",
    ]
    assert "Over 120 rows with a known label" in page.text
    assert "n_clusters12" in page.text
    assert "Defaults: augment='auto'" in page.text


def test_nothing_is_asked_for(page_text: str) -> None:
    page = Page(page_text)
    assert not page.tags & {"script", "link", "iframe", "object", "embed", "form", "base"}
    assert all(address.startswith(("data:image/", "#")) for address in page.addresses)
    assert not re.search(r"url\((?!#)|@import", page_text)
    assert "default-src 'none'" in page_text
    addresses = set(re.findall(r"https?://[^\"' )]+", page_text))
    assert all(address.startswith("http://www.w3.org/") for address in addresses)  # names, not requests


def test_what_was_given_is_escaped(page_text: str) -> None:
    assert "&lt;images&gt; &amp; more" in page_text
    assert "<images>" not in page_text


def test_pictures_are_the_items(page_text: str, small_run: Any) -> None:
    model, images, _ = small_run
    page = Page(page_text)
    shown = [image for image in page.images if re.match(r"\d+\.png \(", image["alt"] or "")]
    assert len(shown) > 50
    for image in shown[:5]:
        row = int((image["alt"] or "").partition(".")[0])
        content = base64.b64decode((image["src"] or "").partition(",")[2])
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), images[row])
        certainty = model.predict_proba(images[row : row + 1]).max()
        assert f"({certainty:.2f})" in (image["alt"] or "")


@pytest.mark.filterwarnings("ignore:n_clusters=3 must be >= 10 for each class of y")
def test_rows_of_a_table_are_shown_with_their_columns(small_run: Any) -> None:
    _, images, y = small_run
    rows = images.reshape(150, -1)[:, :20].astype(np.float64)
    model = CCN(n_clusters=3, n_restarts=1, max_steps=5, over_clustering=True, random_state=0).fit(rows, y)
    columns = [f"pixel <{number}>" for number in range(20)]
    text = render_report(ReportInput(model, rows, names(150), columns=columns))
    page = Page(text)
    assert "row (certainty)pixel <0>" in page.text
    assert "pixel <8>" not in page.text
    assert "Known labels" not in page.headings


def test_the_page_is_the_same_each_time(given: ReportInput, page_text: str) -> None:
    assert render_report(given) == page_text


def test_large_colour_photographs_stay_small() -> None:
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 255, (3, 200, 300), dtype=np.uint8)
    address = item_picture(photo, value_range(photo))
    assert address.startswith("data:image/jpeg;base64,")
    assert len(address) < 6000  # 24 clusters of 16 such pictures: 2.3 MB, though noise is the worst case
    picture = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    assert max(picture.size) == SIDE


def test_a_report_on_ten_thousand_images_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.report.html._MAP_ROWS", 60)  # t-SNE of more takes seconds
    images = np.random.default_rng(0).integers(0, 255, (10_000, 3, 16, 16), dtype=np.uint8)
    model = CCN(
        n_clusters=30, n_restarts=1, max_steps=5, backbone="mlp", over_clustering=True, random_state=0
    )
    model.fit(images, np.where(np.arange(10_000) < 500, np.arange(10_000) % 30, -1))
    text = render_report(ReportInput(model, images, names(10_000)))
    assert f"{10_000:,} rows in" in text
    assert len(text) < 5e6 - 5e5  # less what a map of 1,500 dots takes


def make(probabilities: Any) -> Findings:
    rows = np.asarray(probabilities, dtype=float)
    return Findings(np.arange(len(rows)), rows, len(rows))


def test_examples_and_confusions() -> None:
    found = make([[0.9, 0.1, 0], [0.4, 0.3, 0.3], [0.6, 0.4, 0], [0.1, 0.45, 0.45], [0.42, 0.38, 0.2]])
    most, least = found.examples(0, 2)
    assert (most.tolist(), least.tolist()) == ([0, 2], [1, 4])
    assert found.sizes.tolist() == [4, 1, 0]
    assert found.unsure.tolist() == [2, 1, 0]
    assert found.confused(5) == [(0, 1, 2), (1, 2, 1)]
    assert make([[1.0], [1.0]]).confused(3) == []


def test_warnings_are_given_when_due_and_only_then() -> None:
    fine = make(np.eye(3)[np.arange(60) % 3])
    falling = [{"restart": 0, "epoch": epoch, "loss": 1 - 0.1 * epoch} for epoch in range(6)]
    settled = [{"restart": 0, "epoch": epoch, "loss": 2.0**-epoch} for epoch in range(12)]
    runs: list[dict[str, Any]] = [
        {"restart": 0, "loss": 0.1, "chosen": True},
        {"restart": 1, "loss": None, "stopped": "diverged"},
    ]
    assert find_warnings(fine, settled, runs[:1]) == []
    assert any("still falling" in said for said in find_warnings(fine, falling, runs))
    assert any("1 of 2 restarts diverged" in said for said in find_warnings(fine, settled, runs))
    lumped = make([[1.0, 0, 0]] * 40 + [[0, 1.0, 0]] * 3)
    said = " ".join(find_warnings(lumped, settled, runs[:1]))
    assert "1 of 3 clusters are empty (2)" in said
    assert "Cluster 0 holds 93% of all rows" in said
    assert "1 clusters have fewer than 5 rows" in said
    unsure = make([[0.4, 0.3, 0.3]] * 30 + [[0.3, 0.4, 0.3]] * 30 + [[0, 0, 1.0]] * 30)
    assert any(
        said.startswith("67% of the rows are less than 50% certain") for said in find_warnings(unsure, [], [])
    )


def test_of_very_many_rows_some_are_looked_at(small_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, images, _ = small_run
    monkeypatch.setattr("coterie.report.findings.MOST_ROWS", 50)
    found = find(model, images)
    assert (len(found.rows), found.rows[0], found.rows[-1]) == (50, 0, 149)
    np.testing.assert_array_equal(found.labels, model.labels_[found.rows])
    assert "Of 150 rows, 50 evenly spaced ones are shown." in find_warnings(found, [], [])


def test_figures_of_a_run() -> None:
    history = [
        {"restart": restart, "epoch": epoch, "step": epoch, "loss": 1.0, "kcl": 0.5, "entropy": 0.5}
        for restart in range(3)
        for epoch in range(4)
    ]
    axes = loss_curves(history, chosen=1).axes
    assert [ax.get_title() for ax in axes] == ["loss", "kcl", "entropy"]
    assert axes[1].lines[-1].get_label() == "kept"
    assert len(axes[1].lines) == 3
    heights = [getattr(bar, "get_height")() for bar in cluster_sizes([4, 0], [1, 0]).patches]  # noqa: B009
    assert heights == [3, 0, 1, 0]
    with pytest.raises(ValueError, match="history must hold at least one epoch with a loss"):
        loss_curves([], chosen=0)
    with pytest.raises(ValueError, match=r"probabilities must be finite, of shape \(n, k\)"):
        similarity_matrix([[np.nan]])
