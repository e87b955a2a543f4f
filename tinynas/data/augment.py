"""What may be done to a training picture without changing its class.

Every augmentation is a small object called with a batch and a random generator; the same generator
state gives the same pictures, which is what lets a killed training go on bit by bit as before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray


class Augmentation(Protocol):
    """A random change of a batch: uint8 [n, h, w, c] -> uint8 of the same shape."""

    def __call__(self, images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class NoAugmentation:
    """Pictures as they are."""

    def __call__(self, images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        return images


@dataclass(frozen=True)
class ShiftAugmentation:
    """Shifts by up to ``pixels`` each way over a black border; no flip: a mirrored digit is another sign."""

    pixels: int

    def __post_init__(self) -> None:
        _check_margin(self.pixels)

    def __call__(self, images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        offsets = rng.integers(0, 2 * self.pixels + 1, size=(2, len(images)))
        return _crop(_pad(images, self.pixels, "constant"), offsets, np.zeros(len(images), bool), self.pixels)


@dataclass(frozen=True)
class CropFlip:
    """Reflects a border of ``padding`` pixels, crops back at random, mirrors half of the pictures.

    The usual augmentation of CIFAR and of photographs, where left and right carry no meaning.
    """

    padding: int
    flip: bool = True

    def __post_init__(self) -> None:
        _check_margin(self.padding)

    def __call__(self, images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        offsets = rng.integers(0, 2 * self.padding + 1, size=(2, len(images)))
        mirrored = (rng.random(len(images)) < 0.5) & self.flip
        return _crop(_pad(images, self.padding, "symmetric"), offsets, mirrored, self.padding)


def _check_margin(pixels: int) -> None:
    if pixels < 0:
        raise ValueError(f"an augmentation cannot move pictures by {pixels} pixels")


def _pad(images: NDArray[np.uint8], margin: int, mode: Literal["constant", "symmetric"]) -> NDArray[np.uint8]:
    return np.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode=mode)


def _crop(
    padded: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    mirrored: NDArray[np.bool_],
    margin: int,
) -> NDArray[np.uint8]:
    """A window of each padded picture, ``2 * margin`` smaller, from its own offset, mirrored where asked.

    One gather of whole pixels by flat index: a loop over pictures costs ten times as much.
    """
    count, tall, wide, channels = padded.shape
    rows = offsets[0][:, None] + np.arange(tall - 2 * margin)
    columns = np.arange(wide - 2 * margin)
    columns = offsets[1][:, None] + np.where(mirrored[:, None], columns[::-1], columns)
    pixels = (np.arange(count)[:, None] * tall + rows)[:, :, None] * wide + columns[:, None, :]
    cropped: NDArray[np.uint8] = padded.reshape(-1, channels).take(pixels, axis=0)
    return cropped
