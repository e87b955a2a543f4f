"""Small .tflite files, written with the schema itself: no converter, no TensorFlow.

`TfliteMaker` adds tensors and operators one by one. Each of the functions below it makes a whole model around
one operator, with random weights and quantisation, from a generator of random numbers and shapes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tinynas.graph import Activation, OpKind, Padding

Rng = np.random.Generator
Shape = tuple[int, ...]

_TYPES = {"int8": "INT8", "int32": "INT32", "float32": "FLOAT32"}


class TfliteMaker:
    """Collects tensors and operators of one network; every tensor is known by its index."""

    def __init__(self) -> None:
        """Start with no tensors."""
        self._graph = schema.SubGraphT()
        self._graph.tensors, self._graph.operators = [], []
        # buffer 0 stands for no data
        self._buffers = [schema.BufferT()]
        self._codes: list[int] = []

    def tensor(
        self,
        shape: Sequence[int],
        scale: float | Sequence[float] | None = None,
        zero: int = 0,
        data: NDArray[Any] | None = None,
        dtype: str = "int8",
        axis: int = 0,
    ) -> int:
        """A feature map, or a constant where there is `data`."""
        made = schema.TensorT()
        made.name = f"t{len(self._graph.tensors)}".encode()
        made.shape = list(shape)
        made.type = getattr(schema.TensorType, _TYPES[dtype])
        made.hasRank = True
        if data is not None:
            made.buffer = len(self._buffers)
            self._buffers.append(schema.BufferT())
            self._buffers[-1].data = np.frombuffer(np.ascontiguousarray(data, dtype).tobytes(), np.uint8)
        else:
            made.buffer = 0
        if scale is not None:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale = [float(s) for s in np.atleast_1d(scale)]
            made.quantization.zeroPoint = [zero] * len(made.quantization.scale)
            made.quantization.quantizedDimension = axis
        self._graph.tensors.append(made)
        return len(self._graph.tensors) - 1

    def constant(self, values: Sequence[Any] | NDArray[Any], dtype: str = "int32") -> int:
        """A constant without quantisation, such as a list of axes."""
        data = np.asarray(values, dtype)
        return self.tensor(data.shape, data=data, dtype=dtype)

    def operator(
        self,
        kind: OpKind,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: Any = None,
        version: int = 1,
    ) -> None:
        """An operator with its table of options, such as schema.Conv2DOptionsT()."""
        code = getattr(schema.BuiltinOperator, kind.value)
        if code not in self._codes:
            self._codes.append(code)
        made = schema.OperatorT()
        made.opcodeIndex = self._codes.index(code)
        made.inputs, made.outputs = list(inputs), list(outputs)
        if options is not None:
            made.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
            made.builtinOptions = options
        self._graph.operators.append(made)

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file."""
        self._graph.inputs, self._graph.outputs = list(inputs), list(outputs)
        model = schema.ModelT()
        model.version = 3
        model.subgraphs, model.buffers = [self._graph], self._buffers
        model.operatorCodes = []
        for code in self._codes:
            made = schema.OperatorCodeT()
            made.builtinCode, made.deprecatedBuiltinCode, made.version = code, min(code, 127), 1
            model.operatorCodes.append(made)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def options(name: str, **fields: Any) -> Any:
    """A table of options: ``options("Conv2D", strideH=1)`` is a filled Conv2DOptionsT."""
    table = getattr(schema, f"{name}OptionsT")()
    for field, value in fields.items():
        if not hasattr(table, field):
            raise AttributeError(f"{name} has no option {field}")
        setattr(table, field, value)
    return table


def fused(activation: Activation) -> int:
    """The schema's number of an activation."""
    return int(getattr(schema.ActivationFunctionType, activation.value))


def padded(padding: Padding) -> int:
    """The schema's number of a padding."""
    return int(getattr(schema.Padding, padding.value))


def random_scale(rng: Rng) -> float:
    """A scale as quantised networks have them, single precision."""
    return float(np.float32(math.exp(rng.uniform(math.log(0.002), math.log(0.2)))))


def random_zero(rng: Rng) -> int:
    """A zero point; often at the end of int8, where ReLU puts it."""
    return -128 if rng.random() < 0.4 else int(rng.integers(-128, 128))


def out_scale(rng: Rng, source: float, weights: float, products: int) -> float:
    """An output scale at which sums of `products` products fill int8 and sometimes leave it."""
    spread = source * weights * 5000 * math.sqrt(products) / 100
    return float(np.float32(spread * math.exp(rng.uniform(-1.0, 1.0))))


def random_weights(rng: Rng, shape: Shape) -> NDArray[np.int8]:
    """Symmetric int8 weights."""
    return rng.integers(-127, 128, shape).astype(np.int8)


