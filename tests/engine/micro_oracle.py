"""TensorFlow Lite Micro in this process, for many tiny models: the oracle of the engine's tests."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tflite_micro import runtime

from tinynas.graph import DType, Graph

Arrays = list[NDArray[Any]]

#: marks tests that build C for this computer
needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="this computer has no C compiler"
)


def micro_outputs(model: bytes, inputs: Sequence[NDArray[Any]], outputs: int = 1) -> Arrays:
    """Outputs [n, ...] of the .tflite `model` for `inputs` [n, ...], one array for each input and output."""
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=64 * 1024 * 1024)
    samples = []
    for sample in zip(*inputs, strict=True):
        for index, values in enumerate(sample):
            interpreter.set_input(values, index)
        interpreter.invoke()
        samples.append([np.array(interpreter.get_output(i)) for i in range(outputs)])
    return [np.stack(each) for each in zip(*samples, strict=True)]


def random_inputs(graph: Graph, count: int, seed: int) -> Arrays:
    """`count` random samples [count, ...] for each input of `graph`: all of int8, floats a little wider."""
    rng = np.random.default_rng(seed)
    made: Arrays = []
    for index in graph.inputs:
        tensor = graph.tensors[index]
        if tensor.dtype is DType.INT8:
            made.append(rng.integers(-128, 128, (count, *tensor.shape), dtype=np.int8))
        else:
            made.append((rng.standard_normal((count, *tensor.shape)) * 4).astype(np.float32))
    return made
