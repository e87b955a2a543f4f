"""Whether compiled C gives TFLite's bytes: both run on this computer, on random and on given inputs.

The compiled network may begin and end closer to its int8 core than the file (a pass drops conversions at the
borders). What was dropped is done here, forwards: the file's input to the network's, the network's output to
the file's, so that the bytes compared are those of the file's own outputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.engine.host import HostProgram
from tinynas.errors import DataError, ModelError, VerificationError
from tinynas.export.micro import run_micro_all
from tinynas.graph import DType, Graph, Operator, OpKind, Tensor
from tinynas.graph.quantized import quantization_of
from tinynas.pipeline.samples import load_npy

Values = NDArray[Any]

_BORDERS = {OpKind.QUANTIZE, OpKind.DEQUANTIZE, OpKind.RESHAPE, OpKind.TRANSPOSE}


@dataclass(frozen=True, slots=True)
class Border:
    """The conversions between an input or output of the file and the network's own, in order."""

    operators: tuple[Operator, ...]
    graph: Graph

    def convert(self, values: Values) -> Values:
        """`values` [n, ...] through all conversions, as TFLite's reference kernels do them."""
        for operator in self.operators:
            values = _converted(self.graph, operator, values)
        return values


def check_compiled(
    folder: Path,
    name: str,
    model: bytes,
    original: Graph,
    compiled: Graph,
    inputs: Sequence[Values],
    *,
    sanitize: bool = False,
) -> None:
    """Run the library in `folder` and TFLite Micro on `inputs`: for each of the file's inputs one [n, ...].

    `sanitize` builds it with the address and undefined behaviour sanitizers.

    Raises:
        VerificationError: an output differs in a byte; the sample and output are named.
        ToolchainError: this computer has no working C compiler.
        ModelError: TFLite Micro cannot run the model.
    """
    befores, afters = input_borders(original, compiled), output_borders(original, compiled)
    ours_in = [border.convert(values) for border, values in zip(befores, inputs, strict=True)]
    with HostProgram([folder], {name: compiled}, sanitize=sanitize) as program:
        made = program.run(name, ours_in)
    ours = [border.convert(values) for border, values in zip(afters, made, strict=True)]
    theirs = run_micro_all(model, inputs, len(original.outputs))
    for index, (mine, expected) in enumerate(zip(ours, theirs, strict=True)):
        count = len(expected)
        same = (_bytes(mine, count) == _bytes(expected, count)).all(axis=1)
        if not same.all():
            raise VerificationError(
                f"output {index} differs from TensorFlow Lite Micro's on {int((~same).sum())} of {count} "
                f"samples (first on {int(np.argmin(same))}), so nothing was written: this is a defect of "
                "tinynas, please report it with the model"
            )


def _bytes(values: Values, count: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(values).reshape(count, -1).view(np.uint8)


# --- samples --------------------------------------------------------------------------------------------


def random_samples(original: Graph, compiled: Graph, count: int, seed: int = 0) -> list[Values]:
    """`count` random samples [count, ...] for each input of the file, over the whole range of int8.

    A float input gets the real values that its int8 ones stand for.
    """
    rng = np.random.default_rng(seed)
    samples = []
    for index, border in zip(original.inputs, input_borders(original, compiled), strict=True):
        tensor = original.tensors[index]
        values = rng.integers(-128, 128, (count, *tensor.shape), dtype=np.int8)
        samples.append(values if tensor.dtype is DType.INT8 else _real(values, border))
    return samples


def _real(values: NDArray[np.int8], border: Border) -> Values:
    kinds = {operator.kind: operator for operator in border.operators}
    if OpKind.QUANTIZE not in kinds:
        return (values / 32).astype(np.float32)
    scale, zero = quantization_of(border.graph.tensors[kinds[OpKind.QUANTIZE].outputs[0]])
    return ((values.astype(np.float64) - zero) * scale).astype(np.float32)


def given_samples(file: Path, original: Graph) -> list[Values]:
    """The samples of `file` (.npy), [n, ...] of the shape and type of the model's only input.

    Raises:
        DataError: the file cannot be read, or does not fit the input.
    """
    values = load_npy(file)
    if len(original.inputs) != 1:
        raise DataError(
            f"{original.name} has {len(original.inputs)} inputs and --inputs gives one: leave it out"
        )
    tensor = original.tensors[original.inputs[0]]
    shape = tensor.shape[1:]
    if values.dtype != np.dtype(tensor.dtype.label):
        raise DataError(f"{file} holds {values.dtype} and the model takes {tensor.dtype.label}: convert it")
    if not values.size or values.shape[1:] not in (shape, tensor.shape):
        raise DataError(
            f"{file} holds an array of shape {list(values.shape)} and the model takes samples of "
            f"{list(shape)}: save them as one array of shape [samples, {', '.join(map(str, shape))}]"
        )
    return [values.reshape(len(values), *tensor.shape)]


# --- borders --------------------------------------------------------------------------------------------


def input_borders(original: Graph, compiled: Graph) -> list[Border]:
    """For each input, what leads from the file's to the compiled network's."""
    readers = {op.inputs[0]: op for op in original.operators if op.kind in _BORDERS}
    pairs = zip(original.inputs, compiled.inputs, strict=True)
    return [
        Border(tuple(_path(original, start, compiled.tensors[end], readers)), original)
        for start, end in pairs
    ]


def output_borders(original: Graph, compiled: Graph) -> list[Border]:
    """For each output, what leads from the compiled network's to the file's."""
    makers = {op.outputs[0]: op for op in original.operators if op.kind in _BORDERS}
    pairs = zip(original.outputs, compiled.outputs, strict=True)
    paths = (_path(original, end, compiled.tensors[start], makers, back=True) for end, start in pairs)
    return [Border(tuple(path)[::-1], original) for path in paths]


def _path(
    graph: Graph, tensor: int, goal: Tensor, operators: dict[int, Operator], back: bool = False
) -> Iterator[Operator]:
    """The operators from `tensor` to the one that is `goal` in the compiled graph."""
    while not _same(graph.tensors[tensor], goal):
        if tensor not in operators:
            raise ModelError(
                f"{graph.name}: the compiled network's input or output {goal.name} is not in the file, so it "
                "cannot be checked: compile with --keep-float-io"
            )
        yield operators[tensor]
        tensor = operators[tensor].inputs[0] if back else operators[tensor].outputs[0]


def _same(left: Tensor, right: Tensor) -> bool:
    """Whether both are one feature map; a pass may have given it axes of length 1 or taken them."""
    facts = ((each.name, each.dtype, [n for n in each.shape if n > 1]) for each in (left, right))
    return next(facts) == next(facts) and left.quantization == right.quantization


def _converted(graph: Graph, operator: Operator, values: Values) -> Values:
    source, target = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
    values = values.reshape(len(values), *source.shape)
    if operator.kind is OpKind.RESHAPE:
        return values.reshape(len(values), *target.shape)
    if operator.kind is OpKind.TRANSPOSE:
        order = np.ravel(graph.tensors[operator.inputs[1]].data)  # type: ignore[arg-type]
        return values.transpose(0, *(int(axis) % len(source.shape) + 1 for axis in order))
    if operator.kind is OpKind.DEQUANTIZE:
        scale, zero = quantization_of(source)
        return ((values.astype(np.float64) - zero) * scale).astype(np.float32)
    scale, zero = quantization_of(target)
    steps = (values / np.float32(scale)).astype(np.float64)
    rounded = np.copysign(np.floor(np.abs(steps) + 0.5), steps)
    return np.clip(rounded + zero, -128, 127).astype(np.int8)