def convolution(
    rng: Rng,
    image: Shape,
    channels: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: Padding,
    *,
    groups: int = 1,
    depthwise: bool = False,
    activation: Activation = Activation.NONE,
    per_channel: bool = True,
    bias: bool = True,
    dilation: int = 1,
) -> bytes:
    """One CONV_2D, or a DEPTHWISE_CONV_2D whose multiplier is channels / image[2]."""
    rows, columns, depth = image
    maker = TfliteMaker()
    scale = random_scale(rng)
    source = maker.tensor((1, *image), scale, random_zero(rng))
    shape = (1, *kernel, channels) if depthwise else (channels, *kernel, depth // groups)
    scales = [random_scale(rng) for _ in range(channels if per_channel else 1)]
    inputs = [source, maker.tensor(shape, scales, 0, random_weights(rng, shape), axis=3 if depthwise else 0)]
    if bias:
        values = rng.integers(-20000, 20000, channels)
        inputs.append(
            maker.tensor((channels,), [scale * s for s in scales], 0, values.astype(np.int32), dtype="int32")
        )
    products = kernel[0] * kernel[1] * (1 if depthwise else depth // groups)
    if padding is Padding.SAME:
        size = tuple(-(-n // s) for n, s in zip((rows, columns), stride, strict=True))
    else:
        size = tuple((n - k) // s + 1 for n, k, s in zip((rows, columns), kernel, stride, strict=True))
    target = maker.tensor(
        (1, *size, channels), out_scale(rng, scale, max(scales), products), random_zero(rng)
    )
    facts: dict[str, Any] = {
        "padding": padded(padding),
        "strideH": stride[0],
        "strideW": stride[1],
        "dilationHFactor": dilation,
        "dilationWFactor": dilation,
        "fusedActivationFunction": fused(activation),
    }
    if depthwise:
        table = options("DepthwiseConv2D", depthMultiplier=channels // depth, **facts)
        maker.operator(OpKind.DEPTHWISE_CONV_2D, inputs, [target], table)
    else:
        maker.operator(OpKind.CONV_2D, inputs, [target], options("Conv2D", **facts))
    return maker.finish([source], [target])


def dense(
    rng: Rng, inputs: int, units: int, *, activation: Activation, per_channel: bool, bias: bool
) -> bytes:
    """One FULLY_CONNECTED."""
    maker = TfliteMaker()
    scale = random_scale(rng)
    source = maker.tensor((1, inputs), scale, random_zero(rng))
    scales = [random_scale(rng) for _ in range(units if per_channel else 1)]
    weights = maker.tensor((units, inputs), scales, 0, random_weights(rng, (units, inputs)))
    terms = [source, weights]
    if bias:
        values = rng.integers(-20000, 20000, units).astype(np.int32)
        # TFLite compares a dense layer's bias scale with the product of the other two
        products = [float(np.float32(scale) * np.float32(s)) for s in scales]
        terms.append(maker.tensor((units,), products, 0, values, dtype="int32"))
    else:
        terms.append(-1)
    target = maker.tensor((1, units), out_scale(rng, scale, max(scales), inputs), random_zero(rng))
    table = options("FullyConnected", fusedActivationFunction=fused(activation))
    maker.operator(OpKind.FULLY_CONNECTED, terms, [target], table)
    return maker.finish([source], [target])


def binary(
    rng: Rng,
    kind: OpKind,
    left: Shape,
    right: Shape,
    *,
    constant: int | None = None,
    activation: Activation = Activation.NONE,
) -> bytes:
    """One ADD or MUL; side `constant` (0 or 1) is a constant."""
    maker = TfliteMaker()
    scales = [random_scale(rng), random_scale(rng)]
    sides = [
        maker.tensor(
            shape,
            scale,
            random_zero(rng),
            rng.integers(-128, 128, shape).astype(np.int8) if side == constant else None,
        )
        for side, (shape, scale) in enumerate(zip((left, right), scales, strict=True))
    ]
    spread = scales[0] + scales[1] if kind is OpKind.ADD else 100 * scales[0] * scales[1]
    shape = np.broadcast_shapes(left, right)
    target = maker.tensor(shape, float(np.float32(spread * rng.uniform(0.3, 2))), random_zero(rng))
    table = options(kind.value.capitalize(), fusedActivationFunction=fused(activation))
    maker.operator(kind, sides, [target], table)
    return maker.finish([side for i, side in enumerate(sides) if i != constant], [target])


def pool(
    rng: Rng,
    kind: OpKind,
    image: Shape,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: Padding,
    activation: Activation,
) -> bytes:
    """One AVERAGE_POOL_2D or MAX_POOL_2D."""
    maker = TfliteMaker()
    scale, zero = random_scale(rng), random_zero(rng)
    source = maker.tensor((1, *image), scale, zero)
    if padding is Padding.SAME:
        size = tuple(-(-n // s) for n, s in zip(image[:2], stride, strict=True))
    else:
        size = tuple((n - k) // s + 1 for n, k, s in zip(image[:2], kernel, stride, strict=True))
    target = maker.tensor((1, *size, image[2]), scale, zero)
    table = options(
        "Pool2D",
        padding=padded(padding),
        strideH=stride[0],
        strideW=stride[1],
        filterHeight=kernel[0],
        filterWidth=kernel[1],
        fusedActivationFunction=fused(activation),
    )
    maker.operator(kind, [source], [target], table)
    return maker.finish([source], [target])


def mean(rng: Rng, image: Shape, axes: Sequence[int], *, keep: bool, same: bool) -> bytes:
    """One MEAN; `same` gives input and output one quantisation."""
    maker = TfliteMaker()
    scale, zero = random_scale(rng), random_zero(rng)
    source = maker.tensor((1, *image), scale, zero)
    kept = [n for axis, n in enumerate((1, *image)) if axis not in axes]
    shape = [1 if axis in axes else n for axis, n in enumerate((1, *image))] if keep else kept
    new = (scale, zero) if same else (float(np.float32(scale * rng.uniform(0.2, 1.5))), random_zero(rng))
    target = maker.tensor(shape, *new)
    maker.operator(OpKind.MEAN, [source, maker.constant(axes)], [target], options("Reducer", keepDims=keep))
    return maker.finish([source], [target])


def unary(rng: Rng, kind: OpKind, shape: Shape, scales: tuple[float, float], zeros: tuple[int, int]) -> bytes:
    """One operator of one int8 value: LOGISTIC, HARD_SWISH, RELU, RELU6, QUANTIZE, or SOFTMAX."""
    maker = TfliteMaker()
    source = maker.tensor(shape, scales[0], zeros[0])
    target = maker.tensor(shape, scales[1], zeros[1])
    table = {
        OpKind.SOFTMAX: options("Softmax", beta=float(np.float32(rng.choice([1.0, 0.5, 1.7])))),
        OpKind.QUANTIZE: options("Quantize"),
        OpKind.HARD_SWISH: options("HardSwish"),
    }.get(kind)
    maker.operator(kind, [source], [target], table)
    return maker.finish([source], [target])


def concatenation(rng: Rng, shapes: Sequence[Shape], axis: int) -> bytes:
    """One CONCATENATION."""
    maker = TfliteMaker()
    scale, zero = random_scale(rng), random_zero(rng)
    sources = [maker.tensor(shape, scale, zero) for shape in shapes]
    joined = list(shapes[0])
    joined[axis] = sum(shape[axis] for shape in shapes)
    target = maker.tensor(joined, scale, zero)
    maker.operator(OpKind.CONCATENATION, sources, [target], options("Concatenation", axis=axis))
    return maker.finish(sources, [target])


def moved(
    rng: Rng, kind: OpKind, shape: Shape, new_shape: Shape, argument: Sequence[Any] | NDArray[Any], table: Any
) -> bytes:
    """One operator that moves values by a constant `argument`: PAD, RESHAPE, TRANSPOSE, RESIZE_..."""
    maker = TfliteMaker()
    scale, zero = random_scale(rng), random_zero(rng)
    source, target = maker.tensor(shape, scale, zero), maker.tensor(new_shape, scale, zero)
    maker.operator(kind, [source, maker.constant(argument)], [target], table)
    return maker.finish([source], [target])


def float_borders(rng: Rng, image: Shape, channels: int) -> bytes:
    """QUANTIZE, a 3 x 3 convolution, DEQUANTIZE: what converters leave around a network by default."""
    maker = TfliteMaker()
    source = maker.tensor((1, *image), dtype="float32")
    scale = random_scale(rng)
    stored = maker.tensor((1, *image), scale, random_zero(rng))
    shape = (channels, 3, 3, image[2])
    weights = maker.tensor(shape, [0.01] * channels, 0, random_weights(rng, shape))
    bias = maker.tensor((channels,), [scale * 0.01] * channels, 0, np.arange(channels), dtype="int32")
    made = maker.tensor(
        (1, *image[:2], channels), out_scale(rng, scale, 0.01, 9 * image[2]), random_zero(rng)
    )
    target = maker.tensor((1, *image[:2], channels), dtype="float32")
    maker.operator(OpKind.QUANTIZE, [source], [stored], options("Quantize"))
    table = options(
        "Conv2D", padding=padded(Padding.SAME), strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1
    )
    maker.operator(OpKind.CONV_2D, [stored, weights, bias], [made], table)
    maker.operator(OpKind.DEQUANTIZE, [made], [target], options("Dequantize"))
    return maker.finish([source], [target])
