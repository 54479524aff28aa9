"""The report of a run: one HTML file that asks for nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from coterie.data.arrays import SampleArray, row_parts
from coterie.data.items import Items
from coterie.data.labels import encode_labels
from coterie.methods.clusterer import NeuralClusterer
from coterie.metrics import clustering_accuracy, nmi, purity
from coterie.report.baseline import kmeans_line
from coterie.report.figures import (
    cluster_sizes,
    contingency_table,
    embedding_map,
    loss_curves,
    similarity_matrix,
)
from coterie.report.findings import (
    UNSURE,
    Corrections,
    Findings,
    Unassigned,
    find,
    find_warnings,
    loss_in_words,
)
from coterie.report.pictures import figure_png, figure_svg
from coterie.report.renderers import Shown, pictures_of, shown_items

# what keeps the page small and quick: rows on the maps and in the matrix, clusters with examples, examples
_MAP_ROWS = 1500
_MATRIX_ROWS = 400
_SHOWN_CLUSTERS = 24
_EXAMPLES = 8
_COLUMNS = 8
_LARGEST_TABLE = 40

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.2rem;border-bottom:1px solid #d5dae0}h3{font-size:1rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.15rem .7rem .15rem 0;text-align:left;vertical-align:top}
th{font-weight:600}code{overflow-wrap:anywhere}
figure{margin:1rem 0}figcaption,.note{color:#57606a;font-size:.9rem}
svg,figure img{max-width:100%;height:auto}.scroll{overflow-x:auto}
.samples{display:grid;grid-template-columns:repeat(8,minmax(0,56px));gap:4px}.samples img{width:100%;
aspect-ratio:1;object-fit:contain;
background:#f3f4f6;image-rendering:pixelated}
.warning{border-left:4px solid #d4850f;background:#fdf6e9;padding:.4rem .8rem;margin:.5rem 0}
.text{margin:.4rem 0;overflow-wrap:anywhere}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:1rem}
"""


@dataclass(frozen=True)
class ReportInput:
    """What a report is made from.

    Attributes
    ----------
    estimator : NeuralClusterer
        Fitted.
    samples : array or DatasetRows of shape (n, ...)
        The data of the fit.
    names : sequence of str
        What the n rows are called.
    metadata : mapping of str to str
        Metadata of the run in addition to the estimator's parameters.
    columns : sequence of str or None
        Names of the features, where the samples are rows of a table.
    truth : array of shape (n,) or None
        Known labels, unknown ones as None or -1.
    items : Items or None
        The files or texts whose vectors the samples are.
    said : Corrections or None
        What a person has said of the clusters.
    unassigned : Unassigned or None
        What leaving samples unassigned costs, as answers show.
    """

    estimator: NeuralClusterer
    samples: SampleArray
    names: Sequence[str]
    metadata: Mapping[str, str] = field(default_factory=dict)
    columns: Sequence[str] | None = None
    truth: npt.NDArray[Any] | None = None
    items: Items | None = None
    said: Corrections | None = None
    unassigned: Unassigned | None = None


def render_report(given: ReportInput) -> str:
    """The page as text.

    Parameters
    ----------
    given : ReportInput

    Returns
    -------
    str
        HTML whose pictures lie within it; it holds no script and no address that a browser would fetch.
    """
    found = find(given.estimator, given.samples, given.said)
    sections = [
        _summary(given, found),
        _asked(given),
        _training(given),
        _sizes(found),
        _unassigned(given),
        _examples(given, found),
        _maps(given, found),
        _truth(given, found),
        _matrix(found),
    ]
    body = "\n".join(f"<section>{section}</section>" for section in sections if section)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">"
        f"<title>coterie report</title><style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _summary(given: ReportInput, found: Findings) -> str:
    estimator = given.estimator
    used = int((found.sizes > 0).sum())
    unsure = float((found.certainty < UNSURE).mean())
    said = find_warnings(found, estimator.history_, estimator.runs_)
    placed = found.labels >= 0
    baseline = kmeans_line(estimator, given.samples, found.rows[placed], found.labels[placed], given.truth)
    boxes = "".join(f'<p class="warning">{escape(text)}</p>' for text in said)
    return (
        f"<h1>{type(estimator).__name__}: {found.n_rows:,} rows in {used} clusters</h1>"
        f"<p>{_used(given, found)} {unsure:.1%} of the rows are unsure: their cluster has a probability "
        f"below {UNSURE}; {loss_in_words(estimator)}.</p>"
        f"<p>{escape(baseline)}</p>{boxes}"
    )


