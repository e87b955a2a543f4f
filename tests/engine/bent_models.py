"""Small models with one thing changed in their tables; each change is a function of the schema's ModelT."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import flatbuffers
import numpy as np
from hostile import MODELS
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema


def bent(name: str, change: Callable[[Any], None]) -> bytes:
    """The model `name` with something changed in its tables; `change` gets the schema's ModelT."""
    model = schema.ModelT.InitFromPackedBuf(MODELS[name], 0)
    change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def tensor(model: Any, index: int) -> Any:
    return model.subgraphs[0].tensors[index]


def first(model: Any) -> Any:
    return model.subgraphs[0].operators[0]


def reshaped(index: int, *shape: int) -> Callable[[Any], None]:
    return lambda model: setattr(tensor(model, index), "shape", list(shape))


def quantized(index: int, **changes: Any) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for key, value in changes.items():
            setattr(tensor(model, index).quantization, key, value)

    return change


def option(**changes: Any) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for key, value in changes.items():
            assert hasattr(first(model).builtinOptions, key)
            setattr(first(model).builtinOptions, key, value)

    return change


def argument(*values: int, index: int = 1) -> Callable[[Any], None]:
    """Other values for a constant of int32."""

    def change(model: Any) -> None:
        buffer = model.buffers[tensor(model, first(model).inputs[index]).buffer]
        buffer.data = np.frombuffer(np.array(values, np.int32).tobytes(), np.uint8)

    return change


def together(*changes: Callable[[Any], None]) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for each in changes:
            each(model)

    return change


def stateful(model: Any) -> None:
    tensor(model, 0).isVariable = True


def named(name: bytes) -> Callable[[Any], None]:
    return lambda model: setattr(tensor(model, 0), "name", name)


def no_options(model: Any) -> None:
    first(model).builtinOptions, first(model).builtinOptionsType = None, 0


def other_options(model: Any) -> None:
    first(model).builtinOptions = schema.AddOptionsT()
    first(model).builtinOptionsType = schema.BuiltinOptions.AddOptions


def ends(**changes: Sequence[int]) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for key, value in changes.items():
            setattr(model.subgraphs[0], key, list(value))

    return change


def rewired(*inputs: int) -> Callable[[Any], None]:
    return lambda model: setattr(first(model), "inputs", list(inputs))


def of_type(index: int, kind: str) -> Callable[[Any], None]:
    return lambda model: setattr(tensor(model, index), "type", getattr(schema.TensorType, kind))


def kind_of(kind: str) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        code = getattr(schema.BuiltinOperator, kind)
        model.operatorCodes[0].builtinCode = model.operatorCodes[0].deprecatedBuiltinCode = code
        no_options(model)

    return change


def two_codes(model: Any) -> None:
    model.operatorCodes[0].deprecatedBuiltinCode = schema.BuiltinOperator.RELU6


def constant_source(model: Any) -> None:
    """What the first operator reads is a constant; the network's input is another tensor."""
    place = int(first(model).inputs[0])
    source, subgraph = tensor(model, place), model.subgraphs[0]
    other = copy.deepcopy(source)
    model.buffers.append(schema.BufferT())
    model.buffers[-1].data = np.zeros(int(np.prod(source.shape)), np.uint8)
    source.buffer = len(model.buffers) - 1
    subgraph.tensors.append(other)
    subgraph.inputs = [*(int(i) for i in subgraph.inputs if i != place), len(subgraph.tensors) - 1]
