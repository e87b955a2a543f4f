"""Compiled models on the developer's own machine: built with its C compiler, run in a process of their own.

A process of its own because what is tested here is C: whatever goes wrong in it, whether a sanitizer stops it
or the system, comes back as one clear error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.engine.emit import SOURCES, environment
from tinynas.errors import ToolchainError, VerificationError
from tinynas.graph import Graph, Tensor

Arrays = Sequence[NDArray[Any]]

_COMPILERS = ("cc", "gcc", "clang")
_FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Werror=implicit-function-declaration")
_SANITIZERS = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
#: the longest an inference of all samples may take, in seconds
_PATIENCE = 600


@dataclass(frozen=True, slots=True)
class _Ends:
    """Inputs and outputs of one model."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class HostProgram:
    """One or more emitted models in one program; a context manager that removes the program at its end."""

    def __init__(
        self, folders: Sequence[Path], models: Mapping[str, Graph], *, sanitize: bool = False
    ) -> None:
        """Build the models named in `models` (each with the graph it was emitted from) out of `folders`.

        Files of the same name in several folders must be the same (the engine's are). `sanitize` adds the
        address and undefined behaviour sanitizers.

        Raises:
            ToolchainError: there is no C compiler, or it refuses the sources.
        """
        self._models = {name: _ends(name, graph) for name, graph in models.items()}
        self._folder = TemporaryDirectory(prefix="tinynas-host-")
        try:
            self._program = self._build(folders, sanitize)
        except BaseException:
            self._folder.cleanup()
            raise

    def __enter__(self) -> HostProgram:
        """The program itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the program."""
        self.close()

    def close(self) -> None:
        """Remove the program."""
        self._folder.cleanup()

    def run(self, name: str, inputs: Arrays) -> list[NDArray[Any]]:
        """Outputs [n, ...] of model `name` for `inputs` [n, ...], one array for each input and output.

        Raises:
            VerificationError: the program ended early or a sanitizer stopped it.
        """
        model = self._models[name]
        done = subprocess.run(
            [str(self._program), name],
            input=_interleaved(model.inputs, inputs),
            capture_output=True,
            check=False,
            timeout=_PATIENCE,
        )
        count = len(inputs[0])
        wanted = count * sum(tensor.size_bytes for tensor in model.outputs)
        if done.returncode or len(done.stdout) != wanted:
            raise VerificationError(f"the compiled {name} failed on this computer: {_reason(done)}")
        return _separated(model.outputs, done.stdout, count)

    def _build(self, folders: Sequence[Path], sanitize: bool) -> Path:
        place = Path(self._folder.name)
        driver, program = place / "host.c", place / "host"
        models = [
            {
                "name": model.name,
                "inputs": [tensor.size_bytes for tensor in model.inputs],
                "outputs": [tensor.size_bytes for tensor in model.outputs],
            }
            for model in self._models.values()
        ]
        driver.write_text(environment().get_template("host.c.j2").render(models=models), encoding="utf-8")
        sources = {file.name: file for folder in folders for file in sorted((folder / SOURCES).glob("*.c"))}
        includes = [f"-I{folder / SOURCES}" for folder in folders]
        flags = [*_FLAGS, *(_SANITIZERS if sanitize else ())]
        command = [
            compiler(),
            *flags,
            *includes,
            str(driver),
            *map(str, sources.values()),
            "-o",
            str(program),
        ]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            raise ToolchainError(
                f"{command[0]} cannot build the model for this computer ({_first_error(done.stderr)}): "
                "install a working C compiler (apt-get install gcc), or leave --check out"
            )
        return program


def compiler() -> str:
    """The path of this machine's C compiler; $CC goes first.

    Raises:
        ToolchainError: there is none.
    """
    for name in (os.environ.get("CC", ""), *_COMPILERS):
        if name and (path := shutil.which(name)):
            return path
    raise ToolchainError(
        "this computer has no C compiler (cc, gcc or clang): install one (apt-get install gcc), or leave "
        "--check out"
    )


def _ends(name: str, graph: Graph) -> _Ends:
    return _Ends(
        name, tuple(graph.tensors[i] for i in graph.inputs), tuple(graph.tensors[i] for i in graph.outputs)
    )


def _interleaved(tensors: Sequence[Tensor], inputs: Arrays) -> bytes:
    """Sample after sample, each with all its inputs."""
    if len(inputs) != len(tensors):
        raise ValueError(f"{len(inputs)} inputs for a network of {len(tensors)}")
    return b"".join(
        np.ascontiguousarray(sample.reshape(-1), np.dtype(tensor.dtype.label)).tobytes()
        for samples in zip(*inputs, strict=True)
        for tensor, sample in zip(tensors, samples, strict=True)
    )


def _separated(tensors: Sequence[Tensor], data: bytes, count: int) -> list[NDArray[Any]]:
    samples = np.frombuffer(data, np.uint8).reshape(count, -1)
    ends = np.cumsum([tensor.size_bytes for tensor in tensors])
    parts = np.split(samples, ends[:-1], axis=1)
    return [
        np.ascontiguousarray(part).view(tensor.dtype.label).reshape(count, *tensor.shape)
        for tensor, part in zip(tensors, parts, strict=True)
    ]


def _reason(done: subprocess.CompletedProcess[bytes]) -> str:
    words = done.stderr.decode("utf-8", "replace")
    if line := next((line.strip() for line in words.splitlines() if "error" in line.lower()), ""):
        return line
    return f"signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"


def _first_error(words: str) -> str:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return next((line for line in lines if "error" in line), lines[-1] if lines else "no message")
