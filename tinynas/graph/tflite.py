"""Reads a .tflite file into a Graph with weights and quantisation.

The flatbuffer is somebody else's bytes: every length is checked before it is believed, every tensor
against its data and every operator against its shapes, so that a damaged file ends in a `ModelError`
and never in a wrong figure.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import tflite
from numpy.typing import NDArray

from tinynas.errors import ModelError
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
#: options of the kinds that have a fused activation
_OPTIONS = {
    OpKind.CONV_2D: tflite.Conv2DOptions,
    OpKind.DEPTHWISE_CONV_2D: tflite.DepthwiseConv2DOptions,
    OpKind.FULLY_CONNECTED: tflite.FullyConnectedOptions,
    OpKind.AVERAGE_POOL_2D: tflite.Pool2DOptions,
    OpKind.MAX_POOL_2D: tflite.Pool2DOptions,
    OpKind.ADD: tflite.AddOptions,
    OpKind.MUL: tflite.MulOptions,
    OpKind.CONCATENATION: tflite.ConcatenationOptions,
}
_POOLS = {OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D}
_CONVOLUTIONS = {OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D}
_WINDOWED = _CONVOLUTIONS | _POOLS
#: what reading damaged bytes through the flatbuffers library can raise
_DAMAGE = (struct.error, LookupError, ValueError, TypeError, AttributeError, ArithmeticError)
#: no tensor of a microcontroller's network has more elements, so a larger one is damage
_MOST_ELEMENTS = 2**31


def read_tflite(path: Path) -> Graph:
    """The network in the file `path`, named after it.

    Raises:
        ModelError: the file is missing, unreadable, empty, damaged, or uses what tinynas cannot run.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}; check the path") from error
    return graph_from_bytes(data, path.name)


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
        tensors = self._list(subgraph.TensorsLength(), lambda i: self._tensor(subgraph.Tensors(i), i))
        reader = _OperatorReader(self._name, self._model, tensors)
        operators = self._list(subgraph.OperatorsLength(), lambda i: reader.read(subgraph.Operators(i), i))
        inputs = _indices(subgraph.InputsAsNumpy(), len(tensors))
        outputs = _indices(subgraph.OutputsAsNumpy(), len(tensors))
        _check_order(tensors, operators, inputs, outputs)
        return Graph(self._name, tuple(tensors), tuple(operators), inputs, outputs)

    def _list(self, length: int, read: Callable[[int], _T]) -> list[_T]:
        # each entry is a 4-byte offset: a longer list is damage, and would take for ever
        if length * 4 > len(self._data):
            raise ValueError(f"a list of {length} entries in {len(self._data)} bytes")
        return [read(i) for i in range(length)]

    def _tensor(self, source: Any, index: int) -> Tensor:
        name = (source.Name() or b"").decode("utf-8", "replace")
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
        tensor = Tensor(name, shape, dtype)
        if any(size < 0 for size in shape) or tensor.elements > _MOST_ELEMENTS:
            raise ValueError(f"tensor {index} of shape {shape}")
        data = self._constant(source.Buffer(), tensor)
        return Tensor(name, shape, dtype, data is not None, _quantization(source.Quantization()), data)

    def _constant(self, buffer: int, tensor: Tensor) -> NDArray[np.generic] | None:
        if not 0 <= buffer < self._model.BuffersLength():
            raise ValueError(f"buffer {buffer} does not exist")
        source = self._model.Buffers(buffer)
        if not source.DataLength():
            return None
        dtype = np.dtype(tensor.dtype.label).newbyteorder("<")
        return np.frombuffer(source.DataAsNumpy().tobytes(), dtype).reshape(tensor.shape)


