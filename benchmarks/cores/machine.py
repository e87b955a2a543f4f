"""A bare core in the Unicorn engine: a program's memory, and its calls for files, text and its end.

    python benchmarks/cores/machine.py PROGRAM.elf

Runs a program to its end, in the current directory. A process of its own: Unicorn is GPL-2, and tinynas never
imports it.

Unicorn's `MCLASS` core is a Cortex-M33 whatever it is asked for; it lacks no instruction of a Cortex-M4 or M7
but double-precision arithmetic.
"""

from __future__ import annotations

import argparse
import struct
import sys
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import unicorn
from architectures import Architecture, architecture_of
from elftools.elf.elffile import ELFFile
from unicorn import UC_HOOK_INTR

#: Unicorn's interface has no types
Uc: TypeAlias = Any

#: memory of link.ld, the timer of main.c, a Cortex-M's own registers
_MEMORY = ((0x00000000, 4 << 20), (0x20000000, 4 << 20), (0x40000000, 1 << 12), (0xE000E000, 1 << 12))
_SYS_OPEN, _SYS_WRITE0, _SYS_WRITE, _SYS_READ, _SYS_EXIT = 0x01, 0x04, 0x05, 0x06, 0x20
#: modes from here on make a file
_WRITING = 4


class Machine:
    """The program of `path`, ready to run; `unicorn` may be hooked before."""

    def __init__(self, path: Path) -> None:
        """Raises KeyError where the ELF is for an instruction set that we do not know."""
        module: Any = unicorn
        self._path = path
        with path.open("rb") as file:
            elf = ELFFile(file)
            self.architecture = architecture_of(elf)
            self.unicorn: Uc = module.Uc(*self.architecture.family)
            for start, size in _MEMORY:
                self.unicorn.mem_map(start, size)
            for segment in elf.iter_segments():
                if segment["p_type"] == "PT_LOAD" and segment["p_filesz"]:
                    self.unicorn.mem_write(segment["p_paddr"], segment.data())
            symbols = elf.get_section_by_name(".symtab").iter_symbols()
            self.functions = {
                each.name: range(each["st_value"] & ~1, (each["st_value"] & ~1) + each["st_size"])
                for each in symbols
                if each["st_info"]["type"] == "STT_FUNC" and each.name
            }

    def run(self) -> None:
        """From reset to the program's end; SystemExit where that is a fault or an error."""
        semihosting = Semihosting(self.unicorn, self.architecture)
        stack, start = struct.unpack("<2I", self.unicorn.mem_read(0, 8))
        self.unicorn.reg_write(self.architecture.registers.stack, stack)
        self.unicorn.emu_start(start | self.architecture.state, 0xFFFFFFFE)
        if semihosting.status != 0:
            raise SystemExit(f"{self._path} ended with status {semihosting.status}")


class Semihosting:
    """Answers the program's calls for files and text, and ends it."""

    def __init__(self, machine: Uc, architecture: Architecture) -> None:
        self._architecture = architecture
        self._files: list[tuple[Path, BytesIO]] = []
        self.status: int | None = None
        machine.hook_add(UC_HOOK_INTR, self._answer)

    def _answer(self, machine: Uc, number: int, _: Any) -> None:
        known, registers = self._architecture, self._architecture.registers
        here = machine.reg_read(registers.counter) - known.past
        if bytes(machine.mem_read(here, len(known.call))) != known.call:
            raise SystemExit(f"exception {number} at {here:#x}")
        operation, block = machine.reg_read(registers.first), machine.reg_read(registers.second)
        machine.reg_write(registers.first, self._call(machine, operation, block) & 0xFFFFFFFF)
        machine.reg_write(registers.counter, here + len(known.call) | known.state)

    def _call(self, machine: Uc, operation: int, block: int) -> int:
        if operation == _SYS_WRITE0:
            sys.stdout.write(_text_at(machine, block))
            return 0
        first, second, third = struct.unpack("<3I", machine.mem_read(block, 12))
        if operation == _SYS_OPEN:
            name = machine.mem_read(first, third).decode()
            self._files.append((Path(name), BytesIO(b"" if second >= _WRITING else Path(name).read_bytes())))
            return len(self._files) - 1
        if operation == _SYS_WRITE:
            unwritten: int = third - self._files[first][1].write(bytes(machine.mem_read(second, third)))
            return unwritten
        if operation == _SYS_READ:
            data = self._files[first][1].read(third)
            machine.mem_write(second, data)
            missing: int = third - len(data)
            return missing
        if operation == _SYS_EXIT:
            self.status = second
            for path, content in self._files:
                path.write_bytes(content.getvalue())
            machine.emu_stop()
            return 0
        raise SystemExit(f"semihosting call {operation:#x} is not known here")


def _text_at(machine: Uc, address: int) -> str:
    """The characters from `address` to a zero."""
    text = bytearray()
    while byte := machine.mem_read(address + len(text), 1)[0]:
        text.append(byte)
    return text.decode("ascii")


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("program", type=Path)
    Machine(parser.parse_args().program).run()


if __name__ == "__main__":
    main()
