"""Programs of a compiled network: on this computer under sanitizers, and for a bare Cortex-M4 or M7 in QEMU.

What all networks share, the engine, is built once a platform; a network adds its own file.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from cores.build import CORTEX_M4, HARNESS_FLAGS, OPTIMISATION, Core, Firmware, Interface
from cores.qemu import run_in_qemu
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from numpy.typing import NDArray

from tinynas.errors import ToolchainError, VerificationError

Bytes = NDArray[np.int8]

_HERE = Path(__file__).resolve().parent
ENGINE = _HERE.parent.parent / "firmware" / "engine"
_SANITIZED = (
    *("-std=c99", "-g", "-fsanitize=address,undefined,float-cast-overflow,float-divide-by-zero"),
    "-fno-sanitize-recover=all",
)
_PATIENCE = 900
#: the harness's one file that a network's sizes are built into
_MAIN = "main.c"


@dataclass(frozen=True, slots=True)
class Sources:
    """A network's emitted C in `folder`, its inputs and outputs, its arena's bytes."""

    folder: Path
    interface: Interface
    arena: int

    @property
    def file(self) -> Path:
        """The constants and tables."""
        return self.folder / f"{self.interface.name}.c"


class Platform(Protocol):
    """Builds a network and runs it."""

    name: str

    def run(self, sources: Sources, inputs: Bytes) -> Bytes:
        """Outputs [n, bytes] for `inputs` [n, bytes].

        Raises:
            VerificationError: the program ended early, or a sanitizer ended it.
            ToolchainError: the compiler refuses the sources.
        """


class Host:
    """This computer, gcc's address and undefined behaviour sanitizers."""

    name = "host, ASan + UBSan"

    def __init__(self, folder: Path) -> None:
        """Programs are built in `folder`, which is made."""
        folder.mkdir()
        self._folder = folder

    def run(self, sources: Sources, inputs: Bytes) -> Bytes:
        """See `Platform`."""
        done = subprocess.run(
            [self._program(sources)],
            input=inputs.tobytes(),
            capture_output=True,
            check=False,
            timeout=_PATIENCE,
            env={"ASAN_OPTIONS": "detect_leaks=0"},
        )
        size = sum(sources.interface.outputs)
        if done.returncode or len(done.stdout) != len(inputs) * size:
            raise VerificationError(f"ended with status {done.returncode}: {_complaint(done.stderr)}")
        return np.frombuffer(done.stdout, np.int8).reshape(len(inputs), size)

    def _program(self, sources: Sources) -> Path:
        guarded, program = self._folder / "guarded.c", self._folder / "program"
        guarded.write_text(_template().render(interface=sources.interface, arena=sources.arena))
        place = ("-fno-toplevel-reorder", f"-I{sources.folder}")
        _run("gcc", *_SANITIZED, "-O0", *place, guarded, *self._engine, "-o", program)
        return program

    @cached_property
    def _engine(self) -> list[Path]:
        targets = {file: self._folder / f"{file.stem}.o" for file in sorted(ENGINE.glob("*.c"))}
        for file, target in targets.items():
            _run("gcc", *_SANITIZED, "-O2", "-c", file, "-o", target)
        return list(targets.values())


class Emulated:
    """A Cortex-M4 or M7 in QEMU: the engine's Armv7E-M path."""

    def __init__(self, core: Core, folder: Path) -> None:
        """Programs are built in `folder`, which is made."""
        folder.mkdir()
        self.name = f"{core.cpu}, QEMU"
        self._core, self._folder = core, folder

    def run(self, sources: Sources, inputs: Bytes) -> Bytes:
        """See `Platform`."""
        firmware = Firmware(self._program(sources), self._folder, self._core, sources.interface)
        try:
            return run_in_qemu(firmware, inputs, self._folder, _PATIENCE).outputs
        except RuntimeError as error:
            raise VerificationError(str(error)) from error

    def _program(self, sources: Sources) -> Path:
        elf = self._folder / "firmware.elf"
        (self._folder / "model_under_test.h").write_text(sources.interface.c_source())
        main = next(file for file in self._core.harness if file.name == _MAIN)
        built = self._compiled("harness", main, f"-I{self._folder}", f"-I{sources.folder}")
        gcc = self._core.toolchain.gcc
        _run(gcc, *self._core.linking, built, _constants(sources), *self._shared, "-o", elf)
        return elf

    @cached_property
    def _shared(self) -> list[Path]:
        harness = (file for file in self._core.harness if file.name != _MAIN)
        return [
            *(self._compiled("engine", file) for file in sorted(ENGINE.glob("*.c"))),
            *(self._compiled("harness", file) for file in harness),
        ]

    def _compiled(self, role: str, file: Path, *flags: str) -> Path:
        """The object of `file`; link.ld knows it by its role."""
        target = self._folder / f"{role}_{file.stem}.o"
        if role == "harness":
            flags += HARNESS_FLAGS
        _run(
            self._core.toolchain.gcc,
            *self._core.flags,
            *OPTIMISATION,
            "-std=c99",
            *flags,
            "-c",
            file,
            "-o",
            target,
        )
        return target


def _constants(sources: Sources) -> Path:
    """The network's own file, hardly more than data, built once for both: what an M4 runs, an M7 does."""
    target = sources.folder / f"model_{sources.interface.name}.o"
    if not target.exists():
        _run(CORTEX_M4.toolchain.gcc, *CORTEX_M4.flags, "-std=c99", "-O1", "-c", sources.file, "-o", target)
    return target


@cache
def _template() -> Template:
    loader = FileSystemLoader(_HERE)
    templates = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return templates.get_template("guarded.c.j2")


def _complaint(stderr: bytes) -> str:
    """What a sanitizer says, and where in the engine."""
    lines = stderr.decode("utf-8", "replace").splitlines()
    said = [line.strip() for line in lines if "error" in line.lower()][:1]
    return "; ".join(said + [line.strip() for line in lines if "/engine/" in line][:2]) or "no message"


def _run(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if "rror" in line or "overflowed" in line]
        raise ToolchainError(f"{command[0]} refuses the network ({'; '.join(lines[:2])}): see its C")
