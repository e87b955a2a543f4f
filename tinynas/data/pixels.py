"""How a pixel becomes a network's input: one formula for training, calibration and the board.

The int8 input of every exported network is pixel - 128. As a real number that is (pixel - 128) / 64, in
[-2, 127/64]: roughly zero mean and unit variance for photographs, and exactly scale 1/64, zero point 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: subtracted from a uint8 pixel
PIXEL_OFFSET = 128
#: int8 steps per unit of the real-valued input
PIXEL_SCALE = 64


def to_float_input(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 pictures of any shape as the float network sees them."""
    return (images.astype(np.float32) - PIXEL_OFFSET) / PIXEL_SCALE


def normalised(images: NDArray[np.uint8], mean: Sequence[float], std: Sequence[float]) -> NDArray[np.float32]:
    """uint8 pictures [n, h, w, c] as networks of others see them: (pixel / 255 - mean) / std.

    `mean` and `std` hold one number, or one for each channel, as in torchvision's Normalize.
    """
    centred = images.astype(np.float32) / 255 - np.asarray(mean, np.float32)
    return centred / np.asarray(std, np.float32)


def to_int8_input(images: NDArray[np.uint8]) -> NDArray[np.int8]:
    """uint8 pictures of any shape as the int8 network sees them."""
    return (images.astype(np.int16) - PIXEL_OFFSET).astype(np.int8)
