"""Reads a .tflite file into a Graph with weights and quantisation.

The flatbuffer is somebody else's bytes: every length is checked before it is believed, every tensor
against its data and every operator against its shapes, so that a damaged file ends in a `ModelError`
and never in a wrong figure.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import tflite
from flatbuffers.number_types import Int32Flags
from numpy.typing import NDArray

from tinynas.errors import ModelError
from tinynas.graph.checks import misfit
from tinynas.graph.ir import (
    Activation,
    DType,
    Graph,
    Operator,
    OpKind,
    Padding,
    Quantization,
    Tensor,
    Window,
)

_T = TypeVar("_T")

_TYPES = {
    tflite.TensorType.FLOAT32: DType.FLOAT32,
    tflite.TensorType.INT32: DType.INT32,
    tflite.TensorType.UINT8: DType.UINT8,
    tflite.TensorType.INT64: DType.INT64,
    tflite.TensorType.BOOL: DType.BOOL,
    tflite.TensorType.INT16: DType.INT16,
    tflite.TensorType.INT8: DType.INT8,
}
_ACTIVATIONS = {
    tflite.ActivationFunctionType.NONE: Activation.NONE,
    tflite.ActivationFunctionType.RELU: Activation.RELU,
    tflite.ActivationFunctionType.RELU6: Activation.RELU6,
}
_PADDINGS = {tflite.Padding.SAME: Padding.SAME, tflite.Padding.VALID: Padding.VALID}
_KINDS = {getattr(tflite.BuiltinOperator, kind.value): kind for kind in OpKind}
_NAMES = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
#: options of the kinds whose options matter; those but `_UNFUSED` have a fused activation
_OPTIONS = {
    OpKind.CONV_2D: tflite.Conv2DOptions,
    OpKind.DEPTHWISE_CONV_2D: tflite.DepthwiseConv2DOptions,
    OpKind.FULLY_CONNECTED: tflite.FullyConnectedOptions,
    OpKind.AVERAGE_POOL_2D: tflite.Pool2DOptions,
    OpKind.MAX_POOL_2D: tflite.Pool2DOptions,
    OpKind.ADD: tflite.AddOptions,
    OpKind.MUL: tflite.MulOptions,
    OpKind.CONCATENATION: tflite.ConcatenationOptions,
    OpKind.SOFTMAX: tflite.SoftmaxOptions,
    OpKind.RESIZE_NEAREST_NEIGHBOR: tflite.ResizeNearestNeighborOptions,
}
_UNFUSED = {OpKind.SOFTMAX, OpKind.RESIZE_NEAREST_NEIGHBOR}
#: without theirs TFLite takes zeros: a softmax of beta 0
_NEED_OPTIONS = {OpKind.SOFTMAX, OpKind.CONCATENATION}
#: smallest and largest zero point of the types that have one
_ZEROS = {
    DType.INT8: (-128, 127),
    DType.UINT8: (0, 255),
    DType.INT16: (-(2**15), 2**15 - 1),
    DType.INT32: (-(2**31), 2**31 - 1),
}
_OPTIONS_TYPES = {kind: getattr(tflite.BuiltinOptions, table.__name__) for kind, table in _OPTIONS.items()}
_POOLS = {OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D}
_CONVOLUTIONS = {OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D}
_WINDOWED = _CONVOLUTIONS | _POOLS
#: what reading damaged bytes through the flatbuffers library can raise
_DAMAGE = (struct.error, LookupError, ValueError, TypeError, AttributeError, ArithmeticError)
#: no tensor of a microcontroller's network has more elements or axes, so a larger one is damage
_MOST_ELEMENTS = 2**28
_MOST_AXES = 8
_MOST_OPERATORS = 1000
_MOST_TENSORS = 20_000
_MOST_INPUTS = 256
#: how often over the file's bytes may be read as weights, and how many bytes may in any file
_MOST_SHARED = 4
_FREELY_SHARED = 2**23
#: names are labels; a longer one loses its middle
_LONGEST_NAME = 120


def read_tflite(path: Path) -> Graph:
    """The network in the file `path`, named after it.

    Raises:
        ModelError: the file is missing, unreadable, empty, damaged, or uses what tinynas cannot run.
    """
    return graph_from_bytes(read_file(path), path.name)


def read_file(path: Path) -> bytes:
    """The bytes of a model's file.

    Raises:
        ModelError: the file is missing or unreadable.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}; check the path") from error


