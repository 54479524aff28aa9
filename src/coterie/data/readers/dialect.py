"""How a file of text is written: its encoding, separator, decimal sign, quotes and header."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import os
import re
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from coterie._errors import InputError, ReadingNote
from coterie.data.readers.columns import ID_NAME
from coterie.data.readers.options import TableOptions
from coterie.data.readers.paths import check_file

Row = tuple[int, list[str]]

SPACES = r"\s+"
MISSING = (
    "",
    "NA",
    "N/A",
    "n/a",
    "NaN",
    "nan",
    "-nan",
    "-NaN",
    "null",
    "NULL",
    "None",
    "<NA>",
    "#N/A",
    "#NA",
)
_SAMPLE_BYTES = 2**18
_SAMPLE_ROWS = 200
# in the order in which they are preferred: commas are part of texts and of numbers more often than the others
_SEPARATORS = ("\t", ";", "|", ",")
_NAMES = {"\t": "tab", ";": "semicolon", "|": "bar", ",": "comma", SPACES: "space"}
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*")
_DECIMAL_POINT = re.compile(r"\s*[+-]?\d*\.\d+([eE][+-]?\d+)?\s*")
_SURELY_NAMES = 4  # so many numbers 0,1,2,... in the first line are names, even above whole numbers


@dataclass(frozen=True)
class Dialect:
    """How a file of rows is written.

    Attributes
    ----------
    encoding : str
    sep : str
        One character, or the pattern of several spaces.
    decimal : str
    quote : str
    skipped : int
        Lines before the first row: those of the header among them.
    names : tuple of str or None
        The header, stripped; "" names row names that have no name. None without a header.
    width : int
        Entries of a row.
    note : str
        What was detected, "" where it is the usual: commas, points and UTF-8.
    header_note : str
        How an unclear first line is taken, "" where it is clear.
    """

    encoding: str
    sep: str
    decimal: str
    quote: str
    skipped: int
    names: tuple[str, ...] | None
    width: int
    note: str
    header_note: str


def is_number(text: str) -> bool:
    """Whether a text is what ``float`` reads."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def text_rows(path: str | os.PathLike[str], options: TableOptions | None = None) -> Iterator[Row]:
    """Yield (line number, entries) of a file of text, gzipped or not; a blank line has no entries."""
    dialect = detect_dialect(check_file(path), TableOptions() if options is None else options)
    if dialect.note:
        warnings.warn(f"{path}: {dialect.note}", ReadingNote, stacklevel=3)
    yield from rows_of(path, dialect.encoding, dialect.sep, dialect.quote)


def rows_of(path: str | os.PathLike[str], encoding: str, sep: str, quote: str) -> Iterator[Row]:
    """Yield (line number, entries) of a file that is written in a known way."""
    with open_text(path, encoding) as text:
        numbered = _split(text, sep, quote)
        line = 0
        try:
            for line, cells in numbered:
                yield line, cells
        except UnicodeDecodeError as error:
            raise InputError(f"{path} must be text in {encoding}; line {line + 1} is not") from error
        except csv.Error as error:
            raise InputError(f"{path}, line {line + 1}: {error}") from error
        except _DAMAGED as error:
            raise InputError(f"{path} cannot be unpacked (damaged, or no gzip): {error}") from error


_DAMAGED = (gzip.BadGzipFile, EOFError, zlib.error)


def _open(path: str | os.PathLike[str]) -> Any:
    if str(path).lower().endswith(".gz"):
        return gzip.open(path, "rb")
    return open(path, "rb")


def open_text(path: str | os.PathLike[str], encoding: str) -> io.TextIOWrapper:
    """A file, gzipped or not, as text with its line ends as they are."""
    return io.TextIOWrapper(_open(path), encoding=encoding, newline="")


def _split(lines: Iterator[str] | io.TextIOBase, sep: str, quote: str) -> Iterator[Row]:
    if sep == SPACES:
        for line, text in enumerate(lines, 1):
            yield line, text.split()
        return
    reader = csv.reader(lines, delimiter=sep, quotechar=quote, strict=True)
    for cells in reader:
        yield reader.line_num, cells


