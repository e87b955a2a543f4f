"""Operators and tensors of one int8 network, in execution order.

A genotype makes a Graph without weights, a ``.tflite`` file makes one with weights. The two agree in
everything that `Graph.signature` compares: kinds, wiring, shapes, windows, activations.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tinynas.elementwise import larger


class _Choice(enum.Enum):
    """Hashed as compared, by identity: Enum would hash a member's name each time."""

    __hash__ = object.__hash__


class DType(_Choice):
    """Element types that occur in int8 models; the value is the size of an element in bytes and a name."""

    INT8 = ("int8", 1)
    UINT8 = ("uint8", 1)
    BOOL = ("bool", 1)
    INT16 = ("int16", 2)
    INT32 = ("int32", 4)
    FLOAT32 = ("float32", 4)
    INT64 = ("int64", 8)

    @property
    def label(self) -> str:
        """The NumPy name, such as ``int8``."""
        return self.value[0]

    @property
    def size(self) -> int:
        """Bytes of one element."""
        return self.value[1]


class OpKind(_Choice):
    """Operator kinds, named as in the TFLite schema."""

    CONV_2D = "CONV_2D"
    DEPTHWISE_CONV_2D = "DEPTHWISE_CONV_2D"
    FULLY_CONNECTED = "FULLY_CONNECTED"
    ADD = "ADD"
    MUL = "MUL"
    MEAN = "MEAN"
    AVERAGE_POOL_2D = "AVERAGE_POOL_2D"
    MAX_POOL_2D = "MAX_POOL_2D"
    PAD = "PAD"
    CONCATENATION = "CONCATENATION"
    RESHAPE = "RESHAPE"
    TRANSPOSE = "TRANSPOSE"
    SOFTMAX = "SOFTMAX"
    LOGISTIC = "LOGISTIC"
    HARD_SWISH = "HARD_SWISH"
    RELU = "RELU"
    RELU6 = "RELU6"
    QUANTIZE = "QUANTIZE"
    DEQUANTIZE = "DEQUANTIZE"
    STRIDED_SLICE = "STRIDED_SLICE"
    RESIZE_NEAREST_NEIGHBOR = "RESIZE_NEAREST_NEIGHBOR"


class Activation(_Choice):
    """The activation fused into an operator."""

    NONE = "NONE"
    RELU = "RELU"
    RELU6 = "RELU6"


class Padding(_Choice):
    """TFLite's two paddings, of which SAME pads the odd pixel at the bottom and right; and our own.

    EXPLICIT is made by the pass that folds a PAD into the convolution behind it: its margins are given.
    """

    SAME = "SAME"
    VALID = "VALID"
    EXPLICIT = "EXPLICIT"


