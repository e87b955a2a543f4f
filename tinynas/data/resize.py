"""Pictures at another resolution, the same bits on every machine.

A bilinear (triangle) filter, widened when shrinking so that every source pixel counts. It is
separable, so a batch is resized by two matrix products. The weights are whole numbers of 1/4096 and
every sum stays below 2**24, where float32 is exact: no order of summation, thread count or BLAS can
change a result, and a picture comes out the same in any batch.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped, unused-ignore]

from tinynas.data.splitting import apportion
from tinynas.errors import RequestError

_WEIGHT_ONE = 4096  # 12 bits of weight, and 255 * 16 (12 bits) in between: 24 bits at most
_BETWEEN = 16  # fractions of a grey level kept between the two products
_CHUNK_VALUES = 1 << 20  # 4 MiB of float32 a product: near the cache


def resize(images: NDArray[np.uint8], resolution: int) -> NDArray[np.uint8]:
    """``images`` [n, h, w, c] at [n, resolution, resolution, c], uint8; returned as they are if already so.

    Antialiased bilinear, like Pillow's ``BILINEAR``. Values stay within those of the source.

    Raises:
        RequestError: ``resolution`` is not positive.
    """
    if resolution < 1:
        raise RequestError(f"a resolution of {resolution} pixels is not a picture: ask for at least 1")
    count, height, width, channels = images.shape
    if height == width == resolution:
        return images
    out = np.empty((count, resolution, resolution, channels), np.uint8)
    step = max(1, _CHUNK_VALUES // (max(height, resolution) * max(width, resolution) * channels))
    with _threads().limit(limits=1, user_api="blas"):
        for start in range(0, count, step):
            out[start : start + step] = _resize_chunk(images[start : start + step], resolution)
    return out


@lru_cache(maxsize=1)
def _threads() -> ThreadpoolController:
    """Holds the products to one thread: as fast alone, and five times faster where the cores are busy."""
    return ThreadpoolController()


def _resize_chunk(images: NDArray[np.uint8], resolution: int) -> NDArray[np.float32]:
    """``resize`` of as many pictures as fit the cache: whole float32 values in 0..255."""
    count, height, width, channels = images.shape
    pixels = images.astype(np.float32).reshape(count, height, width * channels)
    tall = _rounded(_weights(height, resolution) @ pixels, _WEIGHT_ONE // _BETWEEN)
    lines = tall.reshape(count * resolution, width * channels)
    square = _rounded(lines @ _interleaved(width, resolution, channels), _WEIGHT_ONE * _BETWEEN)
    return square.reshape(count, resolution, resolution, channels)


def _rounded(sums: NDArray[np.float32], unit: int) -> NDArray[np.float32]:
    """``sums`` in whole ``unit``s, in place; a unit is a power of two, so the division is exact."""
    sums *= np.float32(1 / unit)
    return np.rint(sums, out=sums)


@lru_cache(maxsize=64)
def _interleaved(source: int, target: int, channels: int) -> NDArray[np.float32]:
    """``_weights`` for lines of pixels, [source * channels, target * channels].

    Most of it is zero, yet one large product beats many small ones that keep the channels apart.
    """
    return np.kron(_weights(source, target).T, np.eye(channels, dtype=np.float32))


@lru_cache(maxsize=64)
def _weights(source: int, target: int) -> NDArray[np.float32]:
    """The share [target, source] of each source pixel in each target pixel, in 1/4096; rows sum to 4096."""
    scale = source / target
    reach = max(scale, 1.0)
    centres = (np.arange(target) + 0.5) * scale
    distance = np.abs(np.arange(source) + 0.5 - centres[:, None]) / reach
    triangle = np.maximum(0.0, 1.0 - distance)
    return np.stack([apportion(row, _WEIGHT_ONE) for row in triangle]).astype(np.float32)
