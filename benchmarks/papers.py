"""Numbers of docs/papers.md: each links to the row of docs/results.md that it is taken from.

A link reads ``[0.944](results.md#pairs "mnist; n1200; ccn-kcl; test purity")``: the suite; then data, variant
where there is one, method and the head of the column. A link that reads "not measured yet" waits for its row.
"""

from __future__ import annotations

import re

from benchmarks.record import ROOT
from coterie._errors import InputError
from coterie.data.files import atomic_write

PAGE = ROOT / "docs" / "papers.md"
PENDING = "not measured yet"
_LINK = re.compile(r'\[([^\]]*)\](\(results\.md#([\w-]+) "([^"]*)"\))')


def refreshed(text: str, results: str) -> str:
    """The page with every linked number as the page of results has it.

    Examples
    --------
    >>> rows = ["| data | variant | method | NMI |", "| - | - | - | - |", "| d |  | m | 0.5 |"]
    >>> refreshed('[?](results.md#s "d; m; NMI")', chr(10).join(["## s", "", *rows]))
    '[0.5](results.md#s "d; m; NMI")'
    """
    cells = _cells(results)

    def number(link: re.Match[str]) -> str:
        where = (link[3], *link[4].split("; "))
        if where not in cells and link[1] != PENDING:
            raise InputError(f"papers.md: {'; '.join(where)}; a row and column of results.md are expected")
        return f"[{cells.get(where, PENDING)}]{link[2]}"

    return _LINK.sub(number, text)


def _cells(results: str) -> dict[tuple[str, ...], str]:
    """Every cell of the page of results by suite, data, variant where there is one, method and head."""
    cells: dict[tuple[str, ...], str] = {}
    for section in re.split(r"^## ", results, flags=re.MULTILINE)[1:]:
        suite = section.partition("\n")[0].strip()
        rows = [_split(line) for line in section.splitlines() if line.startswith("| ")]
        for row in rows[2:]:
            names = [name for name in row[:3] if name]
            for head, cell in zip(rows[0][3:], row[3:], strict=True):
                cells[(suite, *names, head)] = cell
    return cells


def _split(line: str) -> list[str]:
    return [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")]


def refresh(results: str) -> None:
    """Write the page again with the numbers of a page of results."""
    text = refreshed(PAGE.read_text(encoding="utf-8"), results)
    with atomic_write(PAGE) as temporary:
        temporary.write_text(text, encoding="utf-8")
