"""The C kernels against plain 64-bit arithmetic, over drawn shapes, windows, rings and extreme values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from kernel_host import (
    Affine,
    Binary,
    Concat,
    Constants,
    Conv,
    Mean,
    Pad,
    Permute,
    Pool,
    Resize,
    Scale,
    Table,
    run_operator,
)
from kernel_reference import finish, pack_depthwise, rescale, round_half_away, windows
from numpy.typing import NDArray

Int8 = NDArray[np.int8]
seeds = st.integers(0, 2**32 - 1)
zero_points = st.one_of(st.sampled_from([-128, 0, 127]), st.integers(-128, 127))
#: activations: none or ReLU with the usual zero point, and two that clamp for real
clamps = st.sampled_from([(-128, 127), (-128, 127), (-3, 100), (5, 5)])


def draw_values(rng: np.random.Generator, shape: tuple[int, ...], low: int = -128) -> Int8:
    """Random int8, one time in three only the extremes."""
    if rng.integers(3) == 0:
        return rng.choice(np.array([low, 127], np.int8), shape)
    return rng.integers(low, 128, shape).astype(np.int8)


@dataclass(frozen=True)
class Window:
    """A drawn map and the window that walks over it."""

    rows: int
    columns: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]
    out: tuple[int, int]
    ring: bool

    def reads(self) -> list[tuple[int, int]]:
        """First and last input row of each output row, before cutting to the map."""
        first = [y * self.stride[0] - self.pad[0] for y in range(self.out[0])]
        return [(row, row + self.kernel[0] - 1) for row in first]

    def slots(self) -> int | None:
        """Rows of the ring, None where the map lies whole."""
        return self.kernel[0] if self.ring and self.kernel[0] < self.rows else None


@st.composite
def drawn_windows(draw: st.DrawFn, padded: bool = True, large: bool = False) -> Window:
    """Kernels to 7 x 7 (to 12 x 12 if `large`), strides to 3, any padding that leaves no window outside."""
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    kernel = [draw(st.integers(1, 12 if large else 7)) for _ in range(2)]
    stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    pad, out = [0, 0], [0, 0]
    for axis, size in enumerate((rows, columns)):
        if not padded:
            kernel[axis] = min(kernel[axis], size)
        k = kernel[axis]
        before = draw(st.integers(0, k - 1)) if padded else 0
        after = draw(st.integers(0, k - 1)) if padded else 0
        after = max(after, k - size - before)
        pad[axis] = before
        out[axis] = (size + before + after - k) // stride[axis] + 1
    sizes = (kernel[0], kernel[1]), (pad[0], pad[1]), (out[0], out[1])
    return Window(rows, columns, sizes[0], stride, sizes[1], sizes[2], draw(st.booleans()))


@dataclass
class Layer:
    """A convolution's constants but the weights' layout."""

    bias: NDArray[np.int32]
    multipliers: NDArray[np.int32]
    shifts: NDArray[np.int8]
    narrow: bool

    def outputs(self, sums: NDArray[np.int64], zero: int, clamp: tuple[int, int]) -> Int8:
        """What the sums (without bias) become; a wide one wraps around in 32 bits, as TFLite's does."""
        whole = (sums + self.bias).astype(np.int32)
        return finish(rescale(whole, self.multipliers, self.shifts), zero, *clamp)


def draw_layer(rng: np.random.Generator, outputs: int, weights: NDArray[np.int64], wide: bool) -> Layer:
    """Constants for `weights` (outputs last): mostly with results in range, at times far from it."""
    reach = 128 * int(np.abs(weights).reshape(-1, outputs).sum(axis=0).max(initial=0)) + 1
    bound = 2**31 - 1 if wide else 2**30 - 1 - reach
    bias = rng.integers(-min(bound, 4 * reach), min(bound, 4 * reach) + 1, outputs)
    if rng.integers(4) == 0:
        bias = rng.choice(np.array([-bound, bound]), outputs)
    right = np.clip(int(np.log2(reach)) - 7 + rng.integers(-2, 3, outputs), 1, 31)
    if rng.integers(4) == 0:
        right = rng.integers(1, 32, outputs)
    if wide:
        right = np.where(rng.integers(2, size=outputs) == 0, rng.integers(-10, 2, outputs), right)
    multipliers = rng.integers(2**30, 2**31, outputs)
    if rng.integers(4) == 0:
        multipliers = rng.choice(np.array([2**30, 2**31 - 1]), outputs)
    if wide:
        multipliers[rng.integers(outputs)] = 0
    return Layer(bias.astype(np.int32), multipliers.astype(np.int32), (-right).astype(np.int8), not wide)


