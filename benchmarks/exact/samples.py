"""What networks are fed: all of int8 at random, its extremes, and what only a float input can hold."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.graph import DType, Graph, Tensor
from tinynas.graph.quantized import quantization_of

Values = NDArray[Any]


def samples_for(original: Graph, stored: Graph, count: int, seed: int) -> list[Values]:
    """`count` samples [count, ...] for each input of `original`, the file as it is.

    Extremes stand between random ones, so that the first few have some of both. `stored` is the network
    without conversions at its borders: a float input gets the real values of what that network is fed, then
    some between two int8 values and some beyond them all.
    """
    rng = np.random.default_rng(seed)
    made = []
    for index, behind in zip(original.inputs, stored.inputs, strict=True):
        tensor, quantised = original.tensors[index], stored.tensors[behind]
        random = _random(tensor, rng)
        woven = chain.from_iterable(zip(random, _extremes(tensor, quantised), strict=False))
        values = np.stack(list(islice(chain(woven, random), count)))
        made.append(values if tensor.dtype is DType.INT8 else _real(values, quantised, rng))
    return made


def _random(tensor: Tensor, rng: np.random.Generator) -> Iterator[NDArray[np.int8]]:
    while True:
        yield rng.integers(-128, 128, tensor.shape, np.int8)


def _extremes(tensor: Tensor, quantised: Tensor) -> Iterator[NDArray[np.int8]]:
    """All lowest, all highest, all zero point; chessboards of lowest and highest, by element and by pixel."""
    _, zero = quantization_of(quantised)
    board = np.indices(tensor.shape).sum(axis=0) % 2 == 1
    pixels = np.indices(tensor.shape[:-1]).sum(axis=0)[..., np.newaxis] % 2 == 1
    for values in (board, -128, 127, zero, ~board, np.broadcast_to(pixels, tensor.shape)):
        if isinstance(values, np.ndarray):
            yield np.where(values, 127, -128).astype(np.int8)
        else:
            yield np.full(tensor.shape, values, np.int8)


def _real(values: NDArray[np.int8], quantised: Tensor, rng: np.random.Generator) -> Values:
    """The reals of `values`; in every fourth sample halfway between int8 values, in every fourth far out."""
    scale, zero = quantization_of(quantised)
    steps = values.astype(np.float64) - zero
    steps[2::4] += 0.5
    steps[3::4] *= np.exp(rng.uniform(-4, 8, steps[3::4].shape))
    return (steps * scale).astype(np.float32)
