"""Winograd's weights and values, and when the kernel is chosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from make_tflite import convolution

from tinynas.engine.choosing import choose_kernels
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.layers import layer_of
from tinynas.engine.winograd import fits_winograd, winograd_depth, winograd_weights
from tinynas.graph import Graph, Padding
from tinynas.graph.tflite import graph_from_bytes

#: as the C file says: values of four rows, two outputs of four sums; the same of six columns and four outputs
_ROWS = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
_UPPER_LOWER = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])
_COLUMNS = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
_OUTPUTS = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])
_LANES = [0, 2, 1, 3]


@given(
    outputs=st.integers(1, 13),
    channels=st.integers(1, 13),
    extremes=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_outputs_are_48_times_the_sums_of_products(
    outputs: int, channels: int, extremes: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    shape = (outputs, 3, 3, channels)
    filters = rng.integers(-128, 128, shape).astype(np.int8)
    if extremes:
        filters = rng.choice(np.array([-128, 127], np.int8), shape)
    # all of what is read beyond the last channel must be multiplied by 0
    depth = winograd_depth(channels)
    # four of outputs, value along a row, down the columns, pair of channels, output, lane
    weights = winograd_weights(filters).reshape(-1, 6, 4, depth // 2, 4, 2).astype(np.int64)
    tile = (
        rng.choice(np.array([-128, 127]), (4, 6, depth))
        if extremes
        else rng.integers(-128, 128, (4, 6, depth))
    )

    order = (np.arange(0, depth, 4)[:, None] + _LANES).ravel()
    values = np.einsum("uy,vx,yxc->vuc", _ROWS, _COLUMNS, tile)[:, :, order].reshape(6, 4, -1, 2)
    assert np.abs(values).max() < 2**15
    sums = np.einsum("ovupfl,vupl->ofvu", weights, values)
    made = np.einsum("su,tv,ofvu->stof", _UPPER_LOWER, _OUTPUTS, sums).reshape(2, 4, -1)
    expected = [
        [np.einsum("oyxc,yxc->o", filters, tile[y : y + 3, x : x + 3, :channels]) for x in range(4)]
        for y in range(2)
    ]
    np.testing.assert_array_equal(made[:, :, :outputs], 48 * np.array(expected))
    assert not made[:, :, outputs:].any()


def _graph(
    image: tuple[int, int, int], outputs: int, kernel: tuple[int, int] = (3, 3), stride: int = 1
) -> Graph:
    model = convolution(np.random.default_rng(1), image, outputs, kernel, (stride, stride), Padding.SAME)
    return graph_from_bytes(model, "conv")


@pytest.mark.parametrize(
    ("graph", "chosen"),
    [
        (_graph((8, 16, 16), 16), True),
        (_graph((8, 16, 16), 16, stride=2), False),
        (_graph((8, 16, 16), 16, kernel=(3, 5)), False),
        (_graph((8, 16, 14), 16), True),
        (_graph((8, 16, 16), 18), True),
        (_graph((8, 16, 3), 16), False),  # most of it is transforming values
        (_graph((4, 2, 16), 16), False),  # a tile is four columns
        (_graph((1, 16, 16), 16), False),  # and two rows
    ],
)
def test_it_is_chosen_where_it_can_run_and_pays(graph: Graph, chosen: bool) -> None:
    functions = {goal: choose_kernels(graph, Aim(goal))[0].function for goal in Goal}
    assert (functions[Goal.SPEED] == "tn_convolve_winograd") is chosen
    assert functions[Goal.BALANCED] != "tn_convolve_winograd"  # its weights are five times as large


def test_sums_that_could_leave_32_bits_are_refused() -> None:
    layer = layer_of(_graph((4, 4, 4), 4), _graph((4, 4, 4), 4).operators[0])
    most = (2**31 // (48 * 128)) // 128
    fits = np.full((1, most), 128).astype(np.int8)
    assert fits_winograd(replace(layer, filters=fits))
    assert not fits_winograd(replace(layer, filters=np.full((1, most + 1), 128).astype(np.int8)))