def conv_parameters(
    constants: Constants,
    weights: Int8,
    layer: Layer,
    depth: int,
    zero: int,
    clamp: tuple[int, int],
    padding: Int8 | None = None,
    window: Window | None = None,
    groups: int = 1,
) -> Conv:
    """tn_conv."""
    return Conv(
        weights=constants.pointer(weights),
        bias=constants.pointer(layer.bias),
        multipliers=constants.pointer(layer.multipliers),
        shifts=constants.pointer(layer.shifts),
        padding=constants.pointer(padding),
        depth=depth,
        kernel_rows=window.kernel[0] if window else 1,
        kernel_columns=window.kernel[1] if window else 1,
        stride_rows=window.stride[0] if window else 1,
        stride_columns=window.stride[1] if window else 1,
        pad_top=window.pad[0] if window else 0,
        pad_left=window.pad[1] if window else 0,
        groups=groups,
        output_zero=zero,
        low=clamp[0],
        high=clamp[1],
        narrow=layer.narrow,
    )


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


def draw_shrink(rng: np.random.Generator, most: int) -> Scale:
    """A scale of at most 1; 0.5 and 1 - 2^-31 now and then."""
    multiplier = rng.choice([2**30, 2**31 - 1, int(rng.integers(2**30, 2**31))])
    return Scale(int(multiplier), -int(rng.integers(0, most + 1)))


