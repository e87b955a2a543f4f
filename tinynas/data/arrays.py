"""Pictures and labels that come as arrays: from an .npz of the user's own, or of a classic data set."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.data.augment import Augmentation, CropFlip, ShiftAugmentation
from tinynas.data.dataset import Dataset, Split
from tinynas.data.splitting import hold_out
from tinynas.errors import DataError

Arrays = tuple[NDArray[Any], NDArray[Any]]

TEST_SHARE = 0.2
_PARTED = ("x_train", "y_train", "x_test", "y_test")
_WHOLE = ("x", "y")


def read_npz(path: Path) -> tuple[Arrays, Arrays | None]:
    """The arrays of ``path``: (train, test), or (all, None) where it holds only ``x`` and ``y``.

    Raises:
        DataError: the file is damaged, is no .npz, or lacks these arrays.
    """
    try:
        stored = np.load(path, allow_pickle=False)
        if isinstance(stored, np.ndarray):
            raise DataError(
                f"{path} holds one bare array, not an .npz: save pictures x and labels y by np.savez"
            )
        with stored as archive:
            names = next((names for names in (_PARTED, _WHOLE) if set(names) <= set(archive.files)), None)
            if names is None:
                raise DataError(
                    f"{path} holds the arrays {', '.join(sorted(archive.files)) or '(none)'}:"
                    " it needs x_train, y_train, x_test and y_test, or x and y"
                )
            arrays = [archive[name] for name in names]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as failure:
        raise DataError(
            f"{path} cannot be read as an .npz ({failure}): make it again or fetch it anew"
        ) from failure
    return (arrays[0], arrays[1]), (arrays[2], arrays[3]) if len(arrays) == len(_PARTED) else None


def load_npz(path: Path, seed: int) -> Dataset:
    """The user's own .npz: ``x_train, y_train, x_test, y_test``, or ``x, y`` parted 80/20 by ``seed``.

    Pictures are uint8 0..255 or floats 0..1, [n, h, w, c] or [n, h, w], square; labels are any whole
    numbers or strings.

    Raises:
        DataError: naming the file and what is wrong in it.
    """
    train, test = read_npz(path)
    return dataset_from_arrays(path.stem, str(path), train, test, seed=seed)


def dataset_from_arrays(
    name: str,
    origin: str,
    train: Arrays,
    test: Arrays | None,
    *,
    seed: int = 0,
    classes: tuple[str, ...] | None = None,
    augmentation: Augmentation | None = None,
) -> Dataset:
    """A checked ``Dataset``; ``origin`` (the file) opens every complaint.

    With ``classes`` the labels must be indices into it; without, they are whatever distinct values the
    training labels take. Without ``augmentation``, colour is taken for photographs (crop and flip) and
    grey for signs (shift only: flipping a letter makes another).

    Raises:
        DataError: pictures or labels are empty, mismatched, of a wrong type or range, or of one class.
    """
    parts = [train] if test is None else [train, test]
    images = [_checked_images(pictures, origin) for pictures, _ in parts]
    values = [
        _checked_labels(labels, len(pictures), origin)
        for (_, labels), pictures in zip(parts, images, strict=True)
    ]
    if images[0].shape[1:] != images[-1].shape[1:]:
        raise DataError(
            f"{origin}: training pictures are {_size(images[0])} but test pictures {_size(images[-1])}:"
            " make them one size"
        )
    known = np.arange(len(classes)) if classes else np.unique(values[0])
    labels = [_encode(part, known, origin) for part in values]
    if len(np.unique(labels[0])) < 2:
        raise DataError(f"{origin}: all pictures belong to one class: a classifier needs at least two")
    splits = [Split(*part) for part in zip(images, labels, strict=True)]
    first, second = splits if len(splits) == 2 else part_by_class(splits[0], origin, seed)
    side, channels = first.images.shape[2:]
    guess = CropFlip(max(1, side // 8)) if channels == 3 else ShiftAugmentation(max(1, side // 14))
    return Dataset(name, first, second, classes or _names(known), augmentation or guess)


def part_by_class(split: Split, origin: str, seed: int) -> tuple[Split, Split]:
    """(train, test), 80/20 by class, of data that comes unparted.

    Raises:
        DataError: too few pictures to part, naming ``origin``.
    """
    try:
        return hold_out(split, TEST_SHARE, seed)
    except DataError as failure:
        raise DataError(f"{origin}: {failure}") from failure


def _size(images: NDArray[np.uint8]) -> str:
    return "x".join(str(side) for side in images.shape[1:])


def _checked_images(pictures: NDArray[Any], origin: str) -> NDArray[np.uint8]:
    """uint8 [n, h, w, c] of square pictures, or a DataError."""
    images = pictures[..., None] if pictures.ndim == 3 else pictures
    if images.ndim != 4:
        raise DataError(
            f"{origin}: pictures have shape {pictures.shape}: store them as [n, height, width, channels]"
        )
    if not images.size:
        raise DataError(
            f"{origin}: there are no pictures in it (shape {pictures.shape}): store at least one a class"
        )
    if images.shape[1] != images.shape[2]:
        raise DataError(
            f"{origin}: pictures of {images.shape[1]}x{images.shape[2]} are not square:"
            " crop them, and store channels last"
        )
    if np.issubdtype(images.dtype, np.floating):
        return _scaled(images, origin)
    if images.dtype != np.uint8:
        raise DataError(f"{origin}: pictures are {images.dtype}: store uint8 in 0..255 or floats in 0..1")
    return np.ascontiguousarray(images)


def _scaled(images: NDArray[Any], origin: str) -> NDArray[np.uint8]:
    """Floats in 0..1 as 0..255."""
    if not np.isfinite(images).all():
        raise DataError(f"{origin}: some pixels are NaN or infinite: replace them before saving")
    low, high = images.min(), images.max()
    if low < 0 or high > 1:
        raise DataError(
            f"{origin}: float pixels reach from {low:.4g} to {high:.4g}:"
            " store floats in 0..1 or uint8 in 0..255"
        )
    scaled: NDArray[np.uint8] = np.rint(images.astype(np.float32) * 255).astype(np.uint8)
    return scaled


def _checked_labels(labels: NDArray[Any], count: int, origin: str) -> NDArray[Any]:
    """Labels [count] of whole numbers or strings, or a DataError."""
    column = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if column.ndim != 1:
        raise DataError(
            f"{origin}: labels have shape {labels.shape}: store one class number or name a picture"
        )
    if len(column) != count:
        raise DataError(
            f"{origin}: {count} pictures have {len(column)} labels: every picture needs exactly one"
        )
    if column.dtype.kind not in "biuUS":
        raise DataError(f"{origin}: labels are {column.dtype}: store whole numbers or strings")
    return column


def _encode(labels: NDArray[Any], known: NDArray[Any], origin: str) -> NDArray[np.int64]:
    """Each label's index in the sorted ``known`` values."""
    if (labels.dtype.kind in "US") != (known.dtype.kind in "US"):
        # NumPy would compare them as text and sort 10 before 9
        raise DataError(
            f"{origin}: labels are {labels.dtype} where {known.dtype} is expected: store one kind"
        )
    strange = labels[~np.isin(labels, known)]
    if len(strange):
        raise DataError(
            f"{origin}: label {_names(strange[:1])[0]!r} is none of the {len(known)} classes"
            f" ({_names(known[:1])[0]} to {_names(known[-1:])[0]}):"
            " correct it, or train on such pictures too"
        )
    return np.searchsorted(known, labels).astype(np.int64)


def _names(values: NDArray[Any]) -> tuple[str, ...]:
    """Label values as people read them."""
    return tuple(
        value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        for value in values.tolist()
    )