#: zero-point rows and columns around a map: (top, bottom, left, right)
Margins = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Quantization:
    """Affine int8 quantisation: real = scale * (q - zero_point), per tensor or per channel of `axis`."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0

    @property
    def per_channel(self) -> bool:
        """Whether each slice along `axis` has its own scale."""
        return len(self.scales) > 1


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value of the graph. `constant` ones are weights in flash, whether or not `data` is known."""

    name: str
    shape: tuple[int, ...]
    dtype: DType
    constant: bool = False
    quantization: Quantization | None = field(default=None, compare=False)
    data: NDArray[np.generic] | None = field(default=None, compare=False, repr=False)

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes the elements take."""
        return self.elements * self.dtype.size


@dataclass(frozen=True, slots=True)
class Window:
    """How a convolution or pooling slides: kernel, stride and dilation as (rows, columns).

    `pads` are the margins of EXPLICIT padding, and only there.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: Padding
    dilation: tuple[int, int] = (1, 1)
    pads: Margins | None = None

    def __post_init__(self) -> None:
        """Hold padding and margins together."""
        if (self.pads is not None) != (self.padding is Padding.EXPLICIT):
            raise ValueError(f"{self.padding} padding with the margins {self.pads}")

    @property
    def reach(self) -> tuple[int, int]:
        """Rows and columns of the input from the kernel's first tap to its last."""
        (rows, columns), (down, right) = self.kernel, self.dilation
        return (rows - 1) * down + 1, (columns - 1) * right + 1

    def output_size(self, rows: int, columns: int) -> tuple[int, int]:
        """Rows and columns of the output for an input of `rows` x `columns` (TFLite's rule)."""
        if self.padding is Padding.SAME:
            return -(-rows // self.stride[0]), -(-columns // self.stride[1])
        top, bottom, left, right = self.pads or (0, 0, 0, 0)
        padded = (rows + top + bottom, columns + left + right)
        out = [(size - r) // s + 1 for size, r, s in zip(padded, self.reach, self.stride, strict=True)]
        return out[0], out[1]

    def margins(self, rows: int, columns: int) -> Margins:
        """Zero-point (top, bottom, left, right) around an input of `rows` x `columns` (TFLite's rule)."""
        if self.padding is not Padding.SAME:
            return self.pads or (0, 0, 0, 0)
        outs = self.output_size(rows, columns)
        totals = [
            larger((out - 1) * stride + reach - size, 0)
            for out, stride, reach, size in zip(outs, self.stride, self.reach, (rows, columns), strict=True)
        ]
        (top, left) = (total // 2 for total in totals)
        return top, totals[0] - top, left, totals[1] - left


@dataclass(frozen=True, slots=True)
class Operator:
    """One step: which tensors (indices into `Graph.tensors`) it reads and writes, and how.

    Inputs stand in TFLite's order: activations first, then weights, then bias. A missing optional
    input is -1. `depth_multiplier` belongs to depthwise convolutions, `axis` (from 0 on) to
    CONCATENATION, `beta` to SOFTMAX, `align_corners` and `half_pixel_centers` to RESIZE_NEAREST_NEIGHBOR.
    """

    kind: OpKind
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    window: Window | None = None
    activation: Activation = Activation.NONE
    depth_multiplier: int = 1
    axis: int = -1
    beta: float = 1.0
    align_corners: bool = False
    half_pixel_centers: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """A network in execution order. Feature maps are NHWC with batch 1, weights in TFLite's layouts.

    Conv weights are [out, kh, kw, in / groups], depthwise [1, kh, kw, channels], dense [out, in].
    """

    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def activations_in(self, operator: Operator) -> Iterator[int]:
        """Indices of the operator's non-constant inputs."""
        return (i for i in operator.inputs if i >= 0 and not self.tensors[i].constant)

    def constants_in(self, operator: Operator) -> Iterator[Tensor]:
        """The operator's constant inputs: weights, bias, shapes."""
        return (self.tensors[i] for i in operator.inputs if i >= 0 and self.tensors[i].constant)

    def constants(self) -> Iterator[Tensor]:
        """Every constant that an operator reads, once each."""
        used = dict.fromkeys(
            i for op in self.operators for i in op.inputs if i >= 0 and self.tensors[i].constant
        )
        return (self.tensors[i] for i in used)

    def signature(self) -> tuple[object, ...]:
        """What two graphs of the same network share whatever their names, weights and quantisation.

        Tensors are numbered by first use, constants by shape alone. Axes of MEAN (a constant) are in
        the shapes already, so shape-only constants are left out.
        """
        number: dict[int, int] = {}
        for i in (*self.inputs, *(o for op in self.operators for o in op.outputs)):
            number.setdefault(i, len(number))
        steps = tuple(
            (
                op.kind,
                op.window,
                op.activation,
                (op.depth_multiplier, op.axis, op.beta, op.align_corners, op.half_pixel_centers),
                tuple(number[i] for i in self.activations_in(op)),
                tuple((t.shape, t.dtype) for t in self.constants_in(op) if op.kind is not OpKind.MEAN),
                tuple((number[o], self.tensors[o].shape, self.tensors[o].dtype) for o in op.outputs),
            )
            for op in self.operators
        )
        ends = (tuple(number[i] for i in self.inputs), tuple(number[o] for o in self.outputs))
        return (tuple(self.tensors[i].shape for i in self.inputs), steps, ends)
