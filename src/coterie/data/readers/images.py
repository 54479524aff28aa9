"""A folder of images as one array: any mode and size, turned as the camera was held."""

from __future__ import annotations

import struct
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError, ReadingNote
from coterie.data.file_rows import read_rows
from coterie.data.pixels import FLOATS, depth_of, has_colour, picture_array
from coterie.data.readers.options import Broken, ReadOptions, Samples

SUFFIXES = (
    *(".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff"),
    ".webp",
)
# Images of one size stay as they are up to this side; others are resized to it: minutes on a CPU are enough.
USUAL_SIDE = 64
_ORIENTATION = 0x0112
_TURNED_SIDEWAYS = (5, 6, 7, 8)


@dataclass(frozen=True)
class Header:
    """Height and width of an image after its orientation, whether it has colours, and bits of a value."""

    size: tuple[int, int]
    colour: bool
    depth: int


def read_images(folder: Path, files: Sequence[Path], options: ReadOptions) -> Samples:
    """Read images into one array: of uint8, or of float32 where some have more than 8 bits a value.

    Values of 16 and of 8 bits are brought to one range, 0 to 255, with their fractions; those of floats stay
    as they are. So all images of a folder, and later ones, have one range.

    Parameters
    ----------
    folder : Path
    files : sequence of Path
        Images in it, at least one.
    options : ReadOptions

    Returns
    -------
    Samples
        Samples (n, h, w) where all images are grey, else (n, 3, h, w); transparent parts are white, and of an
        animation the first frame counts. The ids are the paths in the folder.

    Raises
    ------
    InputError
        Files are broken and may not be skipped, sizes differ and `strict` was asked for, or images of floats
        lie among others.
    """
    broken = Broken()
    headers: dict[str, Header] = {}
    names = broken.named(folder, files)
    for name, file in names.items():
        with broken.noting(name), opened(file) as image:
            headers[name] = _header(image)
    broken.check(folder, len(files), options.skip_broken)
    decode = decoder_for(folder, headers, options)
    rows, kept = read_rows(folder, list(headers), decode, broken.noting, options.skip_broken)
    broken.check(folder, len(files), options.skip_broken)
    broken.warn(folder, len(files))
    return Samples(rows, tuple(kept), decode.how, tuple(broken.reasons), "image")


def decoder_for(place: Path, headers: Mapping[str, Header], options: ReadOptions) -> DecodeImage:
    """How images of a folder or an archive are brought into one form."""
    size, colour = _common_shape(place, list(headers.values()), options)
    return DecodeImage(size, colour, _common_depth(place, headers, options))


def header_of(stream: BinaryIO) -> Header:
    """What an image says of itself."""
    with opened(stream) as image:
        return _header(image)


@dataclass(frozen=True)
class DecodeImage:
    """Decodes an image file to an array of one size and form.

    Attributes
    ----------
    size : (height, width)
    colour : bool
    depth : {8, 16, 32}
        Bits of a value, as `picture_array` takes them.
    """

    size: tuple[int, int]
    colour: bool
    depth: int

    @property
    def how(self) -> dict[str, Any]:
        """What reading other images in the same way needs."""
        return {"size": list(self.size), "colour": self.colour, "depth": self.depth}

    def __call__(self, path: Path) -> npt.NDArray[Any]:
        return self.from_stream(path)

    def from_stream(self, source: Path | BinaryIO) -> npt.NDArray[Any]:
        """The image of a file or of its content."""
        with opened(source) as image:
            return picture_array(upright(image, self.size), self.size, self.colour, self.depth)


def load_pillow() -> Any:
    """The modules PIL.Image and PIL.ImageOps."""
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise ImportError(
            "image files need pillow, which is not installed: pip install '.[image]'"
        ) from error
    return Image, ImageOps


@contextmanager
def opened(file: Path | BinaryIO) -> Iterator[Any]:
    """Open an image; whatever pillow raises while it is used becomes an InputError."""
    Image, _ = load_pillow()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError("it has more pixels than an image should have") from error
    except Image.UnidentifiedImageError as error:
        raise InputError("it is not an image") from error
    except OSError as error:
        raise InputError(error.strerror or str(error)) from error
    except (SyntaxError, ValueError, EOFError, IndexError, struct.error) as error:  # as its decoders raise
        raise InputError(str(error)) from error


def _header(image: Any) -> Header:
    """What can be known without unpacking the pixels."""
    width, height = image.size
    sideways = image.getexif().get(_ORIENTATION) in _TURNED_SIDEWAYS
    return Header((width, height) if sideways else (height, width), has_colour(image), depth_of(image))


def upright(image: Any, size: tuple[int, int]) -> Any:
    """The image turned as its camera was held; a much larger JPEG is unpacked at a fraction of its size."""
    _, ImageOps = load_pillow()
    image.draft(None, (2 * max(size), 2 * max(size)))
    return ImageOps.exif_transpose(image)


def _common_shape(
    folder: Path, headers: Sequence[Header], options: ReadOptions
) -> tuple[tuple[int, int], bool]:
    """Size of all images and whether they have colours; says where images have to be resized."""
    like = options.like or {}
    colour = bool(like.get("colour", any(header.colour for header in headers)))
    found = Counter(header.size for header in headers)
    earlier = like.get("size")
    size = options.image_size or (_size_for(found, options) if earlier is None else (earlier[0], earlier[1]))
    n_others = len(headers) - found[size]
    if n_others and options.strict and options.image_size is None:
        raise InputError(
            f"{folder}: all images must have the size {size[0]}x{size[1]} with --strict, but {n_others} of "
            f"{len(headers)} differ; --image-size resizes them"
        )
    if n_others and options.image_size is None and earlier is None:
        warnings.warn(
            f"{folder}: {n_others} of {len(headers)} images were resized to {size[0]}x{size[1]} "
            "(height x width); --image-size sets another size",
            ReadingNote,
            stacklevel=4,
        )
    return size, colour


def _common_depth(folder: Path, headers: Mapping[str, Header], options: ReadOptions) -> int:
    """Bits of a value: the most that an image has, or those of an earlier reading."""
    found = {header.depth: name for name, header in headers.items()}
    depth = int((options.like or {}).get("depth", max(found)))
    others = [name for bits, name in found.items() if (bits == FLOATS) != (depth == FLOATS)]
    if others:
        floats, whole = "floats, whose range is their own", "whole numbers"
        raise InputError(
            f"{folder}: all images must have one kind of pixels, but {others[0]} has "
            f"{whole if depth == FLOATS else floats} and others, or the fit, have "
            f"{floats if depth == FLOATS else whole}; convert them"
        )
    return depth


def _size_for(found: Counter[tuple[int, int]], options: ReadOptions) -> tuple[int, int]:
    """The size that all share, or the median of theirs, made small unless `strict` leaves images alone."""
    if len(found) == 1 and options.strict:
        return next(iter(found))
    height, width = np.median(list(found.elements()), axis=0)
    factor = min(1.0, USUAL_SIDE / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))
