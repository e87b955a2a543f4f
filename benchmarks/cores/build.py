"""Builds an emitted model with the measuring program for a bare core, Cortex-M or RISC-V, and reads the ELF.

The compilers are Debian's (`Toolchain.packages`).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A gcc for bare cores: how its commands begin, Debian's packages of it and of its C library.

    `harness` is the folder of what the measuring program needs on its cores alone.
    """

    prefix: str
    packages: str
    harness: Path

    @property
    def gcc(self) -> str:
        """The compiler's command."""
        return f"{self.prefix}gcc"

    def version(self) -> str:
        """The first line of the compiler's --version."""
        done = subprocess.run([self.gcc, "--version"], capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[0]


_ARM = Toolchain("arm-none-eabi-", "gcc-arm-none-eabi libnewlib-arm-none-eabi", _HERE / "arm")
_RISCV = Toolchain(
    "riscv64-unknown-elf-", "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf", _HERE / "riscv"
)


@dataclass(frozen=True, slots=True)
class Core:
    """A core: its name, its compiler and what that needs to be told, whether it has Arm's DSP instructions.

    `machine` is the QEMU machine with it, None where we run it under Unicorn alone.
    """

    cpu: str
    toolchain: Toolchain
    flags: tuple[str, ...]
    dsp: bool
    machine: str | None

    @property
    def linking(self) -> tuple[str, ...]:
        """What gcc needs to be told to make a program of objects."""
        return (*self.flags, "-nostartfiles", f"-T{_HERE / 'link.ld'}", "-Wl,--gc-sections")

    @property
    def harness(self) -> list[Path]:
        """The measuring program's C files, main.c among them; model_under_test.h makes it one model's."""
        return sorted(_HERE.glob("*.c")) + sorted(self.toolchain.harness.glob("*.c"))


def _cortex_m(cpu: str, fpu: str | None, machine: str) -> Core:
    """One with a floating-point unit has the DSP extension too."""
    floating = ("-mfloat-abi=soft",) if fpu is None else ("-mfloat-abi=hard", f"-mfpu={fpu}")
    flags = (f"-mcpu={cpu}", "-mthumb", *floating, "--specs=nano.specs")
    return Core(cpu, _ARM, flags, fpu is not None, machine)


CORTEX_M7 = _cortex_m("cortex-m7", "fpv5-sp-d16", "mps2-an500")
CORTEX_M4 = _cortex_m("cortex-m4", "fpv4-sp-d16", "mps2-an386")
#: without DSP: the portable path
CORTEX_M3 = _cortex_m("cortex-m3", None, "mps2-an385")
CORTEX_M0_PLUS = _cortex_m("cortex-m0plus", None, "microbit")
#: the core of an ESP32-C3
RV32IMC = Core(
    "rv32imc", _RISCV, ("-march=rv32imc", "-mabi=ilp32", "--specs=picolibc.specs"), dsp=False, machine=None
)
#: for the harness's own files
HARNESS_FLAGS = ("-std=gnu11", "-fno-tree-loop-distribute-patterns", f"-I{_HERE}")
OPTIMISATION = ("-O2", "-ffunction-sections", "-fdata-sections")
WARNINGS = ("-Wall", "-Wextra", "-Werror")


@dataclass(frozen=True, slots=True)
class Interface:
    """How the measuring program calls a model: `name`.h with `name`_input(i), _output(i) and _invoke().

    `inputs` and `outputs` are their sizes in bytes.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def c_source(self) -> str:
        """model_under_test.h for main.c."""
        return "\n".join(
            (
                f'#include "{self.name}.h"',
                f"#define MODEL_INPUT(i) {self.name}_input(i)",
                f"#define MODEL_OUTPUT(i) {self.name}_output(i)",
                f"#define MODEL_INVOKE() {self.name}_invoke()",
                f"enum {{ INPUTS = {len(self.inputs)}, OUTPUTS = {len(self.outputs)} }};",
                _c_sizes("input_bytes", self.inputs),
                _c_sizes("output_bytes", self.outputs),
                "",
            )
        )


@dataclass(frozen=True, slots=True)
class Firmware:
    """A built program: the ELF, and the call graphs with stack sizes (`*.ci`) of the objects in `objects`."""

    elf: Path
    objects: Path
    core: Core
    interface: Interface

    def section_bytes(self, name: str) -> int:
        """Size of a section of link.ld, 0 where it is empty."""
        with self.elf.open("rb") as file:
            section = ELFFile(file).get_section_by_name(name)
            return int(section["sh_size"]) if section is not None else 0

    def symbols(self) -> dict[str, tuple[int, int]]:
        """(address, size) of every named function and variable, static ones too, without Thumb's bit 0."""
        with self.elf.open("rb") as file:
            table: Any = ELFFile(file).get_section_by_name(".symtab")
            return {
                symbol.name: (symbol["st_value"] & ~1, symbol["st_size"])
                for symbol in table.iter_symbols()
                if symbol.name and symbol["st_info"]["type"] in ("STT_FUNC", "STT_OBJECT")
            }


class BuildError(Exception):
    """The compiler refused the model; the message is its own."""


def compiler_missing(core: Core = CORTEX_M7) -> str | None:
    """What to install before `build` can work for `core`, None where all is there."""
    chain = core.toolchain
    return (
        None if shutil.which(chain.gcc) else f"{chain.gcc} is not installed: apt-get install {chain.packages}"
    )


def build(
    model: Iterable[Path],
    engine: Iterable[Path],
    interface: Interface,
    core: Core,
    folder: Path,
    flags: tuple[str, ...] = (),
) -> Firmware:
    """Compiles `model` (constants) and `engine` (code) with the measuring program into `folder`/firmware.elf.

    Headers are looked for beside the sources. `flags` come last, such as ("-DTN_PORTABLE",).

    Raises:
        BuildError: gcc reports an error or, in our own sources, a warning.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model_under_test.h").write_text(interface.c_source())
    sources = [
        *((path, "harness") for path in core.harness),
        *((path, "model") for path in model),
        *((path, "engine") for path in engine),
    ]
    includes = [f"-I{folder}", *sorted({f"-I{path.parent}" for path, _ in sources})]
    objects = [folder / f"{role}_{path.stem}.o" for path, role in sources]
    for (path, role), target in zip(sources, objects, strict=True):
        analysis = ("-fstack-usage", "-fcallgraph-info=su")
        settings = ("-std=c99", *core.flags, *OPTIMISATION, *WARNINGS, *analysis, *flags)
        if role == "harness":
            settings = (*settings, *HARNESS_FLAGS)
        _run([core.toolchain.gcc, *settings, *includes, "-c", str(path), "-o", str(target)])
    elf = folder / "firmware.elf"
    _run([core.toolchain.gcc, *core.linking, *map(str, objects), "-o", str(elf)])
    return Firmware(elf, folder, core, interface)


def _c_sizes(name: str, sizes: tuple[int, ...]) -> str:
    return f"static const unsigned {name}[] = {{{', '.join(map(str, sizes))}}};"


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{' '.join(command)}\n{done.stderr}")