def _unassigned(given: ReportInput) -> str:
    """What each threshold leaves out, and how much of the rest is wrong."""
    if given.unassigned is None:
        return ""
    rows = "".join(
        f"<tr><td>{threshold:.2f}</td><td>{left:.1%}</td><td>{wrong:.1%}</td></tr>"
        for threshold, left, wrong in given.unassigned.rows
    )
    return (
        "<h2>Leaving samples unassigned</h2>"
        "<table><tr><th>--threshold</th><th>unassigned</th><th>wrong of the others</th></tr>"
        f'{rows}</table><p class="note">{escape(given.unassigned.calibration)}</p>'
    )


def _used(given: ReportInput, found: Findings) -> str:
    """How the rows lie in the clusters."""
    if found.said is None:
        used, estimator = int((found.sizes > 0).sum()), given.estimator
        return (
            f"{used} of {estimator.n_outputs_} clusters are used, {estimator.n_dominant_} hold at least "
            "their share of the rows."
        )
    aside = int((found.labels < 0).sum())
    return "Corrected on the page of coterie open" + (f"; {aside:,} rows are set aside." if aside else ".")


def _asked(given: ReportInput) -> str:
    params = {name: repr(value) for name, value in given.estimator.get_params().items()}
    rows = [(name, value) for name, value in given.metadata.items()]
    kind = type(given.estimator)
    changed = {name: value for name, value in params.items() if value != repr(kind().get_params()[name])}
    same = ", ".join(f"{name}={value}" for name, value in params.items() if name not in changed)
    return (
        f"<h2>Parameters</h2>{_table((), [*rows, *changed.items()], code=True)}"
        f'<p class="note">Defaults: <code>{escape(same)}</code></p>'
    )


def _training(given: ReportInput) -> str:
    runs = given.estimator.runs_
    chosen = next((run["restart"] for run in runs if run.get("chosen")), 0)
    names = ("restart", "seed", "loss", "epochs", "steps", "stopped")
    rows = [[*(_cell(run.get(name)) for name in names), "kept" * bool(run.get("chosen"))] for run in runs]
    figure = _figure(
        figure_svg(loss_curves(given.estimator.history_, chosen)),
        "Each loss term by epoch. Blue: the restart that was kept, by its loss alone; grey: the others.",
    )
    return f"<h2>Training</h2>{figure}{_table((*names, ''), rows)}"


def _sizes(found: Findings) -> str:
    ax = cluster_sizes(found.sizes.tolist(), found.unsure.tolist())
    figure = _figure(figure_svg(_figure_of(ax)), "Rows of each cluster.")
    confused = [
        (f"{_short(found, first)} and {_short(found, second)}", count)
        for first, second, count in found.confused(6)
    ]
    listed = f"<h3>Unsure between two clusters</h3>{_table(('clusters', 'unsure rows'), confused)}"
    return f"<h2>Clusters</h2>{figure}{listed if confused else ''}"


def _short(found: Findings, cluster: int) -> str:
    """A cluster in a table of clusters."""
    return found.name(cluster).removeprefix("cluster ")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _examples(given: ReportInput, found: Findings) -> str:
    order = np.argsort(-found.sizes, kind="stable")
    shown = [int(cluster) for cluster in order if found.sizes[cluster]][:_SHOWN_CLUSTERS]
    left_out = int((found.sizes > 0).sum()) - len(shown)
    parts = []
    for cluster in sorted(shown):
        most, least = found.examples(cluster, _EXAMPLES)
        parts.append(
            f"<h3>{escape(_capital(found.name(cluster)))}: {found.sizes[cluster]:,} rows, "
            f"{found.unsure[cluster]:,} unsure</h3>"
            f'<div class="pair"><div><p class="note">most certain</p>{_show(given, found, most)}</div>'
            f'<div><p class="note">least certain</p>{_show(given, found, least)}</div></div>'
        )
    note = f'<p class="note">{left_out} smaller clusters are not shown.</p>' if left_out else ""
    return f"<h2>Examples</h2>{''.join(parts)}{note}"


def _show(given: ReportInput, found: Findings, places: npt.NDArray[np.int64]) -> str:
    """Some rows as pictures, or as rows of a table."""
    if not len(places):
        return '<p class="note">none</p>'
    captions = [f"{given.names[found.rows[place]]} ({found.certainty[place]:.2f})" for place in places]
    if given.items is not None:
        return _show_items(shown_items(given.items, found.rows[places]), captions)
    values = np.asarray(given.samples[found.rows[places]])
    pictures = pictures_of(given.estimator.modality_, values)
    if pictures is not None:
        shown = "".join(_picture(*each) for each in zip(pictures, captions, strict=True))
        return f'<div class="samples">{shown}</div>'
    flat = values.reshape(len(values), -1)[:, :_COLUMNS]
    columns = given.columns or [str(number) for number in range(flat.shape[1])]
    header = ("row (certainty)", *columns[: flat.shape[1]], *(["..."] if values[0].size > _COLUMNS else []))
    rows = [
        (caption, *(f"{value:.4g}" for value in row)) for caption, row in zip(captions, flat, strict=True)
    ]
    return f'<div class="scroll">{_table(header, rows)}</div>'


