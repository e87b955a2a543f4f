"""The requantisation in few instructions equals TFLite's, for every shift that a layer may have with it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from kernel_reference import finish, rescale
from make_tflite import convolution
from numpy.typing import NDArray

from tinynas.engine.block_packing import channel_constants
from tinynas.engine.layers import Layer, layer_of
from tinynas.graph import Padding
from tinynas.graph.tflite import graph_from_bytes

#: every sum up to here, and as many round each power of two beyond
_ALL = 2**14
_MULTIPLIERS = (2**30, 1_267_566_298, 2**31 - 2**20, 2**31 - 1)


@cache
def _any_layer() -> Layer:
    model = convolution(np.random.default_rng(0), (3, 3, 4), 2, (1, 1), (1, 1), Padding.SAME)
    graph = graph_from_bytes(model, "conv")
    return layer_of(graph, graph.operators[0])


def _layer(right: int, multiplier: int, zero: int, low: int) -> Layer:
    return replace(
        _any_layer(),
        multipliers=np.full(2, multiplier, np.int64),
        shifts=np.full(2, -right, np.int64),
        output_zero=zero,
        low=low,
        high=127,
    )


@cache
def _sums() -> NDArray[np.int64]:
    near = np.arange(-_ALL, _ALL)
    far = [sign * 2**power + np.arange(-64, 65) for power in range(14, 30) for sign in (-1, 1)]
    everything = np.concatenate([near, *far])
    return everything[np.abs(everything) < 2**30]


def _high_plus(a: NDArray[np.int64], b: int, c: int) -> NDArray[np.int64]:
    """SMMLAR."""
    return ((a * b + 2**31) >> 32) + c


@pytest.mark.parametrize("zero", [-128, -3, 0, 100])
@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize("right", range(23))
def test_all_sums(right: int, rectified: bool, zero: int) -> None:
    sums = _sums()
    low = zero if rectified else -128
    for multiplier in _MULTIPLIERS:
        layer = _layer(right, multiplier, zero, low)
        assert layer.short is (right > 0 or low == zero)
        if not layer.short:
            continue
        expected = finish(rescale(sums, multiplier, -right), zero, low, 127)
        _, factor, rounding, shift = (int(value) for value in channel_constants(layer, zero)[:4])
        plain = (_high_plus(2 * sums, factor, rounding) + (sums >> 63)) >> shift
        np.testing.assert_array_equal(np.clip(plain, low, 127), expected)
        if rectified:  # nothing that the sign corrects is kept
            np.testing.assert_array_equal(
                np.clip(_high_plus(2 * sums, factor, rounding) >> shift, low, 127), expected
            )
