"""Counts the instructions of one inference, operator by operator, in the Unicorn engine.

    python benchmarks/cores/count_instructions.py FIRMWARE.elf [--cycles CORE ...]

A program of its own, started as a process (see machine.py). It runs the same ELF as QEMU does, in the current
directory, whose input.bin holds one inference's inputs, and prints one JSON object: instructions in all, of
the scheduler, by operator (its index in the network's table), by C function; and for each core asked for,
of Arm's, its modelled cycles (cycles.py) by operator (-1: the scheduler).

Every translated block that is entered adds its instructions to the operator whose kernel the scheduler called
last: a block at a kernel's first address begins operator (first argument - table) / sizeof(tn_op). A block
that is followed by the one behind it in memory was left without a jump. Instructions that a condition skips
count, as they do in QEMU.
"""

from __future__ import annotations

import argparse
import bisect
import json
import struct
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from architectures import Architecture
from cycles import MODELS, CycleModel
from machine import Machine, Uc
from unicorn import UC_HOOK_BLOCK

#: how often each owner entered the block at an address
Blocks: TypeAlias = Mapping[int, Counter[int]]

_ENTRY, _SCHEDULER = "run_model", "tn_run"
_OP_BYTES = 20
#: owner of what runs outside kernels; operators are 0, 1, ...
_SCHEDULING = -1


class Functions:
    """Functions by address."""

    def __init__(self, spans: Mapping[str, range]) -> None:
        self._names: list[str] = sorted(spans, key=lambda name: spans[name].start)
        self._starts = [spans[name].start for name in self._names]

    def name_at(self, address: int) -> str:
        """The function that `address` lies in or after."""
        return self._names[max(0, bisect.bisect_right(self._starts, address) - 1)]


class Counting:
    """Counts the blocks entered between the first call of `run_model` and its return, by owner.

    `passed` are those of them that were left without a jump, `sizes` the bytes of each block.
    """

    def __init__(self, machine: Machine) -> None:
        self._registers = machine.architecture.registers
        self._entry = machine.functions[_ENTRY].start
        self._scheduler = machine.functions[_SCHEDULER]
        self._end: int | None = None
        self._table = 0
        self._kernels: frozenset[int] = frozenset()
        self._running = False
        self._owner = _SCHEDULING
        self._last, self._behind = 0, -1
        self.blocks: defaultdict[int, Counter[int]] = defaultdict(Counter)
        self.passed: defaultdict[int, Counter[int]] = defaultdict(Counter)
        self.sizes: dict[int, int] = {}
        machine.unicorn.hook_add(UC_HOOK_BLOCK, self._enter_block)

    def _enter_block(self, machine: Uc, address: int, size: int, _: Any) -> None:
        if not self._running:
            if address != self._entry or self._end is not None:
                return
            self._running, self._end = True, machine.reg_read(self._registers.link) & ~1
        elif address == self._end:
            self._running = False
            return
        if address == self._behind:
            self.passed[self._owner][self._last] += 1
        if address in self._kernels:
            self._owner = (machine.reg_read(self._registers.first) - self._table) // _OP_BYTES
        elif self._scheduler.start <= address < self._scheduler.stop:
            self._owner = _SCHEDULING
            if address == self._scheduler.start:
                self._read_network(machine)
        self.blocks[self._owner][address] += 1
        self.sizes[address] = size
        self._last, self._behind = address, address + size

    def _read_network(self, machine: Uc) -> None:
        """The kernels of the tn_network that the first argument points to."""
        network = machine.mem_read(machine.reg_read(self._registers.first), 12)
        self._table, steps, count = struct.unpack("<3I", network)
        operators = 1 + max(machine.mem_read(steps, 4 * count)[::4])
        entries = struct.iter_unpack("<5I", machine.mem_read(self._table, _OP_BYTES * operators))
        self._kernels = frozenset(entry[0] & ~1 for entry in entries)


def count(path: Path, cores: Sequence[str]) -> dict[str, Any]:
    """The figures of one inference of the firmware at `path`, with cycles of `cores`, see the module."""
    machine = Machine(path)
    architecture, functions = machine.architecture, Functions(machine.functions)
    counting = Counting(machine)
    machine.run()
    code = {a: bytes(machine.unicorn.mem_read(a, size)) for a, size in counting.sizes.items()}
    return {
        **_instructions(architecture, functions, counting.blocks, code),
        "cycles": {core: _cycles(CycleModel(core), counting, code) for core in cores},
    }


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


def _cycles(model: CycleModel, counting: Counting, code: Mapping[int, bytes]) -> dict[str, int]:
    cycles = {a: model.of(block, a) for a, block in code.items()}
    return {
        str(owner): sum(times * cycles[a].left for a, times in entered.items())
        - sum(times * cycles[a].saved for a, times in counting.passed[owner].items())
        for owner, entered in counting.blocks.items()
    }


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("firmware", type=Path)
    parser.add_argument("--cycles", nargs="*", choices=list(MODELS), default=[], metavar="CORE")
    options = parser.parse_args()
    print(json.dumps(count(options.firmware, options.cycles)))


if __name__ == "__main__":
    main()
