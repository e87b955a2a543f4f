"""One more operator on a model that is taken apart: deeper networks, whose shapes still fit."""

from __future__ import annotations

import copy
import math
import random
from typing import Any

import numpy as np
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

Rng = random.Random


def as_list(values: Any) -> list[Any]:
    """A flatbuffer vector as a list; the library gives None or 0 for one that is absent."""
    return [] if values is None or isinstance(values, int) else list(np.asarray(values).tolist())


def grow(model: Any, rng: Rng) -> None:
    """One more operator behind an output or any other feature map, with a shape that fits."""
    subgraph = model.subgraphs[0]
    written = [int(i) for op in subgraph.operators for i in as_list(op.outputs)]
    source = rng.choice(written or as_list(subgraph.inputs))
    shape = as_list(subgraph.tensors[source].shape)
    growths = _GROWTHS if len(shape) == 4 else _FLAT_GROWTHS
    name, extra, new_shape, table = rng.choice(growths)(model, source, shape, rng)
    made = copy.deepcopy(subgraph.tensors[source])
    made.shape, made.buffer = new_shape, 0
    if name in ("LOGISTIC", "SOFTMAX") and made.quantization is not None:
        made.quantization.scale, made.quantization.zeroPoint = [1 / 256], [-128]
    subgraph.tensors.append(made)
    operator = schema.OperatorT()
    operator.opcodeIndex = _code_index(model, getattr(schema.BuiltinOperator, name))
    operator.inputs, operator.outputs = [source, *extra], [len(subgraph.tensors) - 1]
    if table is not None:
        operator.builtinOptions = table
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(table).__name__.removesuffix("T"))
    subgraph.operators.append(operator)
    outputs = [i for i in as_list(subgraph.outputs) if i != source or rng.random() < 0.2]
    subgraph.outputs = [*outputs, len(subgraph.tensors) - 1]


def _code_index(model: Any, code: int) -> int:
    for index, known in enumerate(model.operatorCodes):
        if known.builtinCode == code:
            return index
    made = schema.OperatorCodeT()
    made.builtinCode, made.deprecatedBuiltinCode, made.version = code, min(code, 127), 1
    model.operatorCodes.append(made)
    return len(model.operatorCodes) - 1


def _argument(model: Any, values: Any) -> int:
    """The index of a new constant of int32."""
    data = np.asarray(values, np.int32)
    model.buffers.append(schema.BufferT())
    model.buffers[-1].data = np.frombuffer(data.tobytes(), np.uint8)
    tensor = schema.TensorT()
    tensor.shape, tensor.type, tensor.name = list(data.shape), schema.TensorType.INT32, b"argument"
    tensor.buffer = len(model.buffers) - 1
    model.subgraphs[0].tensors.append(tensor)
    return len(model.subgraphs[0].tensors) - 1


_Growth = tuple[str, list[int], list[int], Any]


def _unary(model: Any, source: int, shape: list[int], rng: Rng) -> _Growth:
    name = rng.choice(("RELU", "RELU6", "LOGISTIC", "HARD_SWISH", "QUANTIZE", "SOFTMAX"))
    table = schema.SoftmaxOptionsT() if name == "SOFTMAX" else None
    if table is not None:
        table.beta = 1.0
    return name, [], shape, table


def _binary(model: Any, source: int, shape: list[int], rng: Rng) -> _Growth:
    tensors, subgraph = model.subgraphs[0].tensors, model.subgraphs[0]
    maps = [*as_list(subgraph.inputs), *(i for op in subgraph.operators for i in as_list(op.outputs))]
    alike = [i for i in maps if as_list(tensors[i].shape) == shape]
    name = rng.choice(("ADD", "MUL"))
    table = schema.AddOptionsT() if name == "ADD" else schema.MulOptionsT()
    table.fusedActivationFunction = rng.choice((0, 0, 1, 3))
    return name, [rng.choice(alike or [source])], shape, table


def _pool(model: Any, source: int, shape: list[int], rng: Rng) -> _Growth:
    table = schema.Pool2DOptionsT()
    kernel, stride = rng.randint(1, 4), rng.randint(1, 3)
    table.filterHeight = table.filterWidth = kernel
    table.strideH = table.strideW = stride
    table.padding = rng.randint(0, 1)
    _, rows, columns, channels = shape
    sizes = [-(-n // stride) if table.padding == 0 else (n - kernel) // stride + 1 for n in (rows, columns)]
    name = rng.choice(("AVERAGE_POOL_2D", "MAX_POOL_2D"))
    return name, [], [shape[0], *sizes, channels], table


def _pad(model: Any, source: int, shape: list[int], rng: Rng) -> _Growth:
    margins = [[0, 0], *([rng.randint(0, 2), rng.randint(0, 2)] for _ in shape[1:])]
    if rng.random() < 0.7:
        margins[-1] = [0, 0]
    new = [n + sum(margin) for n, margin in zip(shape, margins, strict=True)]
    return "PAD", [_argument(model, margins)], new, schema.PadOptionsT()


def _mean(model: Any, source: int, shape: list[int], rng: Rng) -> _Growth:
    axes = rng.choice(([1, 2], [1], [2], [2, 1]))
    table = schema.ReducerOptionsT()
    table.keepDims = rng.random() < 0.7
    kept = [1 if axis in axes else n for axis, n in enumerate(shape)]
    new = kept if table.keepDims else [n for axis, n in enumerate(shape) if axis not in axes]
    return "MEAN", [_argument(model, axes)], new, table


def _reshape(model: Any, source: int, shape: list[int], rng: Rng) -> _Growth:
    total = math.prod(shape)
    new = rng.choice(
        ([1, total], [1, 1, 1, total], [1, total, 1, 1], shape[:1] + shape[1:][::-1], [1, *shape])
    )
    return "RESHAPE", [_argument(model, new)], new, schema.ReshapeOptionsT()


def _transpose(model: Any, source: int, shape: list[int], rng: Rng) -> _Growth:
    order = list(range(1, len(shape)))
    rng.shuffle(order)
    order = [0, *order]
    return "TRANSPOSE", [_argument(model, order)], [shape[axis] for axis in order], None


def _concatenation(model: Any, source: int, shape: list[int], rng: Rng) -> _Growth:
    axis = rng.randrange(min(1, len(shape) - 1), len(shape))
    table = schema.ConcatenationOptionsT()
    table.axis = rng.choice((axis, axis - len(shape)))
    new = [2 * n if a == axis else n for a, n in enumerate(shape)]
    return "CONCATENATION", [source], new, table


def _resize(model: Any, source: int, shape: list[int], rng: Rng) -> _Growth:
    size = [rng.randint(1, 12), rng.randint(1, 12)]
    table = schema.ResizeNearestNeighborOptionsT()
    table.alignCorners, table.halfPixelCenters = rng.random() < 0.3, rng.random() < 0.3
    new = [shape[0], *size, shape[3]]
    return "RESIZE_NEAREST_NEIGHBOR", [_argument(model, size)], new, table


_FLAT_GROWTHS = (_unary, _binary, _reshape, _concatenation)
_GROWTHS = (
    *(*_FLAT_GROWTHS, _unary, _binary, _pool, _pool, _pad, _mean),
    *(_transpose, _concatenation, _resize),
)