def _show_items(shown: Sequence[Shown], captions: Sequence[str]) -> str:
    """Files or texts with their names: pictures side by side, texts one below the other."""
    if all(one.picture for one in shown):
        pictures = (_picture(one.picture, caption) for one, caption in zip(shown, captions, strict=True))
        return f'<div class="samples">{"".join(pictures)}</div>'
    lines = (
        f'<p class="text">{_picture(one.picture, caption) if one.picture else escape(one.text)} '
        f'<span class="note">{escape(caption)}</span></p>'
        for one, caption in zip(shown, captions, strict=True)
    )
    return "".join(lines)


def _maps(given: ReportInput, found: Findings) -> str:
    places = _spread(len(found.rows), _MAP_ROWS)
    if len(places) < 3:
        return ""
    parts = row_parts(found.rows[places], given.samples.shape[1:])
    embedding = np.concatenate([given.estimator.transform(given.samples[part]) for part in parts])
    figure = Figure(figsize=(9.6, 4.4), layout="constrained")
    for ax, method in zip(figure.subplots(1, 2), ("t-SNE", "PCA"), strict=True):
        embedding_map(embedding, found.labels[places], ax, method=method, random_state=0)
        ax.set_title(method, fontsize="medium")
    picture = _picture(figure_png(figure), "Two maps of the embedding, coloured by cluster")
    caption = (
        f"{len(places):,} rows, coloured by cluster. t-SNE keeps neighbours together, but its distances "
        "between groups mean little; PCA keeps the largest variance."
    )
    return f"<h2>Map of the embedding</h2>{_figure(picture, caption)}"


def _truth(given: ReportInput, found: Findings) -> str:
    if given.truth is None:
        return ""
    codes, classes = encode_labels(given.truth)
    known = (codes[found.rows] >= 0) & (found.labels >= 0)
    if not known.any():
        return ""
    true, clusters = codes[found.rows][known], found.labels[known]
    scores = (
        f"Over {len(true):,} rows with a known label, including those used in training: accuracy "
        f"{clustering_accuracy(true, clusters):.3f}, NMI {nmi(true, clusters):.3f}, purity "
        f"{purity(true, clusters):.3f}."
    )
    head = f"<h2>Known labels</h2><p>{scores}</p>"
    n_clusters = found.probabilities.shape[1]
    if max(len(classes), n_clusters) > _LARGEST_TABLE:
        return head
    table = np.zeros((len(classes), n_clusters), dtype=np.int64)
    np.add.at(table, (true, clusters), 1)
    size = (2.2 + 0.42 * table.shape[0], 1.6 + 0.3 * table.shape[1])
    ax = contingency_table(table, Figure(size, layout="constrained").subplots(), class_names=list(classes))
    return head + _figure(figure_svg(_figure_of(ax)), "Rows by cluster and known label.")


def _matrix(found: Findings) -> str:
    places = _spread(len(found.rows), _MATRIX_ROWS)
    drawn = _figure_of(similarity_matrix(found.probabilities[places]))
    picture = _picture(figure_png(drawn), "Matrix of the probability that two rows share a cluster")
    caption = (
        f"{len(places):,} rows, sorted by cluster. Black blocks on the diagonal: clusters that keep apart; "
        "grey off the diagonal shows two that are confused."
    )
    return f"<h2>How clusters keep apart</h2>{_figure(picture, caption)}"


def _figure(content: str, caption: str) -> str:
    return f"<figure>{content}<figcaption>{escape(caption)}</figcaption></figure>"


def _picture(address: str, alt: str) -> str:
    return f'<img src="{address}" alt="{escape(alt)}" title="{escape(alt)}">'


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _spread(n: int, most: int) -> npt.NDArray[np.int64]:
    """At most so many places, drawn once and for all, in order: neighbours in a file are often alike."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, most, replace=False))


def _figure_of(ax: Any) -> Figure:
    figure: Figure = ax.figure
    return figure


def _table(header: Sequence[object], rows: Sequence[Sequence[object]], *, code: bool = False) -> str:
    head = "".join(f"<th>{escape(str(cell))}</th>" for cell in header)
    lines = []
    for first, *others in rows:
        cells = "".join(
            f"<td>{f'<code>{escape(str(c))}</code>' if code else escape(str(c))}</td>" for c in others
        )
        lines.append(f"<tr><td>{escape(str(first))}</td>{cells}</tr>")
    top = f"<thead><tr>{head}</tr></thead>" if header else ""
    return f"<table>{top}<tbody>{''.join(lines)}</tbody></table>"