class _OperatorReader:
    """Turns flatbuffer operators into ours, and checks each against its tensors' shapes."""

    def __init__(self, name: str, model: Any, tensors: Sequence[Tensor]) -> None:
        self._name, self._model, self._tensors = name, model, tensors

    def read(self, source: Any, index: int) -> Operator:
        kind = self._kind(source.OpcodeIndex(), index)
        inputs = _indices(source.InputsAsNumpy(), len(self._tensors), optional=True)
        outputs = _indices(source.OutputsAsNumpy(), len(self._tensors))
        if not inputs or inputs[0] < 0 or len(outputs) != 1:
            raise ValueError(f"operator {index} ({kind.value}) lacks an input or its output")
        shapes = [self._tensors[i].shape for i in inputs if i >= 0]
        output = self._tensors[outputs[0]].shape
        options = self._options(source, kind, index)
        window = _window(kind, options, shapes) if kind in _WINDOWED else None
        if not _consistent(kind, shapes, output, window):
            raise ValueError(f"operator {index} ({kind.value}) does not fit its shapes")
        activation = self._activation(options, kind, index)
        multiplier = output[3] // shapes[0][3] if kind is OpKind.DEPTHWISE_CONV_2D else 1
        return Operator(kind, inputs, outputs, window, activation, multiplier)

    def _kind(self, opcode: int, index: int) -> OpKind:
        if not 0 <= opcode < self._model.OperatorCodesLength():
            raise ValueError(f"operator {index} has no code")
        source = self._model.OperatorCodes(opcode)
        # codes above 126 stand in a second field; old files have the first alone
        code = max(source.DeprecatedBuiltinCode(), source.BuiltinCode())
        if code in _KINDS:
            return _KINDS[code]
        label = _NAMES.get(code, f"number {code}")
        if code == tflite.BuiltinOperator.CUSTOM:
            label = f"custom {(source.CustomCode() or b'').decode('utf-8', 'replace')}"
        raise ModelError(
            f"{self._name}: operator {index} is {label}, which tinynas does not know; export the network "
            f"without it (known: {', '.join(kind.value for kind in OpKind)})"
        )

    def _options(self, source: Any, kind: OpKind, index: int) -> Any:
        if kind not in _OPTIONS:
            return None
        table = source.BuiltinOptions()
        if table is None:
            if kind in _WINDOWED:
                raise ValueError(f"operator {index} ({kind.value}) lacks its options")
            return None
        options = _OPTIONS[kind]()
        options.Init(table.Bytes, table.Pos)
        return options

    def _activation(self, options: Any, kind: OpKind, index: int) -> Activation:
        code = options.FusedActivationFunction() if options else tflite.ActivationFunctionType.NONE
        if code not in _ACTIVATIONS:
            raise ModelError(
                f"{self._name}: operator {index} ({kind.value}) has a fused activation tinynas does not know "
                f"(number {code}); use none, ReLU or ReLU6"
            )
        return _ACTIVATIONS[code]


def _vector(values: Any) -> list[int]:
    """A flatbuffer vector as integers; the library gives 0 for one that is absent."""
    return [] if isinstance(values, int) else [int(v) for v in values.tolist()]


def _indices(values: Any, tensors: int, optional: bool = False) -> tuple[int, ...]:
    indices = tuple(_vector(values))
    if any(not (-1 if optional else 0) <= i < tensors for i in indices):
        raise ValueError(f"tensor indices {indices[:8]} of {tensors} tensors")
    return indices


def _quantization(source: Any) -> Quantization | None:
    if source is None or not source.ScaleLength():
        return None
    scales = tuple(float(s) for s in source.ScaleAsNumpy().tolist())
    zeros = tuple(_vector(source.ZeroPointAsNumpy())) or (0,)
    if len(zeros) not in (1, len(scales)):
        raise ValueError(f"{len(zeros)} zero points for {len(scales)} scales")
    return Quantization(scales, zeros * (len(scales) // len(zeros)), source.QuantizedDimension())


def _window(kind: OpKind, options: Any, shapes: Sequence[tuple[int, ...]]) -> Window:
    stride = (options.StrideH(), options.StrideW())
    padding = _PADDINGS[options.Padding()]
    if kind in _POOLS:
        window = Window((options.FilterHeight(), options.FilterWidth()), stride, padding)
    else:
        dilation = (options.DilationHFactor(), options.DilationWFactor())
        window = Window(shapes[1][1:3], stride, padding, dilation)  # type: ignore[arg-type]
    if min(*window.kernel, *window.stride, *window.dilation) < 1:
        raise ValueError(f"a window of {window.kernel} with stride {window.stride}")
    return window


def _consistent(
    kind: OpKind, shapes: Sequence[tuple[int, ...]], output: tuple[int, ...], window: Window | None
) -> bool:
    """Whether an operator of `kind` can turn inputs of `shapes` into `output`."""
    image = shapes[0]
    if kind is OpKind.FULLY_CONNECTED:
        return len(shapes) > 1 and len(shapes[1]) == 2 and min(shapes[1]) > 0 and output[-1:] == shapes[1][:1]
    if window is None:
        return True
    if len(image) != 4 or len(output) != 4 or min(image) < 1 or image[0] != output[0]:
        return False
    if window.output_size(image[1], image[2]) != output[1:3]:
        return False
    if kind in _POOLS:
        return image[3] == output[3]
    weights = shapes[1]
    if kind is OpKind.DEPTHWISE_CONV_2D:
        return weights[0] == 1 and weights[3] == output[3] and output[3] % image[3] == 0
    # grouped convolution is a filter shallower than its input
    groups, rest = divmod(image[3], weights[3])
    return weights[0] == output[3] and rest == 0 and output[3] % groups == 0


def _check_order(
    tensors: Sequence[Tensor], operators: Sequence[Operator], inputs: Sequence[int], outputs: Sequence[int]
) -> None:
    """Every value must be written once, before it is read."""
    known = set(inputs) | {i for i, tensor in enumerate(tensors) if tensor.constant or not tensor.elements}
    for index, operator in enumerate(operators):
        if any(i >= 0 and i not in known for i in operator.inputs):
            raise ValueError(f"operator {index} ({operator.kind.value}) reads what nothing has written")
        if operator.outputs[0] in known:
            raise ValueError(f"operator {index} ({operator.kind.value}) writes a tensor a second time")
        known.update(operator.outputs)
    if not set(outputs) <= known or not inputs or not outputs:
        raise ValueError("an output that nothing writes")
