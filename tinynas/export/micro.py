"""Runs a .tflite file in TensorFlow Lite Micro itself: PyPI's `tflite_micro`, the reference kernels.

Each call runs in a process of its own: an arena that is too small can
end TFLM's process instead of raising, and the allocation report comes on C's standard error.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.errors import ModelError

#: only touched pages of an arena take memory, so one that fits everything is free
_AMPLE_ARENA = 256 * 1024 * 1024
_ALIGNMENT = 16
_REPORT = re.compile(r"Arena allocation (head|tail) (\d+) bytes")


@dataclass(frozen=True, slots=True)
class MicroArena:
    """Bytes of the arena that TFLM used: `head` for activations and scratch, `tail` for its structures."""

    head: int
    tail: int

    @property
    def total(self) -> int:
        """The arena's size."""
        return self.head + self.tail


def measure_arena(model: bytes) -> MicroArena:
    """What the .tflite `model` takes in TFLM on this 64-bit machine; the tail is larger than on the board.

    Raises:
        ModelError: TFLM cannot run the model.
    """
    _, report = _run(model, (), 0, None)
    used = {part: int(size) for part, size in _REPORT.findall(report)}
    if used.keys() != {"head", "tail"}:
        raise ModelError(f"tflite_micro reports no memory ({_last_line(report)}); install another version")
    return MicroArena(used["head"], used["tail"])


def run_micro(model: bytes, inputs: NDArray[np.int8], arena_size: int | None = None) -> NDArray[np.int8]:
    """Outputs [n, ...] of `model` for `inputs` [n, ...], in an arena of `arena_size` bytes.

    `inputs` have the type of the model's input, without its batch axis. None is an arena that is always
    large enough; a size is rounded down to TFLM's alignment of 16 bytes.

    Raises:
        ModelError: TFLM cannot run the model, or not in so small an arena.
    """
    return run_micro_all(model, (inputs,), 1, arena_size)[0]


def run_micro_all(
    model: bytes, inputs: Sequence[NDArray[Any]], outputs: int, arena_size: int | None = None
) -> list[NDArray[Any]]:
    """`run_micro` for several inputs and the model's first `outputs` outputs: one array [n, ...] each.

    Raises:
        ModelError: TFLM cannot run the model, or not in so small an arena.
    """
    made = np.load(io.BytesIO(_run(model, inputs, outputs, arena_size)[0]), allow_pickle=False)
    return [made[f"output{index}"] for index in range(outputs)]


def _run(
    model: bytes, inputs: Sequence[NDArray[Any]], outputs: int, arena_size: int | None
) -> tuple[bytes, str]:
    """Output and error stream of a process that runs `model`."""
    request = io.BytesIO()
    arena = _AMPLE_ARENA if arena_size is None else arena_size // _ALIGNMENT * _ALIGNMENT
    np.savez(
        request,
        model=np.frombuffer(model, np.uint8),
        arena=np.int64(arena),
        outputs=np.int64(outputs),
        **{f"input{index}": values for index, values in enumerate(inputs)},
    )
    command = [sys.executable, "-c", f"from {__name__} import serve; serve()"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        command, input=request.getvalue(), capture_output=True, check=False, env=environment
    )
    report = done.stderr.decode("utf-8", "replace")
    if done.returncode:
        where = "" if arena_size is None else f" in an arena of {arena_size:,} bytes"
        raise ModelError(f"TensorFlow Lite Micro cannot run the model{where}: {_reason(report)}")
    return done.stdout, report


def _reason(report: str) -> str:
    missing = re.findall(r"missing:? (\d+)", report)
    if missing:
        short = max(map(int, missing))
        return f"at least {short:,} bytes are missing; give it a larger arena or choose a smaller network"
    return f"{_last_line(report)}; check that TFLM knows its operators, or give it a larger arena"


def _last_line(report: str) -> str:
    lines = [line.strip() for line in report.splitlines() if line.strip()]
    return lines[-1] if lines else "it ended without a word"


def serve() -> None:
    """The child: request on standard input, outputs on standard output, TFLM's words on standard error."""
    from tflite_micro import runtime

    request = np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
    model, arena = request["model"].tobytes(), int(request["arena"])
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=arena)
    count = sum(name.startswith("input") for name in request.files)
    inputs = [request[f"input{index}"] for index in range(count)]
    outputs = range(int(request["outputs"]))
    made = [_infer(interpreter, sample, outputs) for sample in zip(*inputs, strict=True)]
    interpreter.print_allocations()
    by_output = zip(outputs, zip(*made, strict=True), strict=False)
    answer = io.BytesIO()
    np.savez(answer, **{f"output{index}": np.array(values) for index, values in by_output})
    sys.stdout.buffer.write(answer.getvalue())


def _infer(interpreter: Any, sample: Sequence[NDArray[Any]], outputs: Sequence[int]) -> list[NDArray[Any]]:
    for index, values in enumerate(sample):
        interpreter.set_input(values.reshape(interpreter.get_input_details(index)["shape"]), index)
    interpreter.invoke()
    # copied: the array lies in TFLM's arena, where the next inference overwrites it
    return [np.array(interpreter.get_output(index)[0]) for index in outputs]
