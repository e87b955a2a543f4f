"""Who takes a firmware's SRAM and flash: the network, its engine, or the rest of the firmware.

The same parts are predicted before anything is built, read from the ELF file, and (those of SRAM) told by
the running board, so that like is compared with like. In an ELF file the symbols tell whose each is, with
every compiler and framework: a local one by the C file it follows in the table, a global one by its name.
With link-time optimisation, or without symbols, nobody can tell; then the parts of flash are unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from tinynas.device.elf import FirmwareSize, Symbol
from tinynas.device.golden import GOLDEN_NAMES, MODEL_NAME
from tinynas.device.measurement import MemoryUse
from tinynas.engine.plan import ALIGNMENT
from tinynas.engine.sources import engine_files, engine_functions

_MODEL_FILE = f"{MODEL_NAME}.c"
_MODEL_FUNCTIONS = frozenset(
    f"{MODEL_NAME}_{name}" for name in ("input", "output", "invoke", "network", "arena")
)


@dataclass(frozen=True, slots=True)
class MemoryParts:
    """Bytes of each part; None where it is not known.

    SRAM is the network's `arena`, the `stack`, and all other `variables`. Flash is the network's `constants`
    (weights, tables, schedule), the `engine`'s code with the network's own functions, the `golden` vectors,
    and `firmware`: chip, link, program, C library, and what fills gaps. Constants and code count in whole
    words, golden vectors to the byte.
    """

    arena: int | None = None
    stack: int | None = None
    variables: int | None = None
    constants: int | None = None
    engine: int | None = None
    golden: int | None = None
    firmware: int | None = None

    @property
    def sram_bytes(self) -> int | None:
        """All of SRAM, where every part is known."""
        return _sum((self.arena, self.stack, self.variables))

    @property
    def flash_bytes(self) -> int | None:
        """All of flash, where every part is known."""
        return _sum((self.constants, self.engine, self.golden, self.firmware))

    @classmethod
    def of_elf(cls, size: FirmwareSize) -> MemoryParts:
        """Of a firmware that was linked: what no other part claims is the firmware's."""
        variables = _rest(size.ram_bytes, size.arena_bytes, size.stack_bytes)
        found = dict.fromkeys(("constants", "engine", "golden"), 0)
        claimed = [(part, each) for each in size.symbols if each.in_flash and (part := _part_of(each))]
        # what has two names is there once
        for part, symbol in {symbol.address: (part, symbol) for part, symbol in claimed}.values():
            found[part] += symbol.size_bytes if part == "golden" else _words(symbol.size_bytes)
        if not all(found.values()):
            return cls(size.arena_bytes, size.stack_bytes, variables)
        rest = size.flash_bytes - sum(found.values())
        return cls(size.arena_bytes, size.stack_bytes, variables, **found, firmware=rest)

    @classmethod
    def of_board(cls, memory: MemoryUse) -> MemoryParts:
        """Of a firmware that runs: it knows where its variables lie, not whose its flash is."""
        return cls(memory.arena, memory.stack, _rest(memory.static, memory.arena))

    def by_key(self) -> dict[str, int | None]:
        """For JSON: every part's bytes by its name with the unit."""
        return {f"{each.name}_bytes": getattr(self, each.name) for each in fields(self)}


def beside(**known: MemoryParts) -> dict[str, dict[str, int | None]]:
    """For JSON: each part in each way it is known, {"arena_bytes": {"predicted": ..., "elf": ...}, ...}."""
    parts = {way: each.by_key() for way, each in known.items()}
    return {key: {way: parts[way][key] for way in parts} for key in MemoryParts().by_key()}


def _part_of(symbol: Symbol) -> str | None:
    """The part of flash that `symbol` is, None where it is the rest of the firmware."""
    if symbol.source == _MODEL_FILE:
        return "engine" if symbol.is_code else "constants"
    if symbol.source is not None:
        return "engine" if symbol.source in engine_files() else None
    if symbol.name in GOLDEN_NAMES:
        return "golden"
    return "engine" if symbol.name in engine_functions() | _MODEL_FUNCTIONS else None


def _words(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _rest(whole: int | None, *parts: int | None) -> int | None:
    known = _sum(parts)
    return None if whole is None or known is None else whole - known


def _sum(parts: Iterable[int | None]) -> int | None:
    total = 0
    for part in parts:
        if part is None:
            return None
        total += part
    return total
