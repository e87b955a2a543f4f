"""Small int8 networks with random weights, built operator by operator, for tests of the graph passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.graph import Activation, DType, Graph, Operator, OpKind, Padding, Quantization, Tensor, Window

Scale = tuple[float, int]
_DEFAULT: Scale = (0.05, -7)


class Int8Net:
    """Collects operators; every method returns the index of the tensor it made."""

    def __init__(
        self, *shape: int, seed: int = 0, scale: Scale = _DEFAULT, dtype: DType = DType.INT8
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.tensors: list[Tensor] = []
        self.operators: list[Operator] = []
        self.input = self.map(shape, scale, dtype)

    def graph(self, *outputs: int) -> Graph:
        return Graph("net", tuple(self.tensors), tuple(self.operators), (self.input,), outputs)

    def shape(self, tensor: int) -> tuple[int, ...]:
        return self.tensors[tensor].shape

    def map(self, shape: Sequence[int], scale: Scale = _DEFAULT, dtype: DType = DType.INT8) -> int:
        known = Quantization((scale[0],), (scale[1],)) if dtype is DType.INT8 else None
        return self._add(Tensor(f"map{len(self.tensors)}", tuple(shape), dtype, quantization=known))

    def constant(self, data: NDArray[Any], known: Quantization | None = None) -> int:
        label = {d.label: d for d in DType}[str(data.dtype)]
        return self._add(Tensor(f"constant{len(self.tensors)}", data.shape, label, True, known, data))

    def weights(self, shape: Sequence[int], axis: int, dead: Sequence[int] = ()) -> int:
        """Random weights, whose channels in `dead` are zero, with a scale for each channel of `axis`."""
        data = self.rng.integers(-127, 128, shape).astype(np.int8)
        np.moveaxis(data, axis, 0)[list(dead)] = 0
        scales = tuple(float(np.float32(s)) for s in self.rng.uniform(0.001, 0.004, shape[axis]))
        return self.constant(data, Quantization(scales, (0,) * len(scales), axis))

    def bias(self, channels: int) -> int:
        return self.constant(self.rng.integers(-9000, 9000, channels).astype(np.int32))

    def conv(
        self,
        x: int,
        channels: int,
        window: Window,
        dead: Sequence[int] = (),
        scale: Scale = _DEFAULT,
        activation: Activation = Activation.NONE,
        groups: int = 1,
    ) -> int:
        weights = self.weights((channels, *window.kernel, self.shape(x)[3] // groups), 0, dead)
        inputs = (x, weights, self.bias(channels))
        return self._windowed(OpKind.CONV_2D, inputs, channels, window, scale, activation)

    def depthwise(
        self, x: int, window: Window, dead: Sequence[int] = (), multiplier: int = 1, scale: Scale = _DEFAULT
    ) -> int:
        channels = self.shape(x)[3] * multiplier
        inputs = (x, self.weights((1, *window.kernel, channels), 3, dead), self.bias(channels))
        made = self._windowed(OpKind.DEPTHWISE_CONV_2D, inputs, channels, window, scale, Activation.NONE)
        self.operators[-1] = replace(self.operators[-1], depth_multiplier=multiplier)
        return made

    def pool(self, kind: OpKind, x: int, window: Window) -> int:
        known = self.tensors[x].quantization
        assert known is not None
        scale = (known.scales[0], known.zero_points[0])
        return self._windowed(kind, (x,), self.shape(x)[3], window, scale, Activation.NONE)

    def dense(self, x: int, units: int, dead: Sequence[int] = (), scale: Scale = _DEFAULT) -> int:
        data = self.rng.integers(-127, 128, (units, self.tensors[x].elements)).astype(np.int8)
        data[list(dead)] = 0
        weights = self.constant(data, Quantization((0.003,), (0,)))
        return self.op(OpKind.FULLY_CONNECTED, (x, weights, self.bias(units)), (1, units), scale)

    def add(self, x: int, y: int, scale: Scale = _DEFAULT, kind: OpKind = OpKind.ADD) -> int:
        return self.op(kind, (x, y), np.broadcast_shapes(self.shape(x), self.shape(y)), scale)

    def pad(self, x: int, *pads: tuple[int, int], scale: Scale = _DEFAULT) -> int:
        shape = [size + sum(pad) for size, pad in zip(self.shape(x), pads, strict=True)]
        return self.op(OpKind.PAD, (x, self.constant(np.array(pads, np.int32))), shape, scale)

    def mean(self, x: int, *axes: int, keep: bool = False, scale: Scale = _DEFAULT) -> int:
        gone = {axis % len(self.shape(x)) for axis in axes}
        sizes = [(1 if i in gone else size, i in gone) for i, size in enumerate(self.shape(x))]
        shape = [size for size, reduced in sizes if keep or not reduced]
        return self.op(OpKind.MEAN, (x, self.constant(np.array(axes, np.int32))), shape, scale)

    def transpose(self, x: int, *order: int) -> int:
        shape = [self.shape(x)[axis] for axis in order]
        made = self.op(OpKind.TRANSPOSE, (x, self.constant(np.array(order, np.int32))), shape)
        return self._like(made, x)

    def reshape(self, x: int, *shape: int) -> int:
        made = self.op(OpKind.RESHAPE, (x, self.constant(np.array(shape, np.int32))), shape)
        return self._like(made, x)

    def op(
        self, kind: OpKind, inputs: Sequence[int], shape: Sequence[int], scale: Scale = _DEFAULT, **more: Any
    ) -> int:
        made = self.map(shape, scale)
        self.operators.append(Operator(kind, tuple(inputs), (made,), **more))
        return made

    def _like(self, made: int, x: int) -> int:
        old = self.tensors[x]
        self.tensors[made] = replace(self.tensors[made], quantization=old.quantization, dtype=old.dtype)
        return made

    def _windowed(
        self,
        kind: OpKind,
        inputs: Sequence[int],
        channels: int,
        window: Window,
        scale: Scale,
        activation: Activation,
    ) -> int:
        _, rows, columns, _ = self.shape(inputs[0])
        shape = (1, *window.output_size(rows, columns), channels)
        return self.op(kind, inputs, shape, scale, window=window, activation=activation)

    def _add(self, tensor: Tensor) -> int:
        self.tensors.append(tensor)
        return len(self.tensors) - 1


def same(kernel: int, stride: int = 1) -> Window:
    """A square SAME window."""
    return Window((kernel, kernel), (stride, stride), Padding.SAME)


def valid(kernel: int, stride: int = 1) -> Window:
    """A square VALID window."""
    return Window((kernel, kernel), (stride, stride), Padding.VALID)
