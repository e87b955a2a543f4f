"""Changes to .tflite files: cut off behind an operator, with dead channels, with one changed weight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

_CONVOLUTIONS = {schema.BuiltinOperator.CONV_2D: 0, schema.BuiltinOperator.DEPTHWISE_CONV_2D: 3}


def cut_behind(model: bytes, operator: int) -> bytes:
    """`model` that ends with `operator`, whose first output becomes the only one."""

    def cut(tree: Any) -> None:
        graph = tree.subgraphs[0]
        graph.operators = graph.operators[: operator + 1]
        graph.outputs = [graph.operators[operator].outputs[0]]
        # signatures name outputs that are no more
        tree.signatureDefs = None

    return _edited(model, cut)


def with_dead_channels(model: bytes, seed: int) -> bytes:
    """`model` with zero weights for some output channels of its convolutions, as weight decay leaves them.

    In each layer for none to half of them; their biases, the constants they then hold, stay.
    """
    rng = np.random.default_rng(seed)

    def kill(tree: Any) -> None:
        graph = tree.subgraphs[0]
        for operator in graph.operators:
            axis = _CONVOLUTIONS.get(tree.operatorCodes[operator.opcodeIndex].builtinCode)
            if axis is not None:
                weights = graph.tensors[operator.inputs[1]]
                values = _data(tree, weights).reshape(weights.shape).copy()
                dead = rng.random(values.shape[axis]) < rng.uniform(0, 0.5)
                np.moveaxis(values, axis, 0)[dead] = 0
                tree.buffers[weights.buffer].data = values.reshape(-1).view(np.uint8)

    return _edited(model, kill)


def with_one_changed_weight(model: bytes) -> bytes:
    """`model` with the first weight of its last layer off by half the range."""

    def change(tree: Any) -> None:
        graph = tree.subgraphs[0]
        weights = graph.tensors[graph.operators[-1].inputs[1]]
        values = _data(tree, weights).copy()
        values[0] ^= np.int8(0x40)
        tree.buffers[weights.buffer].data = values.view(np.uint8)

    return _edited(model, change)


def _data(tree: Any, tensor: Any) -> Any:
    return np.asarray(tree.buffers[tensor.buffer].data).view(np.int8)


def _edited(model: bytes, edit: Callable[[Any], None]) -> bytes:
    tree = schema.ModelT.InitFromPackedBuf(model, 0)
    edit(tree)
    builder = flatbuffers.Builder(len(model))
    builder.Finish(tree.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
