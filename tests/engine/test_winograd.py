"""Winograd's weights and values, and when the kernel is chosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from make_tflite import convolution

from tinynas.engine.block_packing import gathered_order
from tinynas.engine.choosing import choose_kernels
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.layers import layer_of
from tinynas.engine.winograd import fits_winograd, winograd_weights
from tinynas.graph import Graph, Padding
from tinynas.graph.tflite import graph_from_bytes

#: as the C file says: values of six columns, four outputs of six sums
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
    fours=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    extremes=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_four_outputs_are_24_times_the_sums_of_products(
    fours: tuple[int, int], extremes: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    outputs, channels = 4 * fours[0], 4 * fours[1]
    shape = (outputs, 3, 3, channels)
    filters = rng.integers(-128, 128, shape).astype(np.int8)
    if extremes:
        filters = rng.choice(np.array([-128, 127], np.int8), shape)
    packed = winograd_weights(gathered_order(filters.reshape(outputs, -1), 3), channels)
    # four of outputs, value, kernel row, pair of channels, output, lane
    weights = packed.reshape(-1, 6, 3, channels // 2, 4, 2).astype(np.int64)
    columns = rng.integers(-128, 128, (3, 6, channels))

    order = (np.arange(0, channels, 4)[:, None] + _LANES).ravel()
    values = np.einsum("vx,yxc->vyc", _COLUMNS, columns)[:, :, order].reshape(6, 3, -1, 2)
    assert np.abs(values).max() < 2**15
    sums = np.einsum("ovypfl,vypl->ofv", weights, values)
    expected = [np.einsum("oyxc,yxc->o", filters, columns[:, x : x + 3]) for x in range(4)]
    made = np.einsum("tv,ofv->tof", _OUTPUTS, sums).reshape(4, outputs)
    np.testing.assert_array_equal(made, 24 * np.array(expected))


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
        (_graph((8, 16, 14), 16), False),
        (_graph((8, 16, 16), 18), False),
        (_graph((3, 2, 16), 16), False),  # a tile is four columns
    ],
)
def test_it_is_chosen_where_it_can_run_and_pays(graph: Graph, chosen: bool) -> None:
    functions = {goal: choose_kernels(graph, Aim(goal))[0].function for goal in Goal}
    assert (functions[Goal.SPEED] == "tn_convolve_winograd") is chosen
    assert functions[Goal.BALANCED] != "tn_convolve_winograd"  # its weights are four times as large


def test_sums_that_could_leave_32_bits_are_refused() -> None:
    layer = layer_of(_graph((4, 4, 4), 4), _graph((4, 4, 4), 4).operators[0])
    most = (2**31 // (24 * 128)) // 128
    fits = np.full((1, most), 128).astype(np.int8)
    assert fits_winograd(replace(layer, filters=fits))
    assert not fits_winograd(replace(layer, filters=np.full((1, most + 1), 128).astype(np.int8)))