def detect_dialect(file: Path, options: TableOptions) -> Dialect:
    """Find out how a file is written, where the options do not say it.

    Raises
    ------
    InputError
        The file is empty, or is no text.
    """
    encoding, text = _sample(file)
    quote = _detect_quote(text)
    hint = re.match(r"(?i)sep=(.)\r?\n", text)  # Excel writes such a line
    body = text[hint.end() :] if hint else text
    sep = options.sep or (hint[1] if hint else _detect_sep(body, quote, "\t" if _is_tsv(file) else ","))
    first, _ = _first_rows(body, sep, quote)
    rows = [(line + bool(hint), cells) for line, cells in first if _is_filled(cells)]
    if not rows:
        _refuse_rest(file, encoding, sep, quote)
    decimal = options.decimal or ("," if sep != "," and _has_decimal_commas(rows) else ".")
    points = [(line, [cell.replace(decimal, ".") for cell in cells]) for line, cells in rows]
    names, said = _header(rows[0][1], points, options.header)
    unusual = [f"{_NAMES.get(sep, repr(sep))} separated"] if sep != ("\t" if _is_tsv(file) else ",") else []
    unusual += ["decimal commas"] if decimal == "," else []
    unusual += [encoding] if not encoding.startswith("utf-8") else []
    unusual += [f"quotes {quote}"] if quote != '"' else []
    width = len(names) if names is not None else len(rows[0][1])
    skipped = rows[0][0] if names is not None else rows[0][0] - 1
    return Dialect(encoding, sep, decimal, quote, skipped, names, width, ", ".join(unusual), "; ".join(said))


def _is_filled(cells: list[str]) -> bool:
    return any(cell.strip() for cell in cells)


def _refuse_rest(file: Path, encoding: str, sep: str, quote: str) -> NoReturn:
    """Raise where no row could be read at all."""
    for _ in rows_of(file, encoding, sep, quote):
        pass
    raise InputError(f"{file} is empty; it must hold rows of values")


def _is_tsv(file: Path) -> bool:
    return ".tsv" in file.name.lower()


def _sample(file: Path) -> tuple[str, str]:
    """Encoding and the first lines of a file, whole ones."""
    try:
        with _open(file) as stream:
            content = stream.read(_SAMPLE_BYTES)
    except _DAMAGED as error:
        raise InputError(f"{file} cannot be unpacked (damaged, or no gzip): {error}") from error
    encoding = _encoding(content)
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(content)
    if "\0" in text:
        raise InputError(f"{file} must be a file of text; it holds bytes of value 0")
    if len(content) == _SAMPLE_BYTES:
        text = text[: text.rfind("\n") + 1] or text
    return encoding, text


def _encoding(content: bytes) -> str:
    """By the byte order mark, else UTF-8 where it is that, else what Windows writes in the west."""
    if content.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(content)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _first_rows(text: str, sep: str, quote: str) -> tuple[list[Row], bool]:
    """Some rows of a sample, and whether a fault ended them, which is found again when the file is read."""
    rows: list[Row] = []
    lines = io.StringIO(text, newline="")
    reader = _split(lines, sep, quote)
    while len(rows) < _SAMPLE_ROWS:
        try:
            rows.append(next(reader))
        except StopIteration:
            break
        except csv.Error:
            return rows, True
    return rows, False


def _detect_quote(text: str) -> str:
    """Double quotes, unless there are none and entries stand between single ones."""
    if '"' in text:
        return '"'
    lines = [line for line in text.splitlines()[:_SAMPLE_ROWS] if line]
    quoted = sum(bool(re.search(r"(^|[,;\t|])'[^']*'($|[,;\t|])", line)) for line in lines)
    return "'" if lines and 2 * quoted > len(lines) else '"'


