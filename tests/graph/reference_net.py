"""Runs a Graph in NumPy, byte for byte as TFLite's reference kernels do: the oracle of the graph passes.

Written for clarity: each kind is one function of its operator and the values so far. SOFTMAX, LOGISTIC and
HARD_SWISH are computed in floating point and may be off by one, which is no matter where two graphs are
compared with each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.graph import Activation, DType, Graph, Operator, OpKind, Tensor
from tinynas.graph.quantized import (
    activation_range,
    folded_multipliers,
    mean_multiplier,
    quantization_of,
    quantize_multiplier,
    requantize,
)

Array = NDArray[Any]


def run(graph: Graph, *inputs: Array) -> list[Array]:
    """The network's outputs for its `inputs`, each of its tensor's shape."""
    return Run(graph, inputs).outputs()


def random_inputs(graph: Graph, rng: np.random.Generator) -> list[Array]:
    """Random values for each input: the whole range of int8, floats that quantise to about that."""
    return [_random(graph.tensors[i], rng) for i in graph.inputs]


def _random(tensor: Tensor, rng: np.random.Generator) -> Array:
    if tensor.dtype is DType.FLOAT32:
        return rng.uniform(-2.0, 2.0, tensor.shape).astype(np.float32)
    return rng.integers(-128, 128, tensor.shape).astype(np.int8)


def until(graph: Graph, kind: OpKind) -> Graph:
    """`graph` with the input of its last operator of `kind` as its only output."""
    last = [op for op in graph.operators if op.kind is kind][-1]
    return replace(graph, outputs=(last.inputs[0],))


class Run:
    """One inference: the value of every tensor so far."""

    def __init__(self, graph: Graph, inputs: Sequence[Array]) -> None:
        self.graph = graph
        self.values: dict[int, Array] = dict(zip(graph.inputs, inputs, strict=True))
        for index, tensor in enumerate(graph.tensors):
            if tensor.data is not None:
                self.values[index] = tensor.data

    def outputs(self) -> list[Array]:
        for op in self.graph.operators:
            target = self.graph.tensors[op.outputs[0]]
            made = _KERNELS[op.kind](self, op)
            assert made.size == target.elements, op
            self.values[op.outputs[0]] = made.reshape(target.shape).astype(target.dtype.label)
        return [self.values[i] for i in self.graph.outputs]

    def tensor(self, op: Operator, index: int = 0) -> Tensor:
        return self.graph.tensors[op.inputs[index]]

    def target(self, op: Operator) -> Tensor:
        return self.graph.tensors[op.outputs[0]]

    def value(self, op: Operator, index: int = 0) -> Array:
        return self.values[op.inputs[index]]

    def centred(self, op: Operator, index: int = 0) -> NDArray[np.int64]:
        return self.value(op, index).astype(np.int64) - quantization_of(self.tensor(op, index))[1]

    def stored(self, op: Operator, values: Array) -> Array:
        """`values` plus the output's zero point, clamped."""
        return _clamped(self, op, values + quantization_of(self.target(op))[1])


def _bias(run: Run, op: Operator) -> Array:
    if len(op.inputs) < 3 or op.inputs[2] < 0:
        return np.zeros(1, np.int64)
    return run.value(op, 2).astype(np.int64).ravel()


def _patches(run: Run, op: Operator, image: Array, fill: float) -> NDArray[np.float64]:
    """[rows, columns, taps down, taps right, channels] of the windows on `image`, `fill` in the margins."""
    window = op.window
    assert window is not None
    _, rows, columns, _ = image.shape
    top, bottom, left, right = window.margins(rows, columns)
    padded = np.pad(image[0].astype(np.float64), ((top, bottom), (left, right), (0, 0)), constant_values=fill)
    _, out_rows, out_columns, _ = run.target(op).shape
    y = np.arange(out_rows)[:, None] * window.stride[0] + np.arange(window.kernel[0]) * window.dilation[0]
    x = np.arange(out_columns)[:, None] * window.stride[1] + np.arange(window.kernel[1]) * window.dilation[1]
    patches: NDArray[np.float64] = padded[y[:, None, :, None], x[None, :, None, :]]
    return patches


def _scaled(run: Run, op: Operator, sums: Array) -> Array:
    factors = folded_multipliers(run.tensor(op), run.tensor(op, 1), run.target(op))
    return run.stored(op, requantize(sums.astype(np.int64) + _bias(run, op), *factors))


def _conv(run: Run, op: Operator) -> Array:
    # the centred image has zeros where TFLite's has zero points; doubles hold these sums exactly
    patches = _patches(run, op, run.centred(op), 0)
    weights = run.value(op, 1).astype(np.float64)
    outputs, _, _, depth = weights.shape
    groups = patches.shape[-1] // depth
    own = outputs // groups
    parts = [(np.s_[..., g * depth : (g + 1) * depth], np.s_[g * own : (g + 1) * own]) for g in range(groups)]
    axes = ((2, 3, 4), (1, 2, 3))
    sums = [np.tensordot(patches[inner], weights[outer], axes) for inner, outer in parts]
    return _scaled(run, op, np.concatenate(sums, axis=-1))


def _depthwise(run: Run, op: Operator) -> Array:
    patches = np.repeat(_patches(run, op, run.centred(op), 0), op.depth_multiplier, axis=-1)
    return _scaled(run, op, np.einsum("yxijc,ijc->yxc", patches, run.value(op, 1)[0].astype(np.float64)))


def _dense(run: Run, op: Operator) -> Array:
    weights = run.value(op, 1).astype(np.float64)
    return _scaled(run, op, run.centred(op).reshape(-1, weights.shape[1]).astype(np.float64) @ weights.T)


