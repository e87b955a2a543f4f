"""What the rest of tinynas knows of data: pictures, labels, and the two halves they come in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinynas.data.augment import Augmentation
from tinynas.errors import DataError


@dataclass(frozen=True, eq=False)
class Split:
    """Pictures and their labels, one to one.

    Attributes:
        images: uint8 [n, height, width, channels], 0..255.
        labels: int64 [n], the index of each picture's class.

    Raises:
        DataError: there is no picture, or images and labels differ in number, rank or type.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype != np.uint8:
            raise DataError(
                f"pictures must be uint8 [n, h, w, c], not {self.images.dtype} {self.images.shape}"
            )
        if self.labels.dtype != np.int64 or self.labels.shape != self.images.shape[:1]:
            raise DataError(
                f"labels must be int64, one a picture: {len(self.images)} pictures have labels"
                f" of {self.labels.dtype} {self.labels.shape}"
            )
        if not self.images.size:
            raise DataError("there is no picture in this part of the data: give more pictures of each class")

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: NDArray[np.intp]) -> Split:
        """The pictures at ``indices``, in that order, with their labels (copies)."""
        return Split(self.images[indices], self.labels[indices])


@dataclass(frozen=True, eq=False)
class Dataset:
    """Square pictures of some classes, parted into ``train`` (searched on) and ``test`` (touched once).

    Attributes:
        classes: names by label; every label is an index into it.
        augmentation: what may be done to a training picture without changing its class.
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    augmentation: Augmentation

    @property
    def native_resolution(self) -> int:
        """Height = width of the pictures as stored."""
        return int(self.train.images.shape[1])

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return int(self.train.images.shape[3])


def describe(dataset: Dataset) -> str:
    """One line: ``digits: 1,437 + 360 pictures of 8x8x1, 10 classes``."""
    side = dataset.native_resolution
    return (
        f"{dataset.name}: {len(dataset.train):,} + {len(dataset.test):,} pictures"
        f" of {side}x{side}x{dataset.channels}, {len(dataset.classes)} classes"
    )


def fingerprint(dataset: Dataset) -> str:
    """A short hash of every picture and label: tells a run continued with other data from the same run."""
    digest = hashlib.blake2b(digest_size=8)
    for split in (dataset.train, dataset.test):
        digest.update(repr(split.images.shape).encode())
        digest.update(np.ascontiguousarray(split.images).data)
        digest.update(np.ascontiguousarray(split.labels).data)
    return digest.hexdigest()