def _detect_sep(text: str, quote: str, usual: str) -> str:
    """The separator that gives most rows the same number of entries, above one, and most numbers."""
    found = {sep: _first_rows(text, sep, quote) for sep in _SEPARATORS}
    shares = {sep: _agreement(*of_sep) for sep, of_sep in found.items()}
    best = max(_SEPARATORS, key=lambda sep: (shares[sep], _share_of_numbers(found[sep][0], sep)))
    if shares[best]:
        return best
    spaced = [cells for _, cells in _first_rows(text, SPACES, quote)[0] if cells]
    widths = {len(cells) for cells in spaced}
    numbers = all(is_number(cell) for cells in spaced[1:] for cell in cells)
    return SPACES if len(widths) == 1 and widths != {1} and numbers else usual


def _agreement(rows: Sequence[Row], has_fault: bool) -> float:
    """Share of the rows that have the usual number of entries; 0 where that is one.

    A row that cannot be read is one of another number: quotes do not stand beside this separator.
    """
    widths = Counter(len(cells) for _, cells in rows if cells)
    if not widths:
        return 0.0
    usual, count = widths.most_common(1)[0]
    return count / (widths.total() + has_fault) if usual > 1 else 0.0


def _share_of_numbers(rows: Sequence[Row], sep: str) -> float:
    """Share of the entries that are numbers, with decimal commas where commas do not separate."""
    cells = [cell for _, row in rows for cell in row]
    numbers = sum(is_number(cell) or (sep != "," and bool(_DECIMAL_COMMA.fullmatch(cell))) for cell in cells)
    return numbers / max(1, len(cells))


def _has_decimal_commas(rows: Sequence[Row]) -> bool:
    """Whether some entry has a decimal comma and none a decimal point; ids may look like either."""
    ids = {place for place, name in enumerate(rows[0][1]) if name.strip().lower() == ID_NAME}
    cells = [cell for _, row in rows for place, cell in enumerate(row) if place not in ids]
    return any(map(_DECIMAL_COMMA.fullmatch, cells)) and not any(map(_DECIMAL_POINT.fullmatch, cells))


def _header(
    top: list[str], rows: Sequence[Row], asked: bool | None
) -> tuple[tuple[str, ...] | None, list[str]]:
    """The names in the top row, if it is a header, and the notes about it; rows have decimal points."""
    below = [cells for _, cells in rows[1:]]
    said: list[str] = []
    header = asked
    if header is None:
        header, said = _is_header([cell.strip() for cell in rows[0][1]], below)
    if not header:
        return None, said
    first = [cell.strip() for cell in top]
    if below and len(below[0]) == len(first) + 1 and any(first):
        first = ["", *first]  # R writes row names below a header that does not name them
    return tuple(first), said


def _is_header(first: list[str], below: Sequence[list[str]]) -> tuple[bool, list[str]]:
    """A first row is a header where nothing in it is a number, or where its numbers are names."""
    if not any(map(is_number, first)):
        return True, []
    found = _are_numbered(first, below)
    if found is None:
        return False, []
    way = "if it is a sample, --header no says so" if found else "if it is a header, --header yes says so"
    shown = ",".join(first[:5]) + ",..." * (len(first) > 5)
    return found, [f"the first line {shown} is taken as a {'header' if found else 'sample'} ({way})"]


def _are_numbered(first: list[str], below: Sequence[list[str]]) -> bool | None:
    """Whether numbers are names (0,1,2,... of pandas, or years among words); None if there are no numbers."""
    numbers = [cell for cell in first if is_number(cell)]
    indexed = first[0] == ""
    rest = first[1:] if indexed else first
    if not below or not all(cell.isdecimal() for cell in numbers):
        return None
    places = [place for place, cell in enumerate(first) if is_number(cell)]
    fractions = any(
        "." in row[place] or "," in row[place] or not row[place].strip()
        for row in below[:1]
        for place in places
        if place < len(row)
    )
    start = int(numbers[0])
    if numbers != [str(start + step) for step in range(len(numbers))]:
        return None
    if rest == numbers and start == 0 and len(rest) >= (1 if indexed else 2):
        return indexed or len(rest) >= _SURELY_NAMES or fractions
    words = len(numbers) < len(rest) and all(first) and len(numbers) > 1
    return True if words and fractions else None
