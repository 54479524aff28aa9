"""Figures hold what was given to them, draw where they are told to, and refuse what cannot be drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt

from coterie._errors import InputError
from coterie.report.figures import (
    clustered_points,
    contingency_table,
    embedding_map,
    kernel_matrix,
    losses_against_scores,
    score_curves,
    simplex_map,
    top_examples,
)

mpl.use("Agg")
ROWS = np.repeat(np.eye(3), 5, axis=0)
CLASSES = np.repeat(["a", "b", "c"], 5)


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def test_contingency_numbers_zeros_blank() -> None:
    ax = contingency_table([[5, 0, 1], [0, 7, 0]], class_names=["cat", "dog"])
    texts = {text.get_text() for text in ax.texts}
    assert texts == {"5", "1", "7"}
    assert [label.get_text() for label in ax.get_xticklabels()] == ["cat", "dog"]


def test_contingency_sorted_with_empty_clusters_last() -> None:
    table = [[0, 0, 3, 9], [0, 4, 0, 0]]
    ax = contingency_table(table)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["3", "2", "1", "0"]
    shown = ax.images[0].get_array()
    assert shown is not None
    assert shown.tolist() == [[9, 0], [3, 0], [0, 4], [0, 0]]


def test_contingency_unsorted_keeps_order() -> None:
    ax = contingency_table([[0, 2], [1, 0]], sort=False)
    shown = ax.images[0].get_array()
    assert shown is not None
    assert shown.tolist() == [[0, 1], [2, 0]]


def test_given_axes_are_used() -> None:
    ax = plt.subplots()[1]
    assert contingency_table([[1]], ax) is ax
    assert score_curves({"one": {1: [0.5]}}, ax) is ax
    assert embedding_map(ROWS, CLASSES, ax, random_state=0) is ax
    assert len(plt.get_fignums()) == 1


def test_embedding_map_is_repeatable_and_complete() -> None:
    maps = [embedding_map(ROWS, CLASSES, random_state=3).collections[0].get_offsets() for _ in range(2)]
    first, second = (np.asarray(points) for points in maps)
    assert first.shape == (15, 2)
    np.testing.assert_array_equal(first, second)


def test_embedding_map_takes_unused_clusters_and_half_precision() -> None:
    rows = np.pad(ROWS, ((0, 0), (0, 4))).astype(np.float16)
    ax = embedding_map(rows, CLASSES, random_state=0)
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c"]


def test_embedding_map_of_many_classes_has_no_legend() -> None:
    ax = embedding_map(np.random.default_rng(0).random((12, 3)), np.arange(12), random_state=0)
    assert ax.get_legend() is None


def test_score_curves_show_means_and_every_run() -> None:
    ax = score_curves({"ours": {2: [0.2, 0.4], 1: [0.1]}, "other": {1: [0.5]}}, x_label="pairs", log=True)
    assert np.asarray(ax.lines[0].get_xdata()).tolist() == [1, 2]
    assert np.asarray(ax.lines[0].get_ydata()) == pytest.approx([0.1, 0.3])
    assert len(np.asarray(ax.collections[0].get_offsets())) == 3
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "pairs"


@pytest.mark.parametrize("table", [[1, 2], [[1.0, np.nan]], [[-1, 2]], np.empty((0, 3))])
def test_contingency_refuses(table: object) -> None:
    with pytest.raises(InputError, match="table"):
        contingency_table(table)  # type: ignore[arg-type]


def test_points_are_coloured_by_cluster_and_paler_where_uncertain() -> None:
    ax = clustered_points([[0, 0], [1, 0], [2, 5]], [[1.0, 0.0], [0.6, 0.4], [0.3, 0.7]])
    (drawn,) = ax.collections
    colours = np.asarray(drawn.get_facecolor())
    assert np.array_equal(colours[0, :3], colours[1, :3])
    assert not np.array_equal(colours[0, :3], colours[2, :3])
    assert colours[:, 3].tolist() == [1.0, 0.6, 0.7]
    assert np.asarray(drawn.get_offsets()).tolist() == [[0, 0], [1, 0], [2, 5]]


@pytest.mark.parametrize(
    ("points", "proba", "message"),
    [
        ([[0, 0, 0]], [[1.0]], "points must have shape"),
        ([[0, 0]], [[1.0], [1.0]], "proba must have shape"),
        ([[0, 0]], [[1.5]], "proba must have shape"),
        ([[0, np.nan]], [[1.0]], "points must be finite"),
    ],
)
def test_clustered_points_refuse(points: Any, proba: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        clustered_points(points, proba)


def test_contingency_refuses_wrong_names() -> None:
    with pytest.raises(InputError, match="class_names must have one per row, 1"):
        contingency_table([[1, 2]], class_names=["a", "b"])


def test_embedding_map_refuses() -> None:
    with pytest.raises(InputError, match="15 and 3"):
        embedding_map(ROWS, [0, 1, 2])
    with pytest.raises(InputError, match="finite"):
        embedding_map([[np.inf, 0.0], [0.0, 1.0]], [0, 1])


@pytest.mark.parametrize("curves", [{}, {"a": {}}, {"a": {1: []}}])
def test_score_curves_refuse(curves: dict[str, dict[float, list[float]]]) -> None:
    with pytest.raises(InputError, match="curves"):
        score_curves(curves)


def test_the_most_certain_items_of_a_cluster_come_first() -> None:
    samples = np.arange(5.0)[:, None, None] * np.ones((1, 2, 2))
    probabilities = [[0.6, 0.0, 0.4], [0.9, 0.0, 0.1], [0.2, 0.0, 0.8], [0.7, 0.0, 0.3], [0.8, 0.0, 0.2]]
    ax = top_examples(samples, probabilities, n_examples=3)
    sheet = ax.images[0].get_array()
    assert sheet is not None
    np.testing.assert_allclose(sheet[::3, ::3], [[0.25, 1.0, 0.75], [0.5, 1.0, 1.0]])  # blank is white
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0", "2"]


def test_examples_in_colour() -> None:
    ax = top_examples(np.random.default_rng(0).random((4, 3, 8, 8)), np.eye(4)[:, :2] + 0.1)
    sheet = ax.images[0].get_array()
    assert sheet is not None
    assert sheet.shape == (2 * 9, 10 * 9, 3)


@pytest.mark.parametrize("shape", [(4, 2, 8, 8), (3, 8, 8)])
def test_examples_need_images(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="samples must have shape"):
        top_examples(np.zeros(shape), np.eye(4))


def test_simplex_corners_are_the_clusters() -> None:
    ax = simplex_map(np.eye(3), [2, 0, 1])
    corners = np.asarray(ax.collections[0].get_offsets())
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)
    np.testing.assert_allclose(sides, 1, rtol=1e-9)
    middle = np.asarray(simplex_map([[1 / 3, 1 / 3, 1 / 3]], [0]).collections[0].get_offsets())
    np.testing.assert_allclose(middle, [corners.mean(axis=0)], rtol=1e-9)


def test_kernel_matrix_puts_clusters_together() -> None:
    labels = np.array([1, 0, 1, 0])
    ax = kernel_matrix(np.where(labels[:, None] == labels, 0.9, 0.1), labels)
    shown = np.asarray(ax.images[0].get_array())
    np.testing.assert_array_equal(shown, np.kron(np.eye(2), np.full((2, 2), 0.8)) + 0.1)


def test_losses_against_scores_marks_the_chosen_run() -> None:
    ax = losses_against_scores([0.4, 0.2, 0.3], [0.5, 0.7, 0.9])
    assert np.asarray(ax.collections[1].get_offsets()).tolist() == [[0.2, 0.7]]
    assert ax.get_title() == "Spearman -0.50"


@pytest.mark.parametrize("rows", [[[0.5, 0.5]], [[0.5, 0.6, 0.1]], [[1.5, -0.5, 0.0]]])
def test_simplex_refuses(rows: list[list[float]]) -> None:
    with pytest.raises(InputError, match="probabilities must have rows of three"):
        simplex_map(rows, [0])


def test_more_figures_refuse() -> None:
    with pytest.raises(InputError, match="labels must have one per row, 1"):
        simplex_map([[1.0, 0.0, 0.0]], [0, 1])
    with pytest.raises(InputError, match="kernel must be square, with one label per row"):
        kernel_matrix(np.eye(3), [0, 1])
    with pytest.raises(InputError, match="got 2 and 1"):
        losses_against_scores([1.0, 2.0], [1.0])
