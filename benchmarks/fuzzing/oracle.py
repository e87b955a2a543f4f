"""Whether an accepted file means to us what it means to TensorFlow Lite Micro: byte by byte."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzing.target import Accepted
from fuzzing.workers import Worker, WorkerDied
from tinynas.engine.plan import Plan
from tinynas.errors import ModelError
from tinynas.graph import DType, Graph, Operator, OpKind
from tinynas.pipeline.compile_check import input_borders, output_borders

_ENGINE = Path(__file__).resolve().parents[2] / "firmware" / "engine"
_SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_SAMPLES = 3
#: larger networks would take the time of many small ones
_MOST_PRODUCTS, _MOST_BYTES = 5_000_000, 500_000
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`outcome`: same, different, crashed (ours), refused or ended (TFLite Micro's process), too large."""

    outcome: str
    words: str = ""


class Oracle:
    """Runs accepted models both ways; a context manager that ends its processes."""

    def __init__(self) -> None:
        """Build the engine with sanitizers.

        Raises:
            FileNotFoundError: there is no gcc.
            subprocess.CalledProcessError: it refuses the engine.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="tinynas-fuzz-")
        library = Path(self._folder.name) / "engine.so"
        gcc = shutil.which("gcc")
        if gcc is None:
            raise FileNotFoundError("the oracle needs gcc: install it (apt-get install gcc)")
        sources = map(str, sorted(_ENGINE.glob("*.c")))
        flags = ("-std=c99", "-g", "-O1", *_SANITIZERS, "-shared", "-fPIC")
        subprocess.run([gcc, *flags, *sources, "-o", str(library)], check=True)
        asan = subprocess.run(
            [gcc, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
        ).stdout.strip()
        self._ours = Worker(
            ("ours", str(library)),
            {"LD_PRELOAD": asan, "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc"},
        )
        self._tflm = Worker(("tflm",), {})

    def close(self) -> None:
        """End the processes."""
        self._ours.close()
        self._tflm.close()
        self._folder.cleanup()

    def compare(self, data: bytes, accepted: Accepted, keep_float_io: bool) -> Verdict:
        """Run the model `data` both ways; `keep_float_io` picks which of its two compilations."""
        graph, plan = accepted.graph, accepted.plans[keep_float_io]
        if _products(graph) > _MOST_PRODUCTS or plan.arena > _MOST_BYTES:
            return Verdict("too large")
        if len({tensor.name for tensor in graph.tensors}) < len(graph.tensors):
            # borders are found by their names
            plan = accepted.plans[True]
        try:
            before, after = input_borders(graph, plan.graph), output_borders(graph, plan.graph)
        except ModelError as error:
            return Verdict("unchecked", str(error))
        inputs = _inputs(graph)
        own = [border.convert(values) for border, values in zip(before, inputs, strict=True)]
        ours = self._run_ours(plan, own)
        if isinstance(ours, Verdict):
            return ours
        made = [border.convert(values) for border, values in zip(after, ours, strict=True)]
        try:
            theirs = self._tflm.ask((data, _by_sample(inputs), len(graph.outputs)), _PATIENCE)
        except WorkerDied as error:
            return Verdict("ended", _last(str(error)))
        if isinstance(theirs, str):
            return Verdict("refused", _last(f"{theirs}\n{self._tflm.words()}"))
        expected = [np.stack(each) for each in zip(*theirs, strict=True)]
        for index, (mine, other) in enumerate(zip(made, expected, strict=True)):
            if np.ascontiguousarray(mine).tobytes() != other.tobytes():
                return Verdict("different", f"output {index}: {_difference(mine, other)}")
        return Verdict("same")

    def _run_ours(self, plan: Plan, inputs: list[NDArray[Any]]) -> list[NDArray[Any]] | Verdict:
        try:
            made = self._ours.ask((plan, _by_sample(inputs)), _PATIENCE)
        except WorkerDied as error:
            return Verdict("crashed", str(error))
        if made is None:
            return Verdict("different", "the outputs depend on what was in the arena before")
        return [np.stack(each) for each in zip(*made, strict=True)]


def _by_sample(inputs: list[NDArray[Any]]) -> list[list[NDArray[Any]]]:
    return [[np.ascontiguousarray(values[sample]) for values in inputs] for sample in range(_SAMPLES)]


def _inputs(graph: Graph) -> list[NDArray[Any]]:
    """Random samples [n, ...] for each input; the first is all of the largest value."""
    rng = np.random.default_rng(len(graph.tensors))
    # a real value of more steps than an int32 holds is undefined in TensorFlow Lite's C++
    finest = [_scale(graph, op) for op in graph.operators if op.kind is OpKind.QUANTIZE]
    most = min([2.0**30 * scale for scale in finest], default=4.0)
    made: list[NDArray[Any]] = []
    for index in graph.inputs:
        shape = (_SAMPLES, *graph.tensors[index].shape)
        values: NDArray[Any] = rng.integers(-128, 128, shape).astype(np.int8)
        values[0] = 127
        if graph.tensors[index].dtype is DType.FLOAT32:
            values = np.clip(values / 32, -most, most).astype(np.float32)
        made.append(values)
    return made


def _scale(graph: Graph, operator: Operator) -> float:
    known = graph.tensors[operator.outputs[0]].quantization
    return known.scales[0] if known is not None else 1.0


def _products(graph: Graph) -> int:
    """About how many steps of work one inference is."""
    total = 0
    for operator in graph.operators:
        output, taps = graph.tensors[operator.outputs[0]], 1
        if operator.kind in (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED):
            taps = graph.tensors[operator.inputs[1]].elements // output.shape[-1]
        elif operator.window is not None:
            taps = math.prod(operator.window.kernel)
        total += output.elements * taps
    return total


def _difference(mine: NDArray[Any], other: NDArray[Any]) -> str:
    if mine.size != other.size:
        return f"{mine.shape} for {other.shape}"
    apart = mine.ravel() != other.ravel()
    first = int(np.argmax(apart))
    return f"{int(apart.sum())} of {mine.size} values, first {mine.ravel()[first]} for {other.ravel()[first]}"


def _last(words: str) -> str:
    """The last telling lines, without numbers."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return re.sub(r"-?\d+", "#", " / ".join(lines[-3:]))[:200]
