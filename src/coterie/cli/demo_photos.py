"""Pieces of the two photos that come with scikit-learn, as files to try the commands on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_sample_image

from coterie._errors import InputError
from coterie.cli.options.demo import N_PHOTOS
from coterie.data.readers.images import load_pillow

PHOTOS = ("china", "flower")
# whose the photos are, as scikit-learn's datasets/images/README.txt has it
CREDIT = "danielbuechele and vultilion, CC BY 2.0"
# pixels of a piece, which is a square
SIDES = (110, 180)


def write_photos(folder: Path) -> None:
    """Write squares from random places of both photos into a new folder, as china-000.jpg and so on.

    Raises
    ------
    InputError
        The folder is there, or cannot be made.
    ImportError
        pillow is missing.
    """
    pillow, _ = load_pillow()
    make_new_folder(folder, "--photos")
    rng = np.random.default_rng(0)
    for name in PHOTOS:
        photo = load_sample_image(f"{name}.jpg")
        for number in range(N_PHOTOS // len(PHOTOS)):
            side = int(rng.integers(*SIDES))
            top, left = (int(rng.integers(length - side)) for length in photo.shape[:2])
            piece = photo[top : top + side, left : left + side]
            pillow.fromarray(piece).save(folder / f"{name}-{number:03}.jpg", quality=90)


def make_new_folder(folder: Path, option: str) -> None:
    """Make the folder that an option names.

    Raises
    ------
    InputError
        It is there, or cannot be made.
    """
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise InputError(
            f"{option}: {folder} cannot be created: {error.strerror}; choose a new folder"
        ) from error