def apply(scale: Scale, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """`values` times `scale`."""
    return rescale(values, scale.multiplier, scale.shift)


@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 20)),
    repeated=st.tuples(*(st.booleans() for _ in range(6))),
    constant=st.booleans(),
    zeros=st.tuples(zero_points, zero_points, zero_points),
    clamp=clamps,
    multiply=st.booleans(),
    seed=seeds,
)
@example(
    shape=(3, 6, 20),
    repeated=(False,) * 6,
    constant=False,
    zeros=(-128, 127, -5),
    clamp=(-128, 127),
    multiply=False,
    seed=5,
)
def test_add_and_mul(
    shape: tuple[int, int, int],
    repeated: tuple[bool, ...],
    constant: bool,
    zeros: tuple[int, int, int],
    clamp: tuple[int, int],
    multiply: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    # an axis is repeated on one side only, so that the output has the drawn shape
    left = draw_values(rng, tuple(1 if once else n for n, once in zip(shape, repeated[:3], strict=True)))
    right_shape = (
        1 if once and not other else n
        for n, once, other in zip(shape, repeated[3:], repeated[:3], strict=True)
    )
    right = draw_values(rng, tuple(right_shape))
    a, b = left.astype(np.int64) - zeros[0], right.astype(np.int64) - zeros[1]
    if multiply:
        output = Scale(int(rng.integers(2**30, 2**31)), -int(rng.integers(-3, 16)))
        scales = Scale(0, 0), Scale(0, 0), output
        results = apply(output, a * b)
    else:
        scales = draw_shrink(rng, 9), draw_shrink(rng, 9), draw_shrink(rng, 31)
        if rng.integers(2):
            scales[2].shift = -int(rng.integers(17, 23))
        results = apply(scales[2], apply(scales[0], a << 20) + apply(scales[1], b << 20))
    expected = finish(results, zeros[2], *clamp)

    constants = Constants()
    rows, columns, channels = right.shape
    parameters = Binary(
        *scales,
        left_zero=zeros[0],
        right_zero=zeros[1],
        constant=constants.pointer(right) if constant else None,
        constant_rows=rows,
        constant_columns=columns,
        constant_channels=channels,
        output_zero=zeros[2],
        low=clamp[0],
        high=clamp[1],
    )
    kernel = "tn_mul" if multiply else "tn_add"
    made = run_operator(
        kernel,
        parameters,
        [left] if constant else [left, right],
        shape,
        over_input=left.shape == shape and bool(rng.integers(2)),
    )
    constants.check()
    np.testing.assert_array_equal(made, expected)


@given(window=drawn_windows(), channels=st.integers(1, 9), clamp=clamps, seed=seeds)
def test_pools(window: Window, channels: int, clamp: tuple[int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = draw_values(rng, (window.rows, window.columns, channels))
    outside = 1000
    seen = windows(values, window.kernel, window.stride, window.pad, window.out, outside)
    inside = seen != outside
    if not inside.any(axis=(2, 3)).all():
        return  # a window without an element has no average; TFLite refuses it
    average = round_half_away(np.where(inside, seen, 0).sum(axis=(2, 3)), inside.sum(axis=(2, 3)))
    most = np.where(inside, seen, -128).max(axis=(2, 3))
    parameters = Pool(*window.kernel, *window.stride, *window.pad, *clamp)
    for kernel, expected in (("tn_average_pool", average), ("tn_max_pool", most)):
        made = run_operator(
            kernel,
            parameters,
            [values],
            (*window.out, channels),
            slots=[window.slots()],
            reads=window.reads(),
        )
        np.testing.assert_array_equal(made, finish(expected, 0, *clamp))


@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 20)),
    axes=st.sampled_from([(0, 1), (0,), (1,)]),
    zeros=st.tuples(zero_points, zero_points),
    ratio=st.floats(0.01, 4.0),
    ring=st.booleans(),
    seed=seeds,
)
def test_mean(
    shape: tuple[int, int, int],
    axes: tuple[int, ...],
    zeros: tuple[int, int],
    ratio: float,
    ring: bool,
    seed: int,
) -> None:
    values = draw_values(np.random.default_rng(seed), shape)
    elements = int(np.prod([shape[axis] for axis in axes]))
    mantissa, exponent = np.frexp(ratio)
    folded = int(elements).bit_length() - 1
    scale = Scale((int(mantissa * 2**31) << folded) // elements, int(exponent) - folded)
    sums = values.astype(np.int64).sum(axis=axes, keepdims=True) - zeros[0] * elements
    expected = finish(apply(scale, sums), zeros[1], -128, 127)

    over_rows, over_columns = 0 in axes, 1 in axes
    made = run_operator(
        "tn_mean",
        Mean(scale, zeros[0], zeros[1], over_rows, over_columns),
        [values],
        expected.shape,
        scratch=4 * expected.shape[1] * expected.shape[2] if over_rows else 0,
        steps=shape[0],
        slots=[1 if ring else None],
        reads=[(row, row) for row in range(shape[0])],
    )
    np.testing.assert_array_equal(made, expected)


@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 9)),
    over=st.booleans(),
    seed=seeds,
)
def test_lookup(shape: tuple[int, int, int], over: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, table = draw_values(rng, shape), draw_values(rng, (256,))
    constants = Constants()
    made = run_operator("tn_lookup", Table(constants.pointer(table)), [values], shape, over_input=over)
    constants.check()
    np.testing.assert_array_equal(made, table[values.astype(int) + 128])


@given(
    parts=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    others=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    axis=st.sampled_from([0, 1, 2]),
    wide=st.booleans(),
    seed=seeds,
)
def test_concat(parts: list[int], others: tuple[int, int], axis: int, wide: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kind = np.float32 if wide else np.int8
    shapes = [tuple(np.insert(others, axis, part)) for part in parts]
    inputs = [rng.integers(-128, 128, shape).astype(kind) for shape in shapes]
    expected = np.concatenate(inputs, axis)
    parameters = Concat(len(parts), expected.shape[1] if axis == 2 else 1)
    kernel = "tn_concat_rows" if axis == 0 else "tn_concat"
    made = run_operator(kernel, parameters, inputs, expected.shape, output_type=kind)
    np.testing.assert_array_equal(made, expected)


@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 6)),
    before=st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([0, 0, 2])),
    after=st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([0, 0, 1])),
    value=zero_points,
    seed=seeds,
)
def test_pad(
    shape: tuple[int, int, int],
    before: tuple[int, int, int],
    after: tuple[int, int, int],
    value: int,
    seed: int,
) -> None:
    values = draw_values(np.random.default_rng(seed), shape)
    expected = np.pad(values, list(zip(before, after, strict=True)), constant_values=value)
    made = run_operator("tn_pad", Pad(*before, value), [values], expected.shape)
    np.testing.assert_array_equal(made, expected)