def graph_from_bytes(data: bytes, name: str) -> Graph:
    """The network in the bytes of a .tflite file; `name` is how messages call it.

    Raises:
        ModelError: `data` is not a whole .tflite file, or uses what tinynas cannot run.
    """
    if not data:
        raise ModelError(f"{name} is empty: export or download it again")
    if len(data) < 8 or data[4:8] != b"TFL3":
        raise ModelError(f"{name} is not a .tflite file: it lacks the mark TFL3 in bytes 4 to 7")
    try:
        graph = _Reader(data, name).graph()
    except _DAMAGE as error:
        raise ModelError(f"{name} is damaged ({type(error).__name__}: {error}); copy it again") from error
    return graph


class _Reader:
    """Walks one flatbuffer. Every list is bounded by the file's size before it is walked."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data, self._name = data, name
        self._scales = 0
        self._model: Any = tflite.Model.GetRootAsModel(data, 0)

    def graph(self) -> Graph:
        count = self._model.SubgraphsLength()
        if not count:
            raise ValueError("it has no network")
        if count != 1:
            raise ModelError(
                f"{self._name} has {count} subgraphs and tinynas reads one: export it without control flow"
            )
        subgraph = self._model.Subgraphs(0)
        if subgraph.TensorsLength() > _MOST_TENSORS:
            raise ValueError(f"{subgraph.TensorsLength()} tensors")
        tensors = self._list(subgraph.TensorsLength(), lambda i: self._tensor(subgraph.Tensors(i), i))
        reader = _OperatorReader(self._name, self._model, tensors)
        if subgraph.OperatorsLength() > _MOST_OPERATORS:
            raise ModelError(
                f"{self._name} has {subgraph.OperatorsLength()} operators and tinynas reads at most "
                f"{_MOST_OPERATORS}: use a shallower network"
            )
        operators = self._list(subgraph.OperatorsLength(), lambda i: reader.read(subgraph.Operators(i), i))
        inputs = _indices(subgraph.InputsAsNumpy(), len(tensors))
        outputs = _indices(subgraph.OutputsAsNumpy(), len(tensors))
        _check_order(tensors, operators, inputs, outputs)
        graph = Graph(self._name, tuple(tensors), tuple(operators), inputs, outputs)
        self._check_sharing(graph)
        return graph

    def _check_sharing(self, graph: Graph) -> None:
        """Weights that many operators share are work for each: they may not exceed the file by much."""
        read = (each for operator in graph.operators for each in graph.constants_in(operator))
        claimed = sum(each.size_bytes for each in read)
        if claimed > max(_MOST_SHARED * len(self._data), _FREELY_SHARED):
            raise ModelError(
                f"{self._name} has {len(self._data):,} bytes and its operators share weights as if they were "
                f"{claimed:,}: use a network whose layers have weights of their own"
            )

    def _list(self, length: int, read: Callable[[int], _T]) -> list[_T]:
        # each entry is a 4-byte offset: a longer list is damage, and would take for ever
        if length * 4 > len(self._data):
            raise ValueError(f"a list of {length} entries in {len(self._data)} bytes")
        return [read(i) for i in range(length)]

    def _tensor(self, source: Any, index: int) -> Tensor:
        name = _label(source.Name())
        if source.IsVariable():
            raise ModelError(
                f"{self._name}: tensor {index} ({name}) is a variable that keeps state between runs; "
                "tinynas reads networks without state: export an unrolled one"
            )
        dtype = _TYPES.get(source.Type())
        if dtype is None:
            raise ModelError(
                f"{self._name}: tensor {index} ({name}) has an element type tinynas cannot run; use int8"
            )
        shape = tuple(_vector(source.ShapeAsNumpy()))
        if len(shape) > _MOST_AXES:
            raise ValueError(f"tensor {index} has {len(shape)} axes")
        tensor = Tensor(name, shape, dtype)
        if any(size < 0 for size in shape) or tensor.elements > _MOST_ELEMENTS:
            raise ValueError(f"tensor {index} of shape {shape}")
        data = self._constant(source.Buffer(), tensor)
        quantization = self._quantization(source.Quantization(), tensor)
        return Tensor(name, shape, dtype, data is not None, quantization, data)

    def _quantization(self, source: Any, tensor: Tensor) -> Quantization | None:
        if source is None or not source.ScaleLength():
            return None
        # scales that many tensors share would add up to more than the file holds
        self._scales += source.ScaleLength()
        if self._scales * 4 > len(self._data):
            raise ValueError(f"{self._scales} scales in {len(self._data)} bytes")
        return _quantization_of(source, tensor)

    def _constant(self, buffer: int, tensor: Tensor) -> NDArray[np.generic] | None:
        if not 0 <= buffer < self._model.BuffersLength():
            raise ValueError(f"buffer {buffer} does not exist")
        source = self._model.Buffers(buffer)
        if not source.DataLength():
            return None
        dtype = np.dtype(tensor.dtype.label).newbyteorder("<")
        # not a copy: thousands of tensors may claim one buffer
        values: NDArray[np.generic] = source.DataAsNumpy().view(dtype).reshape(tensor.shape)
        return values


class _OperatorReader:
    """Turns flatbuffer operators into ours, and checks each against its tensors' shapes."""

    def __init__(self, name: str, model: Any, tensors: Sequence[Tensor]) -> None:
        self._name, self._model, self._tensors = name, model, tensors

    def read(self, source: Any, index: int) -> Operator:
        kind = self._kind(source.OpcodeIndex(), index)
        if source.InputsLength() > _MOST_INPUTS:
            raise ValueError(f"operator {index} ({kind.value}) has {source.InputsLength()} inputs")
        inputs = _indices(source.InputsAsNumpy(), len(self._tensors), optional=True)
        outputs = _indices(source.OutputsAsNumpy(), len(self._tensors))
        if not inputs or inputs[0] < 0 or len(outputs) != 1:
            raise ValueError(f"operator {index} ({kind.value}) lacks an input or its output")
        output = self._tensors[outputs[0]].shape
        options = self._options(source, kind, index)
        resized = kind is OpKind.RESIZE_NEAREST_NEIGHBOR and options is not None
        operator = Operator(
            kind,
            inputs,
            outputs,
            _window(kind, options, inputs, self._tensors) if kind in _WINDOWED else None,
            self._activation(options, kind, index),
            options.DepthMultiplier() if kind is OpKind.DEPTHWISE_CONV_2D else 1,
            _axis(options, len(output)) if kind is OpKind.CONCATENATION else -1,
            _beta(options) if kind is OpKind.SOFTMAX else 1.0,
            resized and bool(options.AlignCorners()),
            resized and bool(options.HalfPixelCenters()),
        )
        if wrong := misfit(operator, self._tensors):
            raise ModelError(
                f"{self._name}: operator {index} ({kind.value}) {wrong}; export the model as int8, or copy "
                "the file again if it was damaged"
            )
        return operator

    def _kind(self, opcode: int, index: int) -> OpKind:
        if not 0 <= opcode < self._model.OperatorCodesLength():
            raise ValueError(f"operator {index} has no code")
        source = self._model.OperatorCodes(opcode)
        code = _code(source, index)
        if code in _KINDS:
            return _KINDS[code]
        label = _NAMES.get(code, f"number {code}")
        if code == tflite.BuiltinOperator.CUSTOM:
            label = f"custom {_label(source.CustomCode())}"
        raise ModelError(
            f"{self._name}: operator {index} is {label}, which tinynas does not know; export the network "
            f"without it (known: {', '.join(kind.value for kind in OpKind)})"
        )

    def _options(self, source: Any, kind: OpKind, index: int) -> Any:
        if kind not in _OPTIONS:
            return None
        table = source.BuiltinOptions()
        if table is None or source.BuiltinOptionsType() != _OPTIONS_TYPES[kind]:
            if kind in _WINDOWED | _NEED_OPTIONS:
                raise ValueError(f"operator {index} ({kind.value}) lacks its options")
            return None
        options = _OPTIONS[kind]()
        options.Init(table.Bytes, table.Pos)
        if kind is OpKind.FULLY_CONNECTED and options.WeightsFormat():
            raise ValueError(f"operator {index} (FULLY_CONNECTED) has weights in an order of their own")
        return options

    def _activation(self, options: Any, kind: OpKind, index: int) -> Activation:
        fused = options is not None and kind not in _UNFUSED
        code = options.FusedActivationFunction() if fused else tflite.ActivationFunctionType.NONE
        if code not in _ACTIVATIONS:
            raise ModelError(
                f"{self._name}: operator {index} ({kind.value}) has a fused activation tinynas does not know "
                f"(number {code}); use none, ReLU or ReLU6"
            )
        return _ACTIVATIONS[code]


