"""What the page shows of a run, as `prepare` has written it: probabilities, points, samples. No torch."""

from __future__ import annotations

import io
import json
import mimetypes
import os
import time
import warnings
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from coterie._errors import DamagedFileError, InputError

# of a run: what `prepare` writes, what was said, new fits
FOLDER, JOURNAL, REFITS = "explore", "corrections.jsonl", "refits"
META, NAMES, SCORES, POINTS, FEATURES = "meta.json", "names.json", "scores.npy", "points.npy", "features.npy"
PIXELS, TEXTS, VALUES, MAP, STATS = "pixels.npy", "texts.json", "values.npy", "map.npy", "stats.npy"
QUESTIONS, DRAWN, THUMBS = "near.npz", "drawn", "thumbnails"
# of the longer side of a small picture, and characters of a text in a grid
SIDE, SHORT_TEXT = 160, 240
# of a text or a table in full
_MOST_TEXT = 200_000
_SHORT_VALUES = 6

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Content:
    """A sample as a browser takes it: its media type and bytes."""

    kind: str
    data: bytes

    @property
    def address(self) -> str:
        """The same as a data address."""
        return f"data:{self.kind};base64,{b64encode(self.data).decode()}"


class Library:
    """The samples of a run.

    Parameters
    ----------
    folder : Path
        Where `prepare` has written.

    Attributes
    ----------
    meta : dict
        Metadata of the run.
    names : list of str
        Of the samples, all different.
    scores : float32 array of shape (n, k)
    points : float32 array of shape (n, d)
        Distances in it mean likeness.

    Raises
    ------
    DamagedFileError
        A file is missing, or is none that `prepare` writes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self._read(folder)
        except (OSError, ValueError, EOFError, TypeError, LookupError, RecursionError) as error:
            raise DamagedFileError(
                f"{folder} is damaged: {error}; remove it to let it be made anew"
            ) from error

    def _read(self, folder: Path) -> None:
        self.meta: dict[str, Any] = json.loads((folder / META).read_text(encoding="utf-8"))
        self.names: list[str] = json.loads((folder / NAMES).read_text(encoding="utf-8"))
        self.scores = np.load(folder / SCORES, mmap_mode="r")
        self.points = np.load(folder / POINTS, mmap_mode="r")
        self._kind: str = self.meta["kind"]
        self._texts: list[str] = []
        self._values: Array = np.empty(0)
        if self._kind == "texts":
            self._texts = json.loads((folder / TEXTS).read_text(encoding="utf-8"))
        elif self._kind in ("values", "pixels"):
            self._values = np.load(folder / (VALUES if self._kind == "values" else PIXELS), mmap_mode="r")
        self._stats = np.load(folder / STATS) if self._kind == "files" else np.empty((0, 2))
        listed = {STATS: self._stats, TEXTS: self._texts, VALUES: self._values}
        lengths = {SCORES: len(self.scores), POINTS: len(self.points)}
        lengths |= {name: len(values) for name, values in listed.items() if len(values)}
        if wrong := [name for name, length in lengths.items() if length != len(self.names)]:
            raise ValueError(f"{wrong[0]} must have {len(self.names)} rows")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def pictorial(self) -> bool:
        """Whether samples are pictures."""
        return self._kind in ("pixels", "drawn") or (
            self._kind == "files" and self.meta["modality"] == "image"
        )

    @cached_property
    def name_rank(self) -> npt.NDArray[np.int64]:
        """Place of each row when they are sorted by name."""
        rank = np.empty(len(self), dtype=np.int64)
        rank[sorted(range(len(self)), key=self.names.__getitem__)] = np.arange(len(self))
        return rank

    def map(self) -> Array | None:
        """Places on the map, float32 (n, 2); None where they are not worked out yet."""
        path = self.folder / MAP
        return np.load(path) if path.exists() else None

    def state(self, row: int) -> str:
        """ "gone" or "changed" of a file that is not as it was; else nothing."""
        if self._kind != "files":
            return ""
        try:
            found = self._file(row).stat()
        except OSError:
            return "gone"
        return "" if tuple(self._stats[row]) == (found.st_size, found.st_mtime_ns) else "changed"

    def short(self, row: int) -> str:
        """A text or some values for a grid; nothing of pictures."""
        if self._kind == "values":
            shown = zip(self.meta["columns"], self._values[row][:_SHORT_VALUES].tolist(), strict=False)
            return "\n".join(f"{name}: {value:.4g}" for name, value in shown)
        if self.pictorial or (self._kind == "files" and self.meta["modality"] != "text"):
            return ""
        text = self._texts[row] if self._kind == "texts" else self._read_text(row, 4 * SHORT_TEXT)
        text = " ".join(text.split())
        return text if len(text) <= SHORT_TEXT else f"{text[:SHORT_TEXT]} ..."

    def detail(self, row: int) -> dict[str, Any]:
        """All of a sample that is neither a picture nor a sound."""
        found: dict[str, Any] = {"name": self.names[row], "state": self.state(row)}
        if self._kind == "files":
            found["path"] = str(self._file(row))
        if self._kind == "values":
            values = self._values[row].tolist()
            found["values"] = [
                [name, f"{value:.6g}"] for name, value in zip(self.meta["columns"], values, strict=False)
            ]
        elif self._kind == "texts":
            found["text"] = self._texts[row]
        elif self.meta["modality"] == "text":
            found["text"] = self._read_text(row, _MOST_TEXT)
        return found

    def pictures(self, rows: Sequence[int], seconds: float) -> dict[int, str]:
        """Small pictures as data addresses; nothing of one that cannot be read.

        Parameters
        ----------
        rows : sequence of int
        seconds : float
            After which no further one is begun.
        """
        found: dict[int, str] = {}
        end = time.monotonic() + seconds
        for row in rows:
            try:
                found[row] = self.thumbnail(row).address
            except (InputError, OSError):
                found[row] = ""
            if time.monotonic() > end:
                break
        return found

    def thumbnail(self, row: int) -> Content:
        """A small picture, kept once it was made.

        Raises
        ------
        InputError
            The file cannot be read, or the sample is not a picture.
        """
        if not self.pictorial:
            raise InputError(f"{self.names[row]} is not a picture")
        if self._kind == "drawn":
            return self._drawn(row)
        if self._kind == "pixels":
            return _encoded(_small(Image.fromarray(np.asarray(self._values[row]))), "PNG")
        file = self._file(row)
        kept = self.folder / THUMBS / str(row // 1000) / f"{row}-{self._stamp(row)}.jpg"
        try:
            return Content("image/jpeg", kept.read_bytes())
        except OSError:
            made = _thumbnail_of(file)
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(made.data)
        except OSError:
            pass  # it is made again where it cannot be kept
        return made

    def original(self, row: int) -> Content:
        """The file as it is, or the picture in full size.

        Raises
        ------
        InputError
            The file cannot be read, or the sample has none.
        """
        if self._kind == "drawn":
            return self._drawn(row)
        if self._kind == "pixels":
            return _encoded(Image.fromarray(np.asarray(self._values[row])), "PNG")
        if self._kind != "files":
            raise InputError("this sample has no file")
        file = self._file(row)
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        if self.pictorial and kind not in _SHOWN:  # a browser shows no TIFF
            return _encoded(_opened(file), "PNG")
        # what is neither a picture nor a sound might be taken for a page
        kind = kind if kind.startswith(("image/", "audio/")) else "text/plain; charset=utf-8"
        try:
            return Content(kind, file.read_bytes())
        except OSError as error:
            raise InputError(f"{file.name} cannot be read: {error.strerror}") from error

    def _drawn(self, row: int) -> Content:
        """What a renderer has drawn, a data address."""
        head, _, content = drawn_at(self.folder, row).read_text(encoding="utf-8").partition(",")
        kind, *coded = head.removeprefix("data:").split(";")
        return Content(kind, b64decode(content) if "base64" in coded else unquote_to_bytes(content))

    def _file(self, row: int) -> Path:
        return Path(self.meta["folder"], self.names[row])

    def _stamp(self, row: int) -> int:
        try:
            return os.stat(self._file(row)).st_mtime_ns
        except OSError as error:
            raise InputError(f"{self.names[row]} is gone") from error

    def _read_text(self, row: int, most: int) -> str:
        try:
            with self._file(row).open("rb") as file:
                return file.read(most).decode("utf-8-sig", "replace")
        except OSError as error:
            return f"({error.strerror})"


def drawn_at(folder: Path, row: int) -> Path:
    """Where the picture of a row is kept that a renderer has drawn."""
    return folder / DRAWN / str(row // 1000) / str(row)


_SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp")


def _thumbnail_of(file: Path) -> Content:
    image = _opened(file, (2 * SIDE, 2 * SIDE))
    return _encoded(_small(image), "JPEG")


def _opened(file: Path, draft: tuple[int, int] | None = None) -> Image.Image:
    """A picture upright and in RGB."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                if draft is not None:
                    image.draft(None, draft)
                upright = ImageOps.exif_transpose(image)
                if upright.mode in ("RGBA", "LA", "PA", "P"):
                    whole = upright.convert("RGBA")
                    upright = Image.new("RGBA", whole.size, "white")
                    upright.alpha_composite(whole)
                elif upright.mode.startswith(("I", "F")):
                    upright = _as_bytes(np.asarray(upright))
                return upright.convert("RGB")
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{file.name} cannot be read: {error}") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{file.name} cannot be read: {error}") from error


def _as_bytes(values: Array) -> Image.Image:
    low, high = float(values.min()), float(values.max())
    scaled = (values.astype(np.float64) - low) / max(high - low, 1e-12)
    return Image.fromarray(np.rint(255 * scaled).astype(np.uint8))


def _small(image: Image.Image) -> Image.Image:
    image.thumbnail((SIDE, SIDE))
    return image


def _encoded(image: Image.Image, form: str) -> Content:
    buffer = io.BytesIO()
    image.save(buffer, form, **({"quality": 85} if form == "JPEG" else {}))
    return Content(f"image/{form.lower()}", buffer.getvalue())


def unique_names(names: Sequence[str]) -> list[str]:
    """Names that are all different: where some are not, the row numbers."""
    found = list(names)
    return found if len(set(found)) == len(found) else [str(row) for row in range(len(found))]
