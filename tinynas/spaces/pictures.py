"""What the pictures say about a space: the resolutions worth trying, and the strides they allow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: pictures up to this size are small: their grid of resolutions follows their native size
SMALL_PICTURE = 64
#: rows and columns that a last feature map should have at least
SMALLEST_MAP = 4


@dataclass(frozen=True, slots=True)
class Pictures:
    """The data a space is for: pictures of `native` x `native` pixels, their channels, how many classes."""

    native: int
    in_channels: int
    classes: int


def is_small(native: int) -> bool:
    """Whether pictures of `native` x `native` pixels need their own grid and strides."""
    return native <= SMALL_PICTURE


def resolution_grid(native: int) -> tuple[int, ...]:
    """Twelve resolutions: the paper's 48, 64, ... 224, or half to about twice a small native size."""
    if is_small(native):
        return tuple(sorted({max(SMALLEST_MAP, round(native * eighths / 8)) for eighths in range(4, 16)}))
    return tuple(range(48, 225, 16))


def fitting_strides(strides: Sequence[int], resolution: int) -> tuple[int, ...]:
    """`strides` of the stem and what follows it, fewer where the last map would be below 4 x 4.

    The earliest go first, but the stem's last of all, since it halves the largest feature maps and so
    decides the peak of memory.
    """
    left = list(strides)
    for position in (*range(1, len(left)), 0):
        if -(-resolution // math.prod(left)) >= SMALLEST_MAP:
            break
        left[position] = 1
    return tuple(left)
