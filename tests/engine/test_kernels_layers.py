"""The C kernels of layers with weights against plain 64-bit arithmetic."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import (
    Window,
    clamps,
    conv_parameters,
    draw_layer,
    draw_values,
    drawn_windows,
    seeds,
    zero_points,
)
from kernel_host import (
    Constants,
    run_operator,
)
from kernel_reference import pack_depthwise, windows


@given(
    window=drawn_windows(),
    groups=st.sampled_from([1, 1, 2, 3]),
    sizes=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    zeros=st.tuples(zero_points, zero_points),
    clamp=clamps,
    wide=st.booleans(),
    seed=seeds,
)
def test_convolve(
    window: Window,
    groups: int,
    sizes: tuple[int, int],
    zeros: tuple[int, int],
    clamp: tuple[int, int],
    wide: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    inputs, outputs = sizes if groups == 1 else (-(-sizes[0] // groups), -(-sizes[1] // groups))
    values = draw_values(rng, (window.rows, window.columns, inputs * groups))
    weights = draw_values(rng, (outputs * groups, *window.kernel, inputs), -127)
    layer = draw_layer(rng, outputs * groups, np.moveaxis(weights, 0, -1).astype(np.int64), wide)
    seen = windows(values, window.kernel, window.stride, window.pad, window.out, zeros[0])
    parts = seen.reshape(*seen.shape[:-1], groups, inputs)
    filters = weights.reshape(groups, outputs, *window.kernel, inputs).astype(np.int64)
    sums = np.einsum("yxijgc,goijc->yxgo", parts, filters).reshape(*window.out, outputs * groups)
    expected = layer.outputs(sums, zeros[1], clamp)

    constants = Constants()
    depth = window.kernel[0] * window.kernel[1] * inputs
    padding = np.full(inputs * groups, zeros[0], np.int8)
    made = run_operator(
        "tn_convolve" if groups == 1 else "tn_convolve_groups",
        conv_parameters(constants, weights, layer, depth, zeros[1], clamp, padding, window, groups),
        [values],
        (*window.out, outputs * groups),
        scratch=2 * (-(-depth // 4) * 4),
        slots=[window.slots()],
        reads=window.reads(),
    )
    constants.check()
    np.testing.assert_array_equal(made, expected)


@given(
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 40), st.integers(1, 20)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    ring=st.booleans(),
    zero=zero_points,
    clamp=clamps,
    wide=st.booleans(),
    seed=seeds,
)
def test_pointwise(
    sizes: tuple[int, int, int, int],
    stride: tuple[int, int],
    ring: bool,
    zero: int,
    clamp: tuple[int, int],
    wide: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    rows, columns, inputs, outputs = sizes
    values = draw_values(rng, (rows, columns, inputs))
    weights = draw_values(rng, (outputs, inputs), -127)
    layer = draw_layer(rng, outputs, weights.T.astype(np.int64), wide)
    used = values[:: stride[0], :: stride[1]]
    expected = layer.outputs(used.astype(np.int64) @ weights.T.astype(np.int64), zero, clamp)
    window = Window(rows, columns, (1, 1), stride, (0, 0), used.shape[:2], ring)

    constants = Constants()
    made = run_operator(
        "tn_pointwise",
        conv_parameters(constants, weights, layer, inputs, zero, clamp, None, window),
        [values],
        (*window.out, outputs),
        slots=[window.slots()],
        reads=window.reads(),
    )
    constants.check()
    np.testing.assert_array_equal(made, expected)


@given(
    window=st.one_of(drawn_windows(), drawn_windows(large=True)),
    channels=st.integers(1, 20),
    zeros=st.tuples(zero_points, zero_points),
    clamp=clamps,
    wide=st.booleans(),
    seed=seeds,
)
def test_depthwise(
    window: Window, channels: int, zeros: tuple[int, int], clamp: tuple[int, int], wide: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values = draw_values(rng, (window.rows, window.columns, channels))
    weights = draw_values(rng, (*window.kernel, channels), -127)
    layer = draw_layer(rng, channels, weights.astype(np.int64), wide)
    seen = windows(values, window.kernel, window.stride, window.pad, window.out, zeros[0])
    sums = np.einsum("yxijc,ijc->yxc", seen, weights.astype(np.int64))
    expected = layer.outputs(sums, zeros[1], clamp)

    constants = Constants()
    depth = window.kernel[0] * window.kernel[1]
    padding = np.full(channels, zeros[0], np.int8)
    made = run_operator(
        "tn_depthwise",
        conv_parameters(
            constants, pack_depthwise(weights), layer, depth, zeros[1], clamp, padding, window, channels
        ),
        [values],
        (*window.out, channels),
        slots=[window.slots()],
        reads=window.reads(),
    )
    constants.check()
    np.testing.assert_array_equal(made, expected)


@given(
    window=drawn_windows(),
    sizes=st.tuples(st.integers(1, 5), st.integers(2, 9)),
    zeros=st.tuples(zero_points, zero_points),
    clamp=clamps,
    wide=st.booleans(),
    seed=seeds,
)
def test_depthwise_multiplied(
    window: Window,
    sizes: tuple[int, int],
    zeros: tuple[int, int],
    clamp: tuple[int, int],
    wide: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    inputs, multiplier = sizes
    values = draw_values(rng, (window.rows, window.columns, inputs))
    weights = draw_values(rng, (*window.kernel, inputs * multiplier), -127)
    layer = draw_layer(rng, inputs * multiplier, weights.astype(np.int64), wide)
    seen = windows(values, window.kernel, window.stride, window.pad, window.out, zeros[0])
    sums = np.einsum("yxijc,ijc->yxc", seen.repeat(multiplier, axis=4), weights.astype(np.int64))
    expected = layer.outputs(sums, zeros[1], clamp)

    constants = Constants()
    depth = window.kernel[0] * window.kernel[1]
    padding = np.full(inputs, zeros[0], np.int8)
    made = run_operator(
        "tn_depthwise_multiplied",
        conv_parameters(constants, weights, layer, depth, zeros[1], clamp, padding, window, inputs),
        [values],
        (*window.out, inputs * multiplier),
        slots=[window.slots()],
        reads=window.reads(),
    )
    constants.check()
    np.testing.assert_array_equal(made, expected)


@given(
    sizes=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 20), st.integers(1, 20)),
    vectors=st.integers(1, 3),
    zero=zero_points,
    clamp=clamps,
    wide=st.booleans(),
    seed=seeds,
)
def test_dense(
    sizes: tuple[int, int, int, int], vectors: int, zero: int, clamp: tuple[int, int], wide: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rows, columns, channels, outputs = sizes
    depth = rows * columns * channels
    values = draw_values(rng, (rows, columns * vectors, channels))
    weights = draw_values(rng, (outputs, depth), -127)
    layer = draw_layer(rng, outputs, weights.T.astype(np.int64), wide)
    sums = values.reshape(vectors, depth).astype(np.int64) @ weights.T.astype(np.int64)
    expected = layer.outputs(sums, zero, clamp)

    constants = Constants()
    parameters = conv_parameters(constants, weights, layer, depth, zero, clamp)
    made = run_operator("tn_dense", parameters, [values], (1, vectors, outputs))
    constants.check()
    np.testing.assert_array_equal(made, expected[np.newaxis])
