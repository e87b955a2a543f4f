"""The C kernels without weights against plain 64-bit arithmetic: sums, pools, tables, softmax."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from kernel_cases import (
    Window,
    apply,
    clamps,
    draw_values,
    drawn_windows,
    seeds,
    zero_points,
)
from kernel_host import (
    Affine,
    Binary,
    Constants,
    Mean,
    Pool,
    Scale,
    Table,
    run_operator,
)
from kernel_reference import finish, round_half_away, windows


def draw_shrink(rng: np.random.Generator, most: int) -> Scale:
    """A scale of at most 1; 0.5 and 1 - 2^-31 now and then."""
    multiplier = rng.choice([2**30, 2**31 - 1, int(rng.integers(2**30, 2**31))])
    return Scale(int(multiplier), -int(rng.integers(0, most + 1)))


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