def _add(run: Run, op: Operator) -> Array:
    scales = [quantization_of(t)[0] for t in (run.tensor(op), run.tensor(op, 1), run.target(op))]
    twice = 2 * max(scales[:2])
    left, right = (
        requantize(run.centred(op, i) << 20, *quantize_multiplier(scales[i] / twice)).astype(np.int64)
        for i in (0, 1)
    )
    return run.stored(op, requantize(left + right, *quantize_multiplier(twice / (2**20 * scales[2]))))


def _mul(run: Run, op: Operator) -> Array:
    left, right, out = (quantization_of(t)[0] for t in (run.tensor(op), run.tensor(op, 1), run.target(op)))
    product = run.centred(op) * run.centred(op, 1)
    return run.stored(op, requantize(product, *quantize_multiplier(left * right / out)))


def _mean(run: Run, op: Operator) -> Array:
    source, target = run.tensor(op), run.target(op)
    axes = tuple(sorted({int(axis) % len(source.shape) for axis in run.value(op, 1).ravel()}))
    count = math.prod(source.shape[axis] for axis in axes)
    return run.stored(op, requantize(run.centred(op).sum(axis=axes), *mean_multiplier(source, target, count)))


def _average_pool(run: Run, op: Operator) -> Array:
    patches = _patches(run, op, run.value(op), math.nan)
    sums, counts = np.nansum(patches, axis=(2, 3)), (~np.isnan(patches)).sum(axis=(2, 3))
    return _clamped(run, op, np.sign(sums) * ((np.abs(sums) + counts // 2) // counts))


def _max_pool(run: Run, op: Operator) -> Array:
    return _clamped(run, op, _patches(run, op, run.value(op), -math.inf).max(axis=(2, 3)))


def _clamped(run: Run, op: Operator, values: Array) -> Array:
    clamped: Array = np.clip(values, *activation_range(run.target(op), op.activation))
    return clamped


def _pad(run: Run, op: Operator) -> Array:
    fill = quantization_of(run.target(op))[1]
    return np.pad(run.value(op), run.value(op, 1).astype(np.int64), constant_values=fill)


def _concatenate(run: Run, op: Operator) -> Array:
    return np.concatenate([run.value(op, i) for i in range(len(op.inputs))], axis=op.axis)


def _resize(run: Run, op: Operator) -> Array:
    assert not op.align_corners and not op.half_pixel_centers, "the models here use neither"
    image, shape = run.value(op), run.target(op).shape
    rows, columns = (np.arange(shape[axis]) * image.shape[axis] // shape[axis] for axis in (1, 2))
    picked: Array = image[:, rows][:, :, columns]
    return picked


def _relu(run: Run, op: Operator) -> Array:
    factor = quantize_multiplier(quantization_of(run.tensor(op))[0] / quantization_of(run.target(op))[0])
    return run.stored(replace(op, activation=Activation.RELU), requantize(run.centred(op), *factor))


def _relu6(run: Run, op: Operator) -> Array:
    return np.clip(run.value(op), *activation_range(run.tensor(op), Activation.RELU6))


def _quantize(run: Run, op: Operator) -> Array:
    scale = quantization_of(run.target(op))[0]
    if run.tensor(op).dtype is DType.FLOAT32:
        quotient = run.value(op).astype(np.float32) / np.float32(scale)
        return run.stored(op, np.trunc(quotient + np.copysign(np.float32(0.5), quotient)))
    factor = quantize_multiplier(quantization_of(run.tensor(op))[0] / scale)
    return run.stored(op, requantize(run.centred(op), *factor))


def _dequantize(run: Run, op: Operator) -> Array:
    real: Array = run.centred(op).astype(np.float32) * np.float32(quantization_of(run.tensor(op))[0])
    return real


def _float_function(function: Callable[[Array, Operator], Array]) -> Callable[[Run, Operator], Array]:
    def kernel(run: Run, op: Operator) -> Array:
        scale, _ = quantization_of(run.tensor(op))
        target_scale = quantization_of(run.target(op))[0]
        return run.stored(op, np.rint(function(run.centred(op) * scale, op) / target_scale))

    return kernel


def _softmax(real: Array, op: Operator) -> Array:
    powers = np.exp((real - real.max(axis=-1, keepdims=True)) * op.beta)
    shares: Array = powers / powers.sum(axis=-1, keepdims=True)
    return shares


_KERNELS: dict[OpKind, Callable[[Run, Operator], Array]] = {
    OpKind.CONV_2D: _conv,
    OpKind.DEPTHWISE_CONV_2D: _depthwise,
    OpKind.FULLY_CONNECTED: _dense,
    OpKind.ADD: _add,
    OpKind.MUL: _mul,
    OpKind.MEAN: _mean,
    OpKind.AVERAGE_POOL_2D: _average_pool,
    OpKind.MAX_POOL_2D: _max_pool,
    OpKind.PAD: _pad,
    OpKind.CONCATENATION: _concatenate,
    OpKind.RESHAPE: lambda run, op: run.value(op),
    OpKind.TRANSPOSE: lambda run, op: run.value(op).transpose(run.value(op, 1)),
    OpKind.RESIZE_NEAREST_NEIGHBOR: _resize,
    OpKind.RELU: _relu,
    OpKind.RELU6: _relu6,
    OpKind.QUANTIZE: _quantize,
    OpKind.DEQUANTIZE: _dequantize,
    OpKind.SOFTMAX: _float_function(_softmax),
    OpKind.LOGISTIC: _float_function(lambda real, op: 1 / (1 + np.exp(-real))),
    OpKind.HARD_SWISH: _float_function(lambda real, op: real * np.clip(real + 3, 0, 6) / 6),
}
