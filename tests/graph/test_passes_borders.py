"""What stands at a network's ends: dropped unless asked for, and no output byte changes."""

from __future__ import annotations

import numpy as np
from int8_nets import Int8Net, same
from pass_checks import assert_same, kinds
from reference_net import random_inputs, run

from tinynas.graph import (
    DType,
    Graph,
    OpKind,
)
from tinynas.graph.passes import (
    drop_borders,
    simplify,
)


def _with_float_borders() -> Graph:
    net = Int8Net(1, 5, 5, 2, dtype=DType.FLOAT32)
    x = net.conv(net.op(OpKind.QUANTIZE, (net.input,), (1, 5, 5, 2), (0.02, 3)), 4, same(3))
    outputs = [net.op(OpKind.DEQUANTIZE, (y,), net.shape(y)) for y in (x, net.conv(x, 2, same(1)))]
    for output in outputs:
        net.tensors[output] = net.tensors[net.map(net.shape(output), dtype=DType.FLOAT32)]
    return net.graph(*outputs)


def test_float_borders_are_dropped() -> None:
    before = _with_float_borders()
    after = simplify(before)
    assert kinds(after) == [OpKind.CONV_2D, OpKind.CONV_2D]
    ends = [after.tensors[i] for i in (*after.inputs, *after.outputs)]
    assert [t.dtype for t in ends] == [DType.INT8] * 3
    assert [t.shape[-1] for t in ends] == [2, 4, 2]
    assert ends[0].quantization is not None and ends[0].quantization.zero_points == (3,)
    image = random_inputs(before, np.random.default_rng(2))[0]
    stored = np.clip(np.trunc(image / np.float32(0.02) + np.copysign(np.float32(0.5), image)) + 3, -128, 127)
    for real, byte in zip(run(before, image), run(after, stored.astype(np.int8)), strict=True):
        np.testing.assert_array_equal(real, (byte.astype(np.float32) + 7) * np.float32(0.05))


def test_float_borders_stay_if_asked_for() -> None:
    before = _with_float_borders()
    after = simplify(before, keep_float_io=True)
    assert kinds(after) == kinds(before)
    assert_same(before, after)


def test_transposes_and_reshapes_at_the_borders_go() -> None:
    net = Int8Net(1, 3, 6, 5)
    x = net.conv(net.transpose(net.input, 0, 2, 3, 1), 4, same(3))
    before = net.graph(net.reshape(net.transpose(x, 0, 3, 1, 2), 1, 120))
    after = simplify(before)
    assert kinds(after) == [OpKind.CONV_2D]
    assert after.tensors[after.inputs[0]].shape == (1, 6, 5, 3)
    image = random_inputs(before, np.random.default_rng(0))[0]
    made = run(after, image.transpose(0, 2, 3, 1))[0]
    np.testing.assert_array_equal(run(before, image)[0], made.transpose(0, 3, 1, 2).reshape(1, 120))
    kept = simplify(before, keep_float_io=True)
    assert kinds(kept) == [OpKind.TRANSPOSE, OpKind.CONV_2D, OpKind.TRANSPOSE, OpKind.RESHAPE]


def test_a_border_that_is_not_alone_stays() -> None:
    net = Int8Net(1, 4, 4, 2)
    flat = net.reshape(net.input, 1, 32)
    forked = net.graph(net.dense(flat, 3), net.conv(net.input, 2, same(3)))
    assert drop_borders(forked) is forked
    # a network that only reshapes would be left with an input for an output
    through = Int8Net(1, 4, 4, 2)
    alone = through.graph(through.reshape(through.input, 1, 32))
    assert drop_borders(alone) is alone
