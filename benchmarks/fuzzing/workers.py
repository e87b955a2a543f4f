"""The two runs that are compared, each in a process of its own: either may crash on a hostile file.

    python -m fuzzing.workers ours PATH_OF_ENGINE.so
    python -m fuzzing.workers tflm

A worker answers pickled requests on its standard input with pickled answers on its standard output.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import resource
import select
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_BENCHMARKS = Path(__file__).resolve().parents[1]
#: TFLite Micro's arena
_ARENA = 16 * 2**20


class WorkerDied(Exception):
    """The process ended or was ended; the text says how and its last words."""


class Worker:
    """A process that answers requests; started again after it died."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._arguments, self._environment = arguments, environment
        self._process: subprocess.Popen[bytes] | None = None
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - as long-lived as the process

    def ask(self, request: Any, seconds: float) -> Any:
        """The answer to `request`.

        Raises:
            WorkerDied: it crashed or took longer than `seconds`.
        """
        if self._process is None:
            self._process = self._start()
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        try:
            _send(stdin, request)
            if not select.select([stdout], [], [], seconds)[0]:
                self._process.kill()
            return _receive(stdout)
        except (EOFError, OSError) as error:
            status = self._end()
            raise WorkerDied(f"status {status}: {self.words()}") from error

    def words(self) -> str:
        """What it has said on standard error since this was last asked."""
        self._words.seek(0)
        said = self._words.read().decode("utf-8", "replace")
        self._words.seek(0)
        self._words.truncate()
        return said.strip()

    def close(self) -> None:
        """End the process."""
        self._end()

    def _end(self) -> int:
        """Its exit status; one that does not end by itself is killed."""
        if self._process is None:
            return 0
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            status = self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._process = None
        return status

    def _start(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join([str(_BENCHMARKS), *sys.path])
        return subprocess.Popen(
            [sys.executable, "-m", "fuzzing.workers", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            preexec_fn=_lift_limit,
            env={**os.environ, "PYTHONPATH": path, **self._environment},
        )


def _lift_limit() -> None:
    """The address sanitizer reserves terabytes."""
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _send(stream: IO[bytes], value: Any) -> None:
    data = pickle.dumps(value)
    stream.write(struct.pack("<Q", len(data)) + data)
    stream.flush()


def _receive(stream: IO[bytes]) -> Any:
    head = stream.read(8)
    if len(head) < 8:
        raise EOFError
    return pickle.loads(stream.read(struct.unpack("<Q", head)[0]))


# --- the processes ----------------------------------------------------------------------------------------


def _ours(library: str) -> Callable[[Any], Any]:
    from fuzzing.native import run_plan

    engine = ctypes.CDLL(library)

    def answer(request: Any) -> Any:
        plan, samples = request
        first, second = (run_plan(engine, plan, samples, garbage) for garbage in (1, 2))
        return first if _bytes(first) == _bytes(second) else None

    return answer


def _bytes(outputs: Sequence[Sequence[NDArray[Any]]]) -> list[bytes]:
    return [values.tobytes() for sample in outputs for values in sample]


def _tflm() -> Callable[[Any], Any]:
    from tflite_micro import runtime

    def answer(request: Any) -> Any:
        model, samples, outputs = request
        try:
            interpreter = runtime.Interpreter.from_bytes(model, arena_size=_ARENA)
            made = []
            for sample in samples:
                for index, values in enumerate(sample):
                    interpreter.set_input(values, index)
                interpreter.invoke()
                made.append([np.array(interpreter.get_output(i)) for i in range(outputs)])
            return made
        # its Python wrapper reads the flatbuffer too, and raises anything
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    return answer


def _serve(answer: Callable[[Any], Any]) -> None:
    # libraries may print: standard output is ours alone
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)
        while True:
            try:
                request = _receive(sys.stdin.buffer)
            except EOFError:
                return
            _send(out, answer(request))


if __name__ == "__main__":
    _serve(_ours(sys.argv[2]) if sys.argv[1] == "ours" else _tflm())
