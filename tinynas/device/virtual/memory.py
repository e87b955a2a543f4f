"""The board's memories as buffers that the emulator and native code share."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.board import Board, Region
from tinynas.device.virtual.chip import Chip
from tinynas.device.virtual.image import Image
from tinynas.errors import RequestError

_READ, _WRITE, _EXECUTE = 1, 2, 4
_PAGE = 4096


@dataclass(frozen=True)
class Bank:
    """One memory: its bytes, and every address at which they are seen."""

    region: Region
    content: NDArray[np.uint8]
    origins: tuple[int, ...]


def make_memory(board: Board, chip: Chip) -> tuple[Bank, ...]:
    """All memories of a board after power-on: flash erased, RAM random (each time the same)."""
    noise = random.Random(0)
    banks = []
    for region in board.regions:
        if region.kind == "cache":
            continue
        size = -(-region.size_bytes // _PAGE) * _PAGE
        raw = b"\xff" * size if region.kind == "flash" else noise.randbytes(size)
        aliases = (
            memory.origin + region.origin - memory.alias_of
            for memory in chip.memories
            if memory.alias_of is not None
            and memory.alias_of <= region.origin < memory.alias_of + memory.size_bytes
        )
        content = np.frombuffer(raw, dtype=np.uint8).copy()
        banks.append(Bank(region, content, (region.origin, *aliases)))
    for memory in chip.memories:
        if memory.alias_of is None:
            content = np.full(memory.size_bytes, 0xFF, dtype=np.uint8)
            for address, word in memory.words.items():
                content[address - memory.origin :][:4] = np.frombuffer(word.to_bytes(4, "little"), np.uint8)
            region = Region(memory.name, "flash", memory.origin, memory.size_bytes, False)
            banks.append(Bank(region, content, (memory.origin,)))
    return tuple(banks)


def map_memory(uc: Any, banks: tuple[Bank, ...]) -> None:
    """Shows every bank to the Unicorn instance; flash cannot be written."""
    for bank in banks:
        rights = _READ | _EXECUTE | (0 if bank.region.kind == "flash" else _WRITE)
        for origin in bank.origins:
            uc.mem_map_ptr(origin, len(bank.content), rights, bank.content.ctypes.data)


def load(image: Image, banks: tuple[Bank, ...], board: Board) -> None:
    """Puts the firmware into the memories.

    Raises:
        RequestError: it has bytes where the board has no memory.
    """
    for segment in image.segments:
        bank, offset = _find(banks, segment.address)
        if bank is None or offset + len(segment.content) > bank.region.size_bytes:
            raise RequestError(
                f"{image.path.name} has {len(segment.content):,} bytes at 0x{segment.address:08X}, "
                f"where {board.id} has no memory for them: it was linked for another board"
            )
        bank.content[offset : offset + len(segment.content)] = np.frombuffer(segment.content, np.uint8)


def _find(banks: tuple[Bank, ...], address: int) -> tuple[Bank | None, int]:
    for bank in banks:
        for origin in bank.origins:
            if origin <= address < origin + bank.region.size_bytes:
                return bank, address - origin
    return None, 0


def is_memory(banks: tuple[Bank, ...], address: int) -> bool:
    """Whether a memory of the board lies at ``address``."""
    return _find(banks, address)[0] is not None


def snapshot(banks: tuple[Bank, ...]) -> tuple[bytes, ...]:
    """What all writable memories hold."""
    return tuple(bank.content.tobytes() for bank in banks if bank.region.kind != "flash")