@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 6)),
    out=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    seed=seeds,
)
def test_resize(shape: tuple[int, int, int], out: tuple[int, int], seed: int) -> None:
    values = draw_values(np.random.default_rng(seed), shape)
    rows = (np.arange(out[0]) * shape[0] // out[0]).astype(np.uint16)
    columns = (np.arange(out[1]) * shape[1] // out[1]).astype(np.uint16)
    constants = Constants()
    parameters = Resize(constants.pointer(rows), constants.pointer(columns))
    made = run_operator("tn_resize", parameters, [values], (*out, shape[2]))
    np.testing.assert_array_equal(made, values[rows][:, columns])


@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 6)),
    order=st.permutations(range(3)),
    wide=st.booleans(),
    data=st.data(),
)
def test_permute(shape: tuple[int, int, int], order: list[int], wide: bool, data: st.DataObject) -> None:
    kind = np.float32 if wide else np.int8
    values = np.arange(np.prod(shape)).astype(kind).reshape(shape)
    start = [data.draw(st.integers(0, n - 1)) for n in shape]
    step = [data.draw(st.integers(1, 3)) for _ in shape]
    expected = values[tuple(slice(a, None, s) for a, s in zip(start, step, strict=True))].transpose(order)
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    moved = (strides * step)[list(order)]
    parameters = Permute(*(int(n) for n in moved), first=int(strides @ start))
    made = run_operator("tn_permute", parameters, [values], expected.shape, output_type=kind)
    np.testing.assert_array_equal(made, expected)


@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 9)),
    scale=st.floats(2.0**-10, 10.0, width=32),
    zero=zero_points,
    seed=seeds,
)
def test_quantize_and_dequantize(shape: tuple[int, int, int], scale: float, zero: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    halves = rng.integers(-300, 300, shape).astype(np.float32) / np.float32(2) * np.float32(scale)
    values = np.where(rng.random(shape) < 0.1, rng.choice([np.inf, -np.inf, 1e30, -1e-30], shape), halves)
    values = values.astype(np.float32)
    quotient = values / np.float32(scale)
    rounded = np.copysign(np.floor(np.abs(quotient.astype(np.float64)) + 0.5), quotient)
    expected = np.clip(np.clip(rounded, -1000, 1000) + zero, -128, 127).astype(np.int8)
    parameters = Affine(scale, zero)
    made = run_operator("tn_quantize", parameters, [values], shape)
    np.testing.assert_array_equal(made, expected)

    whole = draw_values(rng, shape)
    real = (float(np.float32(scale)) * (whole.astype(np.int64) - zero)).astype(np.float32)
    made = run_operator("tn_dequantize", parameters, [whole], shape, output_type=np.float32)
    np.testing.assert_array_equal(made, real)


def test_not_a_number_becomes_the_zero_point() -> None:
    made = run_operator("tn_quantize", Affine(0.5, 7), [np.full((1, 1, 1), np.nan, np.float32)], (1, 1, 1))
    assert made.item() == 7


@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 60)),
    beta=st.floats(0.001, 3.0),
    seed=seeds,
)
def test_softmax_is_near_the_real_one(shape: tuple[int, int, int], beta: float, seed: int) -> None:
    """To the last bit it is compared with TFLite Micro in whole models; here with mathematics, to a unit."""
    values = draw_values(np.random.default_rng(seed), shape)
    table = np.round(np.exp(-beta * np.arange(256)) * 2.0**31).clip(0, 2**31 - 1).astype(np.int32)
    constants = Constants()
    made = run_operator("tn_softmax", Table(constants.pointer(table)), [values], shape)
    constants.check()
    exponentials = np.exp(beta * (values.astype(float) - values.max(axis=2, keepdims=True)))
    real = exponentials / exponentials.sum(axis=2, keepdims=True) * 256 - 128
    assert np.abs(made - real.clip(-128, 127)).max() <= 1.0
