"""Builds an emitted model with the measuring program for a bare Cortex-M4 or M7, and reads the ELF.

The compiler is Debian's: `apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi`.
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
GCC = "arm-none-eabi-gcc"
COMPILER_PACKAGES = "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi"


@dataclass(frozen=True, slots=True)
class Core:
    """A core: gcc's names of it and of its floating-point unit, if it has one; the QEMU machine with it."""

    cpu: str
    fpu: str | None
    machine: str

    @property
    def flags(self) -> tuple[str, ...]:
        """What gcc needs to be told."""
        floating = ("-mfloat-abi=soft",) if self.fpu is None else ("-mfloat-abi=hard", f"-mfpu={self.fpu}")
        return (f"-mcpu={self.cpu}", "-mthumb", *floating)

    @property
    def dsp(self) -> bool:
        """Whether it has Arm's DSP instructions."""
        return self.fpu is not None


CORTEX_M7 = Core("cortex-m7", "fpv5-sp-d16", "mps2-an500")
CORTEX_M4 = Core("cortex-m4", "fpv4-sp-d16", "mps2-an386")
#: without DSP: the portable path
CORTEX_M3 = Core("cortex-m3", None, "mps2-an385")
CORTEX_M0_PLUS = Core("cortex-m0plus", None, "microbit")
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


def compiler_missing() -> str | None:
    """What to install before `build` can work, None where all is there."""
    return None if shutil.which(GCC) else f"{GCC} is not installed: {COMPILER_PACKAGES}"


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
        *((path, "harness") for path in sorted(_HERE.glob("*.c"))),
        *((path, "model") for path in model),
        *((path, "engine") for path in engine),
    ]
    includes = [f"-I{folder}", f"-I{_HERE}", *sorted({f"-I{path.parent}" for path, _ in sources})]
    objects = [folder / f"{role}_{path.stem}.o" for path, role in sources]
    for (path, _), target in zip(sources, objects, strict=True):
        analysis = ("-fstack-usage", "-fcallgraph-info=su")
        settings = ("-std=c99", *core.flags, *OPTIMISATION, *WARNINGS, *analysis, *flags)
        if path.parent == _HERE:
            settings = (*settings, "-std=gnu11", "-fno-tree-loop-distribute-patterns")
        _run([GCC, *settings, *includes, "-c", str(path), "-o", str(target)])
    elf = folder / "firmware.elf"
    linking = ("-nostartfiles", "--specs=nano.specs", f"-T{_HERE / 'link.ld'}", "-Wl,--gc-sections")
    _run([GCC, *core.flags, *linking, *map(str, objects), "-o", str(elf)])
    return Firmware(elf, folder, core, interface)


def _c_sizes(name: str, sizes: tuple[int, ...]) -> str:
    return f"static const unsigned {name}[] = {{{', '.join(map(str, sizes))}}};"


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{' '.join(command)}\n{done.stderr}")