def _code(source: Any, index: int) -> int:
    """The number of an operator's kind: new files have it twice, old ones once, in a byte."""
    # the library's own accessor of the second field hands out the first for small numbers
    table = source._tab
    place = table.Offset(10)
    first = source.DeprecatedBuiltinCode()
    second = table.Get(Int32Flags, table.Pos + place) if place else 0
    if first and second and first != min(second, tflite.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES):
        raise ValueError(f"operator {index} has two codes, {first} and {second}")
    return int(max(first, second))


def _label(name: bytes | None) -> str:
    """A name from the file as it may stand in a message: printable, and not too long."""
    text = "".join(c if c.isprintable() else "?" for c in (name or b"").decode("utf-8", "replace"))
    half = _LONGEST_NAME // 2
    return text if len(text) <= _LONGEST_NAME else f"{text[:half]}...{text[-half:]}"


def _vector(values: Any) -> list[int]:
    """A flatbuffer vector as integers; the library gives 0 for one that is absent."""
    return [] if isinstance(values, int) else [int(v) for v in values.tolist()]


def _indices(values: Any, tensors: int, optional: bool = False) -> tuple[int, ...]:
    indices = tuple(_vector(values))
    if any(not (-1 if optional else 0) <= i < tensors for i in indices):
        raise ValueError(f"tensor indices {indices[:8]} of {tensors} tensors")
    return indices


