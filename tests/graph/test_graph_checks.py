"""Operators that do not fit their tensors are found, kind by kind; those that do are let through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from int8_nets import Int8Net, same, valid

from tinynas.graph import DType, Operator, OpKind, Quantization, Tensor
from tinynas.graph.checks import misfit

_Made = tuple[Operator, list[Tensor]]


def _made(build: Callable[[Int8Net], int]) -> _Made:
    net = Int8Net(1, 6, 6, 4)
    build(net)
    return net.operators[-1], net.tensors


_FITTING: dict[str, Callable[[Int8Net], int]] = {
    "conv": lambda n: n.conv(n.input, 6, same(3)),
    "groups": lambda n: n.conv(n.input, 6, valid(3), groups=2),
    "depthwise": lambda n: n.depthwise(n.input, same(3, 2), multiplier=2),
    "dense": lambda n: n.dense(n.input, 5),
    "add": lambda n: n.add(n.input, n.input),
    "mean": lambda n: n.mean(n.input, -2, 1),
    "pad": lambda n: n.pad(n.input, (0, 0), (1, 2), (0, 0), (0, 3)),
    "pool": lambda n: n.pool(OpKind.AVERAGE_POOL_2D, n.input, valid(3, 2)),
    "concat": lambda n: n.op(OpKind.CONCATENATION, (n.input, n.input), (1, 6, 6, 8), axis=3),
    "reshape": lambda n: n.reshape(n.input, 1, 144),
    "transpose": lambda n: n.transpose(n.input, 0, 3, 1, 2),
    "resize": lambda n: n.op(
        OpKind.RESIZE_NEAREST_NEIGHBOR, (n.input, n.constant(np.array([9, 12], np.int32))), (1, 9, 12, 4)
    ),
    "relu": lambda n: n.op(OpKind.RELU, (n.input,), (1, 6, 6, 4)),
    "softmax": lambda n: n.op(OpKind.SOFTMAX, (n.input,), (1, 6, 6, 4)),
}


@pytest.mark.parametrize("name", _FITTING)
def test_what_fits_is_let_through(name: str) -> None:
    assert misfit(*_made(_FITTING[name])) is None


@pytest.mark.parametrize("name", _FITTING)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_an_output_of_another_size_is_found(name: str, axis: int) -> None:
    operator, tensors = _made(_FITTING[name])
    output = tensors[operator.outputs[0]]
    shape = list(output.shape)
    shape[axis] += 1
    tensors[operator.outputs[0]] = replace(output, shape=tuple(shape))
    assert misfit(operator, tensors) == "does not fit its shapes"


@pytest.mark.parametrize("name", ["conv", "depthwise", "dense"])
def test_weights_are_looked_at(name: str) -> None:
    operator, tensors = _made(_FITTING[name])
    weights, bias = operator.inputs[1:]

    def with_weights(**changes: object) -> str | None:
        changed = list(tensors)
        changed[weights] = replace(tensors[weights], **changes)  # type: ignore[arg-type]
        return misfit(operator, changed)

    assert with_weights(constant=False) == "has weights that another operator computes"
    assert with_weights(dtype=DType.INT16) == "has weights that are not int8 or a bias that is not int32"
    assert with_weights(quantization=None) == "has weights without a scale for each output channel"
    zeros = "has weights or biases with zero points other than 0"
    assert with_weights(quantization=Quantization((0.1,), (3,))) == zeros
    assert with_weights(quantization=Quantization((0.1,) * 2, (0,) * 2, axis=1)) is not None
    short = list(tensors)
    short[bias] = replace(tensors[bias], shape=(2,))
    assert misfit(operator, short) in {"has 2 biases for 6 channels", "has 2 biases for 8 channels", _DENSE}
    assert misfit(replace(operator, inputs=operator.inputs[:1]), tensors) == "lacks its weights"


_DENSE = "has 2 biases for 5 channels"


def test_a_depthwise_bias_counts_the_channels_of_axis_three() -> None:
    operator, tensors = _made(_FITTING["depthwise"])
    assert tensors[operator.inputs[2]].shape == (8,) and misfit(operator, tensors) is None


def test_values_need_one_scale_and_one_type() -> None:
    operator, tensors = _made(_FITTING["add"])
    bare = [*tensors[:-1], replace(tensors[-1], quantization=None)]
    assert misfit(operator, bare) == "works on int8 values without a single scale"
    wide = [*tensors[:-1], replace(tensors[-1], dtype=DType.INT16)]
    assert misfit(operator, wide) == "mixes element types"
    quantize = Operator(OpKind.QUANTIZE, (0,), (len(tensors),))
    real = Tensor("real", (1, 6, 6, 4), DType.FLOAT32)
    assert misfit(quantize, [*tensors, replace(tensors[0])]) is None
    assert misfit(replace(quantize, kind=OpKind.DEQUANTIZE), [*tensors, real]) is None


@pytest.mark.parametrize("values", [[4], [-5], [1, 7]])
def test_axes_out_of_range_are_found(values: list[int]) -> None:
    operator, tensors = _made(_FITTING["mean"])
    axes = replace(tensors[operator.inputs[1]], data=np.array(values, np.int32))
    tensors[operator.inputs[1]] = axes
    assert misfit(operator, tensors) == "does not fit its shapes"


def test_a_window_of_absurd_size_is_found() -> None:
    operator, tensors = _made(_FITTING["pool"])
    assert operator.window is not None
    huge = replace(same(3), kernel=(2**17, 3))
    tensors[operator.outputs[0]] = replace(tensors[0])
    assert misfit(replace(operator, window=huge), tensors) == "does not fit its shapes"
    assert misfit(replace(operator, window=same(3)), tensors) is None


def test_an_empty_map_is_found() -> None:
    operator, tensors = _made(_FITTING["relu"])
    empty = [replace(t, shape=(1, 0, 6, 4)) for t in tensors]
    assert misfit(operator, empty) == "lacks values to work on"
