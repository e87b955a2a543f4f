"""Counts the instructions of one inference, operator by operator, in the Unicorn engine.

    python benchmarks/cores/count_instructions.py FIRMWARE.elf

A program of its own, started as a process: Unicorn is GPL-2, and tinynas never imports it. It runs the same
ELF as QEMU does, in the current directory, whose input.bin holds one inference's inputs, and prints one JSON
object: instructions in all, of the scheduler, by operator (its index in the network's table), by C function;
and by operator (-1: the scheduler) the modelled cycles of a Cortex-M7 and of a Cortex-M4 (cycles.py), if it
is Arm's.

Every translated block that is entered adds its instructions to the operator whose kernel the scheduler called
last: a block at a kernel's first address begins operator (first argument - table) / sizeof(tn_op).
Instructions that a condition skips count, as they do in QEMU.

Unicorn's `MCLASS` core is a Cortex-M33 whatever it is asked for; it lacks no instruction of a Cortex-M4 or M7
but double-precision arithmetic.
"""

from __future__ import annotations

import argparse
import bisect
import json
import struct
from collections import Counter, defaultdict
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import unicorn
from architectures import Architecture, architecture_of
from elftools.elf.elffile import ELFFile
from unicorn import UC_HOOK_BLOCK, UC_HOOK_INTR

#: Unicorn's interface has no types
Uc: TypeAlias = Any

#: memory of link.ld, the timer of main.c, a Cortex-M's own registers
_MEMORY = ((0x00000000, 4 << 20), (0x20000000, 4 << 20), (0x40000000, 1 << 12), (0xE000E000, 1 << 12))
_ENTRY, _SCHEDULER = "run_model", "tn_run"
_OP_BYTES = 20
#: owner of what runs outside kernels; operators are 0, 1, ...
_SCHEDULING = -1
_SYS_OPEN, _SYS_WRITE, _SYS_READ, _SYS_EXIT = 0x01, 0x05, 0x06, 0x20
#: modes from here on make a file
_WRITING = 4


class Functions:
    """The functions of an ELF by name and by address."""

    def __init__(self, elf: Any) -> None:
        symbols = elf.get_section_by_name(".symtab").iter_symbols()
        functions = [s for s in symbols if s["st_info"]["type"] == "STT_FUNC" and s.name]
        self.spans = {
            s.name: range(s["st_value"] & ~1, (s["st_value"] & ~1) + s["st_size"]) for s in functions
        }
        self._names: list[str] = sorted(self.spans, key=lambda name: self.spans[name].start)
        self._starts = [self.spans[name].start for name in self._names]

    def name_at(self, address: int) -> str:
        """The function that `address` lies in or after."""
        return self._names[max(0, bisect.bisect_right(self._starts, address) - 1)]


class Counting:
    """Counts the blocks entered between the first call of `run_model` and its return, by owner."""

    def __init__(self, machine: Uc, architecture: Architecture, functions: Functions) -> None:
        self._registers = architecture.registers
        self._entry = functions.spans[_ENTRY].start
        self._scheduler = functions.spans[_SCHEDULER]
        self._end: int | None = None
        self._table = 0
        self._kernels: frozenset[int] = frozenset()
        self._running = False
        self._owner = _SCHEDULING
        self.blocks: defaultdict[int, Counter[int]] = defaultdict(Counter)
        self.sizes: dict[int, int] = {}
        machine.hook_add(UC_HOOK_BLOCK, self._enter_block)

    def _enter_block(self, machine: Uc, address: int, size: int, _: Any) -> None:
        if not self._running:
            if address != self._entry or self._end is not None:
                return
            self._running, self._end = True, machine.reg_read(self._registers.link) & ~1
        elif address == self._end:
            self._running = False
            return
        elif address in self._kernels:
            self._owner = (machine.reg_read(self._registers.first) - self._table) // _OP_BYTES
        elif self._scheduler.start <= address < self._scheduler.stop:
            self._owner = _SCHEDULING
            if address == self._scheduler.start:
                self._read_network(machine)
        self.blocks[self._owner][address] += 1
        self.sizes[address] = size

    def _read_network(self, machine: Uc) -> None:
        """The kernels of the tn_network that the first argument points to."""
        network = machine.mem_read(machine.reg_read(self._registers.first), 12)
        self._table, steps, count = struct.unpack("<3I", network)
        operators = 1 + max(machine.mem_read(steps, 4 * count)[::4])
        entries = struct.iter_unpack("<5I", machine.mem_read(self._table, _OP_BYTES * operators))
        self._kernels = frozenset(entry[0] & ~1 for entry in entries)


class Semihosting:
    """Answers the program's calls for files, and ends it."""

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


def count(path: Path) -> dict[str, Any]:
    """The figures of one inference of the firmware at `path`, see the module."""
    module: Any = unicorn
    with path.open("rb") as file:
        elf = ELFFile(file)
        architecture = architecture_of(elf)
        machine: Uc = module.Uc(*architecture.family)
        for start, size in _MEMORY:
            machine.mem_map(start, size)
        for segment in elf.iter_segments():
            if segment["p_type"] == "PT_LOAD" and segment["p_filesz"]:
                machine.mem_write(segment["p_paddr"], segment.data())
        functions = Functions(elf)
    counting = Counting(machine, architecture, functions)
    semihosting = Semihosting(machine, architecture)
    stack, start = struct.unpack("<2I", machine.mem_read(0, 8))
    machine.reg_write(architecture.registers.stack, stack)
    machine.emu_start(start | architecture.state, 0xFFFFFFFE)
    if semihosting.status != 0:
        raise SystemExit(f"{path} ended with status {semihosting.status}")
    code = {a: bytes(machine.mem_read(a, size)) for a, size in counting.sizes.items()}
    return {
        **_instructions(architecture, functions, counting.blocks, code),
        "cycles": _cycles(architecture, counting.blocks, code),
    }


#: how often each owner entered the block at an address
Blocks: TypeAlias = Mapping[int, Counter[int]]


def _instructions(
    architecture: Architecture, functions: Functions, blocks: Blocks, code: Mapping[int, bytes]
) -> dict[str, Any]:
    length = {a: architecture.instructions(block) for a, block in code.items()}
    by_owner: dict[int, int] = {}
    by_function: Counter[str] = Counter()
    for owner, entered in blocks.items():
        by_owner[owner] = sum(times * length[a] for a, times in entered.items())
        for a, times in entered.items():
            by_function[functions.name_at(a)] += times * length[a]
    return {
        "total": sum(by_owner.values()),
        "scheduler": by_owner.pop(_SCHEDULING, 0),
        "operators": {str(owner): by_owner[owner] for owner in sorted(by_owner)},
        "functions": dict(by_function.most_common()),
    }


def _cycles(architecture: Architecture, blocks: Blocks, code: Mapping[int, bytes]) -> dict[str, list[int]]:
    if architecture.cycles is None:
        return {}
    model = architecture.cycles()
    cycles = {a: model.of(block, a) for a, block in code.items()}
    return {
        str(owner): [
            sum(times * cycles[a].m7 for a, times in entered.items()),
            sum(times * cycles[a].m4 for a, times in entered.items()),
        ]
        for owner, entered in blocks.items()
    }


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("firmware", type=Path)
    print(json.dumps(count(parser.parse_args().firmware)))


if __name__ == "__main__":
    main()