def _quantization_of(source: Any, tensor: Tensor) -> Quantization | None:
    scales = tuple(float(s) for s in source.ScaleAsNumpy().tolist())
    zeros = tuple(_vector(source.ZeroPointAsNumpy()))
    # some exporters give a bias the axis of its weights
    axis = source.QuantizedDimension() if len(tensor.shape) > 1 else 0
    if len(zeros) != len(scales):
        raise ValueError(f"{len(zeros)} zero points for {len(scales)} scales")
    if len(scales) > 1 and not (0 <= axis < len(tensor.shape) and tensor.shape[axis] == len(scales)):
        raise ValueError(f"{len(scales)} scales along axis {axis} of {tensor.name}, shape {tensor.shape}")
    if tensor.dtype in _ZEROS:
        low, high = _ZEROS[tensor.dtype]
        if not all(math.isfinite(scale) and scale > 0 for scale in scales):
            raise ValueError(f"a scale of {tensor.name} is not a positive number")
        if not all(low <= zero <= high for zero in zeros):
            raise ValueError(f"a zero point of {tensor.name} is no {tensor.dtype.label}")
    return Quantization(scales, zeros, axis)


def _window(kind: OpKind, options: Any, inputs: Sequence[int], tensors: Sequence[Tensor]) -> Window:
    stride = (options.StrideH(), options.StrideW())
    padding = _PADDINGS[options.Padding()]
    if kind in _POOLS:
        window = Window((options.FilterHeight(), options.FilterWidth()), stride, padding)
    else:
        if inputs[1] < 0:
            raise ValueError(f"a {kind.value} without weights")
        _, rows, columns, _ = tensors[inputs[1]].shape
        dilation = (options.DilationHFactor(), options.DilationWFactor())
        window = Window((rows, columns), stride, padding, dilation)
    if min(*window.kernel, *window.stride, *window.dilation) < 1:
        raise ValueError(f"a window of {window.kernel} with stride {window.stride}")
    return window


def _axis(options: Any, rank: int) -> int:
    axis = options.Axis() if options else 0
    return int(axis + rank if axis < 0 else axis)


def _beta(options: Any) -> float:
    beta = float(options.Beta()) if options else 1.0
    if not (math.isfinite(beta) and beta > 0):
        raise ValueError(f"a softmax with beta {beta}")
    return beta


def _check_order(
    tensors: Sequence[Tensor], operators: Sequence[Operator], inputs: Sequence[int], outputs: Sequence[int]
) -> None:
    """Every value must be written once, before it is read."""
    if not inputs or any(tensors[i].constant for i in inputs) or len({*inputs}) != len(inputs):
        raise ValueError("no input, or one that is a constant or there twice")
    known = set(inputs) | {i for i, tensor in enumerate(tensors) if tensor.constant or not tensor.elements}
    for index, operator in enumerate(operators):
        if any(i >= 0 and i not in known for i in operator.inputs):
            raise ValueError(f"operator {index} ({operator.kind.value}) reads what nothing has written")
        if operator.outputs[0] in known:
            raise ValueError(f"operator {index} ({operator.kind.value}) writes a tensor a second time")
        known.update(operator.outputs)
    written = {*inputs, *(i for operator in operators for i in operator.outputs)}
    if not 0 < len(outputs) <= _MOST_INPUTS or not written.issuperset(outputs):
        raise ValueError("an output that nothing writes")
