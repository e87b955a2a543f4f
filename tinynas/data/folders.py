"""A folder of class folders: the user's own pictures, any size and format, one folder a class."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinynas.data.arrays import part_by_class
from tinynas.data.augment import CropFlip
from tinynas.data.dataset import Dataset, Split
from tinynas.errors import DataError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

LARGEST_SIDE = 224
_SIDE_STEP = 16
_SUFFIXES = frozenset([".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"])
_TEST_FOLDERS = ("test", "val", "validation")  # the first that is there


def load_folder(folder: Path, seed: int) -> Dataset:
    """Pictures of ``folder/CLASS/*``, or of ``folder/train/CLASS/*`` and ``folder/test/CLASS/*`` (or val).

    They become RGB, are cut to their central square and brought to one resolution (see
    ``folder_resolution``). Without a test folder, 80/20 by class and ``seed``. Files that are not
    pictures by their suffix, and hidden ones, are passed over.

    Raises:
        DataError: no pictures, one class, a class without pictures, a picture that cannot be read
            or a test class that was never trained; each names the file or folder.
    """
    train_folder, test_folder = _parts(folder)
    trained = _pictures_by_class(train_folder)
    if len(trained) < 2:
        raise DataError(
            f"{train_folder} holds one class only ({next(iter(trained))}): a classifier needs at least two"
        )
    tested = _pictures_by_class(test_folder) if test_folder else {}
    for name in tested.keys() - trained.keys():
        raise DataError(
            f"{test_folder}/{name} has no counterpart in {train_folder}: add that class to both or neither"
        )
    classes = tuple(trained)
    with ThreadPoolExecutor() as pool:  # Pillow decodes outside Python's lock
        shorter = pool.map(_shorter_side, [path for paths in trained.values() for path in paths])
        resolution = folder_resolution(list(shorter))
        train = _read(trained, classes, resolution, pool)
        test = _read(tested, classes, resolution, pool) if tested else None
    if test is None:
        train, test = part_by_class(train, str(train_folder), seed)
    return Dataset(folder.resolve().name, train, test, classes, CropFlip(resolution // 8))


def folder_resolution(shorter_sides: Sequence[int]) -> int:
    """One resolution for pictures of many: the median shorter side, to the nearest 16, within 16..224."""
    nearest = round(median(shorter_sides) / _SIDE_STEP) * _SIDE_STEP
    return min(max(nearest, _SIDE_STEP), LARGEST_SIDE)


def _parts(folder: Path) -> tuple[Path, Path | None]:
    """(training folder, test folder). A ``train`` of pictures, not of folders, is a class like any other."""
    train = folder / "train"
    if not train.is_dir() or not _visible_folders(train):
        return folder, None
    return train, next((folder / name for name in _TEST_FOLDERS if (folder / name).is_dir()), None)


def _visible_folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _pictures(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def _pictures_by_class(folder: Path) -> dict[str, list[Path]]:
    """Paths by class name, both sorted, so that labels do not hang on the file system's order."""
    found = {path.name: _pictures(path) for path in _visible_folders(folder)}
    if not found:
        what = "loose pictures" if _pictures(folder) else "no pictures"
        raise DataError(
            f"{folder} holds {what}: put the pictures into one folder a class, such as {folder}/cat"
        )
    for name, paths in found.items():
        if not paths:
            raise DataError(
                f"{folder / name} holds no pictures ({', '.join(sorted(_SUFFIXES))}): fill it or remove it"
            )
    return found


def _read(
    found: dict[str, list[Path]], classes: tuple[str, ...], resolution: int, pool: ThreadPoolExecutor
) -> Split:
    paths = [path for pictures in found.values() for path in pictures]
    images = np.empty((len(paths), resolution, resolution, 3), np.uint8)
    for index, picture in enumerate(pool.map(lambda path: _square(path, resolution), paths)):
        images[index] = picture
    labels = [classes.index(name) for name, pictures in found.items() for _ in pictures]
    return Split(images, np.array(labels, np.int64))


def _shorter_side(path: Path) -> int:
    with _opened(path) as picture:
        return min(picture.size)


def _square(path: Path, resolution: int) -> NDArray[np.uint8]:
    """The central square of a picture, upright, RGB, uint8 [resolution, resolution, 3]."""
    from PIL import Image, ImageOps

    side = (resolution, resolution)
    with _opened(path) as picture:
        if picture.mode.startswith(("I", "F")):
            raise DataError(f"{path} has {picture.mode} pixels, which RGB would clip: convert it to 8 bits")
        picture.draft("RGB", (2 * resolution, 2 * resolution))  # decodes a large JPEG smaller, and faster
        upright = ImageOps.exif_transpose(picture).convert("RGB")
        return np.asarray(ImageOps.fit(upright, side, Image.Resampling.BILINEAR))


@contextmanager
def _opened(path: Path) -> Iterator[ImageFile]:
    """The picture at ``path``; whatever Pillow finds wrong while it is open becomes a DataError."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            yield picture
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError) as failure:
        reason = str(failure).replace(f" '{path}'", "") or type(failure).__name__
        raise DataError(f"{path} cannot be read as a picture ({reason}): replace or remove it") from failure
