"""The C kernels that only move values: joined, padded, resized and permuted maps."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import (
    draw_values,
    seeds,
    zero_points,
)
from kernel_host import (
    Concat,
    Constants,
    Pad,
    Permute,
    Resize,
    run_operator,
)


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
